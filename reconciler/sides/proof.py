"""What a scan sees of a list, page by page, and what speaks for or against having seen all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconciler.core.model import Record
from reconciler.message import say
from reconciler.ports import Visit

SPARE_PAGES: Final = 20
"""A scan is given up after so many pages more than expected, or so many in a row that show nothing new."""
PAGES_WITHOUT_TOTAL: Final = 10_000
"""How many pages a scan may take that no total bounds."""

UNSORTED: Final = say("the order is not the one asked for")
SHORT: Final = say("pages hold fewer rows than asked for (page_size)")
ENDLESS: Final = say("more pages than the list can have")
NO_TOTAL: Final = say("the server does not say how many rows there are")
FELL: Final = say("rows disappeared while it was read")
TOUCHING: Final = say("rows moved between two pages, or equal stamps meet at their border")
CROWDED: Final = say("more rows of one stamp than a page holds, and no total")


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its rows, how many rows the list has (None if the server did not say), and whether it is the last.

    `unusable` counts rows that could not be told apart (no id); with one of those nothing is proven.
    """

    rows: Sequence[Record]
    total: int | None
    last: bool
    unusable: int = 0

    def told(self, before: int) -> int | None:
        """The total, unless this page, which stands behind `before` rows, shows by itself that there are more."""
        here = before + len(self.rows) + self.unusable
        return self.total if self.total is None or not self.rows or self.total >= here else None

    @property
    def stamps(self) -> list[datetime]:
        return [row.modified for row in self.rows if row.modified is not None]

    def short(self, before: int, size: int) -> bool:
        """Whether rows are missing that the total says must be here, behind `before` others."""
        here = len(self.rows) + self.unusable
        return self.total is not None and here != min(size, max(self.total - before, 0))


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
            self.note = say("{unusable} rows without an id", unusable=page.unusable)

    def doubt(self, note: str) -> None:
        """Note the first thing that speaks against completeness."""
        self.note = self.note or note


@dataclass(slots=True)
class Seen:
    """The ids that one pass has met, and how many pages in a row showed no new one."""

    ids: set[str] = field(default_factory=set)
    barren: int = 0

    def news(self, page: Page) -> list[datetime]:
        """The stamps of the rows that were not met before; from now on they are."""
        new = [row for row in page.rows if row.id not in self.ids]
        self.ids.update(row.id for row in new)
        self.barren = 0 if new else self.barren + 1
        return [row.modified for row in new if row.modified is not None]

    @property
    def enough(self) -> bool:
        """Whether this leads nowhere."""
        return self.barren >= SPARE_PAGES


def pages_of(total: int | None, size: int) -> int:
    """How many pages of `size` rows the list has; none if it does not say."""
    return -(-(total or 0) // size)  # not by a float: a total may be any number
