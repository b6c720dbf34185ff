"""What a verdict over a field was made from, in the form that the journal keeps, so that it can be reached again.

Values are personal and go into the `inputs` of an entry, everything else into its `detail`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.core.lenses import Lens
from reconciler.core.merge import Accepted, Flow, Settled, Triple, merge
from reconciler.core.model import Direction, Entry, Field, Offset, Side, Value
from reconciler.core.resolve import Clocks, Decision, resolve

VALUES = ("crm_base", "crm", "work_base", "work")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that `merge` looked at, and `resolve` if the two sides were in conflict; `config` is the fingerprint
    of the settings that the lens comes from."""

    triple: Triple
    direction: Direction
    config: str
    crm_stamp: datetime | None = None
    work_stamp: datetime | None = None
    clocks: Clocks | None = None

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The four values."""
        return {name: getattr(self.triple, name) for name in VALUES}

    @property
    def detail(self) -> Mapping[str, Any]:
        """Direction, config, stamps and clocks; durations in seconds, moments as ISO 8601."""
        plain: dict[str, Any] = {
            "direction": self.direction.value,
            "based": self.triple.based,
            "config": self.config,
            "crm_stamp": _out(self.crm_stamp),
            "work_stamp": _out(self.work_stamp),
        }
        if self.clocks is not None:
            plain["clocks"] = {
                "crm": _offset_out(self.clocks.crm),
                "work": _offset_out(self.clocks.work),
                "tolerance": self.clocks.tolerance.total_seconds(),
                "tie": self.clocks.tie.value,
            }
        return plain

    def verdict(self, lens: Lens) -> tuple[str, Side | None, str]:
        """What the planner makes of it: the kind of verdict, the side whose value goes to the other, and why."""
        match merge(lens, self.direction, self.triple):
            case Settled():
                return "settled", None, ""
            case Accepted(reason):
                return "accepted", None, reason
            case Flow(giver):
                return "flow", giver, f"changed_on_{giver}"
        decision = self.decision()
        return "conflict", decision.winner, decision.reason

    def decision(self) -> Decision:
        """Who is later; only for a conflict."""
        assert self.clocks is not None
        return resolve(self.crm_stamp, self.work_stamp, self.clocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A verdict after which nothing is written: the two sides agree, or their difference is accepted."""

    crm_id: str
    work_id: str
    field: Field
    kind: str
    reason: str
    evidence: Evidence

    def entry(self, now: datetime, cycle: int) -> Entry:
        """The ruling as the journal keeps it; the stamps are those of the field."""
        return Entry(
            kind=self.kind,
            at=now,
            cycle=cycle,
            crm_id=self.crm_id,
            work_id=self.work_id,
            field=self.field,
            reason=self.reason,
            crm_modified=self.evidence.crm_stamp,
            work_modified=self.evidence.work_stamp,
            inputs=self.evidence.inputs,
            detail=self.evidence.detail,
        )


def evidence_of(entry: Entry) -> Evidence:
    """The evidence that an entry holds. Raises `KeyError` if it holds none, or if its values were erased."""
    detail: Mapping[str, Any] = entry.detail
    clocks = detail.get("clocks")
    return Evidence(
        triple=Triple(**{name: _value(entry.inputs[name]) for name in VALUES}, based=detail["based"]),
        direction=Direction(detail["direction"]),
        config=detail["config"],
        crm_stamp=_in(detail["crm_stamp"]),
        work_stamp=_in(detail["work_stamp"]),
        clocks=Clocks(
            crm=_offset_in(clocks["crm"]),
            work=_offset_in(clocks["work"]),
            tolerance=timedelta(seconds=clocks["tolerance"]),
            tie=Side(clocks["tie"]),
        )
        if clocks
        else None,
    )


def _value(stored: Any) -> Value:
    return tuple(stored) if isinstance(stored, list) else stored


def _out(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _in(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def _offset_out(offset: Offset) -> dict[str, float | None]:
    value = None if offset.value is None else offset.value.total_seconds()
    return {"value": value, "uncertainty": offset.uncertainty.total_seconds()}


def _offset_in(stored: Mapping[str, float | None]) -> Offset:
    value, uncertainty = stored["value"], stored["uncertainty"]
    return Offset(
        value=None if value is None else timedelta(seconds=value), uncertainty=timedelta(seconds=uncertainty or 0)
    )
