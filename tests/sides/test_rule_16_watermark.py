"""Rule 16 over real readings: how far a side counts as read, whatever its clock and the stamps in it say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model import Reading, Side
from reconciler.core.watermark import advance, bound
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.work import WorkSystem
from reconciler.sides.crm import CrmWriter
from reconciler.sides.work import WorkWriter
from tests.sides.rig import Rig, Seen

SIDES = ("crm", "work")
OVERLAP = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

seconds = st.integers(-10_000_000, 10_000_000).map(lambda number: timedelta(seconds=number))
overlaps = st.integers(0, 86_400).map(lambda number: timedelta(seconds=number))


def reading(started: datetime, newest: datetime | None, *, complete: bool = True) -> Reading:
    return Reading(side=Side.WORK, started=started, newest=newest, complete=complete)


@given(old=st.one_of(st.none(), seconds), started=seconds, newest=st.one_of(st.none(), seconds), overlap=overlaps)
def test_rule_16_never_back_never_past_the_start_never_to_a_future_stamp(
    old: timedelta | None, started: timedelta, newest: timedelta | None, overlap: timedelta
) -> None:
    # broken by: `max` and `min` in another order
    before = None if old is None else NOON + old
    start, stamp = NOON + started, None if newest is None else NOON + newest
    after = advance(before, reading(start, stamp), overlap)
    assert after is not None
    assert before is None or after >= before
    assert after <= max(start, before or start)
    if before is None or before <= start:
        assert after <= start, "not even to the stamp of a record that is ahead of the server"
    assert after >= start - overlap
    assert advance(after, reading(start, stamp), overlap) == after, "the same reading twice changes nothing"
    assert advance(before, reading(start, stamp, complete=False), overlap) == before


@given(mark=seconds, overlap=overlaps, floors=st.lists(seconds, max_size=4))
def test_rule_16_the_next_bound_is_inclusive_and_covers_every_open_moment(
    mark: timedelta, overlap: timedelta, floors: list[timedelta]
) -> None:
    # broken by: forgetting the overlap, or the floors
    since = bound(NOON + mark, overlap, *(NOON + one for one in floors))
    assert since == min([NOON + mark - overlap, *(NOON + one for one in floors)])
    assert bound(None, overlap) is None


@dataclass
class Follower:
    """Reads one side again and again as a cycle does, and keeps its watermark."""

    rig: Rig
    side: CrmWriter | WorkWriter
    system: CrmSystem | WorkSystem
    mark: datetime | None = None

    async def read(self) -> tuple[Seen, Reading]:
        seen = Seen()
        found = await self.side.changes(bound(self.mark, OVERLAP), seen)
        self.mark = advance(self.mark, found, OVERLAP)
        return seen, found

    def touch(self, row: int) -> None:
        if isinstance(self.system, CrmSystem):
            self.system.edit(row, priority="Cao")
        else:
            self.system.edit(row, Progress=40)


def follower(kind: str, offset: timedelta = timedelta(0), page_size: int = 100) -> Follower:
    rig = Rig()
    system: CrmSystem | WorkSystem = rig.crm_system if kind == "crm" else rig.work_system
    system.offset = offset
    side = rig.crm(page_size=page_size) if kind == "crm" else rig.work(page_size=page_size)
    return Follower(rig, side, system)


@pytest.mark.parametrize("kind", SIDES)
@pytest.mark.parametrize("offset", [0, 7 * 60, -7 * 60], ids=["right", "fast", "slow"])
async def test_rule_16_a_quiet_side_costs_one_page(kind: str, offset: int) -> None:
    # broken by: a watermark that stays at the newest stamp, so that a bulk edit is read again for ever
    one = follower(kind, timedelta(seconds=offset))
    for age in range(350):
        one.system.add(modified=one.system.time() - timedelta(seconds=age))
    for _ in range(3):
        await one.read()
        one.rig.clock.tick(OVERLAP.total_seconds() + 60)
    for _ in range(3):
        one.rig.clock.tick(60)
        mark = one.system.mark()
        seen, found = await one.read()
        assert found.complete
        assert len(one.system.reads(mark)) == 1
    assert len(seen.rows) == (100 if kind == "crm" else 0), "the CRM has no filter; its first page is enough"
    await one.rig.close()


@pytest.mark.parametrize("kind", SIDES)
async def test_rule_16_a_stamp_in_the_future_does_not_hide_what_comes_before_it(kind: str) -> None:
    # broken by: watermark := the largest stamp
    one = follower(kind)
    one.system.add(modified=one.rig.clock.now() + timedelta(days=400))
    row = one.system.add()
    await one.read()
    assert one.mark is not None and one.mark <= one.rig.clock.now()
    one.rig.clock.tick(3600)
    one.touch(row)
    one.rig.clock.tick(60)
    seen, found = await one.read()
    assert found.complete and str(row) in seen.rows
    await one.rig.close()


@pytest.mark.parametrize("kind", SIDES)
async def test_rule_16_an_incomplete_reading_moves_nothing(kind: str) -> None:
    # broken by: moving the watermark after whatever was read
    one = follower(kind)
    rows = [one.system.add() for _ in range(3)]
    await one.read()
    mark = one.mark
    one.rig.clock.tick(3600)
    one.touch(rows[0])

    body = {"success": True, "code": 200, "data": [{"id": None}], "total_records": 1}
    work = {"Success": True, "Code": 200, "Data": {"Tasks": [{}], "Total": 1}, "GetLastData": True}
    one.system.faults.order("list" if kind == "crm" else "get-tasks", "status", status=200, body=body | work)
    _, found = await one.read()
    assert not found.complete and one.mark == mark
    seen, found = await one.read()
    assert found.complete and str(rows[0]) in seen.rows
    await one.rig.close()


Step = tuple[int, int, list[int]]
"""How many seconds pass, how the server's clock is set then, and which rows are edited."""


@pytest.mark.parametrize("kind", SIDES)
@settings(max_examples=120)
@given(
    offset=st.integers(-5000, 5000),
    steps=st.lists(
        st.tuples(st.integers(0, 900), st.integers(-120, 120), st.lists(st.integers(0, 7), max_size=3)),
        min_size=1,
        max_size=8,
    ),
)
def test_rule_16_every_edit_is_read_by_some_later_reading(kind: str, offset: int, steps: list[Step]) -> None:
    # broken by: local time for the start of a read, or a start later than the true one
    async def run() -> None:
        one = follower(kind, timedelta(seconds=offset), page_size=3)
        rows = [one.system.add() for _ in range(8)]
        marks: list[datetime] = []
        for seconds, drift, edited in steps:
            one.rig.clock.tick(seconds)
            one.system.offset += timedelta(seconds=drift)  # less than the overlap, as clocks are set
            for index in edited:
                one.touch(rows[index])
            true = one.system.time()
            for _ in range(20):
                seen, found = await one.read()
                if found.complete:
                    break
            if not found.complete:
                continue  # equal stamps hid a row from every proof; the mark has not moved
            assert found.started <= true + SECOND, (
                "a clock set by less than a second hides in the whole seconds of a Date"
            )
            assert {str(rows[index]) for index in edited} <= seen.rows.keys()
            assert one.mark is not None
            marks.append(one.mark)
        assert marks == sorted(marks)
        await one.rig.close()

    asyncio.run(run())
