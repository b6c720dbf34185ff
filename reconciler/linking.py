"""What a person asks for one task: link it to a new or an existing item, unlink it, try it again.

Each request runs through the same stages as a cycle, for that task alone, and is journalled with who asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.apply import Ledger, apply
from reconciler.connection import Connection, Writers
from reconciler.core import verdict
from reconciler.core.attention import same_matter
from reconciler.core.model import (
    Attention,
    Candidate,
    Claim,
    CycleRow,
    Entry,
    Field,
    Link,
    Presence,
    Record,
    Side,
    Target,
    Tombstone,
)
from reconciler.core.observe import first_sight, with_half
from reconciler.core.operations import Update
from reconciler.core.plan import Workload, plan
from reconciler.core.seed import command_givers, seed
from reconciler.cycle import carry_out, close, settle
from reconciler.errors import UsageError
from reconciler.message import joined, say
from reconciler.poll import News
from reconciler.ports import StateReader, Store
from reconciler.prospect import Prospect, circumstances, look_for, moment
from reconciler.rebuilding import list_work
from reconciler.survey import NOWHERE, piloted


@dataclass(frozen=True, slots=True)
class Done:
    """What a request came to: a sentence for the person, and the exit code."""

    message: str
    exit_code: int = 0


async def link_to_target(
    connection: Connection,
    writers: Writers,
    store: Store,
    task_id: str,
    target: Target,
    *,
    operator: str,
    guard: Callable[[], None] = lambda: None,
) -> Done:
    """Create the work item of one CRM task in `target`, or adopt the living item that carries its marker.

    Exit code 4 if the target cannot take it: the reason is on the attention list. Lifts every tombstone of the task.
    """
    known = store.links_by(Side.CRM, [task_id]).get(task_id)
    if known is not None:
        inside = (known.work.project, known.work.group) == (target.project, target.group)
        return Done(
            say("CRM task {task_id} is already linked to work item {id}", task_id=task_id, id=known.work.id),
            0 if inside else 2,
        )
    task = await _task(connection, task_id)
    started = connection.clock.now()
    _lift(store, task_id, operator, connection)
    title = task.values.get(Field.TITLE)
    wanted = Candidate(
        crm_id=task_id,
        target=target,
        since=started,
        title=title if isinstance(title, str) else "",
        on_request=True,
    )
    prospect = await look_for(connection, store, [wanted])
    result = await carry_out(connection, writers, store, prospect, started, guard=guard, among=[task_id])
    link = store.links_by(Side.CRM, [task_id]).get(task_id)
    if link is not None:
        adopted = task_id in prospect.pairing.adopted
        how = say("adopted the item that carries its marker; nothing was moved") if adopted else say("created")
        return Done(
            say("CRM task {task_id} is linked to work item {id} ({how})", task_id=task_id, id=link.work.id, how=how)
        )
    if any(one.crm_id == task_id for one in prospect.plan.outside):
        return Done(say("CRM task {id} is left out by [pilot]; it is linked once the pilot takes it in", id=task_id), 4)
    words = [entry.message for entry in store.attention() if entry.side is Side.CRM and entry.id == task_id]
    if words:
        return Done(say("CRM task {task_id} was not linked: {value}", task_id=task_id, value=joined(words)), 4)
    why = joined(result.down.values()) or say("the outcome is not clear yet")
    return Done(say("CRM task {task_id} is not linked yet: {why}; the next cycle goes on", task_id=task_id, why=why), 6)


async def link_to_item(
    connection: Connection,
    writers: Writers,
    store: Store,
    task_id: str,
    item_id: str,
    *,
    operator: str,
    guard: Callable[[], None] = lambda: None,
) -> Done:
    """Join a CRM task and an existing item. Where they differ the CRM gives, except for fields that flow from Work."""
    linked = store.links_by(Side.CRM, [task_id]).get(task_id) or store.links_by(Side.WORK, [item_id]).get(item_id)
    if linked is not None:
        if (linked.crm.id, linked.work.id) == (task_id, item_id):
            return Done(
                say("CRM task {task_id} is already linked to work item {item_id}", task_id=task_id, item_id=item_id)
            )
        raise UsageError(
            say("CRM task {id} is linked to work item {id2}; unlink it first", id=linked.crm.id, id2=linked.work.id)
        )
    task = await _task(connection, task_id)
    item = (await connection.readers[Side.WORK].by_id([item_id])).get(item_id)
    if item is None or item.presence is Presence.DELETED:
        raise UsageError(
            say("AMIS Công việc has no work item {item_id}, or the connection cannot see it", item_id=item_id)
        )
    started = connection.clock.now()
    await list_work(connection, store)
    connection = piloted(connection, store)
    _lift(store, task_id, operator, connection)
    blank = Link(crm=first_sight(task), work=first_sight(item), dirty_since=started)
    policy = connection.policy
    link = seed(blank, policy.lenses, command_givers(policy.directions), started).link
    with store.transaction() as tx:
        cycle = tx.save_cycle(CycleRow(started_at=started))
        [link] = tx.save_links([link])
        tx.drop_candidates([task_id])
        tx.drop_claims([item_id])
        if policy.tells:
            tx.save_verdicts(verdict.linked([task_id], started))
        tx.append(
            [
                Entry(
                    kind="linked",
                    at=started,
                    cycle=cycle,
                    crm_id=task_id,
                    work_id=item_id,
                    rule="link",
                    operator=operator,
                )
            ]
        )
    now = moment(connection, store)
    policy = replace(policy, config=circumstances(connection, store))
    made = plan(Workload(links=(link,)), policy, now, NOWHERE)
    ledger = Ledger(
        connection=connection,
        writers=writers,
        store=store,
        cycle=cycle,
        links={task_id: made.links[task_id]},
        circumstances=policy.config,
        guard=guard,
    )
    with store.transaction() as tx:
        ledger.save(tx, [made.links[task_id]])
        tx.append(ruling.entry(started, cycle) for ruling in made.rulings)
        tx.raise_attention(made.raised)
    await apply(ledger, made.operations)
    settle(ledger, made.operations)
    prospect = Prospect(news=News(now=started), plan=made, moment=now)
    close(ledger, prospect, started)
    changed = joined(
        (
            say("{field} on {side}", field=change.field, side=one.side)
            for one in made.operations
            if isinstance(one, Update)
            for change in one.changes
        ),
        ", ",
    )
    tail = say("; written: {changed}", changed=changed) if changed else say("; the two records were equal")
    if made.outside:
        tail = say("; [pilot] leaves it out, so what differs waits")
    return Done(
        say("CRM task {task_id} is linked to work item {item_id}{tail}", task_id=task_id, item_id=item_id, tail=tail),
        6 if ledger.down else 0,
    )


def unlink(store: Store, now: datetime, task_id: str, reason: str, operator: str) -> Done:
    """Forget a pair. Both records stay; a tombstone keeps the task from being linked again until `link`."""
    link = store.links_by(Side.CRM, [task_id]).get(task_id)
    if link is None:
        raise UsageError(say("CRM task {task_id} is not linked", task_id=task_id))
    with store.transaction() as tx:
        tx.drop_links([link.key])
        tx.save_tombstones(
            [Tombstone(crm_id=task_id, work_id=link.work.id, reason="on request", manual=True, at=now, link=link)]
        )
        tx.save_claims([Claim(work_id=link.work.id, crm_id=task_id, created=None, reported=True)])
        tx.clear_attention(_entries_of(store, [link]))
        tx.save_verdicts(verdict.ended([task_id], now))
        tx.append(
            [
                Entry(
                    kind="unlinked",
                    at=now,
                    crm_id=task_id,
                    work_id=link.work.id,
                    reason="on request",
                    operator=operator,
                ).because(reason)
            ]
        )
    return Done(
        say(
            "CRM task {task_id} and work item {id} are no longer linked; both stay as they are",
            task_id=task_id,
            id=link.work.id,
        )
    )


def retry(store: Store, now: datetime, operator: str, *, task: str | None = None, item: str | None = None) -> Done:
    """Release one pair or task, or everything, from the attention list and from its back-off."""
    entries = store.attention()
    candidates = [c for c in store.candidates() if task is None or c.crm_id == task]
    if item is not None:
        candidates = []
    links = _waiting_links(store, entries, task, item)
    chosen = {link.crm.id for link in links} | {c.crm_id for c in candidates}
    chosen_items = {link.work.id for link in links}
    released = [
        entry
        for entry in entries
        if (entry.side is Side.CRM and entry.id in chosen)
        or (entry.side is Side.WORK and entry.id in chosen_items)
        or (task is None and item is None)
    ]
    with store.transaction() as tx:
        tx.save_links(
            replace(
                _markable(link), aside={}, reverts={}, not_before=None, tries=0, dirty_since=link.dirty_since or now
            )
            for link in links
        )
        tx.save_candidates(replace(c, refused=None, words="", not_before=None) for c in candidates)
        tx.save_claims(replace(claim, reported=False) for claim in store.claims() if task is None and item is None)
        tx.clear_attention(released)
        tx.save_verdicts(
            replace(one, refused=False)
            for one in store.verdicts()
            if one.refused and (one.crm_id in chosen or (task is None and item is None))
        )
        tx.append(
            [
                Entry(kind="retry", at=now, crm_id=crm_id, operator=operator, reason="on request")
                for crm_id in sorted(chosen)
            ]
        )
    return Done(
        say(
            "{count} pairs and {count2} tasks are tried again at the next cycle",
            count=len(links),
            count2=len(candidates),
        )
    )


def _markable(link: Link) -> Link:
    """The link after forgetting that a marker was refused."""
    for side in Side:
        link = with_half(link, side, replace(link.half(side), marker_refused=False))
    return link


def _waiting_links(store: StateReader, entries: Iterable[Attention], task: str | None, item: str | None) -> list[Link]:
    if task is not None:
        return list(store.links_by(Side.CRM, [task]).values())
    if item is not None:
        return list(store.links_by(Side.WORK, [item]).values())
    found = {link.key: link for link in store.dirty_links()}
    for side in Side:
        ids = [entry.id for entry in entries if entry.side is side and entry.id]
        found |= {link.key: link for link in store.links_by(side, ids).values()}
    return list(found.values())


def _entries_of(store: StateReader, links: Iterable[Link]) -> list[Attention]:
    ids = {(side, link.half(side).id) for link in links for side in Side}
    return [entry for entry in store.attention() if (entry.side, entry.id) in ids]


async def _task(connection: Connection, task_id: str) -> Record:
    task = (await connection.readers[Side.CRM].by_id([task_id])).get(task_id)
    if task is None or task.presence is Presence.DELETED:
        raise UsageError(say("AMIS Bán hàng has no task {task_id}, or the connection cannot see it", task_id=task_id))
    return task


def _lift(store: Store, task_id: str, operator: str, connection: Connection) -> None:
    graves = store.tombstones(crm_ids=[task_id])
    if not graves:
        return
    with store.transaction() as tx:
        tx.drop_tombstones([task_id])
        tx.append(
            Entry(
                kind="tombstone_lifted", at=connection.clock.now(), crm_id=task_id, work_id=g.work_id, operator=operator
            )
            for g in graves
        )


def ack(store: Store, now: datetime, operator: str, reason: str, *, task: str | None, item: str | None) -> Done:
    """Dismiss the attention entries of one record until their content changes; an unknown person, for all tasks."""
    side, known = (Side.CRM, task) if task is not None else (Side.WORK, item)
    assert known is not None
    link = store.links_by(side, [known]).get(known)
    ids = {(each, link.half(each).id) for each in Side} if link is not None else {(side, known)}
    entries = store.attention()
    named = [entry for entry in entries if (entry.side, entry.id) in ids]
    found = list(dict.fromkeys(other for entry in named for other in same_matter(entry, entries)))
    if not found:
        raise UsageError(say("nothing about {side} {known} is on the attention list", side=side, known=known))
    with store.transaction() as tx:
        tx.raise_attention(replace(entry, acked=f"{operator}: {reason}") for entry in found)
        tx.append(
            Entry(
                kind="acknowledged",
                at=now,
                crm_id=entry.id if entry.side is Side.CRM else None,
                work_id=entry.id if entry.side is Side.WORK else None,
                field=entry.field,
                operator=operator,
                detail={"code": entry.code.value},
            ).because(reason)
            for entry in found
        )
    return Done(say("{count} entries are dismissed until their content changes", count=len(found)))
