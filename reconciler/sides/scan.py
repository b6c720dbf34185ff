"""Complete reading of lists whose rows move while one pages, and the proof that a reading was complete.

Pages are fetched by number; each page is one consistent moment of the list. Rows go to `visit` as they come; only ids
and stamps are kept here. A row may be visited more than once; the later call is the newer observation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.message import say
from reconciler.ports import Visit
from reconciler.sides.proof import (
    CROWDED,
    ENDLESS,
    FELL,
    NO_TOTAL,
    PAGES_WITHOUT_TOTAL,
    SHORT,
    SPARE_PAGES,
    TOUCHING,
    UNSORTED,
    ById,
    Fetch,
    Page,
    Proof,
    Seen,
    pages_of,
)

# --- descending: the newest first, edited rows jump to the front ------------------------------------------------------


@dataclass(slots=True)
class _Walk:
    """One walk down a descending list.

    `rank` is the number of rows above the first too-old one, at the moment when the last page was read: that many rows
    were new enough then. `top` is the newest stamp of the first page: what was edited after it has at least this stamp.
    """

    rank: int | None = None
    top: datetime | None = None
    total: int | None = None
    pages: int = 0
    doubt: str = ""

    def suspect(self, doubt: str) -> None:
        """The gravest doubt stays: a wrong order makes every rank worthless, a fallen total one count."""
        if not self.doubt or _GRAVITY.index(doubt) < _GRAVITY.index(self.doubt):
            self.doubt = doubt


_HOPELESS: Final = (UNSORTED, ENDLESS, NO_TOTAL)
"""Another walk would find the same."""
_GRAVITY: Final = (*_HOPELESS, FELL, SHORT, TOUCHING)


async def scan_descending(
    fetch: Fetch, by_id: ById, since: datetime | None, visit: Visit, *, size: int, first: int, passes: int
) -> Proof:
    """Read a list sorted by stamp, newest first, down to the first page whose last row is older than `since`.

    One page is complete in itself. A longer walk is complete if the total never fell and every page starts strictly
    older than the last stamp of the one before: then nothing can have slid over a border unseen. Otherwise the top is
    read again, the ids are united and read by id, and counted: if as many of them were new enough at the end of the
    walk as the rank of the first too-old row says, none is missing. After `passes` walks the proof is given up.
    """
    proof = Proof()
    for _ in range(passes):
        walk = await _walk_down(fetch, since, visit, proof, size=size, first=first)
        if not walk.doubt or proof.note:
            return proof
        if walk.doubt in _HOPELESS:
            proof.doubt(walk.doubt)
            return proof
        enough = _new_enough(proof, since)
        again = await _walk_down(fetch, since, visit, proof, size=size, first=first, stop=walk.top)
        if again.doubt in _HOPELESS:
            proof.doubt(again.doubt)
            return proof
        fell = FELL in (walk.doubt, again.doubt) or _fell(walk.total, again.total)
        if again.rank is not None:  # one stamp fills the list, so this walk went as deep and saw more
            walk, enough = again, _new_enough(proof, since)
        if not fell and await _counted(by_id, since, visit, proof, walk, enough):
            return proof
        if proof.note:
            return proof
    proof.doubt(say("after {passes} passes still in doubt: {doubt}", passes=passes, doubt=walk.doubt))
    return proof


async def _walk_down(
    fetch: Fetch,
    since: datetime | None,
    visit: Visit,
    proof: Proof,
    *,
    size: int,
    first: int,
    stop: datetime | None = None,
) -> _Walk:
    """From the top down to stamps older than `since`, or than `stop` if those come first (there is no rank then)."""
    walk = _Walk()
    border: datetime | None = None  # the last stamp of the page before
    seen = Seen()
    most, untold = 0, False
    while True:
        page = await fetch(first + walk.pages)
        proof.take(page, visit)
        before, stamps, news = walk.pages * size, page.stamps, seen.news(page)
        total = page.told(before)
        untold |= total is None
        walk.pages += 1
        if walk.pages == 1:
            walk.top = max(stamps, default=None)
            most = pages_of(total, size) + SPARE_PAGES
        if _fell(walk.total, total):
            walk.suspect(FELL)
        walk.total = total
        if stamps != sorted(stamps, reverse=True):
            walk.suspect(UNSORTED)
        if walk.pages > 1:
            if border is not None and news and max(news) > border:
                walk.suspect(UNSORTED)
            elif page.rows and not _strictly_below(page, border):
                walk.suspect(TOUCHING)
        if page.short(before, size):
            walk.suspect(SHORT)
        border = page.rows[-1].modified if page.rows else border
        old = [i for i, row in enumerate(page.rows) if since and row.modified and row.modified < since]
        if since is not None and border is not None and page.rows and border < since:
            walk.rank = before + old[0]
            break
        at_end = not page.rows if total is None else walk.pages * size >= total
        if at_end:
            walk.rank = before + old[0] if old else total
            break
        if stop is not None and page.rows and border is not None and border < stop:
            break
        if walk.pages >= most or seen.enough:
            walk.suspect(ENDLESS)
            break
    if untold and (walk.pages > 1 or walk.rank is None):
        walk.suspect(NO_TOTAL)  # one page that reaches below `since` needs no total; an end without one is no end
    return walk


def _new_enough(proof: Proof, since: datetime | None) -> set[str]:
    """What was seen so far with a stamp at or above the bound; it stays there, because a stamp only ever grows."""
    return {id_ for id_, stamp in proof.stamps.items() if since is None or (stamp is not None and stamp >= since)}


def _strictly_below(page: Page, border: datetime | None) -> bool:
    top = page.rows[0].modified
    return border is not None and top is not None and top < border


def _fell(before: int | None, after: int | None) -> bool:
    return before is not None and after is not None and after < before


async def _counted(
    by_id: ById, since: datetime | None, visit: Visit, proof: Proof, walk: _Walk, enough: set[str]
) -> bool:
    """Whether we know as many records that were new enough at the end of the walk as the list had then.

    `enough` were seen so during the walk; what still exists was there at its end too. An id that was met later counts
    only if its stamp is older than the walk: it had that stamp then. Edits during the walk cannot make up the number.
    """
    if walk.rank is None:
        return False
    rows = await by_id(sorted(proof.stamps))
    proof.take(Page(list(rows.values()), None, last=True), visit)
    known = sum(
        1
        for row in rows.values()
        if row.id in enough
        or (row.modified and walk.top and row.modified < walk.top and (since is None or row.modified >= since))
    )
    return known >= walk.rank


# --- ascending: the oldest first, edited rows move to the end ---------------------------------------------------------


async def scan_ascending(
    listing: Callable[[datetime | None], Fetch], since: datetime | None, visit: Visit, *, size: int, first: int
) -> Proof:
    """Read a list sorted by stamp from `since` on, oldest first, whose rows only ever slide towards the front.

    Page one tells the total and is complete in itself if it is the only one. Otherwise from the last page back to the
    second, then the first again: a row that slides is met where it was or where it went. A server that names no total
    is read by restarts instead.
    """
    proof = Proof()
    fetch = listing(since)
    page = await fetch(first)
    proof.take(page, visit)
    _check(page, 0, size, proof)
    if page.total is None:
        await _restart(listing, since, page, visit, proof, first=first)
        return proof
    pages = pages_of(page.total, size)
    if pages <= 1:
        if not page.last:
            proof.doubt(SHORT)
        return proof
    ceiling: datetime | None = None  # the smallest stamp of the page behind
    seen = Seen()
    for number in itertools.chain(range(pages - 1, 0, -1), (0,)):
        page = await fetch(first + number)
        proof.take(page, visit)
        _check(page, number * size, size, proof)
        news = seen.news(page)
        if ceiling is not None and news and max(news) > ceiling:
            proof.doubt(UNSORTED)
        if seen.enough:
            proof.doubt(ENDLESS)
            break
        ceiling = min(page.stamps, default=ceiling)
    return proof


def _check(page: Page, before: int, size: int, proof: Proof) -> None:
    if page.stamps != sorted(page.stamps):
        proof.doubt(UNSORTED)
    if page.short(before, size):
        proof.doubt(SHORT)


async def _restart(
    listing: Callable[[datetime | None], Fetch],
    since: datetime | None,
    page: Page,
    visit: Visit,
    proof: Proof,
    *,
    first: int,
) -> None:
    """Without a total: the first page from the last stamp seen on, again and again.

    A first page holds everything between its bound and its last stamp, and nothing can slide past it. Within one stamp
    that fills a page there is no such bound; the rest is then read for what it is worth.
    """
    left = PAGES_WITHOUT_TOTAL
    while not page.last and left:
        left -= 1
        reached = page.rows[-1].modified if page.rows else None
        if reached is None or (since is not None and reached <= since):
            break
        since = reached
        page = await listing(since)(first)
        proof.take(page, visit)
        _check(page, 0, 0, proof)
        if any(stamp < since for stamp in page.stamps):
            proof.doubt(UNSORTED)
    if page.last:
        return
    proof.doubt(CROWDED if left else ENDLESS)
    number = first
    while not page.last and left:
        left -= 1
        number += 1
        page = await listing(since)(number)
        if all(row.id in proof.stamps for row in page.rows):
            return  # the server repeats itself, or this was the end
        proof.take(page, visit)
