"""Verdicts: the CRM's result field says whether a task is synced, for salespeople who see nothing else of this program.

Like a marker, a verdict is a write of its own and no edit: on a linked task its read-back only sets `own_stamp`. What
is to be said waits in the state until the CRM took it or refused it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.apply.ledger import Ledger
from reconciler.core import verdict as words_of
from reconciler.core.model import (
    Accepted,
    Answer,
    Attention,
    Code,
    Edit,
    Entry,
    Link,
    Presence,
    Record,
    Refused,
    Side,
    Verdict,
)
from reconciler.errors import SideDown, Unclear
from reconciler.message import say
from reconciler.ports import Transaction


def due_for(ledger: Ledger, links: Sequence[Link]) -> dict[str, Verdict]:
    """What is to be said of the CRM tasks of `links`, by id."""
    if not ledger.connection.policy.tells:
        return {}
    wanted = {link.crm.id for link in links}
    return {one.crm_id: one for one in ledger.store.verdicts() if one.crm_id in wanted and not one.refused}


async def apply_verdicts(ledger: Ledger, verdicts: Sequence[Verdict]) -> None:
    """Write one batch into the CRM, except for what its tasks show already; a task that is gone is told nothing."""
    await ledger.once_more(functools.partial(_attempt, ledger, verdicts))


async def _attempt(ledger: Ledger, verdicts: Sequence[Verdict]) -> None:
    rows = await ledger.writers.crm.by_id([one.crm_id for one in verdicts])
    due = [
        one
        for one in verdicts
        if (row := rows.get(one.crm_id)) is not None
        and row.presence is Presence.PRESENT
        and not words_of.says(row.result, one)
    ]
    needless = [one.crm_id for one in verdicts if one not in due]
    if needless:
        with ledger.store.transaction() as tx:
            tx.drop_verdicts(needless)
    if not due:
        return
    edits = [Edit(id=one.crm_id, values={}, layout=rows[one.crm_id].layout, result=one.words) for one in due]
    answers, read = await inscribe(ledger, Side.CRM, edits, rows)
    links = ledger.store.links_by(Side.CRM, [one.crm_id for one in due]) | ledger.links
    with ledger.store.transaction() as tx:
        accepted: list[Verdict] = []
        for one, answer in zip(due, answers, strict=True):
            if isinstance(answer, Refused):
                tx.save_verdicts([replace(one, refused=True)])
                tx.raise_attention([_refused(ledger, one, answer)])
                continue
            accepted.append(one)
            if one.crm_id in links and one.crm_id in read:
                ledger.save(tx, [ledger.inscribed(tx, links[one.crm_id], Side.CRM, read[one.crm_id])])
        delivered(ledger, tx, accepted, rows)


async def inscribe(
    ledger: Ledger, side: Side, edits: Sequence[Edit], rows: Mapping[str, Record]
) -> tuple[list[Answer], dict[str, Record]]:
    """Send texts of ours to records that were just read (`rows`); the answers, and the records as read back.

    What a person typed into the result field is journalled before it is overwritten. An unclear answer counts as taken
    if the read-back shows every text.
    """
    typed = [
        Entry(
            kind="overwritten", at=ledger.now, cycle=ledger.cycle, crm_id=edit.id, side=side, old=shown, new=edit.result
        )
        for edit in edits
        if edit.result is not None and (shown := rows[edit.id].result) and not words_of.ours(shown)
    ]
    ledger.guard()
    with ledger.store.transaction() as tx:  # also where nothing was typed: it renews the lease
        tx.append(typed)
    ids = [edit.id for edit in edits]
    try:
        answers = await ledger.writers[side].update(edits)
    except Unclear as unclear:
        read = await ledger.writers[side].by_id(ids)
        if not all(edit.id in read and _shows(read[edit.id], edit) for edit in edits):
            raise SideDown(side, unclear.message, words=unclear.words) from unclear
        return [Accepted(id=one) for one in ids], read
    return answers, await ledger.writers[side].by_id(ids)


def _shows(row: Record, edit: Edit) -> bool:
    return edit.marker in (None, row.marker) and edit.result in (None, row.result)


def delivered(ledger: Ledger, tx: Transaction, verdicts: Sequence[Verdict], rows: Mapping[str, Record]) -> None:
    """The CRM took these verdicts; `rows` are its tasks as they were before."""
    if not verdicts:
        return
    tx.drop_verdicts([one.crm_id for one in verdicts])
    tx.clear_attention(_refused(ledger, one, None) for one in verdicts)
    tx.append(
        Entry(
            kind="told",
            at=ledger.now,
            cycle=ledger.cycle,
            crm_id=one.crm_id,
            side=Side.CRM,
            old=rows[one.crm_id].result,
            new=one.words,
        )
        for one in verdicts
    )


def _refused(ledger: Ledger, verdict: Verdict, answer: Refused | None) -> Attention:
    words = (answer.words or answer.code) if answer is not None else ""
    return Attention(
        side=Side.CRM,
        id=verdict.crm_id,
        code=Code.RESULT_REFUSED,
        message=say(
            "crm refused the result text on task {id}: {words}; only the text is missing there. Check"
            " [crm] result_field, then `reconciler retry`",
            id=verdict.crm_id,
            words=words,
        ),
        words=words,
        since=ledger.now,
        content=verdict.words,
    )
