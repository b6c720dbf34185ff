"""Updates: changed fields of linked records, in batches, each field judged by what is read back."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from reconciler.apply.ledger import Ledger
from reconciler.core.attention import aside_entry
from reconciler.core.lenses import Lens
from reconciler.core.model import (
    Accepted,
    Answer,
    Aside,
    Attention,
    Code,
    Difference,
    Edit,
    Entry,
    Field,
    Link,
    Presence,
    Record,
    Refused,
    Sending,
    Side,
    Value,
    Written,
)
from reconciler.core.observe import Landed, absorb_late, by_us, judge, observe, sightings, with_half
from reconciler.core.operations import FieldChange, Update
from reconciler.core.undo import RESTORED
from reconciler.errors import NotApplied, SideClosed, SideDown, Unclear
from reconciler.message import say
from reconciler.poll import interrupted
from reconciler.ports import Transaction

BACK_OFF: Final = timedelta(seconds=30)
BACK_OFF_AT_MOST: Final = timedelta(hours=1)
UNCONFIRMED_AT_MOST: Final = 3
APPROVAL_PATIENCE: Final = timedelta(days=3)


async def apply_updates(ledger: Ledger, side: Side, operations: Sequence[Update]) -> None:
    """Send one batch to `side`. A refused element is sent again in parts within the same cycle, if that can help."""
    retry: list[Update] = list(operations)
    for _ in range(2):
        retry = await ledger.once_more(functools.partial(_attempt, ledger, side, retry))
        if not retry:
            return
    size = ledger.writers[side].batch
    for start in range(0, len(retry), size):
        rest = await ledger.once_more(functools.partial(_attempt, ledger, side, retry[start : start + size]))
        if rest:
            ledger.counts["left"] += len(rest)


async def _attempt(ledger: Ledger, side: Side, operations: Sequence[Update]) -> list[Update]:
    """One pass: fresh reads, intents, the write, the read-back. Returns what should be sent again, in smaller parts."""
    batch = await _prepare(ledger, side, operations)
    if not batch.parts:
        return []
    try:
        answers = await ledger.writers[side].update([part.edit for part in batch.parts])
    except (NotApplied, SideClosed):
        batch.withdraw(ledger)
        raise
    except Unclear as unclear:
        if not await _after_unclear(ledger, side, batch):
            raise SideDown(side, str(unclear), words=unclear.words) from unclear
        return []
    return await _conclude(ledger, side, batch, answers)


@dataclass(slots=True)
class _Part:
    """One element of a write: the fields of one operation that are still as they were planned."""

    crm_id: str
    title: str
    changes: tuple[FieldChange, ...]
    edit: Edit


@dataclass(slots=True)
class _Batch:
    side: Side
    parts: list[_Part] = field(default_factory=list)
    sendings: list[Sending] = field(default_factory=list)
    before: dict[str, Record] = field(default_factory=dict)

    def withdraw(self, ledger: Ledger) -> None:
        """The write was surely not applied: its intents have an outcome, and nothing else changed."""
        with ledger.store.transaction() as tx:
            tx.drop_sendings(self.sendings)
            tx.append([ledger.entry("not_applied", ledger.links[part.crm_id], self.side) for part in self.parts])


async def _prepare(ledger: Ledger, side: Side, operations: Sequence[Update]) -> _Batch:
    """Read both records of each operation again, drop what moved, and write the intents down.

    The two reads are the last calls before the write; only a changed value drops a field, never a stamp.
    """
    batch = _Batch(side=side)
    ids = {Side.CRM: {one.crm_id for one in operations}, Side.WORK: {one.work_id for one in operations}}
    rows = await ledger.read_again(ids)
    read_at = ledger.now
    entries: list[Entry] = []
    wanted: dict[str, dict[Field, FieldChange]] = {}
    for one in operations:
        link = ledger.links[one.crm_id]
        for each in Side:
            link = ledger.observe(link, each, rows[each].get(link.half(each).id))
        alive = all(link.half(each).presence is Presence.PRESENT for each in Side)
        kept = tuple(change for change in one.changes if alive and _unmoved(ledger, link, side, change))
        if len(kept) < len(one.changes):
            link = replace(link, drops=link.drops + 1, dirty_since=link.dirty_since or ledger.now)
            entries += [
                ledger.entry("dropped", link, side, change.field, reason="changed_meanwhile")
                for change in one.changes
                if change not in kept
            ]
            ledger.counts["dropped"] += 1
        ledger.links[one.crm_id] = link
        if not kept:
            continue
        row = rows[side][link.half(side).id]
        batch.before[one.crm_id] = row
        edit = Edit(id=row.id, values={change.field: change.after for change in kept}, layout=row.layout)
        batch.parts.append(_Part(one.crm_id, one.title, kept, edit))
        wanted.setdefault(one.crm_id, {}).update({change.field: change for change in kept})
        entries += [line for change in kept for line in _intent(ledger, link, side, change)]
    sent = ledger.now
    batch.sendings = [
        Sending(
            link=ledger.links[crm_id].key,
            side=side,
            values={name: change.after for name, change in changes.items() if change.reason != RESTORED},
            source={name: change.source for name, change in changes.items() if change.reason != RESTORED},
            sent=sent,
        )
        for crm_id, changes in wanted.items()
    ]
    if entries or batch.parts:
        ledger.guard()
        with ledger.store.transaction() as tx:
            ledger.save(tx, [ledger.links[crm_id] for crm_id in dict.fromkeys(one.crm_id for one in operations)])
            tx.save_sendings(batch.sendings)
            clocks = {"read_at": read_at.isoformat(), "offsets": ledger.offsets()}
            tx.append(replace(one, detail={**one.detail, **clocks}) for one in entries)
    return batch


def _unmoved(ledger: Ledger, link: Link, side: Side, change: FieldChange) -> bool:
    lens = ledger.connection.policy.lenses[change.field]
    target, source = link.half(side), link.half(side.other)
    return lens.same(side, target.seen.get(change.field), change.before) and lens.same(
        side.other, source.seen.get(change.field), change.source
    )


def _intent(ledger: Ledger, link: Link, side: Side, change: FieldChange) -> list[Entry]:
    """The intent with the before-image; a conflict's loser is journalled with the decision that it lost to."""
    giver = link.half(side.other)
    entry = ledger.entry(
        "intent",
        link,
        side,
        change.field,
        old=change.before,
        new=change.after,
        rule=change.rule,
        reason=change.reason,
        changed_by=giver.author,
    )
    if change.evidence is not None:
        entry = replace(entry, inputs=change.evidence.inputs, detail=change.evidence.detail)
    if change.reason != "conflict":
        return [entry]
    base, other = link.half(side).base.get(change.field), giver.base.get(change.field)
    decided = change.evidence.decision().reason if change.evidence is not None else change.reason
    lost = replace(entry, kind="conflict", detail={**entry.detail, "winner": side.other.value, "decided": decided})
    bases = replace(entry, kind="bases", inputs={}, detail={}, old=base, new=other)
    return [bases, lost, entry]


async def _after_unclear(ledger: Ledger, side: Side, batch: _Batch) -> bool:
    """The effect of the write is unknown: read back at once, and remember what may still arrive.

    Returns whether all of it shows already, so that the write took effect after all.
    """
    try:
        rows = await ledger.writers[side].by_id(sorted({part.edit.id for part in batch.parts}))
    except (SideDown, SideClosed):
        return False  # the sendings stay in the state: the next cycle reads their targets first
    everything = True
    with ledger.store.transaction() as tx:
        for sending in batch.sendings:
            link = next(one for one in ledger.links.values() if one.key == sending.link)
            link = interrupted(link, sending, ledger.connection.policy.resolve_after)
            link = ledger.observe(link, side, rows.get(link.half(side).id))
            everything = everything and not any(want.sent == sending.sent for want in link.wanted)
            ledger.links[link.crm.id] = link
            tx.append([ledger.entry("unclear", link, side)])
        ledger.save(tx, [ledger.links[crm_id] for crm_id in dict.fromkeys(part.crm_id for part in batch.parts)])
        tx.drop_sendings(batch.sendings)
    return everything


async def _conclude(ledger: Ledger, side: Side, batch: _Batch, answers: Sequence[Answer]) -> list[Update]:
    """Judge every field by the read-back, move the bases, and sort out what was refused."""
    accepted = [part.edit.id for part, answer in zip(batch.parts, answers, strict=True) if isinstance(answer, Accepted)]
    try:
        rows = await ledger.writers[side].by_id(sorted(set(accepted))) if accepted else {}
    except (SideDown, SideClosed):
        _accepted_unseen(ledger, side, batch, set(accepted))
        raise
    again: list[Update] = []
    outcome = _Outcome()
    with ledger.store.transaction() as tx:
        for part, answer in zip(batch.parts, answers, strict=True):
            link = ledger.links[part.crm_id]
            if isinstance(answer, Refused):
                link, rest = _refused(ledger, side, link, part, answer, outcome)
                again += rest
            elif part.edit.id in rows:
                before = batch.before[part.crm_id]
                ledger.hear(tx, side, before, rows[part.edit.id])
                link = _landed(ledger, tx, side, link, part, before, rows[part.edit.id], outcome)
            else:
                link = ledger.observe(link, side, None)
            ledger.links[part.crm_id] = link
        ledger.save(tx, [ledger.links[crm_id] for crm_id in dict.fromkeys(part.crm_id for part in batch.parts)])
        tx.drop_sendings(batch.sendings)
        tx.append(outcome.entries)
        tx.clear_attention(outcome.cleared)
        tx.raise_attention(outcome.raised)
    return again


def _accepted_unseen(ledger: Ledger, side: Side, batch: _Batch, accepted: Collection[str]) -> None:
    """What was accepted and could not be read back is there: it cannot arrive later, and the next look judges it."""
    with ledger.store.transaction() as tx:
        for sending in batch.sendings:
            link = next(one for one in ledger.links.values() if one.key == sending.link)
            if all(part.edit.id in accepted for part in batch.parts if part.crm_id == link.crm.id):
                tx.drop_sendings([sending])
                ledger.save(tx, [interrupted(link, sending, timedelta(0))])
                tx.append([ledger.entry("unclear", link, side)])


@dataclass(slots=True)
class _Outcome:
    entries: list[Entry] = field(default_factory=list)
    raised: list[Attention] = field(default_factory=list)
    cleared: list[Attention] = field(default_factory=list)


def _landed(
    ledger: Ledger, tx: Transaction, side: Side, link: Link, part: _Part, before: Record, row: Record, outcome: _Outcome
) -> Link:
    """The link after an accepted element was read back."""
    policy = ledger.connection.policy
    mine = by_us(row, ledger.ours(side))
    half = link.half(side)
    own = row.modified if mine is not False else half.own_stamp
    newer = observe(replace(half, own_stamp=own), row, policy.lenses, ledger.ours(side))
    sent = {change.field for change in part.changes}
    outcome.entries += [
        replace(one, cycle=ledger.cycle) for one in sightings(link, side, newer, ledger.now) if one.field not in sent
    ]
    link = with_half(link, side, newer)
    clean = True
    for change in part.changes:
        lens, read = policy.lenses[change.field], row.values.get(change.field)
        if not lens.same(side, read, change.after) and _shows_earlier_write(link, side, change.field, read, lens):
            clean = False  # an earlier write of ours arrived after this one; the diff against it sends this one again
            continue
        landed = judge(lens, change.field, side, sent=change.after, before=change.before, read=read, by_us=mine)
        clean = clean and landed is Landed.CONFIRMED
        link = _settle(ledger, link, side, change, read, landed, outcome)
    for name in (Field.START, Field.DUE):
        if name not in part.edit.values and mine and name in row.values:
            link = _answered(ledger, link, side, name, before.values.get(name), row.values[name], outcome)
    link = absorb_late(link, policy.lenses, {each: ledger.ours(each) for each in Side})
    if clean:
        ledger.learn(tx, side, row.author)
        ledger.counts[f"updated_{side}"] += 1
    return replace(link, drops=0) if clean else link


def _shows_earlier_write(link: Link, side: Side, name: Field, read: Value, lens: Lens) -> bool:
    return any(want.side is side and want.field is name and lens.same(side, read, want.value) for want in link.wanted)


def _settle(
    ledger: Ledger, link: Link, side: Side, change: FieldChange, read: Value, landed: Landed, outcome: _Outcome
) -> Link:
    name, aside = change.field, link.aside.get(change.field)
    tries = aside.tries + 1 if aside is not None and aside.code is Code.UNCONFIRMED else 1
    outcome.entries.append(ledger.entry(landed.value, link, side, name, old=change.after, new=read, rule=change.rule))
    if landed is Landed.UNCONFIRMED and tries < UNCONFIRMED_AT_MOST:
        waiting = Aside(
            side=side,
            code=Code.UNCONFIRMED,
            words=say("the server accepted the write and still shows the old value"),
            value=change.source,
            since=ledger.now if aside is None else aside.since,
            config=ledger.circumstances,
            until=ledger.now + _back_off(tries),
            tries=tries,
        )
        return replace(link, aside={**link.aside, name: waiting})
    if change.reason == RESTORED:  # an outside edit: the base stays, so that the value flows on to the other side
        return link
    base = change.after if landed is Landed.USER_EDIT else read
    link = rebase(link, side, name, base, change.source)
    if landed is Landed.CONFIRMED:
        ours = Written(side=side, before=change.before, source=change.source)
        link = replace(link, written={**link.written, name: ours})
    if aside is not None:
        outcome.cleared.append(aside_entry(link, name, aside))
        link = replace(link, aside={other: kept for other, kept in link.aside.items() if other is not name})
    differences = {other: kept for other, kept in link.differences.items() if other is not name}
    if landed in (Landed.SERVER_ANSWER, Landed.UNCONFIRMED):
        differences[name] = Difference(reason=landed.value, since=ledger.now)
    return replace(link, differences=differences)


def _answered(
    ledger: Ledger, link: Link, side: Side, name: Field, before: Value, read: Value, outcome: _Outcome
) -> Link:
    """A start or due that was not sent and moved with our own write is the server's answer, not a person's edit.

    Where a person's edit of it is still due, that edit now brings the moved value to the other side.
    """
    lens = ledger.connection.policy.lenses[name]
    if lens.same(side, before, read) or not lens.same(side, before, link.half(side).base.get(name)):
        return link
    outcome.entries.append(ledger.entry("server_answer", link, side, name, old=before, new=read))
    other = link.half(side.other)
    link = rebase(link, side, name, read, other.base.get(name))
    difference = Difference(reason="server_answer", since=ledger.now)
    return replace(link, differences={**link.differences, name: difference})


def rebase(link: Link, side: Side, name: Field, target: Value, source: Value) -> Link:
    """Move the base of one field: `target` as read back on `side`, `source` as the write was planned from."""
    for each, value in ((side, target), (side.other, source)):
        half = link.half(each)
        link = with_half(link, each, replace(half, base={**half.base, name: value}))
    return link


def _back_off(tries: int) -> timedelta:
    return min(BACK_OFF * (1 << min(tries - 1, 10)), BACK_OFF_AT_MOST)


def _refused(
    ledger: Ledger, side: Side, link: Link, part: _Part, answer: Refused, outcome: _Outcome
) -> tuple[Link, list[Update]]:
    """Set aside what was refused; the parts of the element that may still pass are sent again."""
    named = [change for change in part.changes if change.field is answer.field]
    culprits = part.changes if answer.code is Code.FORBIDDEN or len(part.changes) == 1 else tuple(named)
    detail = {**_said(answer), "fields": [change.field.value for change in part.changes]}
    outcome.entries.append(ledger.entry("refused", link, side, answer.field, reason=answer.code, detail=detail))
    ledger.counts["refused"] += 1
    if answer.gone:
        return replace(ledger.observe(link, side, None), dirty_since=link.dirty_since or ledger.now), []
    if not culprits:
        return link, [_again(side, link, part, (change,)) for change in part.changes]
    for change in culprits:
        link = _set_aside(ledger, link, side, change, answer, outcome)
    rest = tuple(change for change in part.changes if change not in culprits)
    return link, [_again(side, link, part, rest)] if rest else []


def _said(answer: Refused) -> Mapping[str, object]:
    return {"code": answer.code.value}


def _again(side: Side, link: Link, part: _Part, changes: tuple[FieldChange, ...]) -> Update:
    return Update(side=side, crm_id=link.crm.id, work_id=link.work.id, title=part.title, changes=changes)


def _set_aside(ledger: Ledger, link: Link, side: Side, change: FieldChange, answer: Refused, outcome: _Outcome) -> Link:
    known = link.aside.get(change.field)
    tries = known.tries + 1 if known is not None else 1
    aside = Aside(
        side=side,
        code=answer.code,
        words=answer.words or answer.code.value,
        value=change.source,
        since=known.since if known is not None else ledger.now,
        config=ledger.circumstances,
        until=ledger.now + _back_off(tries) if answer.transient else None,
        tries=tries,
    )
    if known is not None and known.code is not aside.code:
        outcome.cleared.append(aside_entry(link, change.field, known))
    if not answer.transient or ledger.now - aside.since >= APPROVAL_PATIENCE:
        outcome.raised.append(aside_entry(link, change.field, aside))
    return replace(link, aside={**link.aside, change.field: aside})
