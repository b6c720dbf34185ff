"""How far a server's clock stands from ours, from the `Date` headers of its answers.

An answer with date d (whole seconds), asked at t0 and received at t1 on our clock, proves that the offset is at least
d - t1 and less than d + 1 s - t0. The samples of the last hour are intersected; where they contradict each other,
somebody set a clock, and only the newest counts.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.model import Offset

SECOND: Final = timedelta(seconds=1)
KEPT: Final = 32
KEPT_FOR: Final = timedelta(hours=1)
UNKNOWN: Final = timedelta(seconds=60)


class OffsetEstimate:
    """The running estimate for one server. All times are aware; `sent` and `received` are ours."""

    def __init__(self) -> None:
        self._samples: deque[tuple[datetime, timedelta, timedelta]] = deque(maxlen=KEPT)
        self._last = UNKNOWN

    def add(self, date: datetime, sent: datetime, received: datetime) -> None:
        """Take one answer's date into account.

        Received before it was sent means that our clock was set back meanwhile: then no sample holds any more.
        """
        if received < sent:
            self._samples.clear()
            return
        low, high = date - received, date + SECOND - sent
        self._expire(received)
        lows = [low, *(sample[1] for sample in self._samples)]
        highs = [high, *(sample[2] for sample in self._samples)]
        if max(lows) >= min(highs):
            self._samples.clear()
        self._samples.append((received, low, high))

    def offset(self, now: datetime) -> Offset:
        """The estimate; without a sample of the last hour its value is None and its uncertainty the last one known."""
        self._expire(now)
        if not self._samples:
            return Offset(value=None, uncertainty=self._last)
        low = max(sample[1] for sample in self._samples)
        high = min(sample[2] for sample in self._samples)
        self._last = (high - low) / 2
        return Offset(value=low + self._last, uncertainty=self._last)

    def _expire(self, now: datetime) -> None:
        while self._samples and now - self._samples[0][0] > KEPT_FOR:
            self._samples.popleft()
