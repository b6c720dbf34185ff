"""The algorithms of complete reading by themselves: what each of them must not take for complete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.model import Record, Side
from reconciler.sides import proof as notes
from reconciler.sides.proof import Fetch, Page, Proof
from reconciler.sides.scan import scan_ascending, scan_descending

NINE = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SIZE = 3


def row(number: int, second: int | None) -> Record:
    modified = None if second is None else NINE + timedelta(seconds=second)
    return Record(side=Side.CRM, id=str(number), values={}, modified=modified)


def rows(*seconds: int | None) -> list[Record]:
    return [row(number, second) for number, second in enumerate(seconds)]


class Pages:
    """A list served page by page; `asked` remembers which, `before` may change it first."""

    def __init__(self, *listed: Record, total: bool = True, before: Callable[[Pages, int], None] | None = None) -> None:
        self.listed, self.total, self.before = list(listed), total, before
        self.asked: list[int] = []
        self.seen: set[str] = set()
        self.by_id_calls = 0

    async def __call__(self, number: int) -> Page:
        if self.before:
            self.before(self, number)
        self.asked.append(number)
        return self.page(self.listed, number)

    def page(self, listed: Sequence[Record], number: int) -> Page:
        cut = listed[number * SIZE : (number + 1) * SIZE]
        return Page(cut, len(listed) if self.total else None, last=(number + 1) * SIZE >= len(listed))

    def listing(self, since: datetime | None) -> Fetch:
        async def fetch(number: int) -> Page:
            self.asked.append(number)
            return self.page([one for one in self.listed if since is None or (one.modified or NINE) >= since], number)

        return fetch

    async def by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        self.by_id_calls += 1
        return {one.id: one for one in self.listed if one.id in ids}

    def visit(self, page: Sequence[Record]) -> None:
        self.seen |= {one.id for one in page}

    async def down(self, since: int | None = None, fetch: Fetch | None = None) -> Proof:
        bound = None if since is None else NINE + timedelta(seconds=since)
        return await scan_descending(fetch or self, self.by_id, bound, self.visit, size=SIZE, first=0, passes=5)

    async def up(self, since: int | None = None) -> Proof:
        bound = None if since is None else NINE + timedelta(seconds=since)
        return await scan_ascending(self.listing, bound, self.visit, size=SIZE, first=0)


# --- descending -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "since", "asked"),
    [
        ((), None, [0]),
        ((9, 8, 7), None, [0]),
        ((9, 8, 7, 6), 8, [0]),
        ((9, 8, 7, 6), 7, [0, 1]),
        ((9, 8, 7, 6, 5, 4, 3, 2), 6, [0, 1]),
        ((9, 8, 7, 6, 5, 4, 3, 2), None, [0, 1, 2]),
    ],
)
async def test_a_quiet_list_takes_no_more_pages_than_it_must(
    seconds: tuple[int, ...], since: int | None, asked: list[int]
) -> None:
    pages = Pages(*rows(*seconds))
    proof = await pages.down(since)
    assert (proof.note, pages.asked, pages.by_id_calls) == ("", asked, 0)


async def test_the_stop_rule_needs_a_row_that_is_strictly_older() -> None:
    pages = Pages(*rows(9, 8, 7, 7, 6, 5))
    assert (await pages.down(7)).note == ""
    assert {"2", "3"} <= pages.seen


async def test_equal_stamps_at_a_border_are_counted_by_id() -> None:
    pages = Pages(*rows(9, 8, 8, 8, 7, 6))
    proof = await pages.down()
    assert (proof.note, pages.by_id_calls) == ("", 1)


async def test_a_row_that_hides_behind_equal_stamps_is_not_called_read() -> None:
    """The order among equal stamps differs from call to call, so that row 3 is on no page that is read."""
    listed = rows(9, 8, 8, 8, 2, 1)

    async def fetch(number: int) -> Page:
        return Page([listed[0], listed[1], listed[2]] if number == 0 else [listed[2], *listed[4:]], 6, last=False)

    pages = Pages(*listed)
    proof = await pages.down(since=5, fetch=fetch)
    assert "3" not in pages.seen
    assert "after 5 passes" in proof.note


async def test_an_edit_during_the_scan_does_not_make_up_the_number() -> None:
    """Row 3 hides behind an equal stamp; an old row that is edited before the count must not stand in for it."""
    listed = rows(9, 8, 8, 8, 2, 1)
    edited = [*listed[:4], row(4, 20), listed[5]]

    async def fetch(number: int) -> Page:
        return Page([listed[0], listed[1], listed[2]] if number == 0 else [listed[2], *listed[4:]], 6, last=False)

    pages = Pages(*edited)
    assert (await pages.down(since=5, fetch=fetch)).note != ""


async def test_a_fallen_total_is_no_proof_and_another_pass_is() -> None:
    def purge_once(pages: Pages, number: int) -> None:
        if number == 1 and len(pages.listed) == 7:
            del pages.listed[0]

    pages = Pages(*rows(9, 8, 7, 6, 5, 4, 3), before=purge_once)
    proof = await pages.down()
    assert proof.note == ""
    assert {one.id for one in pages.listed} <= pages.seen


async def test_endless_purging_is_given_up() -> None:
    def purge(pages: Pages, number: int) -> None:
        if number == 1:
            del pages.listed[0]

    pages = Pages(*rows(*range(60, 0, -1)), before=purge)
    assert notes.FELL in (await pages.down()).note


@pytest.mark.parametrize("seconds", [(9, 7, 8, 6), (9, 8, 7, 8)], ids=["within a page", "across pages"])
async def test_another_order_is_told_at_once(seconds: tuple[int, ...]) -> None:
    pages = Pages(*rows(*seconds))
    assert (await pages.down()).note == notes.UNSORTED
    assert pages.asked == [0, 1]


async def test_a_short_page_is_never_the_end() -> None:
    """A page with fewer rows than the total promises: the end is the total's business, and something is missing."""

    async def fetch(number: int) -> Page:
        return Page(rows(9, 8, 7, 6, 5, 4)[number * SIZE :][: 1 if number == 0 else SIZE], 6, last=False)

    pages = Pages(*rows(9, 8, 7, 6, 5, 4))
    proof = await pages.down(fetch=fetch)
    assert notes.SHORT in proof.note
    assert {"3", "4", "5"} <= pages.seen


async def test_an_empty_page_in_the_middle_is_not_the_end() -> None:
    listed = rows(9, 8, 7, 6, 5, 4, 3, 2, 1)

    async def fetch(number: int) -> Page:
        return Page([] if number == 1 else listed[number * SIZE :][:SIZE], 9, last=False)

    pages = Pages(*listed)
    assert (await pages.down(fetch=fetch)).note != ""
    assert {"6", "7", "8"} <= pages.seen


async def test_a_list_without_a_total_is_proven_only_by_one_page() -> None:
    assert (await Pages(*rows(9, 8, 7), total=False).down(8)).note == ""
    assert (await Pages(*rows(9, 8, 7, 6), total=False).down()).note == notes.NO_TOTAL
    assert (await Pages(total=False).down()).note == notes.NO_TOTAL


async def test_a_list_that_never_ends_is_left() -> None:
    asked = 0

    async def fetch(number: int) -> Page:
        nonlocal asked
        asked += 1
        return Page([row(number, -number)], None, last=False)

    assert (await Pages().down(fetch=fetch)).note == notes.ENDLESS
    assert asked <= notes.SPARE_PAGES


async def test_a_row_without_an_id_proves_nothing() -> None:
    async def fetch(number: int) -> Page:
        return Page(rows(9, 8), 3, last=True, unusable=1)

    assert "without an id" in (await Pages().down(fetch=fetch)).note


async def test_a_row_without_a_stamp_ends_no_scan() -> None:
    pages = Pages(*rows(9, 8, None, 7, 6, 1))
    await pages.down(5)
    assert pages.asked[:2] == [0, 1]
    assert "2" in pages.seen


# --- ascending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "asked"), [((), [0]), ((1, 2, 3), [0]), ((1, 2, 3, 4), [0, 1, 0]), (range(8), [0, 2, 1, 0])]
)
async def test_work_is_read_from_the_end_to_the_front(seconds: Sequence[int], asked: list[int]) -> None:
    pages = Pages(*rows(*seconds))
    proof = await pages.up()
    assert (proof.note, pages.asked, len(pages.seen)) == ("", asked, len(seconds))


async def test_work_in_another_order_is_unproven() -> None:
    assert (await Pages(*rows(2, 1, 3)).up()).note == notes.UNSORTED
    assert (await Pages(*rows(4, 5, 6, 1, 2, 3)).up()).note == notes.UNSORTED


async def test_a_total_that_contradicts_the_last_page_is_unproven() -> None:
    def listing(since: datetime | None) -> Fetch:
        async def fetch(number: int) -> Page:
            return Page(rows(1, 2, 3), 3, last=False)

        return fetch

    proof = await scan_ascending(listing, None, lambda page: None, size=SIZE, first=1)
    assert proof.note == notes.SHORT


async def test_without_a_total_work_is_restarted_from_the_last_stamp() -> None:
    pages = Pages(*rows(1, 2, 2, 3, 4, 4, 5, 6), total=False)
    proof = await pages.up()
    assert (proof.note, set(pages.asked), len(pages.seen)) == ("", {0}, 8)


async def test_without_a_total_one_stamp_that_fills_a_page_is_unproven() -> None:
    pages = Pages(*rows(1, 2, 2, 2, 2, 3), total=False)
    proof = await pages.up()
    assert proof.note == notes.CROWDED
    assert len(pages.seen) == 6
