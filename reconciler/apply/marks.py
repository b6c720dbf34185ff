"""Marks: each record of a pair carries the other's id, so that links can be rebuilt from the records alone.

A marker is written as an update of its own and is no edit: its read-back only sets `own_stamp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.apply.ledger import Ledger
from reconciler.core.model import Attention, Code, Edit, Entry, Link, Presence, Refused, Side
from reconciler.core.observe import by_us, observe, with_half
from reconciler.errors import NotApplied, SideDown, Unclear
from reconciler.message import say


async def apply_marks(ledger: Ledger, side: Side, links: Sequence[Link]) -> None:
    """Write the counterpart's id into the records of `links` on `side`, read back, remember the stamp."""
    writer = ledger.writers[side]
    rows = await writer.by_id([link.half(side).id for link in links])
    present = [
        link
        for link in links
        if (row := rows.get(link.half(side).id)) is not None
        and row.presence is Presence.PRESENT
        and row.marker != link.half(side.other).id
    ]
    marked = [link for link in links if link not in present and rows.get(link.half(side).id) is not None]
    if marked:  # the listing did not show it, or somebody else wrote it: what the fresh read shows is kept
        with ledger.store.transaction() as tx:
            ledger.save(tx, [ledger.observe(link, side, rows[link.half(side).id]) for link in marked])
    if not present:
        return
    edits = [
        Edit(id=row.id, values={}, layout=row.layout, marker=link.half(side.other).id)
        for link in present
        for row in [rows[link.half(side).id]]
    ]
    ledger.guard()
    try:
        answers = await writer.update(edits)
    except NotApplied as refused:
        raise SideDown(side, refused.message, retry_after=refused.retry_after) from refused
    except Unclear as unclear:
        raise SideDown(side, str(unclear)) from unclear
    read = await writer.by_id([edit.id for edit in edits])
    raised: list[Attention] = []
    entries: list[Entry] = []
    with ledger.store.transaction() as tx:
        for link, answer in zip(present, answers, strict=True):
            half, row = link.half(side), read.get(link.half(side).id)
            if isinstance(answer, Refused):
                raised.append(_marker_refused(ledger, side, link, answer))
                link = with_half(link, side, replace(half, marker_refused=True))
            elif row is not None:
                own = row.modified if by_us(row, ledger.ours(side)) is not False else half.own_stamp
                newer = observe(replace(half, own_stamp=own), row, ledger.connection.policy.lenses, ledger.ours(side))
                link = with_half(link, side, newer)
                ledger.learn(tx, side, row.author)
                ledger.hear(tx, side, rows[half.id], row)
                entries.append(ledger.entry("marked", link, side))
            ledger.links[link.crm.id] = link
        ledger.save(tx, [ledger.links[link.crm.id] for link in present])
        tx.append(entries)
        tx.raise_attention(raised)


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
