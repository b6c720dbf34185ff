"""First bases: how two records that were never compared become a pair without anything being overwritten in silence.

A field that agrees gets its present values as bases. One that disagrees gets bases that make exactly one side look
changed, the giving one; the ordinary planner then does the rest, now or after a crash. Without a giver both present
values become the bases, which is an accepted difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.lenses import Lenses, Unmapped, empty, put
from reconciler.core.model import Difference, Direction, Field, Half, Link, Side, Value
from reconciler.core.observe import with_half


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """The pair with its first bases, and the fields whose present values differ and were accepted as they are."""

    link: Link
    accepted: tuple[Field, ...]


def seed(
    link: Link,
    lenses: Lenses,
    givers: Mapping[Field, Side | None],
    now: datetime,
    fields: frozenset[Field] | None = None,
) -> Seeded:
    """Give bases to the fields that both sides have shown (or to those of `fields`). `givers` says who gives each.

    An empty value never replaces a non-empty one: there the other side gives.
    """
    accepted: list[Field] = []
    for field, lens in lenses.items():
        if field not in link.crm.seen or field not in link.work.seen or (fields is not None and field not in fields):
            continue
        crm, work = link.crm.seen[field], link.work.seen[field]
        bases: dict[Side, Value] = {Side.CRM: crm, Side.WORK: work}
        giver = givers.get(field)
        if not lens.agree(crm, work):
            if giver is not None and empty(link.half(giver).seen[field]):
                giver = giver.other
            back = None if giver is None else put(lens, giver, link.half(giver.other).seen[field], None)
            if giver is None or isinstance(back, Unmapped):
                accepted.append(field)
            else:
                bases[giver] = back
        for side in Side:
            half = link.half(side)
            link = with_half(link, side, replace(half, base={**half.base, field: bases[side]}))
    differences = {**link.differences, **{field: Difference(reason="no_base", since=now) for field in accepted}}
    return Seeded(link=replace(link, differences=differences), accepted=tuple(accepted))


def command_givers(directions: Mapping[Field, Direction]) -> dict[Field, Side | None]:
    """`link`: the CRM gives, except for fields that flow from Work to the CRM; a field that is off gives nothing."""
    return {
        field: None if direction is Direction.OFF else Side.WORK if direction is Direction.WORK_TO_CRM else Side.CRM
        for field, direction in directions.items()
    }


def person_givers(crm: Half, work: Half, authors: Mapping[Side, str | None]) -> Side | None:
    """Without a base a side gives only if it alone was last modified by a person."""
    people = {
        side: half.author is not None and authors[side] is not None and half.author != authors[side]
        for side, half in ((Side.CRM, crm), (Side.WORK, work))
    }
    if people[Side.CRM] == people[Side.WORK]:
        return None
    return Side.CRM if people[Side.CRM] else Side.WORK


def fresh_givers(link: Link, lenses: Lenses, authors: Mapping[Side, str | None]) -> dict[Field, Side | None]:
    """Under an old backup: the side that a person modified last gives the fields whose value is a new one.

    The other side's author is ours, but under our forgotten write of one field may lie a person's edit of another: a
    value as old as the state's base must not replace that. A field that was emptied gives nothing, and gets nothing.
    """
    giver = person_givers(link.crm, link.work, authors)
    if giver is None:
        return {}
    half = link.half(giver)
    return {
        name: giver
        for name, lens in lenses.items()
        if not empty(half.seen.get(name)) and not lens.same(giver, half.base.get(name), half.seen.get(name))
    }
