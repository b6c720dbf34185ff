"""The estimate of a server's clock, from dates in whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.offset import KEPT_FOR, UNKNOWN, OffsetEstimate

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TRUE_OFFSETS = st.floats(-100_000, 100_000).map(lambda seconds: timedelta(seconds=seconds))
EXCHANGES = st.lists(st.tuples(st.floats(0.01, 60), st.floats(0, 5), st.floats(0, 1)), min_size=1, max_size=40)


def dated(estimate: OffsetEstimate, true: timedelta, sent: datetime, took: timedelta, share: float = 0.5) -> datetime:
    """One answer whose date was taken after that share of its way; returns when it was received."""
    at = sent + took * share + true
    estimate.add(at.replace(microsecond=0), sent, sent + took)
    return sent + took


def test_without_a_date_nothing_is_known() -> None:
    offset = OffsetEstimate().offset(NOON)
    assert offset.value is None
    assert offset.uncertainty == UNKNOWN


@given(true=TRUE_OFFSETS, exchanges=EXCHANGES)
def test_the_true_offset_is_never_outside(true: timedelta, exchanges: list[tuple[float, float, float]]) -> None:
    estimate, now = OffsetEstimate(), NOON
    for pause, took, share in exchanges:
        now = dated(estimate, true, now + timedelta(seconds=pause), timedelta(seconds=took), share)
        offset = estimate.offset(now)
        assert offset.value is not None
        assert abs(offset.value - true) <= offset.uncertainty + timedelta(microseconds=2)


def test_more_answers_make_it_finer() -> None:
    estimate, true = OffsetEstimate(), timedelta(minutes=3, milliseconds=250)
    first = dated(estimate, true, NOON, timedelta(milliseconds=10))
    coarse = estimate.offset(first).uncertainty
    for step in range(1, 11):
        dated(estimate, true, NOON + timedelta(seconds=step * 1.1), timedelta(milliseconds=10))
    assert estimate.offset(NOON + timedelta(seconds=20)).uncertainty < coarse / 2


def test_a_clock_that_was_set_drops_what_was_known() -> None:
    estimate = OffsetEstimate()
    dated(estimate, timedelta(0), NOON, timedelta(0))
    dated(estimate, timedelta(hours=2), NOON + timedelta(seconds=5), timedelta(0))
    value = estimate.offset(NOON + timedelta(seconds=6)).value
    assert value is not None
    assert abs(value - timedelta(hours=2)) <= timedelta(seconds=1)


def test_intervals_that_only_touch_contradict_each_other() -> None:
    """The upper end is open: a date that is exactly a second too late proves that a clock was set."""
    estimate = OffsetEstimate()
    estimate.add(NOON, NOON, NOON)
    estimate.add(NOON + timedelta(seconds=1), NOON, NOON)
    assert estimate.offset(NOON).value == timedelta(seconds=1.5)


def test_what_is_older_than_an_hour_is_forgotten_but_its_uncertainty_is_not() -> None:
    estimate = OffsetEstimate()
    dated(estimate, timedelta(seconds=9), NOON, timedelta(0))
    known = estimate.offset(NOON)
    later = estimate.offset(NOON + KEPT_FOR + timedelta(seconds=1))
    assert later.value is None
    assert later.uncertainty == known.uncertainty == timedelta(seconds=0.5)


def test_our_own_clock_set_back_drops_what_was_known() -> None:
    """Received before it was sent: every earlier sample was measured with another clock, and so was this one."""
    # broken by: keeping them, so that conflicts are decided by an offset that is wrong by hours
    estimate = OffsetEstimate()
    dated(estimate, timedelta(0), NOON, timedelta(0))
    dated(estimate, timedelta(0), NOON + timedelta(seconds=5), timedelta(hours=-3))
    assert estimate.offset(NOON - timedelta(hours=3)).value is None
    after = dated(estimate, timedelta(hours=3), NOON - timedelta(hours=2), timedelta(0))
    value = estimate.offset(after).value
    assert value is not None
    assert abs(value - timedelta(hours=3)) <= timedelta(seconds=1)
