"""Complete reading of lists whose rows move while one pages, and the proof that a reading was complete.

Pages are fetched by number. Rows go to `visit` as they come; only ids and stamps are kept here. A row may be visited
more than once; the later call is the newer observation.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconciler.core.model import Record
from reconciler.ports import Visit

SPARE_PAGES: Final = 20
"""How many pages more than expected a scan may take before it is given up as unproven."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its rows, how many rows the list has (None if the server did not say), and whether it is the last.

    `unusable` counts rows that could not be told apart (no id); with one of those nothing is proven.
    """

    rows: Sequence[Record]
    total: int | None
    last: bool
    unusable: int = 0


Fetch = Callable[[int], Awaitable[Page]]
ById = Callable[[Sequence[str]], Awaitable[dict[str, Record]]]


@dataclass(slots=True)
class Proof:
    """What a scan amounted to; an empty `note` means that it provably saw everything."""

    newest: datetime | None = None
    note: str = ""
    rows: int = 0
    stamps: dict[str, datetime | None] = field(default_factory=dict)

    def take(self, page: Page, visit: Visit) -> None:
        """Hand the page on, and remember its ids and stamps."""
        visit(page.rows)
        self.rows += len(page.rows)
        for row in page.rows:
            self.stamps[row.id] = row.modified
            if row.modified is not None and (self.newest is None or row.modified > self.newest):
                self.newest = row.modified
        if page.unusable:
            self.note = f"{page.unusable} rows without an id"


def _stamps(page: Page) -> list[datetime]:
    return [row.modified for row in page.rows if row.modified is not None]


def _pages(total: int | None, size: int) -> int:
    return math.ceil((total or 0) / size)


# --- descending: the newest first, edited rows jump to the front ------------------------------------------------------


@dataclass(slots=True)
class _Pass:
    """One walk down a descending list: where the first too-old row stood, and what went against completeness."""

    rank: int | None = None
    total: int | None = None
    pages: int = 0
    doubt: str = ""


async def scan_descending(
    fetch: Fetch, by_id: ById, since: datetime | None, visit: Visit, *, size: int, first: int, passes: int
) -> Proof:
    """Read a list sorted by stamp, newest first, down to the first page whose last row is older than `since`.

    One page is complete in itself. A longer walk is complete if the total never fell and every page starts strictly
    older than the last stamp of the one before: then nothing can have slid over a border unseen. Otherwise the top is
    read again, the ids are united and read by id, and counted: if as many of them are new enough as the rank of the
    first too-old row says, none is missing. After `passes` walks the proof is given up.
    """
    proof = Proof()
    for _ in range(passes):
        walk = await _walk_down(fetch, since, visit, proof, size=size, first=first)
        if walk.pages <= 1 and not walk.doubt:
            return proof
        if not walk.doubt or proof.note:
            return proof
        started = proof.newest
        top = await _walk_down(fetch, started, visit, proof, size=size, first=first)
        fell = walk.doubt == FELL or _fell(walk.total, top.total)
        if not fell and walk.doubt != UNSORTED and await _counted(by_id, since, visit, proof, walk):
            return proof
        last = walk.doubt
    proof.note = f"after {passes} passes still in doubt: {last}"
    return proof


FELL: Final = "rows disappeared while it was read"
UNSORTED: Final = "the order is not the one asked for"
TOUCHING: Final = "equal stamps at the border of two pages"
ENDLESS: Final = "more pages than the list can have"


async def _walk_down(
    fetch: Fetch, since: datetime | None, visit: Visit, proof: Proof, *, size: int, first: int
) -> _Pass:
    walk = _Pass()
    border: datetime | None = None
    fresh: set[str] = set()
    while True:
        page = await fetch(first + walk.pages)
        known = set(fresh)
        proof.take(page, visit)
        fresh |= {row.id for row in page.rows}
        if _fell(walk.total, page.total):
            walk.doubt = FELL
        walk.total = page.total if page.total is not None else walk.total
        stamps = _stamps(page)
        if stamps != sorted(stamps, reverse=True):
            walk.doubt = UNSORTED
        new = [row.modified for row in page.rows if row.id not in known and row.modified is not None]
        if border is not None and stamps:
            if new and max(new) > border:
                walk.doubt = UNSORTED
            elif stamps[0] >= border:
                walk.doubt = walk.doubt or TOUCHING
        if walk.rank is None and since is not None:
            old = next((i for i, row in enumerate(page.rows) if row.modified and row.modified < since), None)
            walk.rank = None if old is None else walk.pages * size + old
        walk.pages += 1
        border = stamps[-1] if stamps else border
        too_old = since is not None and bool(stamps) and stamps[-1] < since
        at_end = not page.rows if walk.total is None else walk.pages * size >= walk.total
        if too_old or at_end:
            return walk
        if walk.pages > _pages(walk.total, size) + SPARE_PAGES:
            walk.doubt = ENDLESS
            return walk


def _fell(before: int | None, after: int | None) -> bool:
    return before is not None and after is not None and after < before


async def _counted(by_id: ById, since: datetime | None, visit: Visit, proof: Proof, walk: _Pass) -> bool:
    """Whether as many records are new enough as the list says there are."""
    rank = walk.rank if walk.rank is not None else walk.total
    if rank is None:
        return False
    rows = await by_id(sorted(proof.stamps))
    visit(list(rows.values()))
    enough = sum(1 for row in rows.values() if since is None or row.modified is None or row.modified >= since)
    return enough >= rank


# --- ascending: the oldest first, edited rows move to the end ---------------------------------------------------------


async def scan_ascending(fetch: Fetch, visit: Visit, *, size: int, first: int) -> Proof:
    """Read a list sorted by stamp, oldest first, whose rows only ever slide towards the front.

    Page one tells the total and is complete in itself if it is the only one. Otherwise from the last page back to the
    second, then the first again: a row that slides is met where it was or where it went.
    """
    proof = Proof()
    page = await fetch(first)
    proof.take(page, visit)
    _check_ascending(page, proof)
    if page.total is None:
        return await _forward(fetch, visit, proof, page, first=first)
    pages = _pages(page.total, size)
    ceiling: datetime | None = None
    seen: set[str] = set()
    for number in [*range(pages - 1, 0, -1), *([0] if pages > 1 else [])]:
        page = await fetch(first + number)
        unseen = [row.modified for row in page.rows if row.id not in seen and row.modified is not None]
        if ceiling is not None and unseen and max(unseen) > ceiling:
            proof.note = proof.note or UNSORTED
        seen |= {row.id for row in page.rows}
        ceiling = min(_stamps(page), default=ceiling)
        proof.take(page, visit)
        _check_ascending(page, proof)
    return proof


def _check_ascending(page: Page, proof: Proof) -> None:
    stamps = _stamps(page)
    if stamps != sorted(stamps):
        proof.note = proof.note or UNSORTED


async def _forward(fetch: Fetch, visit: Visit, proof: Proof, page: Page, *, first: int) -> Proof:
    """Without a total only a single page proves anything; the rest is read for what it is worth."""
    number = first
    while not page.last and page.rows:
        number += 1
        page = await fetch(number)
        if all(row.id in proof.stamps for row in page.rows):
            break  # nothing new: the server repeats itself, or this was the end
        proof.take(page, visit)
    if number > first:
        proof.note = proof.note or "the server names no total, so rows that slide cannot be told"
    return proof
