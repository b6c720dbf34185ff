"""What a verdict over a field was made from, in the form that the journal keeps, so that it can be reached again.

Values are personal and go into the `inputs` of an entry, everything else into its `detail`. What was decided about a
whole task or pair has its own evidence beside its rule: `creation.Request`, `loss.Loss`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from reconciler.core.bounds import UNBOUND, Bounds, carried
from reconciler.core.lenses import Lens, Unmapped
from reconciler.core.merge import Accepted, Flow, Settled, Triple, merge
from reconciler.core.model import Direction, Entry, Field, Offset, Side, Value
from reconciler.core.resolve import Clocks, Decision, resolve

VALUES = ("crm_base", "crm", "work_base", "work")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that `merge` looked at, and `resolve` if the two sides were in conflict; `config` is the fingerprint
    of the settings that the lens comes from. `bounds` are those of the side that the giver's value goes to."""

    triple: Triple
    direction: Direction
    config: str
    crm_stamp: datetime | None = None
    work_stamp: datetime | None = None
    clocks: Clocks | None = None
    bounds: Bounds = UNBOUND

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The four values."""
        return {name: getattr(self.triple, name) for name in VALUES}

    @property
    def detail(self) -> Mapping[str, Any]:
        """Direction, config, stamps, clocks and bounds; durations in seconds, moments as ISO 8601."""
        plain: dict[str, Any] = {
            "direction": self.direction.value,
            "based": self.triple.based,
            "config": self.config,
            "crm_stamp": moment_out(self.crm_stamp),
            "work_stamp": moment_out(self.work_stamp),
        }
        if self.bounds != UNBOUND:
            plain["bounds"] = self.bounds.plain
        if self.clocks is not None:
            plain["clocks"] = clocks_out(self.clocks)
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

    def carried(self, lens: Lens, giver: Side) -> Value | Unmapped:
        """What the giver's value is on the other side, or why it cannot be brought there."""
        return carried(lens, giver.other, self.triple.now(giver), self.triple.now(giver.other), self.bounds)

    def decision(self) -> Decision:
        """Who is later; only for a conflict."""
        assert self.clocks is not None
        return resolve(self.crm_stamp, self.work_stamp, self.clocks)


class Grounds(Protocol):
    """What a decision was made from, as an entry keeps it: personal values in `inputs`, the rest in `detail`."""

    @property
    def inputs(self) -> Mapping[str, Any]: ...

    @property
    def detail(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision after which nothing is written: the two sides agree, their difference is accepted, or a field (of
    the record on `side`) or a whole task is set aside. The stamps are those of the field."""

    crm_id: str
    work_id: str | None = None
    side: Side | None = None
    field: Field | None = None
    kind: str
    reason: str = ""
    crm_stamp: datetime | None = None
    work_stamp: datetime | None = None
    evidence: Grounds

    def entry(self, now: datetime, cycle: int) -> Entry:
        """The ruling as the journal keeps it."""
        return Entry(
            kind=self.kind,
            at=now,
            cycle=cycle,
            crm_id=self.crm_id,
            work_id=self.work_id,
            side=self.side,
            field=self.field,
            reason=self.reason,
            crm_modified=self.crm_stamp,
            work_modified=self.work_stamp,
            inputs=self.evidence.inputs,
            detail=self.evidence.detail,
        )


def evidence_of(entry: Entry) -> Evidence:
    """The evidence that an entry holds. Raises `KeyError` if it holds none, or if its values were erased."""
    detail: Mapping[str, Any] = entry.detail
    clocks = detail.get("clocks")
    return Evidence(
        triple=Triple(**{name: value_in(entry.inputs[name]) for name in VALUES}, based=detail["based"]),
        direction=Direction(detail["direction"]),
        config=detail["config"],
        crm_stamp=moment_in(detail["crm_stamp"]),
        work_stamp=moment_in(detail["work_stamp"]),
        clocks=clocks_in(clocks) if clocks else None,
        bounds=Bounds(**detail.get("bounds", {})),
    )


def value_in(stored: Any) -> Value:
    """A value as the journal gives it back: JSON knows no tuple."""
    return tuple(stored) if isinstance(stored, list) else stored


def moment_out(moment: datetime | None) -> str | None:
    """A moment as ISO 8601."""
    return None if moment is None else moment.isoformat()


def moment_in(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def clocks_out(clocks: Clocks) -> dict[str, Any]:
    """The clocks as plain data, in seconds."""
    return {
        "crm": _offset_out(clocks.crm),
        "work": _offset_out(clocks.work),
        "tolerance": clocks.tolerance.total_seconds(),
        "tie": clocks.tie.value,
    }


def clocks_in(stored: Mapping[str, Any]) -> Clocks:
    """The clocks out of plain data."""
    return Clocks(
        crm=_offset_in(stored["crm"]),
        work=_offset_in(stored["work"]),
        tolerance=timedelta(seconds=stored["tolerance"]),
        tie=Side(stored["tie"]),
    )


def _offset_out(offset: Offset) -> dict[str, float | None]:
    value = None if offset.value is None else offset.value.total_seconds()
    return {"value": value, "uncertainty": offset.uncertainty.total_seconds()}


def _offset_in(stored: Mapping[str, float | None]) -> Offset:
    value, uncertainty = stored["value"], stored["uncertainty"]
    return Offset(
        value=None if value is None else timedelta(seconds=value), uncertainty=timedelta(seconds=uncertainty or 0)
    )
