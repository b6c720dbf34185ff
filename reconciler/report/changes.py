"""What was written, read from the journal: each intent joined with its outcome, each link made or undone.

The journal says beforehand what is about to be sent and afterwards what became of it. A person wants both on one line.
Entries of one cycle are adjacent, so only one cycle's open intents are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.core.model import Entry, Side
from reconciler.core.observe import Landed
from reconciler.report.data import Json, corrected, offsets_of, plain, utc

LANDED: Final = frozenset(landed.value for landed in Landed)
LINKING: Final = ("created", "linked")
TEXTS: Final = ("overwritten", "told")
"""Texts of ours in the CRM's result field: what a person had typed there, and what the field says now."""

OPEN: Final = "no_outcome"
"""The outcome of an intent of which the period tells nothing more: the process died, or the answer came later."""


def changes(entries: Iterable[Entry]) -> Iterator[Json]:
    """The changes among journal entries (oldest first), in the order in which their outcomes became known."""
    joiner = Joiner()
    for entry in entries:
        yield from joiner.feed(entry)
    yield from joiner.rest()


@dataclass(slots=True)
class _Element:
    """One element of a write call: `id` is its first intent's, `rows` its fields that still lack an outcome."""

    id: int
    rows: dict[str | None, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Joiner:
    """Joins intents with outcomes, entry by entry."""

    _open: dict[tuple[str | None, Side | None], _Element] = field(default_factory=dict)
    _cycle: int | None = None

    def feed(self, entry: Entry) -> list[Json]:
        """The changes that this entry completes."""
        done: list[Json] = []
        if entry.cycle is not None and entry.cycle != self._cycle:
            done, self._cycle = self.rest(), entry.cycle
        where = (entry.crm_id, entry.side)
        match entry.kind:
            case "intent":
                self._intent(entry)
            case kind if kind in LANDED:
                done += self._settled(where, entry, entry.field)
            case "refused":  # the whole element, whichever field the server named
                names: Any = entry.detail.get("fields", [entry.field])
                for name in names:
                    done += self._settled(where, entry, name)
            case "not_applied" | "unclear":
                done += self._settled(where, entry, entry.field)
            case kind if kind in LINKING:
                done += self._settled((entry.crm_id, Side.WORK), entry, None)
                done.append(_row(entry, "link", outcome=kind))
            case "unlinked":
                for side in Side:
                    done += self._settled((entry.crm_id, side), entry, None)
                done.append(_row(entry, "unlink", outcome=kind))
            case kind if kind in TEXTS:
                done.append(_row(entry, "text", outcome=kind))
        return done

    def rest(self) -> list[Json]:
        """The changes whose outcome nothing told."""
        left = [row for element in self._open.values() for row in element.rows.values()]
        self._open.clear()
        return left

    def _intent(self, entry: Entry) -> None:
        element = self._open.setdefault((entry.crm_id, entry.side), _Element(entry.id))
        kind = "create" if entry.reason == "created" else "delete" if entry.field is None else "update"
        element.rows[entry.field] = _row(entry, kind, outcome=OPEN) | {"element": element.id}

    def _settled(self, where: tuple[str | None, Side | None], entry: Entry, name: str | None) -> list[Json]:
        """Take the open rows that an outcome is about: of one field, or of all if it names none."""
        element = self._open.get(where)
        if element is None or (name is not None and name not in element.rows):
            return []
        chosen = list(element.rows) if name is None else [name]
        rows = [element.rows.pop(one) for one in chosen]
        if not element.rows:
            del self._open[where]
        landed = entry.kind in LANDED
        told: dict[str, Any] = {"outcome": entry.kind, "work_id": entry.work_id}
        if landed and entry.kind != Landed.CONFIRMED:
            told["read"] = plain(entry.new)
        if entry.kind == "refused":
            told["words"] = entry.reason
        return [row | {key: value for key, value in told.items() if value is not None} for row in rows]


def _row(entry: Entry, kind: str, *, outcome: str) -> Json:
    """One line of the report. A conflict's loser is what was overwritten; `read` is what the server made of it."""
    side = entry.side or Side.WORK
    conflict = entry.reason == "conflict"
    stamps = {"crm_modified": utc(entry.crm_modified), "work_modified": utc(entry.work_modified)}
    return {
        "id": entry.id,
        "at": utc(entry.at),
        "cycle": entry.cycle,
        "kind": kind,
        "side": side.value,
        "direction": f"{side.other.value}_to_{side.value}",
        "crm_id": entry.crm_id,
        "work_id": entry.work_id,
        "title": "",
        "field": entry.field.value if entry.field else None,
        "before": plain(entry.old),
        "after": plain(entry.new),
        "rule": entry.rule,
        "reason": entry.why,
        "winner": side.other.value if conflict else None,
        "loser": side.value if conflict else None,
        **stamps,
        **corrected(stamps, offsets_of(entry)),
        "changed_by": entry.changed_by,
        "operator": entry.operator,
        "outcome": outcome,
        "read": None,
        "words": "",
        "element": entry.id,
    }
