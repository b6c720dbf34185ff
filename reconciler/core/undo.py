"""Undoing: which overwritten values can come back as an edit of today, and what is left alone, with the reason.

An undo is planned like anything else: from records as they are now, to operations that the limits are checked against.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from reconciler.core.evidence import evidence_of
from reconciler.core.lenses import Lenses
from reconciler.core.model import Entry, Field, Link, Presence, Record, Side, Value
from reconciler.core.operations import FieldChange, Update, order
from reconciler.core.policy import Policy
from reconciler.message import say

RESTORED: Final = "restored"
"""The reason of a value that a person brought back. It is an outside edit: should the process die over its write, what
shows afterwards is no late write of ours, and flows on like any person's edit."""


def place(name: Field, side: Side, crm_id: str, work_id: str) -> str:
    """A field and its record, for a person."""
    return say("{name} of {side} {id}", name=name, side=side, id=crm_id if side is Side.CRM else work_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwritten:
    """A value `old` of a linked pair that journal entry `entry` replaced on `side`.

    `written` are the values of which one is there if nobody changed the field since, `giver` the other side's value
    then (empty where the journal does not hold it). Without `written` the value comes back whatever is there.
    """

    entry: int
    crm_id: str
    work_id: str
    side: Side
    field: Field
    old: Value
    written: tuple[Value, ...] = ()
    giver: tuple[Value, ...] = ()
    erased: bool = False

    @property
    def place(self) -> str:
        """The field and its record, for a person."""
        return place(self.field, self.side, self.crm_id, self.work_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A linked pair as it is now. `rows` lacks a record that cannot be seen; `unclear` are the fields of writes of ours
    that may still arrive."""

    link: Link
    rows: Mapping[Side, Record]
    unclear: frozenset[tuple[Side, Field]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What would be written, which values are there again already, and a sentence for each that is left alone."""

    updates: tuple[Update, ...] = ()
    already: tuple[Overwritten, ...] = ()
    left: tuple[str, ...] = ()


def overwritten(entry: Entry) -> Overwritten | None:
    """What a journal entry overwrote in a linked pair; None if it is about something else."""
    if entry.kind not in ("intent", "conflict") or entry.field is None or entry.side is None:
        return None
    if entry.crm_id is None or entry.work_id is None:
        return None
    return Overwritten(
        entry=entry.id,
        crm_id=entry.crm_id,
        work_id=entry.work_id,
        side=entry.side,
        field=entry.field,
        old=entry.old,
        erased=entry.erased,
    )


def unless_changed(one: Overwritten, entry: Entry, read: tuple[Value, ...]) -> Overwritten:
    """The same, to come back only if nobody changed it since; `read` is what the server made of the write."""
    giver = (evidence_of(entry).triple.now(one.side.other),) if entry.inputs else ()
    return replace(one, written=(entry.new, *read), giver=giver)


def in_one(found: Iterable[Overwritten], lenses: Lenses) -> list[Overwritten]:
    """One for each field of a record: of writes that followed one another, the first's old value comes back."""
    last: dict[tuple[str, str, Side, Field], Overwritten] = {}
    for one in found:
        where = (one.crm_id, one.work_id, one.side, one.field)
        before = last.get(where)
        if before is not None and (before.erased or _follows(one, before, lenses)):
            one = replace(one, old=before.old, erased=before.erased or one.erased)
        last[where] = one
    return list(last.values())


def _follows(one: Overwritten, before: Overwritten, lenses: Lenses) -> bool:
    """Whether `one` overwrote what the write before it had left; otherwise somebody edited in between."""
    return any(lenses[one.field].same(one.side, one.old, left) for left in before.written)


def undo(found: Iterable[Overwritten], sights: Mapping[str, Sight], policy: Policy, rule: str) -> Undo:
    """Plan the return of overwritten values, an update for each pair and side; `sights` are by work item id."""
    changes: dict[tuple[str, Side], list[FieldChange]] = {}
    already: list[Overwritten] = []
    left: list[str] = []
    for one in found:
        sight = _editable(one, sights.get(one.work_id), policy)
        if isinstance(sight, str):
            left.append(sight)
        elif _is(one.side, one, sight, (one.old,), policy):
            already.append(one)
        elif _changed(one, sight, policy):
            left.append(say("{place} was changed since; it stays as it is", place=one.place))
        else:
            change = FieldChange(
                field=one.field,
                before=sight.rows[one.side].values.get(one.field),
                after=one.old,
                source=sight.rows[one.side.other].values.get(one.field),
                reason=RESTORED,
                rule=rule,
            )
            changes.setdefault((one.work_id, one.side), []).append(change)
    updates = [_update(sights[work_id].link, side, listed) for (work_id, side), listed in changes.items()]
    updates.sort(key=lambda update: (order(update.crm_id), update.side))
    return Undo(updates=tuple(updates), already=tuple(already), left=tuple(left))


def _update(link: Link, side: Side, changes: list[FieldChange]) -> Update:
    return Update(side=side, crm_id=link.crm.id, work_id=link.work.id, title=link.title, changes=tuple(changes))


def _editable(one: Overwritten, sight: Sight | None, policy: Policy) -> Sight | str:
    """The pair, if a value of it can be edited now; else why not."""
    if one.erased:
        return say(
            "the values of entry {entry_id} were erased ([journal] retention, or `reconciler erase`); nothing can"
            " be restored from it",
            entry_id=one.entry,
        )
    if sight is None or sight.link.crm.id != one.crm_id:
        return say(
            "CRM task {crm_id} and work item {work_id} are no longer linked", crm_id=one.crm_id, work_id=one.work_id
        )
    link = sight.link
    if not policy.pilot.admits(link, policy.people):
        return say("CRM task {id} is left out by [pilot]", id=link.crm.id)
    for side in Side:
        row = sight.rows.get(side)
        if row is None:
            return say("{side} {id} cannot be seen any more", side=side, id=link.half(side).id)
        if row.presence is not Presence.PRESENT or link.frozen:
            return say("{side} {id} is deleted, or it or its project is archived", side=side, id=row.id)
    if (one.side, one.field) in sight.unclear:
        return say("{place}: an earlier write is still unclear; try again after the next cycle", place=one.place)
    return sight


def _changed(one: Overwritten, sight: Sight, policy: Policy) -> bool:
    """Whether somebody changed the field since, on either side."""
    if not one.written:
        return False
    other = one.side.other
    giver = one.giver or (sight.link.half(other).base.get(one.field),)
    return not (_is(one.side, one, sight, one.written, policy) and _is(other, one, sight, giver, policy))


def _is(side: Side, one: Overwritten, sight: Sight, values: tuple[Value, ...], policy: Policy) -> bool:
    now = sight.rows[side].values.get(one.field)
    return any(policy.lenses[one.field].same(side, now, value) for value in values)
