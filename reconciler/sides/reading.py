"""What both adapters do alike with ids, texts, chunks and readings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from reconciler.core.model import Offset, Reading, Record, Side
from reconciler.sides.scan import Proof


def identifier(value: Any) -> str | None:
    """An opaque id as text; None if there is none."""
    if isinstance(value, bool) or value is None:
        return None
    return str(value) if isinstance(value, int) else value.strip() or None if isinstance(value, str) else None


def text_of(value: Any) -> str | None:
    """A text or a number as text; nothing and blanks are None."""
    if isinstance(value, str):
        return value if value.strip() else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


async def by_id_in_chunks(
    fetch: Callable[[Sequence[str]], Awaitable[list[Record]]], ids: Sequence[str], size: int
) -> dict[str, Record]:
    """Records by id, any number of ids, `size` a call. Ids that are no number exist nowhere and are not asked for."""
    wanted = [one for one in dict.fromkeys(ids) if one.isascii() and one.isdigit()]
    chunks = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    answers = await asyncio.gather(*(fetch(chunk) for chunk in chunks))
    return {row.id: row for rows in answers for row in rows}


def reading(side: Side, begun: datetime, offset: Offset, since: datetime | None, proof: Proof) -> Reading:
    """The reading that began at `begun` (our clock); in server time it began no earlier than `started`."""
    server = begun if offset.value is None else begun + offset.value
    return Reading(
        side=side,
        started=server - offset.uncertainty,
        newest=proof.newest,
        complete=not proof.note,
        full=since is None,
        rows=proof.rows,
        note=proof.note,
    )
