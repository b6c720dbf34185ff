"""Which records belong together: new pairs out of our own creates, and out of the markers that records carry.

A marker links only records that nothing else has linked: copies of marked records are common, and never trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.core import observe
from reconciler.core.creation import wanted
from reconciler.core.lenses import Lenses, Unmapped, empty, put
from reconciler.core.model import (
    Claim,
    Difference,
    Entry,
    Field,
    Half,
    Intent,
    Link,
    Presence,
    Record,
    Side,
    Value,
    Values,
)
from reconciler.core.observe import Landed, judge
from reconciler.core.policy import Policy
from reconciler.core.seed import Seeded, person_givers, seed

FAR_FUTURE = datetime.max.replace(tzinfo=UTC)


def newborn(
    task: Record,
    item: Record,
    *,
    sent: Values,
    source: Values,
    omitted: Collection[Field],
    by_us: Callable[[Field], bool | None],
    lenses: Lenses,
    now: datetime,
) -> Link:
    """The pair after our create: the CRM base is what the create was planned from, the Work base what was read back.

    Where a person has edited the new item already, its base is what we sent, so that the edit shows as one. A field
    that was left out gets bases that keep it flowing from the CRM once it can.
    """
    crm_base: dict[Field, Value] = {}
    work_base: dict[Field, Value] = {}
    differences: dict[Field, Difference] = {}
    for name, lens in lenses.items():
        if name not in item.values or name not in source:
            continue
        read = item.values[name]
        crm_base[name], work_base[name] = source[name], read
        if name in sent:
            # Nothing was there before, so "unconfirmed" cannot be: what we sent stands in for the before-image.
            landed = judge(lens, name, Side.WORK, sent=sent[name], before=sent[name], read=read, by_us=by_us(name))
            if landed is Landed.USER_EDIT:
                work_base[name] = sent[name]
            elif landed is not Landed.CONFIRMED:
                differences[name] = Difference(reason="server_answer", since=now)
        elif name in omitted and (empty(read) or name is Field.STATUS or by_us(name) is not False):
            back = put(lens, Side.CRM, read, None)
            crm_base[name] = None if isinstance(back, Unmapped) else back
        elif name in omitted:  # a person has filled it in meanwhile: both changed
            crm_base[name], work_base[name] = None, () if isinstance(read, tuple) else None
        elif not lens.agree(source[name], read):
            # What we did not send and the server fills in by itself is its answer; anything else is a person's edit.
            ours = by_us(name)
            if ours or name is Field.STATUS or (ours is None and name in (Field.START, Field.DUE)):
                differences[name] = Difference(reason="server_answer", since=now)
            else:
                work_base[name] = () if isinstance(read, tuple) else None
    crm, work = observe.first_sight(task), observe.first_sight(item)
    return Link(
        crm=replace(crm, base=crm_base),
        work=replace(work, base=work_base, own_stamp=item.modified if by_us(Field.TITLE) is not False else None),
        differences=differences,
        dirty_since=now,
    )


def answers_to_create(link: Link, sent: Values, now: datetime) -> list[Entry]:
    """What the server is taken to have made of a new item by itself, for the journal."""
    return [
        Entry(
            kind="server_answer",
            at=now,
            crm_id=link.crm.id,
            work_id=link.work.id,
            side=Side.WORK,
            field=name,
            old=sent.get(name),
            new=link.work.base.get(name),
        )
        for name in link.differences
    ]


def adopt_intent(intent: Intent, task: Record, item: Record, policy: Policy, ours: str | None, now: datetime) -> Link:
    """The pair for an item that our unclear create made.

    Untouched since (modified = created, by us), every difference is the server's answer. Otherwise only start and due
    may be, and the rest are edits of a person. What the create had to leave out is left to flow.
    """
    mine = ours is not None and item.author == ours
    untouched = mine and item.modified == item.created

    def by_us(name: Field) -> bool | None:
        return untouched or (mine and name in (Field.START, Field.DUE))

    return newborn(
        task,
        item,
        sent=intent.values,
        source=intent.source,
        omitted=set(wanted(intent.source, policy.lenses, policy.directions)) - intent.values.keys(),
        by_us=by_us,
        lenses=policy.lenses,
        now=now,
    )


def adopt_marker(
    task: Record, item: Record, policy: Policy, authors: Mapping[Side, str | None], now: datetime
) -> Seeded:
    """The pair for two records that name each other although this state never linked them: nothing is overwritten
    unless exactly one side was last modified by a person."""
    crm, work = observe.first_sight(task), observe.first_sight(item)
    giver = person_givers(crm, work, authors)
    link = Link(crm=crm, work=work, dirty_since=now)
    return seed(link, policy.lenses, dict.fromkeys(policy.lenses, giver), now)


def points_back(task: Record, item_id: str) -> bool:
    """Whether a CRM task names this item, or names none."""
    return task.marker is None or task.marker == item_id


def earliest(claims: Iterable[Claim]) -> Claim | None:
    """Of several living items with one marker, the one that was created first stays."""
    living = [claim for claim in claims if not claim.deleted]
    return min(living, key=lambda claim: (claim.created or FAR_FUTURE, len(claim.work_id), claim.work_id), default=None)


def absent(half: Half, now: datetime, confirm: bool) -> Half:
    """The half after a complete answer by id that did not hold the record. `confirm`: this is the second sighting."""
    if half.presence is Presence.MISSING and confirm:
        return replace(half, presence=Presence.GONE)
    if half.presence in (Presence.MISSING, Presence.GONE):
        return half
    return replace(half, presence=Presence.MISSING, missing_since=now)
