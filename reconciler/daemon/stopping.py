"""How a running connection is asked to stop, and what it does then: it finishes what it began and begins nothing new.

A read ends at the page that is under way; a batch of writes ends with its read-back, because only then does the state
know what became of it. Everything that passes here is also progress, which the watchdog asks about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from reconciler.connection import Connection, Writers
from reconciler.core.model import Answer, Draft, Edit, Field, Offset, Project, Reading, Record, Side, TaskGroup
from reconciler.ports import Catalogue, SideReader, SideWriter, Visit

T = TypeVar("T")


class Stopped(Exception):
    """A person or the system asked to stop: nothing new is begun. What was recorded is whole."""


class Stop:
    """The wish to stop, asked for once and for all; and the moment of the last progress, in monotonic seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._asked = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._calls = 0
        self._monotonic = monotonic
        self.progress = monotonic()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        self._asked.set()

    def check(self) -> None:
        """Raise `Stopped` if that was asked for. Called before a batch of writes and before and within every read."""
        if self.asked:
            raise Stopped

    def moved(self) -> None:
        self.progress = self._monotonic()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """One call to a side."""
        self._calls += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.moved()
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until no call is under way; both sides are read at once, so one may outlive a stopped cycle."""
        await self._idle.wait()

    async def delayed(self, sleep: Awaitable[None]) -> None:
        """Wait for `sleep`, or until stopping is asked for. Raises `Stopped` then."""
        tasks = {asyncio.ensure_future(sleep), asyncio.ensure_future(self._asked.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        self.check()


def stoppable(connection: Connection, stop: Stop) -> Connection:
    """The same connection, reading no further once `stop` is asked for."""
    readers = {side: _Reader(reader, stop, check=stop.check) for side, reader in connection.readers.items()}
    return replace(connection, readers=readers, catalogue=_Places(connection.catalogue, stop))


def watched(writers: Writers, stop: Stop) -> Writers:
    """The same writers, reporting progress."""
    return Writers(crm=_Writer(writers.crm, stop), work=_Writer(writers.work, stop))


class _Reader:
    def __init__(self, inner: SideReader, stop: Stop, check: Callable[[], None]) -> None:
        self._inner = inner
        self._stop = stop
        self._check = check

    @property
    def side(self) -> Side:
        return self._inner.side

    @property
    def limits(self) -> dict[Field, int]:
        return self._inner.limits

    def offset(self) -> Offset:
        return self._inner.offset()

    async def changes(self, since: datetime | None, visit: Visit) -> Reading:
        def page(rows: Sequence[Record]) -> None:
            self._stop.moved()
            visit(rows)
            self._check()

        self._check()
        async with self._stop.call():
            return await self._inner.changes(since, page)

    async def by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        self._check()
        async with self._stop.call():
            return await self._inner.by_id(ids)


class _Writer(_Reader):
    """Never refuses: whoever writes asks `Stop.check` before a batch, and a batch that has begun needs its reads."""

    def __init__(self, inner: SideWriter, stop: Stop) -> None:
        super().__init__(inner, stop, check=lambda: None)
        self._writer = inner

    @property
    def batch(self) -> int:
        return self._writer.batch

    async def create(self, drafts: Sequence[Draft]) -> list[Answer]:
        async with self._stop.call():
            return await self._writer.create(drafts)

    async def update(self, edits: Sequence[Edit]) -> list[Answer]:
        async with self._stop.call():
            return await self._writer.update(edits)

    async def delete(self, ids: Sequence[str]) -> list[Answer]:
        async with self._stop.call():
            return await self._writer.delete(ids)


class _Places:
    def __init__(self, inner: Catalogue, stop: Stop) -> None:
        self._inner = inner
        self._stop = stop

    async def _ask(self, answer: Awaitable[T]) -> T:
        async with self._stop.call():
            return await answer

    async def projects(self) -> list[Project]:
        self._stop.check()
        return await self._ask(self._inner.projects())

    async def groups(self, project: str) -> list[TaskGroup]:
        self._stop.check()
        return await self._ask(self._inner.groups(project))

    async def members(self, project: str) -> frozenset[str]:
        self._stop.check()
        return await self._ask(self._inner.members(project))
