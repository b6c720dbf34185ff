"""Undo: bring back what was overwritten, of one journal entry (`restore`) or of a whole cycle (`revert`).

It is an edit on the side where the value was overwritten. That side's base does not move, so the value flows on to the
other side like any person's edit. It is planned from fresh reads, held by the same limits as a cycle, and journalled
with who asked before anything is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.apply import Ledger, apply
from reconciler.connection import Connection, Writers
from reconciler.core import safety
from reconciler.core.lenses import Lenses
from reconciler.core.model import CycleRow, Entry, Side
from reconciler.core.observe import Landed
from reconciler.core.operations import Update
from reconciler.core.plan import Plan
from reconciler.core.search import Selection
from reconciler.core.undo import Overwritten, Sight, Undo, in_one, overwritten, place, undo, unless_changed
from reconciler.cycle import close, settle
from reconciler.errors import Halted, UsageError
from reconciler.halting import pausing
from reconciler.message import joined, say, word
from reconciler.poll import News
from reconciler.ports import StateReader, Store
from reconciler.prospect import Prospect, around, circumstances, moment
from reconciler.report.changes import changes
from reconciler.report.data import Json, plain
from reconciler.report.document import shown
from reconciler.survey import piloted

REPLACED = frozenset({*(landed.value for landed in Landed), "unclear", "no_outcome"})
"""The outcomes of an intent after which its value may be on the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What an undo came to: sentences for the person, one for each thing left alone, and the exit code."""

    said: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who undoes what: `kind` of the journal entries, `rule` of the edits, and the reason if one was asked for."""

    kind: str
    rule: str
    operator: str
    reason: str = ""


async def restore(
    connection: Connection,
    writers: Writers,
    store: Store,
    entry_id: int,
    *,
    operator: str,
    guard: Callable[[], None] = lambda: None,
) -> Undone:
    """Bring back the value that a journal entry overwrote, whatever is there now. Raises `UsageError` if it cannot."""
    order = Order(kind="restore", rule=f"restore.{entry_id}", operator=operator)
    one = _of_entry(store, entry_id)
    planned = await _plan(connection, store, [one], order.rule)
    if planned.left:
        raise UsageError(planned.left[0])
    if planned.already:
        return Undone(said=(say("{place} has that value already", place=one.place),))
    left, code = await _carry_out(connection, writers, store, planned, order, guard)
    if left:
        return Undone(left=left, exit_code=code)
    return Undone(said=(say("{place} is restored; the next cycle brings it to the other side", place=one.place),))


async def revert(
    connection: Connection,
    writers: Writers,
    store: Store,
    cycle: int,
    *,
    reason: str,
    operator: str,
    guard: Callable[[], None] = lambda: None,
) -> Undone:
    """Bring back everything that a cycle overwrote and nobody changed since, as one plan.

    Exit code 4 if something is left alone. Raises `Halted`, before anything is written, if a limit holds the plan.
    """
    order = Order(kind="revert", rule=f"revert.{cycle}", operator=operator, reason=reason)
    planned = await plan_revert(connection, store, cycle)
    left, code = await _carry_out(connection, writers, store, planned, order, guard)
    count = sum(len(update.changes) for update in planned.updates) - len(left)
    left = (*left, *planned.left)
    return Undone(said=_told(cycle, count, planned), left=left, exit_code=code or (4 if left else 0))


def _told(cycle: int, count: int, planned: Undo) -> tuple[str, ...]:
    already = len(planned.already)
    there = say("{count} values are already as they were before cycle {cycle}", count=already, cycle=cycle)
    done = say("{count} values are brought back; the next cycle brings them to the other side", count=count)
    return (done if planned.updates else say("nothing was changed"), *((there,) if already else ()))


async def foresee_revert(connection: Connection, state: StateReader, cycle: int) -> Undone:
    """The same without a write: each value that would come back, what is left alone, and whether a limit holds."""
    planned = await plan_revert(connection, state, cycle)
    lines = tuple(
        say(
            "{place}: «{before}» -> «{after}»",
            place=place(change.field, update.side, update.crm_id, update.work_id),
            before=shown(plain(change.before), change.field),
            after=shown(plain(change.after), change.field),
        )
        for update in planned.updates
        for change in update.changes
    )
    said = (*lines, say("{count} values would be brought back; nothing was written", count=len(lines)))
    held = _hold(connection, state, planned.updates)
    if held is not None:
        return Undone(said=said, left=(*planned.left, held.message), exit_code=held.exit_code)
    return Undone(said=said, left=planned.left, exit_code=4 if planned.left else 0)


async def plan_revert(connection: Connection, state: StateReader, cycle: int) -> Undo:
    """What undoing a cycle would do now. Raises `UsageError` if there was no such cycle."""
    last = next(iter(state.cycles(limit=1)), None)
    if last is None or not 1 <= cycle <= last.id:
        raise UsageError(say("there was no cycle {cycle}", cycle=cycle))
    entries = {entry.id: entry for entry in state.entries(Selection(cycle=cycle))}
    rows = list(changes(entries.values()))
    found = in_one(_replaced(rows, entries), connection.policy.lenses)
    planned = await _plan(connection, state, found, f"revert.{cycle}")
    return replace(planned, left=(*planned.left, *_beyond(rows), *_moved(entries.values(), connection.policy.lenses)))


def _of_entry(state: StateReader, entry_id: int) -> Overwritten:
    entry = next(iter(state.journal(entry=entry_id)), None)
    if entry is None:
        raise UsageError(say("the journal has no entry {entry_id}", entry_id=entry_id))
    one = overwritten(entry)
    if one is None:
        raise UsageError(
            say("entry {entry_id} ({kind}) overwrote no value of a linked pair", entry_id=entry_id, kind=entry.kind)
        )
    return one


def _replaced(rows: Iterable[Json], entries: dict[int, Entry]) -> Iterator[Overwritten]:
    """The values that a cycle's updates replaced, in the order of its intents."""
    for row in sorted(rows, key=lambda row: int(row["id"])):
        entry = entries[row["id"]]
        one = overwritten(entry)
        if row["kind"] == "update" and one is not None and row["outcome"] in REPLACED:
            made = row["read"] if row["outcome"] == Landed.SERVER_ANSWER else None
            read = () if made is None else (tuple(made) if isinstance(made, list) else made,)
            yield unless_changed(one, entry, read)


def _beyond(rows: Iterable[Json]) -> tuple[str, ...]:
    """What no edit can undo: pairs made and pairs parted."""
    named: dict[tuple[str, str], str] = {}
    for row in rows:
        ids = {"crm_id": row["crm_id"], "work_id": row["work_id"]}
        match row["kind"], row["outcome"]:
            case "link", "created":
                why = say("work item {work_id} was created for CRM task {crm_id}; it stays", **ids)
            case "link", _:
                why = say("CRM task {crm_id} and work item {work_id} were linked; they stay linked", **ids)
            case "delete", "unlinked":
                why = say("of CRM task {crm_id} and work item {work_id} one was deleted; it stays deleted", **ids)
            case "unlink", _:
                why = say("CRM task {crm_id} and work item {work_id} were unlinked; they stay unlinked", **ids)
            case _:
                continue
        named.setdefault((row["crm_id"], row["work_id"]), why)
    return tuple(named.values())


def _moved(entries: Iterable[Entry], lenses: Lenses) -> Iterator[str]:
    """What a server changed by itself in answer to a write of another field: nobody overwrote it, so nothing comes
    back."""
    sent = {(one.crm_id, one.side, one.field) for one in entries if one.kind == "intent"}
    for one in entries:
        if one.kind != Landed.SERVER_ANSWER or one.field is None or one.side is None or one.work_id is None:
            continue
        if (one.crm_id, one.side, one.field) not in sent and not lenses[one.field].same(one.side, one.old, one.new):
            yield say(
                "{place}: the server itself made «{after}» of «{before}» in answer to our write; it stays",
                place=place(one.field, one.side, one.crm_id or "", one.work_id),
                before=shown(plain(one.old), one.field),
                after=shown(plain(one.new), one.field),
            )


async def _plan(connection: Connection, state: StateReader, found: Sequence[Overwritten], rule: str) -> Undo:
    """Read the pairs again, both sides at once, and plan."""
    connection = piloted(connection, state)
    links = state.links_by(Side.WORK, {one.work_id for one in found})
    ids = {side: sorted(link.half(side).id for link in links.values()) for side in Side}
    answers = await asyncio.gather(*(connection.readers[side].by_id(ids[side]) for side in Side if links))
    rows = dict(zip(Side, answers, strict=True)) if links else {side: {} for side in Side}
    sent = {(one.link, one.side): frozenset(one.values) for one in state.sendings()} if links else {}
    sights = {
        work_id: Sight(
            link=link,
            rows={side: row for side in Side if (row := rows[side].get(link.half(side).id)) is not None},
            unclear=frozenset(
                [(want.side, want.field) for want in link.wanted]
                + [(side, name) for side in Side for name in sent.get((link.key, side), ())]
            ),
        )
        for work_id, link in links.items()
    }
    return undo(found, sights, connection.policy, rule)


def _hold(connection: Connection, state: StateReader, updates: Sequence[Update]) -> Halted | None:
    """Why the updates may not be sent now: a pause, or the limits that a cycle is held by."""
    if not updates:
        return None
    now = connection.clock.now()
    if pausing(state, now):
        return Halted("paused", say("writes are paused; nothing was written"))
    limits = around(state, Plan(operations=tuple(updates)), now)
    halt = safety.check(updates, connection.policy.limits, limits).halt
    if halt is None:
        return None
    message = say(
        "{message}; nothing was written. Raise that limit under [safety] for this one command, or bring the values back"
        " one at a time with `reconciler restore ENTRY`",
        message=halt.message,
    )
    return Halted(halt.reason, message, len(halt.held))


async def _carry_out(
    connection: Connection,
    writers: Writers,
    store: Store,
    planned: Undo,
    order: Order,
    guard: Callable[[], None],
) -> tuple[tuple[str, ...], int]:
    """Journal the plan, send it, and look what became of it: a sentence for each value that did not come back, and the
    exit code. Raises `Halted` if nothing may be sent."""
    updates = planned.updates
    held = _hold(connection, store, updates)
    if held is not None:
        raise held
    if not updates:
        return (), 0
    connection = piloted(connection, store)
    started = connection.clock.now()
    links = store.links_by(Side.CRM, {update.crm_id for update in updates})
    with store.transaction() as tx:
        cycle = tx.save_cycle(CycleRow(started_at=started))
        saved = tx.save_links(replace(link, dirty_since=link.dirty_since or started) for link in links.values())
        tx.append(
            Entry(
                kind=order.kind,
                at=started,
                cycle=cycle,
                crm_id=update.crm_id,
                work_id=update.work_id,
                side=update.side,
                field=change.field,
                old=change.before,
                new=change.after,
                rule=order.rule,
                operator=order.operator,
            ).because(order.reason)
            for update in updates
            for change in update.changes
        )
    ledger = Ledger(
        connection=connection,
        writers=writers,
        store=store,
        cycle=cycle,
        links={link.crm.id: link for link in saved},
        circumstances=circumstances(connection, store),
        guard=guard,
    )
    await apply(ledger, updates)
    settle(ledger, updates)
    prospect = Prospect(news=News(now=started), plan=Plan(operations=updates), moment=moment(connection, store))
    close(ledger, prospect, started)
    left = tuple(_missed(ledger, updates))
    return left, 0 if not left else 6 if ledger.down else 4


def _missed(ledger: Ledger, updates: Sequence[Update]) -> Iterator[str]:
    """A sentence for each value that the servers do not show now."""
    entries = ledger.store.entries(Selection(cycle=ledger.cycle))
    told = {(row["crm_id"], row["side"], row["field"]): row for row in changes(entries)}
    for update in updates:
        half = ledger.links[update.crm_id].half(update.side)
        for change in update.changes:
            lens = ledger.connection.policy.lenses[change.field]
            if lens.same(update.side, half.seen.get(change.field), change.after):
                continue
            where = place(change.field, update.side, update.crm_id, update.work_id)
            row = told.get((update.crm_id, update.side.value, change.field.value))
            yield say("{place} was not restored: {why}", place=where, why=_why(ledger, row))


def _why(ledger: Ledger, row: Json | None) -> str:
    if ledger.down:
        return joined(ledger.down.values())
    return word("dropped") if row is None else word(row["words"] or row["outcome"])
