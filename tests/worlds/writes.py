"""Writes, as a dry run announces them and as the servers logged them, in one form that can be compared.

The report's values are the planner's, the logs' are those of the wire: `differences` compares them by what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from reconciler.core.model import Side
from reconciler.sandbox.calls import Call, Element
from tests.simulation.checker import NAMES, PLACE, same

ORDER: Final = (("update", Side.CRM), ("update", Side.WORK), ("create", Side.WORK), ("delete", None))
"""A cycle carries its plan out kind by kind, each in the plan's order (an unlinking is no write)."""
VERBS: Final = {
    **dict.fromkeys(("update", "update-tasks"), "update"),
    **dict.fromkeys(("create", "insert-tasks"), "create"),
    **dict.fromkeys(("delete", "delete-tasks"), "delete"),
}
MARKS: Final = frozenset({"custom_field3", "CustomFields"})
"""Fields that hold the id of the counterpart; a write of them alone completes a link, and is no operation."""
UNMAPPED: Final = PLACE | MARKS | {"form_layout"}


@dataclass(frozen=True)
class Write:
    """One record written. `id` is the record's; for a create that of the task. `place` are its project and group."""

    kind: str
    side: Side
    id: str
    fields: Mapping[str, Any]
    place: tuple[str, ...] = ()


def announced(operations: Sequence[Mapping[str, Any]]) -> list[Write]:
    """The writes that the operations of a report come to, in the order in which they are to be sent."""
    found = [_announced(one) for one in operations if one["kind"] != "unlink"]
    return [one for kind, side in ORDER for one in found if one.kind == kind and side in (None, one.side)]


def _announced(row: Mapping[str, Any]) -> Write:
    side = Side(row["side"])
    record = row["work_id"] if side is Side.WORK and row["kind"] != "create" else row["crm_id"]
    place = (row["project"], row["group"]) if row["kind"] == "create" else ()
    return Write(row["kind"], side, record, {one["name"]: one["after"] for one in row["fields"]}, place)


def sent(calls: Iterable[tuple[Side, Call]]) -> Iterator[Write]:
    """The writes in two servers' logs. What was refused and is sent once more, whole or in parts, counts once."""
    refused: dict[tuple[Side, str], Mapping[str, Any]] = {}
    for side, call in calls:
        for element in call.elements if call.kind == "write" else ():
            if VERBS[call.verb] == "update" and element.fields.keys() - {"form_layout"} <= MARKS:
                continue
            write = _sent(side, VERBS[call.verb], element)
            known = refused.get((side, write.id), {})
            if write.fields and all(name in known and known[name] == value for name, value in write.fields.items()):
                continue
            if not element.ok:
                refused[side, write.id] = {**known, **write.fields}
            yield write


def _sent(side: Side, kind: str, element: Element) -> Write:
    fields = {NAMES[side].get(name, name): value for name, value in element.fields.items() if name not in UNMAPPED}
    if kind != "create":
        return Write(kind, side, str(element.id), fields)
    place = (str(element.fields["ProjectID"]), str(element.fields["TaskGroupID"]))
    return Write(kind, side, str(element.fields["CustomFields"]["crm_task_id"]), fields, place)


def differences(foretold: Sequence[Write], done: Sequence[Write]) -> Iterator[str]:
    """Where what was done is not what was foretold: another write, another order, another value."""
    for number, (one, two) in enumerate(zip_longest(foretold, done)):
        if one is None or two is None or not _equal(one, two):
            yield f"write {number}: foretold {one}, done {two}"


def _equal(one: Write, two: Write) -> bool:
    if (one.kind, one.side, one.id, one.place) != (two.kind, two.side, two.id, two.place):
        return False
    return one.fields.keys() == two.fields.keys() and all(same(n, one.fields[n], two.fields[n]) for n in one.fields)
