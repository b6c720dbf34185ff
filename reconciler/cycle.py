"""One cycle on one page: poll, pair, plan, check, record, apply.

look     poll both sides, pair what is unlinked, plan            writes nothing: the dry run ends here
record   what was learned becomes durable, the watermarks last
apply    intent, write, read back, base; one batch after the other
settle   the planner looks once more at what was touched: it alone knows what is still due
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from reconciler.apply import Ledger, apply
from reconciler.connection import Connection, Writers
from reconciler.core.model import Candidate, CycleRow, Entry, Link, Side
from reconciler.core.plan import Moment, Operation, Plan, Update, needs, plan
from reconciler.core.resolve import Clocks
from reconciler.errors import Halted, SideDown, SideError
from reconciler.pair import Pairing, pair
from reconciler.poll import News, poll, reread
from reconciler.ports import StateReader, Store
from reconciler.record import record
from reconciler.report.data import Json, report_data
from reconciler.survey import NOWHERE, survey

OUTCOMES: Final = {"ok": 0, "attention": 4, "halted": 5, "unavailable": 6}
"""How a cycle can end, and the exit code for it. The worst that applies is reported."""


@dataclass(slots=True, kw_only=True)
class Prospect:
    """What a cycle would do now: everything a dry run shows, and everything a real cycle records and applies."""

    news: News
    pairing: Pairing = field(default_factory=Pairing)
    plan: Plan = field(default_factory=Plan)
    moment: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a cycle ended. `counts` are operations by kind; `down` says which side failed and why."""

    prospect: Prospect
    outcome: str
    counts: Mapping[str, int]
    down: Mapping[Side, SideError]

    @property
    def exit_code(self) -> int:
        return OUTCOMES[self.outcome]


async def look(
    connection: Connection, state: StateReader, *, requested: Candidate | None = None, patient: bool = False
) -> Prospect:
    """Poll, pair and plan. Nothing is written, to the state or to a side.

    Without an answer of both sides nothing can be concluded about a pair: what was read is kept, and waits. For a task
    that a person named (`requested`) only Work is polled, to search it for the marker, and only that task is planned.
    """
    sides = tuple(Side) if requested is None else (Side.WORK,)
    news = await poll(connection, state, sides=sides, barred=barred(connection, state, patient=patient))
    pairing = await pair(connection, state, news, requested)
    if news.down:
        return Prospect(news=news, pairing=pairing, plan=_waiting(news), moment=moment(connection))
    for side, reading in news.readings.items():
        if not reading.complete:  # a row may have slipped through: ask for the pairs at hand by id
            await reread(connection, state, side, _ids(pairing, side), news, confirm=False)
    work = replace(pairing.work, links=tuple(news.current(link) for link in pairing.work.links))
    now = moment(connection)
    places = await survey(connection, needs(work, connection.policy, now), news)
    if news.down or places is None:
        return Prospect(news=news, pairing=pairing, plan=_waiting(news), moment=now)
    made = plan(work, connection.policy, now, places)
    if requested is not None:  # the other pairs with news wait for a cycle that polls both sides
        made = replace(made, links={**_waiting(news).links, **made.links})
    return Prospect(news=news, pairing=pairing, plan=made, moment=now)


async def dry_run(connection: Connection, state: StateReader) -> Json:
    """What `run_cycle` would do now, as report data. A halt is part of the answer."""
    halted: Json | None = None
    try:
        prospect = await look(connection, state)
    except Halted as halt:
        halted = {"reason": halt.reason, "count": halt.count, "message": str(halt), "fingerprint": None}
        prospect = Prospect(news=News(now=connection.clock.now()), moment=moment(connection))
    return report_data(
        name=connection.name,
        generated_at=prospect.moment.now,
        policy=connection.policy,
        state=state,
        plan=prospect.plan,
        readings=prospect.news.readings,
        raised=[*prospect.news.raised, *prospect.plan.raised],
        cleared=[*prospect.news.cleared, *prospect.plan.cleared],
        down={side: str(error) for side, error in prospect.news.down.items()},
        halted=halted,
    )


async def rebuild_links(connection: Connection, store: Store, *, operator: str) -> tuple[int, int]:
    """Link again what the markers of both sides say, with cautious bases. Writes to neither side.

    Returns the number of links made and of fields that differ. Errors: `SideDown`, `SideClosed`.
    """
    started = connection.clock.now()
    news = await poll(connection, store, barred={}, everything=True)
    pairing = await pair(connection, store, news, rebuilding=True)
    for error in news.down.values():
        raise error
    if not news.complete:
        raise Halted("unproven", "a listing could not be proven complete, so markers may be missing; try again")
    news.entries.append(Entry(kind="rebuilt", at=started, operator=operator, detail={"links": len(pairing.adopted)}))
    record(store, connection.policy, news, pairing, _waiting(news), started)
    return len(pairing.adopted), sum(len(link.differences) for link in pairing.adopted.values())


async def run_cycle(
    connection: Connection,
    writers: Writers,
    store: Store,
    *,
    guard: Callable[[], None] = lambda: None,
    patient: bool = False,
) -> Result:
    """One real cycle. `patient`: a side that failed before is left alone until its back-off ends."""
    started = connection.clock.now()
    prospect = await look(connection, store, patient=patient)
    cycle, links = record(store, connection.policy, prospect.news, prospect.pairing, prospect.plan, started)
    return await carry_out(connection, writers, store, prospect, links, cycle=cycle, started=started, guard=guard)


async def carry_out(
    connection: Connection,
    writers: Writers,
    store: Store,
    prospect: Prospect,
    links: Mapping[str, Link],
    *,
    cycle: int,
    started: datetime,
    guard: Callable[[], None],
) -> Result:
    """Apply a recorded prospect and close the cycle. `links` are the pairs it concerns, by CRM id."""
    ledger = Ledger(
        connection=connection,
        writers=writers,
        store=store,
        cycle=cycle,
        links=dict(links),
        guard=guard,
        down=dict(prospect.news.down),
    )
    operations = prospect.plan.operations
    if not ledger.down:
        await apply(ledger, operations)
        operations = settle(ledger, operations)
        starved = [one for one in operations if isinstance(one, Update) and ledger.links[one.crm_id].drops > 1]
        if starved and not ledger.down:  # twice overtaken by edits: planned again from the reads just made, at once
            await apply(ledger, starved)
            settle(ledger, starved)
    return close(ledger, store, prospect, cycle=cycle, started=started)


async def list_work(connection: Connection, store: Store) -> None:
    """A new state first lists all of Work and records that; markers of existing tasks mean that a state was lost."""
    if store.fact("listed"):
        return
    started = connection.clock.now()
    news = await poll(connection, store, sides=(Side.WORK,), barred={})
    pairing = await pair(connection, store, news)
    for error in news.down.values():
        raise error
    if not news.readings[Side.WORK].complete:
        raise Halted("unproven", "the first listing of AMIS Công việc could not be proven complete; try again")
    record(store, connection.policy, news, pairing, _waiting(news), started)


def settle(ledger: Ledger, operations: Collection[Operation]) -> tuple[Operation, ...]:
    """Plan the touched pairs once more from what the ledger knows, and store which of them still wait for work."""
    touched = {one.crm_id for one in operations} | {link.crm.id for link in ledger.links.values() if link.dirty_since}
    links = tuple(ledger.links[crm_id] for crm_id in touched if crm_id in ledger.links)
    if not links:
        return ()
    work = replace(Pairing().work, links=links)
    again = plan(work, ledger.connection.policy, moment(ledger.connection), NOWHERE)
    changed = [link for crm_id, link in again.links.items() if link != ledger.links[crm_id]]
    with ledger.store.transaction() as tx:
        ledger.save(tx, changed)
        tx.clear_attention(again.cleared)
        tx.raise_attention(again.raised)
    return again.operations


def close(ledger: Ledger, store: Store, prospect: Prospect, *, cycle: int, started: datetime) -> Result:
    """Write down how the cycle ended, and how the sides are."""
    waiting = any(entry.acked is None for entry in store.attention())
    outcome = "unavailable" if ledger.down else "attention" if waiting else "ok"
    counts = {"operations": len(prospect.plan.operations), **ledger.counts}
    now = ledger.now
    with store.transaction() as tx:
        for side in Side:
            before = store.fact(f"side.{side}")
            after = _health(before, ledger.down.get(side), now)
            if after != before:
                tx.set_fact(f"side.{side}", after)
        tx.save_cycle(CycleRow(id=cycle, started_at=started, finished_at=now, outcome=outcome, counts=counts))
    return Result(prospect=prospect, outcome=outcome, counts=counts, down=ledger.down)


def moment(connection: Connection) -> Moment:
    """Now, with each server's clock as measured so far."""
    policy = connection.policy
    clocks = Clocks(
        crm=connection.readers[Side.CRM].offset(),
        work=connection.readers[Side.WORK].offset(),
        tolerance=policy.tolerance,
        tie=policy.tie,
    )
    return Moment(now=connection.clock.now(), clocks=clocks)


BACK_OFF_FIRST: Final = timedelta(seconds=60)
BACK_OFF_AT_MOST: Final = timedelta(minutes=15)


def _health(before: dict[str, object] | None, error: SideError | None, now: datetime) -> dict[str, object] | None:
    """What the state remembers of a failing side: since when, how often, and when it is asked again."""
    if error is None:
        return None
    if before is not None and error.code == "waiting":
        return before
    failures = int(str(before["failures"])) + 1 if before else 1
    wait = min(error.retry_after or BACK_OFF_FIRST * 2 ** min(failures - 1, 10), BACK_OFF_AT_MOST)
    return {
        "since": before["since"] if before else now.isoformat(),
        "failures": failures,
        "not_before": (now + wait).isoformat(),
        "asked": error.retry_after is not None,
        "reason": str(error),
        "kind": type(error).__name__,
    }


def barred(connection: Connection, state: StateReader, *, patient: bool) -> dict[Side, SideError]:
    """The sides that must not be asked yet: the server named a time, or (`patient`) our own back-off runs."""
    held: dict[Side, SideError] = {}
    for side in Side:
        health = state.fact(f"side.{side}")
        if health is None or not (patient or health["asked"]):
            continue
        if connection.clock.now() < datetime.fromisoformat(health["not_before"]):
            held[side] = SideDown(side, f"{health['reason']}; asked again after {health['not_before']}", code="waiting")
    return held


def _waiting(news: News) -> Plan:
    """No plan: the pairs with news wait, durably, until both sides answer."""
    return Plan(
        links={crm_id: replace(link, dirty_since=link.dirty_since or news.now) for crm_id, link in news.links.items()}
    )


def _ids(pairing: Pairing, side: Side) -> list[str]:
    return [link.half(side).id for link in pairing.work.links if link.key]
