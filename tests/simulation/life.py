"""One seeded life: people edit both sides all the time, servers fail, the process dies and starts again; then the sun
comes out, and the two sides must agree within three cycles and be silent for two.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from reconciler.core.model import Side
from reconciler.errors import ReconcilerError
from reconciler.linking import retry
from tests.simulation.checker import Checker, read_state
from tests.simulation.fate import Died, Fate
from tests.simulation.people import People
from tests.simulation.seeds import Judgement
from tests.simulation.town import Process, Town
from tests.simulation.weather import Weather

DEEDS: Final[Mapping[str, int]] = {
    "edit": 100,
    "again": 50,
    "create": 14,
    "mistake": 6,
    "aside": 8,
    "hour": 6,
    "delete": 10,
    "purge": 1,
    "quarrel": 30,
    "copy": 3,
    "scrub": 3,
}
RESOLVE_AFTER: Final = timedelta(minutes=5)
CYCLES_TO_AGREE: Final = 3


@dataclass
class Verdict(Judgement):
    """`wrong` is empty for a good life; `agreed_after` is the number of cycles that agreement took.

    `moments` are those at which the process could have died, `window` the edits that the honest limit lost, `quarrels`
    the writes that replaced a person's known edit, `excused` those of them where a later edit lost to an earlier one
    and no stamp could tell. `trace` is a digest of all calls and of the journal.
    """

    cycles: int = 0
    deeds: int = 0
    faults: int = 0
    deaths: int = 0
    moments: int = 0
    writes: int = 0
    window: int = 0
    quarrels: int = 0
    excused: int = 0
    agreed_after: int | None = None


class Life:
    """`await Life(seed, folder).live()`; the same seed lives the same life."""

    def __init__(self, seed: int, folder: Path) -> None:
        rng = random.Random(seed)
        self.verdict = Verdict(seed)
        self.rng = rng
        self.propagates = rng.random() < 0.3
        self.town = Town(
            folder / f"{seed}.db",
            seed=seed,
            deletes={"policy": "propagate" if self.propagates else "unlink", "confirm_after": "0s"},
            watermark={"overlap": "2m", "settle": rng.choice(("0s", "0s", "5s"))},
            conflict={"tie": rng.choice(("crm", "work"))},
            limits={"resolve_after": "5m", "retry_for": "5s", "requests_per_second": 1000.0},
        )
        kinds = {kind: weight for kind, weight in DEEDS.items() if kind == "edit" or rng.random() < 0.7}
        self.people = People(self.town, random.Random(rng.random()), kinds)
        self.weather = Weather(self.town, random.Random(rng.random()))
        self.mortality = rng.choice((0.0, 0.2, 0.5))
        self.bustle = rng.choice((0.0, 0.05, 0.2))
        self.steps = rng.randrange(5, 10)
        self.process: Process | None = None
        self.first = True
        self.dismissed: list[tuple[str, str, str, str]] = []

    async def live(self) -> Verdict:
        async with AsyncExitStack() as stack:
            try:
                await self.storm(stack)
                await self._sunshine(stack)
            except ReconcilerError as error:
                self.verdict.wrong.append(f"a cycle ended with {type(error).__name__}: {error}")
            except Exception as error:
                self.verdict.wrong.append(f"a bug: {error!r}")
        self.town.reopen()
        return self.verdict

    # the part with faults

    async def storm(self, stack: AsyncExitStack) -> None:
        """People, faults and deaths for a while."""
        rng, town = self.rng, self.town
        for _ in range(rng.randrange(1, 4)):
            self.people.new_task()
        if rng.random() < 0.5:  # a calm beginning
            await self._cycle(stack, Fate())
        town.meanwhile = self._bustle
        for _ in range(self.steps):
            town.clock.tick(rng.choice((1, 5, 20, 60, 150)))
            self.weather.step()
            for _ in range(rng.randrange(4)):
                self.people.act()
            town.clock.tick(rng.choice((0, 1, 15)))
            mortal = rng.random() < self.mortality
            await self._cycle(stack, Fate(int(rng.expovariate(1 / 16)) + 1 if mortal else None))
            if rng.random() < 0.05:
                await self.stop(stack)
                town.reopen()

    def _bustle(self, side: Side) -> None:
        if self.rng.random() < self.bustle:
            self.people.edit(self.rng.choice((side, side, side.other)))

    async def _cycle(self, stack: AsyncExitStack, fate: Fate) -> None:
        """One cycle of the running process, or of a new one."""
        self.verdict.cycles += 1
        try:
            process = self.process or await self._start(stack)
            self.town.fate.dies_at = None if fate.dies_at is None else self.town.fate.passed + fate.dies_at
            first, self.first = self.first, False
            await process.cycle(sweep=self.rng.random() < 0.15, first=first)
        except Died:
            self.verdict.deaths += 1
            await self.stop(stack)

    async def _start(self, stack: AsyncExitStack) -> Process:
        self.process, self.first = await stack.enter_async_context(self.town.process(Fate())), True
        return self.process

    async def stop(self, stack: AsyncExitStack) -> None:
        """The process ends, if there is one."""
        self.verdict.moments += self.town.fate.passed
        self.process = None
        await stack.aclose()

    # the part without

    def clear_up(self) -> None:
        """No faults from now on, and nobody acts in the middle of a cycle."""
        self.weather.clear()
        self.town.meanwhile = lambda side: None

    async def _sunshine(self, stack: AsyncExitStack) -> None:
        town, verdict = self.town, self.verdict
        self.clear_up()
        town.clock.tick((RESOLVE_AFTER + timedelta(minutes=15)).total_seconds())
        process = self.process or await self._start(stack)
        town.fate.dies_at = None
        if self.weather.refused:  # what a server refuses waits for a person; here is one
            self.dismissed = read_state(town.path).attention
            retry(process.store, town.clock.now(), "test")
        checker = self._checker()
        for number in range(1, CYCLES_TO_AGREE + 1):
            town.clock.tick(60)
            await process.cycle(sweep=bool(self.weather.lost) and number == 1)
            checker = self._checker()
            unequal = list(checker.disagreements(propagates=self.propagates))
            if not unequal:
                verdict.agreed_after = number
                break
        else:
            verdict.wrong += [f"no agreement: {words}" for words in unequal]
        await self._silence(process)
        found = self._checker().judge_writes()
        verdict.wrong += found.wrong
        verdict.writes, verdict.window = found.writes, found.window
        verdict.quarrels, verdict.excused = found.quarrels, found.excused
        verdict.deeds, verdict.faults = len(self.people.deeds), self.weather.orders
        verdict.trace = self.trace()
        await self.stop(stack)

    def trace(self) -> str:
        """A digest of every call and of the journal."""
        calls = [
            (call.verb, repr(call.body), call.status, call.at) for side in Side for call in self.town.system(side).log
        ]
        ends = [entry.hash for entry in self.town.store.journal()]
        return hashlib.sha256(repr((calls, ends)).encode()).hexdigest()

    async def _silence(self, process: Process) -> None:
        marks = {side: self.town.system(side).mark() for side in Side}
        for _ in range(2):
            self.town.clock.tick(60)
            await process.cycle()
        for side, mark in marks.items():
            for call in self.town.system(side).writes(mark):
                self.verdict.wrong.append(f"not silent: {side} {call.verb} {call.body}")
        left = [*process.store.intents(), *process.store.sendings()]
        if left:
            self.verdict.wrong.append(f"still open: {left}")

    def _checker(self) -> Checker:
        weather, dismissed = self.weather, self.dismissed
        return Checker(self.town, self.people, clocks_tell=weather.clocks_tell, lost=weather.lost, dismissed=dismissed)
