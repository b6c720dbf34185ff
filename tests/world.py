"""A whole small world in process: both sandbox systems, a clock that only a test moves, and the real engine between."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from reconciler import app, linking
from reconciler.core.model import Link, Side, Target
from reconciler.cycle import Result
from reconciler.dryrun import dry_run
from reconciler.errors import ReconcilerError
from reconciler.ports import Store
from reconciler.rebuilding import rebuild_links
from reconciler.report.data import Json, entry_data
from reconciler.report.standing import standing_data
from reconciler.sandbox.calls import Call
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.server import crm_app, work_app
from reconciler.sandbox.work import WorkSystem
from reconciler.settings import Settings
from reconciler.store import open_store

MORNING = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 09:00 in Hà Nội


class TestClock:
    """Stands still until a test, or a sleep of the engine, moves it."""

    __test__ = False

    def __init__(self, start: datetime = MORNING) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)

    def tick(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Line(httpx.AsyncBaseTransport):
    """The way to one system; a test can cut it, and then connections are refused."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner, self.cut = inner, False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("refused", request=request)
        return await self.inner.handle_async_request(request)


def identifiers(seed: int) -> Iterator[uuid.UUID]:
    rng = random.Random(seed)
    while True:
        yield uuid.UUID(int=rng.getrandbits(128), version=4)


class World:
    """`await world.once()` is one real cycle; the people's edits go to `world.crm` and `world.work` directly."""

    def __init__(self, *, state: str = "sqlite://", seed: int = 1, **sections: dict[str, Any]) -> None:
        self.clock = TestClock()
        rng = random.Random(seed)
        self.crm = CrmSystem(now=self.clock.now, rng=random.Random(rng.random()))
        self.work = WorkSystem(now=self.clock.now, rng=random.Random(rng.random()))
        self.lines = {
            Side.CRM: Line(httpx.ASGITransport(app=crm_app(self.crm))),
            Side.WORK: Line(httpx.ASGITransport(app=work_app(self.work))),
        }
        self.state = state
        self.sections: dict[str, dict[str, Any]] = {
            "connection": {"name": "an-phat"},
            "crm": {
                "base_url": "http://127.0.0.1:1",
                "client_id": self.crm.client_id,
                "client_secret": self.crm.client_secret,
                "target_project_field": "custom_field1",
                "target_group_field": "custom_field2",
                "link_field": "custom_field3",
            },
            "work": {
                "base_url": "http://127.0.0.1:2",
                "client_id": self.work.client_id,
                "secret_key": self.work.secret_key,
            },
            "state": {"url": "sqlite:///unused.db"},
            "watermark": {"overlap": "2m", "settle": "0s"},
            "limits": {"requests_per_second": 1000.0, "resolve_after": "5m"},
            "deletes": {"confirm_after": "0s"},
        }
        for name, values in sections.items():
            self.sections.setdefault(name, {}).update(values)
        ids = identifiers(seed)
        self.world = app.World(
            clock=self.clock,
            rng=random.Random(rng.random()),
            random_bytes=random.Random(seed).randbytes,
            new_id=lambda: next(ids),
            transports=self.lines,
        )
        self._store: Store | None = None

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(self.sections)

    @property
    def store(self) -> Store:
        """The state, opened once; `reopen` forgets it as a new process would."""
        if self._store is None:
            self._store = open_store(self.state, random_bytes=self.world.random_bytes)
        return self._store

    def reopen(self) -> None:
        """What a new process does: close the state, open it again."""
        if self._store is not None:
            self._store.close()
            self._store = None

    async def once(self, tick: float = 10, *, sweep: bool = False) -> Result:
        """One cycle of a fresh process, `tick` seconds later."""
        self.clock.tick(tick)
        async with app.connect_cycle(self.settings, self.world) as run_cycle:
            return await run_cycle(self.store, sweeping=sweep)

    async def report(self) -> Json:
        async with app.connect(self.settings, self.world) as connection:
            return await dry_run(connection, self.store)

    async def link(self, task: int, project: str = "12", group: str = "31") -> linking.Done:
        async with app.connect_writing(self.settings, self.world) as (connection, writers):
            target = Target(project=project, group=group)
            return await linking.link_to_target(connection, writers, self.store, str(task), target, operator="test")

    async def link_item(self, task: int, item: int) -> linking.Done:
        async with app.connect_writing(self.settings, self.world) as (connection, writers):
            return await linking.link_to_item(connection, writers, self.store, str(task), str(item), operator="test")

    async def rebuild(self) -> tuple[int, int]:
        async with app.connect(self.settings, self.world) as connection:
            return await rebuild_links(connection, self.store, operator="test")

    async def pair(self, **fields: Any) -> tuple[int, int]:
        """A CRM task with both targets and its work item, in step and quiet. Returns both ids."""
        task = self.crm.add(**{"custom_field1": "12", "custom_field2": "31", **fields})
        await self.once()
        await self.once()
        [item] = self.work.by_marker(task)
        self.clock.tick(300)
        return task, item

    async def quiet(self, cycles: int = 2) -> None:
        """Cycles that write nothing at all."""
        before = self.crm.mark(), self.work.mark()
        for _ in range(cycles):
            await self.once()
        assert [*self.crm.writes(before[0]), *self.work.writes(before[1])] == []

    async def failing(self, call: Callable[[], Any]) -> ReconcilerError:
        """The error that a call ends with."""
        try:
            await call()
        except ReconcilerError as error:
            return error
        raise AssertionError("it did not fail")

    def task(self, identifier: int) -> dict[str, Any]:
        """A CRM task as its server holds it."""
        row = self.crm.get(identifier)
        assert row is not None
        return row

    def item(self, identifier: int) -> dict[str, Any]:
        """A work item as its server holds it."""
        row = self.work.get(identifier)
        assert row is not None
        return row

    def linked(self, task: int) -> Link | None:
        return self.store.links_by(Side.CRM, [str(task)]).get(str(task))

    def attention(self) -> list[tuple[str, str, str]]:
        return [(entry.side.value, entry.id, entry.code.value) for entry in self.store.attention()]

    def status(self) -> Json:
        poll = self.settings.schedule.poll
        return standing_data("an-phat", self.store, now=self.clock.now(), poll=poll)

    def history(self) -> list[Json]:
        return [entry_data(entry) for entry in self.store.journal()]


def fields_written(calls: list[Call]) -> list[tuple[str, frozenset[str]]]:
    """For each written element: its id and the names of the fields that were sent."""
    return [(str(element.id), frozenset(element.fields)) for call in calls for element in call.elements]
