"""The timetable: every trap of APScheduler and of clocks that applies, with a wall clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import freezegun
import pytest
import pytest_asyncio
from freezegun.api import FrozenDateTimeFactory
from hypothesis import given
from hypothesis import strategies as st

from reconciler.clock import SystemClock
from reconciler.daemon.scheduler import Every, Timetable

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class Hall:
    """A timetable under a frozen wall clock. `ran` says at which times the job ran; `let` makes one take its time."""

    def __init__(self, frozen: FrozenDateTimeFactory) -> None:
        self.frozen = frozen
        self.broken: list[BaseException] = []
        self.timetable = Timetable(SystemClock(), self.broken.append)
        self.ran: list[timedelta] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = 0

    async def job(self) -> None:
        self.ran.append(datetime.now(UTC) - START)
        self.under_way += 1
        await self.gate.wait()
        self.under_way -= 1

    async def at(self, moment: timedelta) -> None:
        """Set the wall clock and let APScheduler's timer fire, as it would by then."""
        self.frozen.move_to(START + moment)
        self.timetable._scheduler.wakeup()
        await self.calm()

    async def calm(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def put(self, interval: timedelta, *, first: timedelta = timedelta(0)) -> None:
        self.timetable.put("job", interval, self.job, first=START + first)


@pytest_asyncio.fixture
async def hall() -> AsyncIterator[Hall]:
    with freezegun.freeze_time(START, real_asyncio=True) as frozen:
        made = Hall(frozen)  # type: ignore[arg-type]
        made.timetable.start()
        yield made
        made.gate.set()
        await made.timetable.stop(within=5)


async def test_it_runs_at_once_and_then_on_its_grid(hall: Hall) -> None:
    hall.put(MINUTE)
    await hall.calm()
    for moment in (30 * SECOND, 61 * SECOND, 90 * SECOND, 120 * SECOND):
        await hall.at(moment)
    assert hall.ran == [timedelta(0), 61 * SECOND, 120 * SECOND]
    assert hall.timetable.missed["job"] == hall.timetable.skipped["job"] == 0


async def test_a_tick_that_meets_the_one_before_is_skipped_and_counted(hall: Hall) -> None:
    hall.gate.clear()
    hall.put(MINUTE)
    await hall.calm()
    await hall.at(MINUTE)
    await hall.at(2 * MINUTE)
    assert (hall.under_way, hall.timetable.skipped["job"]) == (1, 2)
    hall.gate.set()
    await hall.calm()
    await hall.at(3 * MINUTE)
    assert hall.ran == [timedelta(0), 3 * MINUTE], "the phase is kept, nothing was queued"


async def test_missed_ticks_are_one_late_tick_and_the_grid_stays(hall: Hall) -> None:
    hall.put(MINUTE)
    await hall.calm()
    await hall.at(5 * MINUTE + 20 * SECOND)
    assert hall.ran == [timedelta(0), 5 * MINUTE + 20 * SECOND]
    assert hall.timetable.missed["job"] == 4
    await hall.at(6 * MINUTE)
    assert hall.ran[-1] == 6 * MINUTE


async def test_a_month_of_sleep_is_one_late_tick(hall: Hall) -> None:
    hall.put(SECOND)
    await hall.calm()
    await hall.at(timedelta(days=30))
    assert hall.ran == [timedelta(0), timedelta(days=30)]
    assert hall.timetable.missed["job"] == timedelta(days=30) // SECOND - 1


async def test_a_clock_set_back_does_not_stop_the_schedule(hall: Hall) -> None:
    hall.put(MINUTE)
    await hall.calm()
    hall.frozen.move_to(START - HOUR)
    hall.timetable.rearm()
    await hall.calm()
    assert hall.ran == [timedelta(0), -HOUR]
    await hall.at(-HOUR + MINUTE)
    assert hall.ran[-1] == -HOUR + MINUTE


async def test_a_clock_set_back_a_little_delays_by_no_more_than_an_interval(hall: Hall) -> None:
    hall.put(HOUR)
    await hall.calm()
    hall.frozen.move_to(START - 10 * SECOND)
    hall.timetable.rearm()
    hall.timetable.rearm()
    await hall.calm()
    due = hall.timetable.due("job")
    assert due is not None and due <= START - 10 * SECOND + HOUR
    assert len(hall.ran) <= 2, "and makes no storm"


async def test_rearming_on_a_good_clock_changes_nothing(hall: Hall) -> None:
    hall.put(MINUTE)
    await hall.calm()
    due = hall.timetable.due("job")
    hall.timetable.rearm()
    await hall.calm()
    assert (hall.timetable.due("job"), len(hall.ran)) == (due, 1)


async def test_a_first_time_in_the_far_future_is_no_later_than_one_interval(hall: Hall) -> None:
    hall.put(HOUR, first=timedelta(days=400))  # the clock was wrong when the last sweep was noted
    assert hall.timetable.due("job") == START + HOUR


async def test_the_same_interval_leaves_the_job_alone(hall: Hall) -> None:
    hall.put(MINUTE)
    await hall.calm()
    for second in range(10, 60, 10):
        await hall.at(second * SECOND)
        hall.put(MINUTE)
    await hall.at(MINUTE)
    assert hall.ran == [timedelta(0), MINUTE]


async def test_a_schedule_that_is_changed_all_the_time_still_runs(hall: Hall) -> None:
    hall.put(MINUTE)
    await hall.calm()
    for second in range(20, 200, 20):
        await hall.at(second * SECOND)
        hall.put(timedelta(seconds=60 + second % 3))
        await hall.calm()
    assert len(hall.ran) == 4


@pytest.mark.parametrize(
    ("interval", "due"),
    [(30 * SECOND, 50 * SECOND), (10 * SECOND, 50 * SECOND), (HOUR, HOUR), (90 * SECOND, 90 * SECOND)],
)
async def test_a_changed_interval_counts_from_the_last_tick(hall: Hall, interval: timedelta, due: timedelta) -> None:
    hall.put(MINUTE)
    await hall.calm()
    await hall.at(50 * SECOND)
    hall.put(interval)
    assert hall.timetable.due("job") == START + due


async def test_a_dropped_job_runs_no_more(hall: Hall) -> None:
    hall.put(MINUTE)
    await hall.calm()
    hall.timetable.drop("job")
    hall.timetable.drop("job")
    await hall.at(5 * MINUTE)
    assert (len(hall.ran), hall.timetable.due("job")) == (1, None)


async def test_stopping_lets_a_tick_end(hall: Hall) -> None:
    hall.gate.clear()
    hall.put(MINUTE)
    await hall.calm()
    stopping = asyncio.create_task(hall.timetable.stop(within=30))
    await hall.calm()
    assert not stopping.done()
    await hall.at(MINUTE)
    hall.gate.set()
    assert await stopping
    assert (hall.under_way, len(hall.ran)) == (0, 1)
    assert hall.broken == []


async def test_a_tick_that_does_not_end_is_cancelled(hall: Hall) -> None:
    hall.gate.clear()
    hall.put(MINUTE)
    await hall.calm()
    assert not await hall.timetable.stop(within=0.01)
    assert hall.broken == []


async def test_an_object_that_can_be_called_is_awaited_like_a_function(hall: Hall) -> None:
    class Job:
        ran = 0

        async def __call__(self) -> None:
            self.ran += 1

    job = Job()
    hall.timetable.put("object", MINUTE, job, first=START)
    await hall.calm()
    assert job.ran == 1


def exiting() -> BaseException:
    return SystemExit(3)


@pytest.mark.parametrize("make", [exiting, RuntimeError, asyncio.CancelledError])
async def test_what_a_job_lets_escape_is_told(hall: Hall, make: Callable[[], BaseException]) -> None:
    async def job() -> None:
        raise make()

    hall.timetable.put("bad", MINUTE, job, first=START)
    await hall.calm()
    assert [type(error) for error in hall.broken] == [type(make())]


@given(
    interval=st.integers(1, 10**6),
    previous=st.integers(-(10**6), 10**6),
    now=st.integers(-(10**6), 10**9),
)
def test_the_next_time_is_the_first_of_the_grid_that_lies_ahead(interval: int, previous: int, now: int) -> None:
    def moment(seconds: int) -> datetime:
        return START + timedelta(seconds=seconds)

    trigger: Any = Every(timedelta(seconds=interval), START)
    then = trigger.get_next_fire_time(moment(previous), moment(now))
    assert then > max(moment(previous), moment(now))
    assert (then - moment(previous)) % timedelta(seconds=interval) == timedelta(0)
    assert then - timedelta(seconds=interval) <= max(moment(previous), moment(now))


@pytest.mark.parametrize("seconds", [0, -5])
def test_no_interval_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="interval"):
        Every(timedelta(seconds=seconds), START)
