"""How long something took, whatever happened to the clocks meanwhile."""

from __future__ import annotations

from datetime import timedelta

from reconciler.ports import Clock


class Stopwatch:
    """Started when made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall, self._counter = clock.now(), clock.monotonic()

    def elapsed(self) -> timedelta:
        """The larger of what both clocks say: wall time can be set back, the counter may stop in a suspended machine.

        Too long only widens what is concluded from it; too short would make it wrong.
        """
        return max(self._clock.now() - self._wall, timedelta(seconds=self._clock.monotonic() - self._counter))
