"""One cycle on one page.

look     poll both sides, pair what is unlinked, plan, check     writes nothing: the dry run ends here
record   what was learned becomes durable, the watermarks with it
apply    intent, write, read back, base; one batch after the other
settle   the planner looks once more at what was touched: it alone knows what is still due
close    how the cycle ended, and how the sides are

A connection that only observes ends after `record`: its cycle is another function, without a writer in reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from reconciler.apply import Ledger, apply
from reconciler.connection import Connection, Writers
from reconciler.core.attention import grouped
from reconciler.core.model import CycleRow, Side
from reconciler.core.operations import Operation, Update, name
from reconciler.core.plan import Workload, plan
from reconciler.core.safety import EVERYTHING, Halt, held, kind_of
from reconciler.daybook import count_cycle
from reconciler.errors import SideError
from reconciler.halting import pausing, settle_halt
from reconciler.health import remember
from reconciler.ports import Store
from reconciler.prospect import Prospect, circumstances, look, moment
from reconciler.record import record
from reconciler.survey import NOWHERE, piloted

OUTCOMES: Final = {"ok": 0, "attention": 4, "halted": 5, "unavailable": 6}
"""How a cycle can end, and the exit code for it."""

FORESEEN: Final = ("would_create", "would_update_work", "would_update_crm", "would_delete", "would_unlink")
"""What a cycle that only observes counts instead of what it did."""


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


async def run_cycle(
    connection: Connection,
    writers: Writers,
    store: Store,
    *,
    guard: Callable[[], None] = lambda: None,
    sweeping: bool = False,
    patient: bool = False,
    first: bool = True,
    only: Collection[str] | None = None,
) -> Result:
    """One real cycle.

    `patient`: a side that failed before is left alone until its back-off ends. `first`: no cycle of this process came
    before. `only` are the canonical forms of operations that may be applied (a saved plan); the others wait.
    """
    started = connection.clock.now()
    prospect = await look(connection, store, sweeping=sweeping, patient=patient, first=first)
    return await carry_out(connection, writers, store, prospect, started, guard=guard, only=only)


async def carry_out(
    connection: Connection,
    writers: Writers,
    store: Store,
    prospect: Prospect,
    started: datetime,
    *,
    guard: Callable[[], None],
    only: Collection[str] | None = None,
    among: Collection[str] | None = None,
) -> Result:
    """Record a prospect, apply what may be sent, and close the cycle.

    `among`, if given, are the CRM ids of the pairs that may be touched.
    """
    due = planned(prospect, store, only)
    cycle, links = record(store, connection.policy, prospect, started, due or ())
    if among is not None:
        links = {crm_id: link for crm_id, link in links.items() if crm_id in among}
    connection = piloted(connection, store)
    ledger = Ledger(
        connection=connection,
        writers=writers,
        store=store,
        cycle=cycle,
        links=links,
        circumstances=circumstances(connection, store),
        guard=guard,
        down=dict(prospect.news.down),
    )
    if due is not None:
        await apply(ledger, due)
        again = settle(ledger, due)
        passed = allowed(due, prospect.halt)
        starved = [
            one
            for one in again
            if isinstance(one, Update) and ledger.links[one.crm_id].drops > 1 and (one.crm_id, kind_of(one)) in passed
        ]
        if starved and not ledger.down and only is None:
            # twice overtaken by edits: planned again from the reads just made, at once
            await apply(ledger, starved)
            settle(ledger, starved)
    return close(ledger, prospect, started)


async def observe_cycle(
    connection: Connection,
    store: Store,
    *,
    guard: Callable[[], None] = lambda: None,
    sweeping: bool = False,
    patient: bool = False,
    first: bool = True,
) -> Result:
    """A cycle of a connection that only observes: everything up to `record`, and nothing after it.

    What is due stays due in the state, so it flows once the connection is one that writes. The counts say what would be
    done; nothing is held, because nothing waits to be sent. `guard` has nothing to guard.
    """
    started = connection.clock.now()
    prospect = await look(connection, store, sweeping=sweeping, patient=patient, first=first)
    cycle, _ = record(store, connection.policy, prospect, started)
    would = Counter(f"would_{name(one)}" for one in prospect.plan.operations)
    counts = {**dict.fromkeys(FORESEEN, 0), **would, **_counted(prospect)}
    return _finish(connection, store, prospect, started, cycle=cycle, counts=counts, down=prospect.news.down)


def planned(prospect: Prospect, store: Store, only: Collection[str] | None) -> tuple[Operation, ...] | None:
    """The operations that may be sent: those of a saved plan alone, never held ones.

    None if nothing may be sent at all: a side is down, somebody paused, or a halt holds everything.
    """
    everything = prospect.halt is not None and EVERYTHING in prospect.halt.kinds
    if prospect.news.down or everything or pausing(store, prospect.moment.now):
        return None
    operations = prospect.checked.operations
    return operations if only is None else tuple(one for one in operations if one.canonical in only)


def allowed(due: Collection[Operation], halt: Halt | None) -> set[tuple[str, str]]:
    """What may be sent if it is planned again within the cycle: the same pairs and kinds that the limits let through.

    Each was counted once already. Of a kind that is held nothing may follow, not even where an approval let one pass.
    """
    kinds = halt.kinds if halt is not None else ()
    return {(one.crm_id, kind_of(one)) for one in due if not held(kind_of(one), kinds)}


def settle(ledger: Ledger, operations: Collection[Operation]) -> tuple[Operation, ...]:
    """Plan the touched pairs once more from what the ledger knows, and store which of them still wait for work."""
    touched = {one.crm_id for one in operations} | {link.crm.id for link in ledger.links.values() if link.dirty_since}
    links = tuple(ledger.links[crm_id] for crm_id in touched if crm_id in ledger.links)
    if not links:
        return ()
    policy = replace(ledger.connection.policy, config=ledger.circumstances)
    again = plan(Workload(links=links), policy, moment(ledger.connection, ledger.store), NOWHERE)
    changed = [link for crm_id, link in again.links.items() if link != ledger.links[crm_id]]
    with ledger.store.transaction() as tx:
        ledger.save(tx, changed)
        tx.append(ruling.entry(ledger.now, ledger.cycle) for ruling in again.rulings)
        tx.clear_attention(again.cleared)
        tx.raise_attention(again.raised)
    return again.operations


def close(ledger: Ledger, prospect: Prospect, started: datetime) -> Result:
    """Write down how the cycle ended, how the sides are, and what is held."""
    halted = settle_halt(ledger.store, prospect, ledger.now, ledger.cycle)
    counts = {"operations": len(prospect.plan.operations), **_counted(prospect), **ledger.counts}
    return _finish(
        ledger.connection,
        ledger.store,
        prospect,
        started,
        cycle=ledger.cycle,
        counts=counts,
        down=ledger.down,
        halted=halted,
    )


def _counted(prospect: Prospect) -> dict[str, int]:
    """What was counted on the way, and how many pairs with due work the pilot left out."""
    left_out = sum(1 for one in prospect.plan.outside if one.work_id is not None)
    return {**prospect.news.counts, **({"left_out": left_out} if left_out else {})}


def _finish(
    connection: Connection,
    store: Store,
    prospect: Prospect,
    started: datetime,
    *,
    cycle: int,
    counts: Mapping[str, int],
    down: Mapping[Side, SideError],
    halted: bool = False,
) -> Result:
    now = connection.clock.now()
    waiting = any(entry.acked is None for entry in grouped(store.attention())) and not pausing(store, now)
    outcome = "halted" if halted else "unavailable" if down else "attention" if waiting else "ok"
    remember(store, down, now, connection.policy.back_off)
    with store.transaction() as tx:
        tx.save_cycle(CycleRow(id=cycle, started_at=started, finished_at=now, outcome=outcome, counts=counts))
        count_cycle(tx, started=started, finished=now, outcome=outcome, interval=connection.policy.back_off)
    return Result(prospect=prospect, outcome=outcome, counts=counts, down=down)
