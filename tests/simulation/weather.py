"""The weather of one life: what servers and networks do to the process, how their clocks stand, and how far they drift.

Everything stays within what the product assumes (protocol.md, reliability.md 2): listings lag less than the overlap, a
write takes effect before `resolve_after` or never, an answer by id shows the latest write.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

from reconciler.core.model import Side
from reconciler.sandbox.faults import FaultKind
from reconciler.sandbox.system import System
from tests.simulation.town import Town

READ_FAULTS: Final[tuple[FaultKind, ...]] = (
    *("drop_before", "drop_after", "timeout", "html", "truncate", "empty401", "status", "retry_after", "delay"),
)
WRITE_FAULTS: Final[tuple[FaultKind, ...]] = (
    *("drop_before", "drop_after", "timeout", "truncate", "late", "late", "late", "late", "late", "empty401", "status"),
    *("retry_after", "element", "delay"),
)
LATEST: Final = 200
"""Seconds after which a late write has taken effect; with the lag of a listing less than `resolve_after`."""
LISTINGS: Final = {Side.CRM: "list", Side.WORK: "get-tasks"}


class Weather:
    """`orders` counts the faults that were ordered; `refused` says that an element was, so that a person must help.

    `lost` are the records that were out of sight for a while. `clocks_tell` is False where answers name no time or come
    from a cache: then nobody can know who was later.
    """

    def __init__(self, town: Town, rng: random.Random) -> None:
        self.town, self.rng = town, rng
        self.orders = 0
        self.refused = False
        self.lost: set[tuple[Side, int]] = set()
        self.stormy = rng.choice((0.0, 0.2, 0.5, 0.9))
        self.reads = rng.sample(READ_FAULTS, rng.randrange(1, len(READ_FAULTS)))
        self.writes = rng.sample(WRITE_FAULTS, rng.randrange(1, len(WRITE_FAULTS)))
        self.lag = rng.choice((0, 0, 3, 20, 60))
        self.cached = rng.random() < 0.2
        self.drift = rng.choice((0, 0, 1))
        self.clocks_tell = not self.cached
        for side in Side:
            town.system(side).offset = timedelta(seconds=rng.choice((-200, -90, -3, 0, 0, 2, 45, 240)))
            if rng.random() < 0.05:
                town.system(side).date_header = self.clocks_tell = False
        pace = rng.choice((0.02, 0.2, 1.0))
        town.latency = lambda: pace * (20 if rng.random() < 0.01 else rng.random())

    def step(self) -> None:
        """The weather until the next cycle has ended."""
        for side in Side:
            system = self.town.system(side)
            system.faults.clear()
            system.offset += timedelta(seconds=self.rng.choice((-self.drift, 0, 0, self.drift)))
            if self.lag:
                kind: FaultKind = "stale" if self.cached and self.rng.random() < 0.5 else "lag"
                system.faults.order(LISTINGS[side], kind, times=None, probability=0.5, seconds=self.lag)
            while self.rng.random() < self.stormy / 2:
                self._order(system)
        if self.rng.random() < self.stormy / 10:
            self.town.crm.expire_tokens()
        if self.rng.random() < self.stormy / 20:
            self._hide()

    def clear(self) -> None:
        """The sun comes out."""
        self.town.crm.reconnect()
        for side in Side:
            system = self.town.system(side)
            system.faults.clear()
            for record in list(system.hidden):
                system.reveal(record)

    def _order(self, system: System) -> None:
        rng = self.rng
        self.orders += 1
        if rng.random() < 0.4:
            kind, match, times = rng.choice(self.reads), "read", rng.choice((1, 1, 2, 30))
        else:
            kind, match, times = rng.choice(self.writes), "write", 1
        more: dict[str, object] = {}
        match kind:
            case "late":
                more["seconds"] = rng.randrange(1, LATEST)
                if rng.random() < 0.3:
                    more["status"] = rng.choice((202, 502))
            case "status":
                more |= {"status": rng.choice((500, 503, 408)), "after": match == "write" and rng.random() < 0.5}
            case "retry_after":
                more["seconds"] = rng.choice((1, 4, 30))
            case "timeout":
                more["after"] = rng.random() < 0.5
            case "delay":
                more |= {"seconds": rng.choice((3, 12)), "after": rng.random() < 0.5}
            case "element":
                self.refused = True
        system.faults.order(match, kind, times=times, skip=rng.choice((0, 0, 1, 3)), **more)  # type: ignore[arg-type]

    def _hide(self) -> None:
        """A permission is taken away, or an administrator cuts the connection for a while."""
        side = self.rng.choice(list(Side))
        system = self.town.system(side)
        if self.rng.random() < 0.3:
            self.town.crm.disconnect()
        elif system.hidden or not system.rows:
            for record in list(system.hidden):
                system.reveal(record)
        else:
            record = self.rng.choice(sorted(system.rows))
            self.lost.add((side, record))
            system.hide(record)
