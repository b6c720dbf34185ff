"""The daybook: how many cycles a day had, how they ended, and when none came for long.

Single cycles are forgotten after a while. Of each day of Asia/Ho_Chi_Minh one line goes to the journal, written by the
first cycle that starts after the day: that is what a report over a period can prove about its continuity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.core.model import ZONE

GAPS_AT_MOST: Final = 50
"""Gaps of a day that are kept one by one; further ones are only counted."""

PATIENCE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """No cycle ran from `since` to `until`."""

    since: datetime
    until: datetime

    @property
    def lasted(self) -> timedelta:
        return self.until - self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day: `cycles` that ended on it, by outcome; the gaps that ended on it, of which `missed` are not listed."""

    day: str
    outcomes: Mapping[str, int] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    missed: int = 0

    @property
    def cycles(self) -> int:
        return sum(self.outcomes.values())


def day_of(moment: datetime) -> str:
    """The day of a moment in Asia/Ho_Chi_Minh, as 2026-03-02."""
    return moment.astimezone(ZONE).date().isoformat()


def patience(interval: timedelta) -> timedelta:
    """How long after a cycle the next one may begin before that counts as a gap: three intervals, five minutes at
    least."""
    return max(3 * interval, PATIENCE)


def counted(day: Day, *, started: datetime, last: datetime | None, outcome: str, interval: timedelta) -> Day:
    """The day after one more cycle. `last` is when the cycle before it finished, `interval` the one between polls."""
    outcomes = Counter(day.outcomes)
    outcomes[outcome] += 1
    day = replace(day, outcomes=dict(outcomes))
    if last is None or started - last <= patience(interval):
        return day
    if len(day.gaps) == GAPS_AT_MOST:
        return replace(day, missed=day.missed + 1)
    return replace(day, gaps=(*day.gaps, Gap(since=last, until=started)))


def day_out(day: Day) -> dict[str, Any]:
    """The day as JSON data."""
    gaps = [[gap.since.isoformat(), gap.until.isoformat()] for gap in day.gaps]
    return {"day": day.day, "outcomes": dict(day.outcomes), "gaps": gaps, "missed": day.missed}


def day_in(stored: Mapping[str, Any]) -> Day:
    """What `day_out` was given."""
    gaps = tuple(
        Gap(since=datetime.fromisoformat(since), until=datetime.fromisoformat(until)) for since, until in stored["gaps"]
    )
    return Day(day=stored["day"], outcomes=dict(stored["outcomes"]), gaps=gaps, missed=stored["missed"])
