"""How far a server's clock stands from ours: the interval always holds the truth, and what a cache says is no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Offset
from reconciler.core.offset import KEPT, KEPT_FOR, UNKNOWN, OffsetEstimate
from tests.sides.rig import Canned, Rig, Seen, answer
from tests.world import TestClock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EMPTY = {"Success": True, "Code": 200, "Data": {"Tasks": [], "Total": 0}, "GetLastData": True}
TINY = timedelta(microseconds=2)
"""What halving an interval in whole microseconds may cost."""


def holds(offset: Offset, true: timedelta) -> bool:
    return offset.value is not None and abs(offset.value - true) <= offset.uncertainty + TINY


spans = st.integers(0, 30_000_000).map(lambda number: timedelta(microseconds=number))
offsets = st.integers(-(10**12), 10**12).map(lambda number: timedelta(microseconds=number))
exchanges = st.lists(st.tuples(spans, spans, spans), min_size=1, max_size=3 * KEPT)


def exchange(estimate: OffsetEstimate, true: timedelta, sent: datetime, there: timedelta, back: timedelta) -> datetime:
    """One call: the server stamps its answer, in whole seconds, between the way there and the way back."""
    received = sent + there + back
    estimate.add((sent + there + true).replace(microsecond=0), sent, received)
    return received


@given(true=offsets, calls=exchanges)
def test_the_truth_is_never_outside_the_interval(
    true: timedelta, calls: list[tuple[timedelta, timedelta, timedelta]]
) -> None:
    estimate, now = OffsetEstimate(), NOON
    for pause, there, back in calls:
        now = exchange(estimate, true, now + pause, there, back)
        offset = estimate.offset(now)
        assert holds(offset, true)
        assert timedelta(0) <= offset.uncertainty <= timedelta(seconds=30.5)


@given(first=offsets, second=offsets, before=exchanges, after=exchanges)
def test_after_a_clock_was_set_the_old_answers_soon_count_no_more(
    first: timedelta,
    second: timedelta,
    before: list[tuple[timedelta, timedelta, timedelta]],
    after: list[tuple[timedelta, timedelta, timedelta]],
) -> None:
    """A jump that contradicts nothing may hide inside the intervals; a jump beyond them is seen at the first answer."""
    estimate, now = OffsetEstimate(), NOON
    for pause, there, back in before:
        now = exchange(estimate, first, now + pause, there, back)
    known = estimate.offset(now)
    assert known.value is not None
    jumps = abs(second - first) > timedelta(minutes=2)
    for pause, there, back in after:
        now = exchange(estimate, second, now + pause, there, back)
        if jumps:
            assert holds(estimate.offset(now), second)


@given(calls=exchanges, true=offsets)
def test_no_more_is_kept_than_is_needed(calls: list[tuple[timedelta, timedelta, timedelta]], true: timedelta) -> None:
    estimate, now = OffsetEstimate(), NOON
    for pause, there, back in calls:
        now = exchange(estimate, true, now + pause, there, back)
    last = estimate.offset(now)
    later = estimate.offset(now + KEPT_FOR + timedelta(microseconds=1))
    assert (later.value, later.uncertainty) == (None, last.uncertainty)


def test_our_own_clock_set_back_during_a_call_leaves_no_nonsense() -> None:
    """Received before it was sent: such an answer proves nothing, least of all an interval of negative width."""
    estimate = OffsetEstimate()
    estimate.add(NOON, sent=NOON, received=NOON - timedelta(minutes=10))
    offset = estimate.offset(NOON - timedelta(minutes=10))
    assert offset.uncertainty >= timedelta(0)


def test_our_own_clock_set_back_does_not_push_the_start_of_a_reading_ahead() -> None:
    estimate = OffsetEstimate()
    exchange(estimate, timedelta(0), NOON, timedelta(seconds=0.1), timedelta(seconds=0.1))
    estimate.add(NOON + timedelta(seconds=5), sent=NOON + timedelta(seconds=5), received=NOON - timedelta(hours=2))
    offset = estimate.offset(NOON - timedelta(hours=2))
    assert offset.uncertainty >= timedelta(0)
    assert offset.value is None, "what was learned before holds no more"


# --- through the wire -------------------------------------------------------------------------------------------------


def dated(rig: Rig, ahead: float, **headers: str) -> httpx.Response:
    date = format_datetime(rig.clock.now() + timedelta(seconds=ahead), usegmt=True)
    return answer(EMPTY, Date=date, **headers)


async def learned(rig: Rig, *given: httpx.Response) -> Offset:
    work = rig.work(Canned(*given))
    for _ in given:
        await work.changes(None, Seen())
    found = work.offset()
    await rig.close()
    return found


@pytest.mark.parametrize("ahead", [0, 300, -300, 86_400])
async def test_the_date_of_an_answer_is_learned(ahead: int) -> None:
    rig = Rig()
    assert holds(await learned(rig, dated(rig, ahead)), timedelta(seconds=ahead))


@pytest.mark.parametrize(
    "headers",
    [
        {"Age": "1"},
        {"Age": " 3600 "},
        {"Age": "99999999999999999999"},
        {"X-Cache": "HIT"},
        {"X-Cache": "Hit from cloudfront"},
        {"X-Cache": "TCP_HIT"},
        {"X-Cache": "MISS, HIT"},
    ],
    ids=str,
)
async def test_an_answer_out_of_a_cache_tells_no_time(headers: dict[str, str]) -> None:
    rig = Rig()
    names = {name.replace("-", "_"): value for name, value in headers.items()}
    unknown = await learned(rig, dated(rig, -3600, **names))
    assert (unknown.value, unknown.uncertainty) == (None, UNKNOWN)
    rig = Rig()
    assert holds(await learned(rig, dated(rig, 0), dated(rig, -3600, **names)), timedelta(0))


@pytest.mark.parametrize(
    "headers", [{"Age": "0"}, {"Age": ""}, {"Age": "x"}, {"X_Cache": "MISS"}, {"X_Cache": "white"}, {"X_Cache": ""}]
)
async def test_an_answer_that_passed_a_cache_unused_does(headers: dict[str, str]) -> None:
    rig = Rig()
    assert holds(await learned(rig, dated(rig, 60, **headers)), timedelta(seconds=60))


@pytest.mark.parametrize("date", ["", "soon", "Mon, 99 Mar 2026 09:00:00 GMT", "0", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_what_is_no_date_tells_no_time(date: str) -> None:
    rig = Rig()
    assert (await learned(rig, answer(EMPTY, Date=date))).value is None


async def test_answers_that_are_errors_tell_the_time_too() -> None:
    rig = Rig()
    date = format_datetime(rig.clock.now() + timedelta(minutes=7), usegmt=True)
    work = rig.work(Canned(answer({}, 503, Date=date), answer(EMPTY)))
    await work.changes(None, Seen())
    assert holds(work.offset(), timedelta(minutes=7))
    await rig.close()


class WallClock(TestClock):
    """Our wall clock, which people set, beside a counter that nobody can set."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return self.time + self.ahead


@pytest.mark.parametrize("kind", ["crm", "work"])
@pytest.mark.parametrize("shift", [timedelta(hours=2), timedelta(hours=-2), timedelta(seconds=-3)], ids=str)
@pytest.mark.parametrize("dates", [True, False], ids=["dates", "no dates"])
async def test_our_own_clock_set_during_a_reading_moves_its_start_no_later(
    kind: str, shift: timedelta, dates: bool
) -> None:
    """It was wrong by `shift` until somebody set it right during the first call of the reading."""
    # broken by: local time at the start plus an offset that was learned after the clock was set
    clock = WallClock()
    rig = Rig(clock=clock)
    clock.ahead = -shift
    systems = (rig.crm_system, rig.work_system)
    for system in systems:
        system.offset, system.date_header = shift, dates  # the servers have been right all the time

    def set_right() -> None:
        clock.tick(0.4)
        clock.ahead += shift
        for system in systems:
            system.offset -= shift

    side = rig.crm() if kind == "crm" else rig.work()
    system = systems[kind == "work"]
    system.faults.order("list" if kind == "crm" else "get-tasks", "hook_before", hook=set_right)
    true = system.time()
    reading = await side.changes(None, Seen())
    assert reading.started <= true
    assert reading.started >= true - UNKNOWN - timedelta(seconds=1) - max(shift, timedelta(0))
    if dates:
        assert holds(side.offset(), timedelta(0))
    await rig.close()


async def test_a_server_whose_clock_was_set_is_believed_at_once() -> None:
    rig = Rig()
    for system in (rig.crm_system, rig.work_system):
        system.offset = timedelta(minutes=3)
    for side, system in ((rig.crm(), rig.crm_system), (rig.work(), rig.work_system)):
        for minutes in (3, -40, 90, 0):
            system.offset = timedelta(minutes=minutes)
            reading = await side.changes(None, Seen())
            if side is rig.made[1]:  # the CRM's token was fetched just before, by the same clock
                assert holds(side.offset(), timedelta(minutes=minutes))
            assert reading.started <= system.time()
            rig.clock.tick(60)
    await rig.close()
