"""Marks: each record of a pair carries the other's id, so that links can be rebuilt from the records alone.

A marker is written as an update of its own and is no edit: its read-back only sets `own_stamp`. What the CRM's result
field is to say of the same tasks travels with it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.apply.ledger import Ledger
from reconciler.apply.verdicts import delivered, due_for, inscribe
from reconciler.core.model import Attention, Code, Edit, Entry, Link, Presence, Refused, Side, Verdict
from reconciler.core.observe import with_half
from reconciler.core.verdict import says
from reconciler.message import say


async def apply_marks(ledger: Ledger, side: Side, links: Sequence[Link]) -> None:
    """Write the counterpart's id into the records of `links` on `side`, read back, remember the stamp."""
    verdicts = due_for(ledger, links) if side is Side.CRM else {}
    refused = await ledger.once_more(functools.partial(_attempt, ledger, side, links, verdicts))
    if refused:  # with a verdict beside it: nobody knows which of the two the server did not like
        await ledger.once_more(functools.partial(_attempt, ledger, side, refused, {}))


async def _attempt(ledger: Ledger, side: Side, links: Sequence[Link], verdicts: Mapping[str, Verdict]) -> list[Link]:
    """Returns the links whose element held a verdict too and was refused."""
    writer = ledger.writers[side]
    rows = await writer.by_id([link.half(side).id for link in links])
    seen = [ledger.observe(link, side, row) for link in links if (row := rows.get(link.half(side).id)) is not None]
    present = [
        link
        for link in seen
        if link.half(side).presence is Presence.PRESENT and link.half(side).marker != link.half(side.other).id
    ]
    marked = [link for link in seen if link not in present]
    if marked:  # the listing did not show it, or somebody else wrote it: what the fresh read shows is kept
        with ledger.store.transaction() as tx:
            ledger.save(tx, marked)
    if not present:
        return []
    sent = {
        link.crm.id: verdict
        for link in present
        if (verdict := verdicts.get(link.crm.id)) is not None and not says(rows[link.crm.id].result, verdict)
    }
    edits = [
        Edit(
            id=row.id,
            values={},
            layout=row.layout,
            marker=link.half(side.other).id,
            result=sent[link.crm.id].words if link.crm.id in sent else None,
        )
        for link in present
        for row in [rows[link.half(side).id]]
    ]
    answers, read = await inscribe(ledger, side, edits, rows)
    again: list[Link] = []
    raised: list[Attention] = []
    entries: list[Entry] = []
    told: list[Verdict] = []
    with ledger.store.transaction() as tx:
        for link, answer in zip(present, answers, strict=True):
            half, row = link.half(side), read.get(link.half(side).id)
            if isinstance(answer, Refused) and link.crm.id in sent:
                again.append(link)
                continue
            if isinstance(answer, Refused):
                raised.append(_marker_refused(ledger, side, link, answer))
                link = with_half(link, side, replace(half, marker_refused=True))
            elif row is not None:
                link = ledger.inscribed(tx, link, side, row)
                ledger.hear(tx, side, rows[half.id], row)
                entries.append(ledger.entry("marked", link, side))
                told += [sent[link.crm.id]] if link.crm.id in sent else []
            ledger.links[link.crm.id] = link
        ledger.save(tx, [ledger.links[link.crm.id] for link in present if link not in again])
        delivered(ledger, tx, told, rows)
        tx.append(entries)
        tx.raise_attention(raised)
    return again


def _marker_refused(ledger: Ledger, side: Side, link: Link, answer: Refused) -> Attention:
    return Attention(
        side=side,
        id=link.half(side).id,
        code=Code.MARKER_REFUSED,
        message=(
            say(
                "{side} refused our link marker on {id}: {words}; the link stands, but could not be "
                "rebuilt from the records alone",
                side=side,
                id=link.half(side).id,
                words=answer.words or answer.code,
            )
        ),
        words=answer.words,
        title=link.title,
        since=ledger.now,
        content=link.half(side.other).id,
    )
