"""Days of a connection on a simulated clock: the daemon's keeper, herald and metrics between two failing servers.

Every five minutes a tick, every six hours a sweep; on each day people edit, quarrel, create and delete, servers fail
for hours, the config is reloaded four times, and every third day the process starts again. Pairs come and go, so that
their number stays the same, and with it everything that should.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reconciler.core.model import Field, Side
from reconciler.daemon.happening import Asked, Ended, Happening
from reconciler.daemon.herald import OUTBOX, Herald
from reconciler.daemon.keeper import Keeper
from reconciler.daemon.metrics import Metrics
from reconciler.daemon.narrator import Narrator
from reconciler.linking import retry
from reconciler.store import verify
from tests.notify.receivers import Receiver, receiver
from tests.simulation.checker import agree
from tests.simulation.people import FIELDS, People
from tests.simulation.town import Town
from tests.simulation.weather import Weather

POLL: Final = 300
"""Simulated seconds from one tick to the next."""
TICKS: Final = 86_400 // POLL
SWEEP: Final = TICKS // 4
PAIRS: Final = 40
COMING: Final = 2
"""Pairs that come, and pairs that go, on each day."""
DEEDS: Final[Mapping[str, int]] = {"edit": 60, "again": 10, "aside": 5, "hour": 5, "quarrel": 10}
OUTAGE: Final = 24
"""Ticks that a side is down, once a day."""


@dataclass(frozen=True)
class Figures:
    """What there is at the end of a day. `resident` and `state` are bytes, `entries` are the rows of the journal."""

    day: int
    resident: int
    descriptors: int
    threads: int
    tasks: int
    state: int
    entries: int
    rows: Mapping[str, int]
    cycles: Mapping[str, int]
    notices: Mapping[str, int]

    def __str__(self) -> str:
        rows = sum(self.rows.values())
        cycles = ", ".join(f"{count} {name}" for name, count in sorted(self.cycles.items()))
        notices = ", ".join(f"{count} {name}" for name, count in sorted(self.notices.items()))
        return (
            f"day {self.day:2}: {self.resident / 2**20:6.1f} MiB, {self.descriptors} descriptors, "
            f"{self.threads} threads, {self.tasks} tasks; state {self.state / 1024:7.0f} KiB, "
            f"{self.entries:6} entries, {rows} other rows; {cycles}; notices: {notices}"
        )


class Month:
    """`async for figures in month.days(30)`; then `await month.ends()` says what is wrong."""

    def __init__(self, folder: Path, hook: Receiver, seed: int) -> None:
        self.rng = random.Random(seed)
        self.hook = hook
        self.town = Town(
            folder / "state.db",
            seed=seed,
            schedule={"poll": f"{POLL}s", "jitter": "5s"},
            watermark={"overlap": "5m", "settle": "5s"},
            limits={"resolve_after": "5m", "retry_for": "5s", "requests_per_second": 1000.0, "timeout": "10m"},
            deletes={"confirm_after": "0s"},
            notify={"webhook": hook.url, "digest": "07:30"},
        )
        self.town.sections["state"] = {"url": f"sqlite:///{self.town.path}"}
        self.people = People(self.town, random.Random(self.rng.random()), DEEDS)
        self.weather = Weather(self.town, random.Random(self.rng.random()))
        self.metrics = Metrics(self.town.clock, lambda: [(self.keeper, 0, 0)])
        self.cycles: Counter[str] = Counter()
        self._begin()

    def _begin(self) -> None:
        """A new process."""
        self.narrator = Narrator()
        self.herald = Herald(self.town.clock, self.metrics.notice)
        self.keeper = Keeper(self.town.settings, replace(self.town.world, watch=self.metrics.watch), self._hear)

    def _hear(self, happening: Happening) -> None:
        match happening:
            case Ended():
                self.cycles[happening.outcome] += 1
                assert happening.outcome != "failed", happening.error
            case Asked():
                pass
        self.narrator(happening)
        self.metrics.hear(self.keeper, happening)
        self.herald.hear(happening, self.keeper.settings, self.keeper.store)

    async def days(self, count: int) -> AsyncIterator[Figures]:
        await self.keeper.open()
        for _ in range(PAIRS):
            self.people.new_task()
        for day in range(1, count + 1):
            await self._day()
            if day % 3 == 0:
                await self.close()
                self._begin()
                await self.keeper.open()
            yield self._figures(day)

    async def close(self) -> None:
        await self.herald.close()
        self.keeper.stop.ask()
        await self.keeper.close()

    async def _day(self) -> None:
        rng = self.rng
        self.weather.clear()  # in the morning an administrator connects again what was cut
        down, outage, reloads = rng.choice(list(Side)), rng.randrange(TICKS - OUTAGE), rng.sample(range(TICKS), 4)
        for tick in range(TICKS):
            self.town.clock.tick(POLL)
            if rng.random() < 0.3:
                self.weather.step()
            if outage <= tick < outage + OUTAGE:
                self.town.system(down).faults.order("any", "status", times=None, status=503)
            if rng.random() < 0.2:
                self.people.act()
            if tick in reloads:
                self.town.sections["watermark"]["settle"] = rng.choice(("4s", "5s", "6s"))
                await self.keeper.change(self.town.settings)
            if tick % (TICKS // COMING) == 0:
                self._come_and_go()
            await (self.keeper.sweep() if tick % SWEEP == 0 else self.keeper.poll())
            await asyncio.sleep(0)
        self.metrics.exposition("")

    def _come_and_go(self) -> None:
        """A task is saved; the oldest pair disappears on both sides."""
        self.people.new_task()
        assert self.keeper.store is not None
        alive = [link for link in self.keeper.store.links() if int(link.crm.id) in self.town.crm.rows]
        if len(alive) >= PAIRS:
            self.town.crm.purge(int(alive[0].crm.id))
            self.town.work.purge(int(alive[0].work.id))

    def _figures(self, day: int) -> Figures:
        for system in (self.town.crm, self.town.work):
            system.log.clear()
        for made in self.town.arrived.values():
            made.clear()
        self.people.deeds.clear()
        self.town.clock.slept.clear()
        notices = Counter(json.loads(body)["kind"] for _, body in self.hook.requests)
        self.hook.requests.clear()
        cycles, self.cycles = self.cycles, Counter()
        gc.collect()
        rows = dict(_rows(self.town.path))
        files = [self.town.path, self.town.path.with_name(self.town.path.name + "-wal")]
        return Figures(
            day=day,
            resident=int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"),
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
            threads=threading.active_count(),
            tasks=len(asyncio.all_tasks()),
            state=sum(file.stat().st_size for file in files if file.exists()),
            entries=rows.pop("journal"),
            rows=rows,
            cycles=cycles,
            notices=notices,
        )

    async def ends(self) -> list[str]:
        """The sun comes out: what does not agree an hour later, and what else is wrong."""
        self.weather.clear()
        store = self.keeper.store
        assert store is not None
        self.town.clock.tick(1200)
        retry(store, self.town.clock.now(), "test")
        for number in range(12):
            self.town.clock.tick(POLL)
            await (self.keeper.sweep() if number == 0 else self.keeper.poll())
        marks = {side: self.town.system(side).mark() for side in Side}
        for _ in range(2):
            self.town.clock.tick(POLL)
            await self.keeper.poll()
        wrong = [f"not silent: {side}" for side in Side if self.town.system(side).writes(marks[side])]
        wrong += [f"left: {one}" for one in (*store.intents(), *store.sendings(), *store.dirty_links())]
        linked = store.links()
        if len(linked) < PAIRS // 2:
            wrong.append(f"only {len(linked)} pairs are left")
        for link in linked:
            task, item = self.town.crm.rows[int(link.crm.id)], self.town.work.rows[int(link.work.id)]
            known = {*link.aside, *link.differences}
            for name in FIELDS[Side.CRM]:
                left, right = task[FIELDS[Side.CRM][name]], item[FIELDS[Side.WORK][name]]
                if Field(name) not in known and not agree(name, left, right):
                    wrong.append(f"{link.crm.id} / {link.work.id} {name}: {left!r} / {right!r}")
        fault = verify(store)
        waiting = store.fact(OUTBOX)
        return [*wrong, *([str(fault)] if fault else []), *([f"outbox: {waiting}"] if waiting else [])]


def _rows(state: Path) -> Iterator[tuple[str, int]]:
    """How many rows each table of the state has."""
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            [(count,)] = database.execute(f'SELECT count(*) FROM "{name}"')
            yield name, count


@asynccontextmanager
async def month(folder: Path, seed: int) -> AsyncIterator[Month]:
    """A month that has not begun; everything is given back afterwards."""
    async with receiver() as hook:
        made = Month(folder, hook, seed)
        try:
            yield made
        finally:
            await made.close()
