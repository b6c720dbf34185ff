"""Fidelity: did each cycle write exactly what it had planned?

Every cycle that is about to write journals its plan first, in the same transaction as what it read. What it then wrote
is in the journal too. The two are compared here, operation by operation and field by field, and every difference is
named with its cause: a dry run is worth as much as this comparison says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.core.model import Entry
from reconciler.core.observe import Landed
from reconciler.report.changes import LINKING, Joiner
from reconciler.report.data import Json, utc

WRITTEN: Final = frozenset({Landed.CONFIRMED, Landed.SERVER_ANSWER, Landed.USER_EDIT, *LINKING, "unlinked"})
"""Outcomes of a write that was made as planned. What the server or a person made of it afterwards is another matter."""

FOLLOWS: Final = frozenset({"propagated", "delete_refused"})
"""Unlinkings that are part of a planned deletion."""

Key = tuple[str, str, str, str]
"""Kind, side, CRM id, field (empty for a whole record)."""

NOT_SENT: Final = "not_sent"
"""The cause where the cycle ended before the write: a side failed, the process died, or somebody paused it."""

UNPLANNED: Final = "unplanned"
"""The cause of a write that no plan named: a field overtaken by edits twice was planned anew within the cycle."""


@dataclass(slots=True)
class Fidelity:
    """Feed it the journal's entries in order, then `end` it. `planned` counts the cycles that had a plan, `matched`
    those of them that wrote exactly that; `differences` come out of `feed` and `end`."""

    planned: int = 0
    matched: int = 0
    _plan: Entry | None = None
    _found: dict[Key, Json] = field(default_factory=dict)
    _dropped: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _joiner: Joiner = field(default_factory=Joiner)

    def feed(self, entry: Entry) -> Iterator[Json]:
        """The differences of the cycle that this entry shows to be over."""
        if self._plan is not None and entry.cycle is not None and entry.cycle != self._plan.cycle:
            yield from self.end()
        if entry.kind == "plan":
            self._plan, self.planned = entry, self.planned + 1
        elif self._plan is not None and entry.cycle == self._plan.cycle:
            if entry.kind == "dropped":
                name = entry.field.value if entry.field else ""
                self._dropped[str(entry.side), entry.crm_id or "", name] = entry.reason
            self._take(self._joiner.feed(entry))

    def end(self) -> list[Json]:
        """The differences of the last cycle."""
        plan, self._plan = self._plan, None
        if plan is None:
            return []
        self._take(self._joiner.rest())
        expected = _expected(plan)
        causes = {key: self._cause(key) for key in expected}
        causes |= dict.fromkeys(self._found.keys() - expected.keys(), UNPLANNED)
        items = expected | {key: row["work_id"] for key, row in self._found.items()}
        rows = [_row(plan, key, items[key], cause) for key, cause in sorted(causes.items()) if cause]
        self.matched += not rows
        self._found.clear()
        self._dropped.clear()
        return rows

    def _take(self, rows: Iterable[Json]) -> None:
        for row in rows:
            if row["kind"] in ("create", "update", "delete") or (
                row["kind"] == "unlink" and row["reason"] not in FOLLOWS
            ):
                self._found[row["kind"], row["side"], row["crm_id"], row["field"] or ""] = row

    def _cause(self, key: Key) -> str:
        """Why a planned write was not made as planned; empty if it was."""
        found = self._found.get(key)
        if found is not None:
            return "" if found["outcome"] in WRITTEN else str(found["outcome"])
        _, side, crm_id, name = key
        dropped = (self._dropped.get((side, crm_id, one)) for one in (name, ""))
        return next((reason for reason in dropped if reason), NOT_SENT)


def _expected(plan: Entry) -> dict[Key, str | None]:
    """Everything that a plan names, with the work item's id where there was one."""
    operations: list[list[Any]] = plan.detail["operations"]  # type: ignore[assignment]  # as core.operations.outline
    return {
        (kind, side, crm_id, name): work_id
        for kind, side, crm_id, work_id, names in operations
        for name in names or [""]
    }


def _row(plan: Entry, key: Key, work_id: str | None, cause: str) -> Json:
    kind, side, crm_id, name = key
    return {
        "id": plan.id,
        "at": utc(plan.at),
        "cycle": plan.cycle,
        "kind": kind,
        "side": side,
        "crm_id": crm_id,
        "work_id": work_id,
        "title": "",
        "field": name or None,
        "cause": cause,
    }


def deviations(entries: Iterable[Entry]) -> Iterator[Json]:
    """Every write of the cycles in these entries that was not planned, and every planned one that was not made."""
    compared = Fidelity()
    for entry in entries:
        yield from compared.feed(entry)
    yield from compared.end()


def fidelity(entries: Iterable[Entry]) -> tuple[int, int]:
    """How many of the cycles in these entries wrote exactly what they had planned, and how many had a plan."""
    compared = Fidelity()
    for entry in entries:
        for _ in compared.feed(entry):
            pass
    compared.end()
    return compared.matched, compared.planned
