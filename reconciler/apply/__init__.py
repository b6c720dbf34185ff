"""Apply: carry out a plan, operation by operation, so that a crash at any instruction loses and repeats nothing.

For each batch: read both sides again, write the intent down, send, read back, move the bases by what was read back.
A dry run is the absence of this step; nothing in here knows the word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from reconciler.apply.creates import apply_creates
from reconciler.apply.ledger import Ledger
from reconciler.apply.losses import apply_delete, apply_unlinks
from reconciler.apply.marks import apply_marks
from reconciler.apply.updates import apply_updates
from reconciler.apply.verdicts import apply_verdicts
from reconciler.core.model import Side
from reconciler.core.operations import Create, Delete, Operation, Unlink, Update
from reconciler.errors import SideClosed, SideDown, SideError

T = TypeVar("T")

__all__ = ["Ledger", "apply"]


async def apply(ledger: Ledger, operations: Sequence[Operation]) -> None:
    """Carry out the operations. What became of them is in the ledger and, durably, in the state.

    A side that fails stops what needs it; every operation needs both sides, because both are read again before it.
    """
    apply_unlinks(ledger, [one for one in operations if isinstance(one, Unlink)])
    try:
        for side in Side:
            due = [one for one in operations if isinstance(one, Update) and one.side is side]
            for batch in batches(due, ledger.writers[side].batch):
                ledger.guard()
                await apply_updates(ledger, side, batch)
        for creates in batches([one for one in operations if isinstance(one, Create)], ledger.writers.work.batch):
            ledger.guard()
            await apply_creates(ledger, creates)
            await mark(ledger)
        await mark(ledger)
        for one in operations:
            if isinstance(one, Delete):
                ledger.guard()
                await apply_delete(ledger, one)
        await tell(ledger)
    except (SideDown, SideClosed) as error:
        ledger.fail(error)
    except SideError as error:
        ledger.fail(SideDown(error.side, error.message, words=error.words, retry_after=error.retry_after))


async def mark(ledger: Ledger) -> None:
    """Write the markers that are missing on either side."""
    for side in Side:
        for links in batches(ledger.unmarked(side), ledger.writers[side].batch):
            ledger.guard()
            await apply_marks(ledger, side, links)


async def tell(ledger: Ledger) -> None:
    """Write into the CRM what salespeople are still to be told; without a field for it, forget it."""
    waiting = ledger.store.verdicts()
    if not ledger.connection.policy.tells:
        if waiting:
            with ledger.store.transaction() as tx:
                tx.drop_verdicts([one.crm_id for one in waiting])
        return
    policy = ledger.connection.policy
    links = ledger.store.links_by(Side.CRM, [one.crm_id for one in waiting])
    outside = {crm_id for crm_id, link in links.items() if not policy.pilot.admits(link, policy.people)}
    due = [one for one in waiting if not one.refused and one.crm_id not in outside]
    for verdicts in batches(due, ledger.writers.crm.batch):
        await apply_verdicts(ledger, verdicts)


def batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """`items` in order, in lists of at most `size`."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
