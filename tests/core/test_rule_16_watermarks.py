"""Rule 16: never back, never past the start of the read, never to a stamp in the future, inclusive with an overlap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Reading, Side
from reconciler.core.watermark import advance, bound

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECONDS = st.integers(-100_000, 100_000).map(lambda seconds: timedelta(seconds=seconds))
OVERLAP = st.integers(1, 3600).map(lambda seconds: timedelta(seconds=seconds))


def reading(started: timedelta, newest: timedelta | None, *, complete: bool = True) -> Reading:
    stamp = None if newest is None else NOON + newest
    return Reading(side=Side.CRM, started=NOON + started, newest=stamp, complete=complete)


@given(st.one_of(st.none(), SECONDS), SECONDS, st.one_of(st.none(), SECONDS), OVERLAP)
def test_rule_16_the_watermark_is_the_largest_of_old_reached_and_start_less_overlap(
    old: timedelta | None, started: timedelta, newest: timedelta | None, overlap: timedelta
) -> None:
    # broken by: any other formula
    before = None if old is None else NOON + old
    after = advance(before, reading(started, newest), overlap)
    assert after is not None
    start = NOON + started
    assert before is None or after >= before, "never back"
    assert before == after or after <= start, "never past the time the read began"
    assert after >= start - overlap, "a quiet system follows the clock"
    if newest is not None:
        assert after >= min(NOON + newest, start)
    assert after in {before, start - overlap, start, None if newest is None else NOON + newest}


@given(st.one_of(st.none(), SECONDS), SECONDS, SECONDS, OVERLAP)
def test_rule_16_an_unproven_reading_moves_nothing(
    old: timedelta | None, started: timedelta, newest: timedelta, overlap: timedelta
) -> None:
    # broken by: moving the watermark after an incomplete reading
    before = None if old is None else NOON + old
    assert advance(before, reading(started, newest, complete=False), overlap) == before


@given(SECONDS, OVERLAP, st.lists(SECONDS, max_size=3))
def test_rule_16_the_next_read_covers_the_overlap_and_every_open_question(
    mark: timedelta, overlap: timedelta, floors: list[timedelta]
) -> None:
    # broken by: reading from the watermark itself, or forgetting a create whose outcome is open
    since = bound(NOON + mark, overlap, *(NOON + floor for floor in floors))
    assert since is not None
    assert since <= NOON + mark - overlap
    assert all(since <= NOON + floor for floor in floors)
    assert since in {NOON + mark - overlap, *(NOON + floor for floor in floors)}
    assert bound(None, overlap, *(NOON + floor for floor in floors)) is None, "a new state reads everything"


@given(st.lists(st.tuples(st.integers(1, 600), st.integers(-900, 900)), min_size=1, max_size=20), OVERLAP)
def test_rule_16_no_stamp_of_a_series_of_edits_is_ever_below_the_next_bound(
    steps: list[tuple[int, int]], overlap: timedelta
) -> None:
    # broken by: a watermark that a stamp ahead of the server pulls forward
    now, mark = NOON, None
    for seconds, ahead in steps:
        now += timedelta(seconds=seconds)
        found = Reading(side=Side.WORK, started=now, newest=now + timedelta(seconds=ahead), complete=True)
        mark = advance(mark, found, overlap)
        since = bound(mark, overlap)
        assert since is not None
        assert since <= now - overlap, "whatever is edited from the start of this read on is read by the next one"
