"""Losses: pairs of which a record is deleted or gone. Unlinking is local; a deletion is propagated only on request."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.apply.ledger import Ledger
from reconciler.core import verdict
from reconciler.core.attention import aside_entry
from reconciler.core.loss import loss
from reconciler.core.model import Accepted, Answer, Attention, Code, Link, Presence, Refused, Side, Tombstone
from reconciler.core.operations import Delete, Unlink
from reconciler.errors import SideDown, Unclear
from reconciler.message import say


def apply_unlinks(ledger: Ledger, unlinks: Sequence[Unlink]) -> None:
    """Forget the pairs and leave a tombstone for each, with both ids and the bases."""
    if not unlinks:
        return
    links = [ledger.links.pop(one.crm_id) for one in unlinks]
    with ledger.store.transaction() as tx:
        tx.drop_links([link.key for link in links])
        tx.save_tombstones(
            Tombstone(
                crm_id=link.crm.id, work_id=link.work.id, reason=one.reason, manual=False, at=ledger.now, link=link
            )
            for link, one in zip(links, unlinks, strict=True)
        )
        tx.clear_attention(aside_entry(link, name, aside) for link in links for name, aside in link.aside.items())
        left = [one.crm_id for one in unlinks if one.side is Side.WORK]
        ledger.tell(tx, verdict.ended(left, ledger.now))
        tx.append(
            ledger.entry(
                "unlinked", link, one.side, reason=one.reason, detail=one.evidence.detail if one.evidence else {}
            )
            for link, one in zip(links, unlinks, strict=True)
        )
        tx.raise_attention(
            Attention(
                side=one.side.other,
                id=link.half(one.side.other).id,
                code=Code.DELETED_ELSEWHERE,
                message=(
                    say(
                        "{side} {id} was deleted, but this record was edited since; it stays, unlinked. Delete "
                        "it too, or link it to a new counterpart",
                        side=one.side,
                        id=link.half(one.side).id,
                    )
                ),
                title=one.title,
                since=ledger.now,
                content=link.half(one.side).id,
            )
            for link, one in zip(links, unlinks, strict=True)
            if one.reason == "deleted_elsewhere"
        )
    ledger.counts["unlinked"] += len(links)


async def apply_delete(ledger: Ledger, delete: Delete) -> None:
    """Delete one counterpart after reading both again: the flag must still stand, and nobody may have edited it."""
    await ledger.once_more(functools.partial(_attempt, ledger, delete))


async def _attempt(ledger: Ledger, delete: Delete) -> None:
    link = ledger.links[delete.crm_id]
    rows = await ledger.read_again({side: [link.half(side).id] for side in Side})
    flagged = rows[delete.side.other].get(link.half(delete.side.other).id)
    target = rows[delete.side].get(link.half(delete.side).id)
    fresh = ledger.observe(ledger.observe(link, delete.side, target), delete.side.other, flagged)
    lost = loss(fresh, ledger.connection.policy, ledger.connection.clocks)
    if target is None or lost is None or lost.verdict()[0] != "delete":
        with ledger.store.transaction() as tx:
            ledger.save(tx, [fresh])
            tx.append([ledger.entry("dropped", fresh, delete.side, reason="changed_meanwhile")])
        ledger.counts["dropped"] += 1
        return
    ledger.guard()
    with ledger.store.transaction() as tx:
        tx.append([ledger.entry("intent", fresh, delete.side, reason="deleted", detail=_grounds(delete))])
    answer = await _delete(ledger, delete.side, link.half(delete.side).id)
    if isinstance(answer, Refused) and answer.transient:
        with ledger.store.transaction() as tx:
            tx.append([ledger.entry("refused", fresh, delete.side, reason=answer.code)])
            tx.raise_attention([_refused(ledger, link, delete, answer)])
        return
    with ledger.store.transaction() as tx:
        if isinstance(answer, Refused) and not answer.gone:  # for good: what cannot be deleted stays, unlinked
            tx.append([ledger.entry("refused", fresh, delete.side, reason=answer.code)])
            tx.raise_attention([_refused(ledger, link, delete, answer)])
        else:
            tx.clear_attention([_refused(ledger, link, delete, Refused(code=Code.WAITING_APPROVAL, words=""))])
            ledger.counts[f"deleted_{delete.side}"] += 1
    reason = "propagated" if isinstance(answer, Accepted) or answer.gone else "delete_refused"
    apply_unlinks(
        ledger,
        [
            Unlink(
                crm_id=delete.crm_id,
                work_id=delete.work_id,
                title=delete.title,
                side=delete.side.other,
                reason=reason,
            )
        ],
    )


async def _delete(ledger: Ledger, side: Side, record: str) -> Answer:
    """The answer to the deletion of one record; an unclear one counts as taken if the record is gone."""
    try:
        return (await ledger.writers[side].delete([record]))[0]
    except Unclear as unclear:
        row = (await ledger.writers[side].by_id([record])).get(record)
        if row is not None and row.presence is not Presence.DELETED:
            raise SideDown(side, unclear.message, words=unclear.words) from unclear
        return Accepted(id=record)


def _grounds(operation: Unlink | Delete) -> Mapping[str, Any]:
    """What the planner decided on, for the journal."""
    return operation.evidence.detail if operation.evidence is not None else {}


def _refused(ledger: Ledger, link: Link, delete: Delete, answer: Refused) -> Attention:
    return Attention(
        side=delete.side,
        id=link.half(delete.side).id,
        code=answer.code,
        message=say(
            "{side} refused to delete the record: {words}. Its counterpart is deleted; delete it by hand, or leave it",
            side=delete.side,
            words=answer.words or answer.code,
        ),
        words=answer.words,
        title=delete.title,
        since=ledger.now,
    )
