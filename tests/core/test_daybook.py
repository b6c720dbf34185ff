"""The daybook keeps a bounded number of gaps one by one and counts the others."""

from __future__ import annotations

from datetime import timedelta

from reconciler.core.daybook import GAPS_AT_MOST, Day, counted, day_in, day_out
from tests.core.case import NOON

MINUTE = timedelta(minutes=1)


def test_gaps_are_listed_up_to_a_bound_and_counted_beyond_it() -> None:
    day = Day(day="2026-03-02")
    for number in range(GAPS_AT_MOST + 3):
        started = NOON + number * 10 * MINUTE
        day = counted(day, started=started, last=started - 9 * MINUTE, outcome="ok", interval=MINUTE)
    assert (len(day.gaps), day.missed, day.cycles) == (GAPS_AT_MOST, 3, GAPS_AT_MOST + 3)
    assert day_in(day_out(day)) == day


def test_a_cycle_in_time_makes_no_gap() -> None:
    day = counted(Day(day="2026-03-02"), started=NOON, last=NOON - 2 * MINUTE, outcome="ok", interval=MINUTE)
    assert day.gaps == ()
