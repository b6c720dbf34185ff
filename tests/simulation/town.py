"""A world in which a process can die, people act in the middle of a cycle, and every exchange takes time.

The engine, its adapters, the HTTP client and the store are the real ones. Between them and the two servers lies a wire
that carries requests without sockets; it moves the clock, lets people act, and lets the process die.
"""

from __future__ import annotations

import asyncio
import functools
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import httpx

from reconciler import app
from reconciler.connection import Connection, Writers
from reconciler.core.model import Side
from reconciler.cycle import Result, run_cycle
from reconciler.ports import Store
from reconciler.sandbox.calls import Answer, Arrival, Dropped, TimedOut
from reconciler.sandbox.system import System
from reconciler.store import open_store
from tests.simulation.fate import Fate, MortalStore
from tests.world import World


@dataclass(frozen=True)
class Process:
    """A running product."""

    connection: Connection
    writers: Writers
    store: Store

    async def cycle(self, *, sweep: bool = False, first: bool = False) -> Result:
        return await run_cycle(self.connection, self.writers, self.store, sweeping=sweep, first=first)


class Town(World):
    """`state` is the path of the database. `latency` gives the seconds that half of an exchange takes.

    `meanwhile` is called with a side before and after each exchange with it: what people do in the middle of a cycle.
    `committed` is called after each commit of a process, before that one can die.
    `arrived[side][n]` is the true time at which entry n of that server's log was made.
    """

    def __init__(self, state: Path, *, seed: int = 1, **sections: dict[str, Any]) -> None:
        super().__init__(state=f"sqlite:///{state}", seed=seed, **sections)
        state.write_bytes(blank_state())
        self.path = state
        self.fate = Fate()
        self.latency: Callable[[], float] = lambda: 0.05
        self.meanwhile: Callable[[Side], None] = lambda side: None
        self.committed: Callable[[], None] = lambda: None
        self.arrived: dict[Side, list[datetime]] = {side: [] for side in Side}
        wires = {Side.CRM: Wire(self, Side.CRM, self.crm), Side.WORK: Wire(self, Side.WORK, self.work)}
        self.world = replace(self.world, clock=MortalClock(self), transports=wires)

    def system(self, side: Side) -> System:
        return self.crm if side is Side.CRM else self.work

    def note_arrivals(self, side: Side) -> None:
        """Whatever is new in the log was made now."""
        made = self.arrived[side]
        made.extend([self.clock.now()] * (len(self.system(side).log) - len(made)))

    @asynccontextmanager
    async def process(self, fate: Fate | None = None) -> AsyncIterator[Process]:
        """A process with its clients, until the block ends or it dies.

        The state stays open, because opening it is dear; `reopen` closes it, as the end of a process would.
        """
        self.fate = fate or Fate()
        async with app.connect_writing(self.settings, self.world) as (connection, writers):
            try:
                yield Process(connection, writers, cast(Store, MortalStore(self.store, self.fate, self.committed)))
            finally:
                await _bury()


async def _bury() -> None:
    """What a dead process had in flight is gone with it."""
    orphans = asyncio.all_tasks() - {asyncio.current_task()}
    for task in orphans:
        task.cancel()
    await asyncio.gather(*orphans, return_exceptions=True)


class MortalClock:
    """The world's clock; a process can die in its sleep."""

    def __init__(self, town: Town) -> None:
        self._town, self._clock = town, town.clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._town.fate("a sleep")


class Wire(httpx.AsyncBaseTransport):
    """The way to one server."""

    def __init__(self, town: Town, side: Side, system: System) -> None:
        self._town, self._side, self._system = town, side, system

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        arrival = await _arrival(request)
        name = f"{self._side} {arrival.method} {arrival.path}"
        self._pass(f"before {name}")
        try:
            accepted = self._system.accept(arrival)
            self._town.clock.tick(accepted.delay)
            answer = self._system.complete(accepted)
        except TimedOut as error:
            self._town.clock.tick(20)
            raise httpx.ReadTimeout(str(error), request=request) from None
        except Dropped as error:
            raise httpx.ReadError(str(error), request=request) from None
        finally:
            self._town.note_arrivals(self._side)
            self._pass(f"after {name}")
        self._town.clock.tick(answer.delay)
        if answer.missing:
            raise httpx.RemoteProtocolError("the answer ends early", request=request)
        return httpx.Response(answer.status, headers=_headers(answer), content=answer.content, request=request)

    def _pass(self, moment: str) -> None:
        town = self._town
        if not town.fate.dead:
            town.clock.tick(town.latency())
            town.meanwhile(self._side)
        town.fate(moment)


async def _arrival(request: httpx.Request) -> Arrival:
    url = request.url
    query = parse_qs(url.query.decode("ascii"), keep_blank_values=True)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw}
    return Arrival(
        request.method, url.path, headers, {name: tuple(found) for name, found in query.items()}, await request.aread()
    )


def _headers(answer: Answer) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, values in answer.headers.items()
        for value in ((values,) if isinstance(values, str) else values)
    ]


@functools.cache
def blank_state() -> bytes:
    """An empty database of the present schema; migrating one takes longer than a whole life."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blank.db"
        open_store(f"sqlite:///{path}", random_bytes=random.Random(0).randbytes).close()
        return path.read_bytes()


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where the machine has such a place: a commit need not wait there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
