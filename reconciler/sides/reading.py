"""What both adapters do alike with ids, texts, answers by id, and the moment when a reading began."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.core.model import Offset, Reading, Record, Side
from reconciler.errors import SideDown
from reconciler.message import say
from reconciler.ports import Clock
from reconciler.sides.elapsed import Stopwatch
from reconciler.sides.proof import Fetch, Page, Proof

DIGITS_AT_MOST: Final = 40


def identifier(value: Any) -> str | None:
    """An opaque id as text; None if there is none."""
    if isinstance(value, bool) or value is None:
        return None
    return str(value) if isinstance(value, int) else value.strip() or None if isinstance(value, str) else None


def record_id(value: Any) -> str | None:
    """The id of a record: digits, and nothing else, because only such ids can be asked for again. None otherwise."""
    known = identifier(value)
    return known if known is not None and _digits(known) else None


def wire_id(known: str) -> int | str:
    """An id as it is sent: digits as a number."""
    return int(known) if _digits(known) else known


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_AT_MOST


def text_of(value: Any) -> str | None:
    """A text or a number as text; nothing and blanks are None."""
    if isinstance(value, str):
        return value if value.strip() else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


async def by_id_in_chunks(
    side: Side, fetch: Callable[[Sequence[str]], Awaitable[Page]], ids: Sequence[str], size: int
) -> dict[str, Record]:
    """Records by id, any number of ids, `size` a call. Ids that are no number exist nowhere and are not asked for.

    An id that is missing from the result was missing from a whole answer: one with an unreadable row, or one that has
    more to come, proves no absence. Errors: `SideDown`, `SideClosed`; the first one ends the other calls.
    """
    wanted = {one: None for one in ids if record_id(one) is not None}
    asked = list(wanted)
    found: dict[str, Record] = {}

    async def take(chunk: Sequence[str]) -> None:
        page = await fetch(chunk)
        if page.unusable or not page.last:
            raise SideDown(side, say("{side} by-id: the answer is not whole", side=side))
        found.update((row.id, row) for row in page.rows if row.id in wanted)

    try:
        async with asyncio.TaskGroup() as group:
            for start in range(0, len(asked), size):
                group.create_task(take(asked[start : start + size]))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return found


class Beginning:
    """When a reading began, in the server's time: what its clock shows at the first answer, less the time since then.

    Our own clock at the start would not do: somebody may set it before the first answer tells how far it stands.
    """

    def __init__(self, clock: Clock, offset: Callable[[], Offset]) -> None:
        self._clock, self._offset = clock, offset
        self._since = Stopwatch(clock)
        self._moment: datetime | None = None

    def watch(self, fetch: Fetch) -> Fetch:
        """The same pages; the first one tells the moment."""

        async def watched(number: int) -> Page:
            page = await fetch(number)
            self._moment = self._moment or self._told()
            return page

        return watched

    @property
    def moment(self) -> datetime:
        """The server's time when the reading began; never later than the true one, as far as its clock is known."""
        return self._moment or self._told()

    def _told(self) -> datetime:
        offset = self._offset()
        return self._clock.now() - self._since.elapsed() + (offset.value or timedelta(0)) - offset.uncertainty


def reading(side: Side, started: datetime, since: datetime | None, proof: Proof) -> Reading:
    return Reading(
        side=side,
        started=started,
        newest=proof.newest,
        complete=not proof.note,
        full=since is None,
        rows=proof.rows,
        note=proof.note,
    )
