"""One connection of the daemon in process: what takes turns, what stopping leaves behind, what failing does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from reconciler.core.model import Side
from reconciler.daemon.happening import Asked, Ended, Happening
from reconciler.daemon.keeper import Keeper
from reconciler.daemon.stopping import Stop, Stopped
from reconciler.errors import LeaseHeld
from reconciler.handing import ask
from reconciler.requests import Link, Pause, Request, Restore, Said, Unlink, parse_said, request_line
from reconciler.settings import Settings
from reconciler.store import open_reader
from tests.postgres import administrator
from tests.world import World


class Gate(httpx.AsyncBaseTransport):
    """The way to one system; while it is shut, requests wait in flight."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        return await self.inner.handle_async_request(request)


class Station:
    """A keeper between both systems in process, its state in a file."""

    def __init__(self, folder: Path) -> None:
        self.world = World()
        self.database = folder / "state.db"
        self.world.sections["state"] = {"url": f"sqlite:///{self.database}"}
        self.world.sections["schedule"] = {"jitter": "0s"}
        self.world.sections["limits"]["timeout"] = "10m"  # a gate may stay shut as long as a test likes
        self.gates = {side: Gate(line) for side, line in self.world.lines.items()}
        self.heard: list[Happening] = []
        self.keeper = self.fresh()

    def fresh(self) -> Keeper:
        """The keeper of a new process."""
        outside = replace(self.world.world, transports=self.gates, watch=self.watch)
        self.keeper = Keeper(self.settings, outside, self.hear)
        return self.keeper

    def watch(self, connection: str, side: Side, way: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """What the daemon may put into the way to a side."""
        return way

    def hear(self, happening: Happening) -> None:
        self.heard.append(happening)

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(self.world.sections)

    async def poll(self, seconds: float = 60) -> Ended:
        self.world.clock.tick(seconds)
        await self.keeper.poll()
        ended = self.heard[-1]
        assert isinstance(ended, Ended)
        return ended

    def facts(self, name: str) -> Any:
        reader = open_reader(f"sqlite:///{self.database}")
        try:
            return reader.fact(name)
        finally:
            reader.close()

    async def ask(self, request: Request) -> Said:
        """What the command line does beside a daemon."""
        answer = await asyncio.to_thread(ask, self.database, request_line(request, "lan"))
        assert answer is not None
        return parse_said(answer)

    async def shut(self, side: Side, work: Awaitable[object]) -> asyncio.Future[object]:
        """Begin some work and let it get as far as a request to `side`, which waits in flight."""
        self.gates[side].open.clear()
        task = asyncio.ensure_future(work)
        await self.calm(lambda: self.gates[side].waiting > 0)
        return task

    async def calm(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)

    async def pair(self, **fields: Any) -> tuple[int, int]:
        task = self.world.crm.add(**{"custom_field1": "12", "custom_field2": "31", **fields})
        await self.poll()
        await self.poll()
        [item] = self.world.work.by_marker(task)
        return task, item


@pytest_asyncio.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    made = Station(tmp_path)
    await made.keeper.open()
    yield made
    for gate in made.gates.values():
        gate.open.set()
    made.keeper.stop.ask()
    await made.keeper.close()


async def test_a_poll_that_meets_a_cycle_is_skipped_and_a_sweep_waits(station: Station) -> None:
    running = await station.shut(Side.CRM, station.keeper.poll())
    before = station.world.crm.mark(), station.world.work.mark()
    await station.keeper.poll()
    sweeping = asyncio.ensure_future(station.keeper.sweep())
    await asyncio.sleep(0)
    await station.keeper.poll()
    assert station.keeper.skipped == 2
    assert (station.world.crm.mark(), station.world.work.mark()) == before
    station.gates[Side.CRM].open.set()
    await asyncio.gather(running, sweeping)
    assert [happening.sweeping for happening in station.heard if isinstance(happening, Ended)] == [False, True]


async def test_a_request_waits_for_the_cycle_and_the_next_poll_for_the_request(station: Station) -> None:
    task, _ = await station.pair()
    running = await station.shut(Side.CRM, station.keeper.poll())
    asking = asyncio.ensure_future(station.ask(Unlink(task=str(task), reason="")))
    await asyncio.sleep(0.05)
    assert not asking.done()
    assert station.keeper.store is not None and station.keeper.store.tally().linked == 1
    station.gates[Side.CRM].open.set()
    await running
    assert (await asking).exit_code == 0
    assert [type(happening) for happening in station.heard[-2:]] == [Ended, Asked]


async def test_a_caller_who_gave_up_while_waiting_changes_nothing(station: Station) -> None:
    running = await station.shut(Side.CRM, station.keeper.poll())
    reader, writer = await asyncio.open_unix_connection(str(station.database.with_name("state.db.sock")))
    writer.write(request_line(Pause(reason="x"), "lan").encode() + b"\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    station.gates[Side.CRM].open.set()
    await running
    await station.poll()
    assert station.facts("paused") is None
    del reader


async def test_stopping_ends_a_cycle_at_the_read_that_is_in_flight(station: Station) -> None:
    for number in range(230):
        station.world.crm.add(task_name=str(number))
    running = await station.shut(Side.CRM, station.keeper.poll())
    station.keeper.stop.ask()
    station.gates[Side.CRM].open.set()
    await running
    ended = station.heard[-1]
    assert isinstance(ended, Ended) and ended.outcome == "stopped"
    assert len([call for call in station.world.crm.reads() if call.verb == "list"]) <= 1
    assert station.gates[Side.WORK].waiting == 0
    asked = station.world.crm.mark()
    await station.keeper.poll()
    await station.keeper.sweep()
    assert station.world.crm.mark() == asked, "nothing new is begun"


async def test_stopping_lets_a_batch_of_writes_end_with_its_read_back_and_begins_no_other(station: Station) -> None:
    station.world.sections["wire"] = {"work": {"batch": 1}}
    await station.keeper.change(station.settings)
    pairs = [await station.pair(task_name=f"Việc {number}") for number in range(3)]
    for task, _ in pairs:
        station.world.crm.edit(task, task_name=f"Đã sửa {task}")
    station.world.work.faults.order("update-tasks", "hook_before", hook=station.keeper.stop.ask)
    marks = station.world.work.mark(), station.world.crm.mark()
    assert (await station.poll()).outcome == "stopped"
    verbs = [call.verb for call in station.world.work.log[marks[0] :]]
    assert verbs[-2:] == ["update-tasks", "get-tasks-by-id"]
    assert len(station.world.work.writes(marks[0])) == 1
    await station.keeper.close()
    reader = open_reader(f"sqlite:///{station.database}")
    assert reader.sendings() == []
    assert reader.cycles(limit=1)[0].outcome == "ok"
    reader.close()
    await station.fresh().open()
    assert (await station.poll()).outcome == "ok"
    assert [station.world.item(item)["TaskName"] for _, item in pairs] == [f"Đã sửa {task}" for task, _ in pairs]
    assert len(station.world.work.writes(marks[0])) == 3, "nothing is written twice"


async def test_a_connection_that_only_observes_is_stopped_and_watched_like_any_other(station: Station) -> None:
    station.world.sections["connection"]["mode"] = "observe"
    await station.keeper.change(station.settings)
    task = station.world.crm.add(custom_field1="12", custom_field2="31")
    assert (await station.poll()).outcome == "ok"
    assert station.world.work.by_marker(task) == []
    assert set(station.keeper.offsets) == set(Side)
    assert "only observes" in (await station.ask(Link(task=str(task), project="12", group="31"))).err[0]
    for number in range(230):
        station.world.crm.add(task_name=str(number))
    running = await station.shut(Side.CRM, station.keeper.poll())
    station.keeper.stop.ask()
    station.gates[Side.CRM].open.set()
    await running
    ended = station.heard[-1]
    assert isinstance(ended, Ended) and ended.outcome == "stopped"


async def test_a_request_that_waits_while_the_daemon_stops_is_refused(station: Station) -> None:
    running = await station.shut(Side.CRM, station.keeper.poll())
    asking = asyncio.ensure_future(station.ask(Pause(reason="x")))
    await asyncio.sleep(0.05)
    station.keeper.stop.ask()
    station.gates[Side.CRM].open.set()
    await running
    said = await asking
    assert said.exit_code == 7
    assert "the daemon is stopping" in said.err[0]
    assert station.facts("paused") is None


async def test_jitter_is_waited_out_within_the_tick_but_not_by_the_first_one(station: Station) -> None:
    def jitters() -> list[float]:
        return [seconds for seconds in station.world.clock.slept if seconds > 0.01]  # the rest is pacing of requests

    station.world.sections["schedule"] = {"jitter": "20s"}
    await station.keeper.change(station.settings)
    await station.poll()
    assert jitters() == []
    await station.poll()
    [waited] = jitters()
    assert waited <= 20
    station.world.sections["schedule"] = {"jitter": "1h", "poll": "10s"}
    await station.keeper.change(station.settings)
    for _ in range(20):
        await station.poll()
    assert 1 < max(jitters()[1:]) <= 5, "at most half an interval"


async def test_stopping_does_not_wait_for_the_jitter() -> None:
    stop = Stop(lambda: 0.0)
    waiting = asyncio.ensure_future(stop.delayed(asyncio.sleep(3600)))
    await asyncio.sleep(0)
    stop.ask()
    with pytest.raises(Stopped):
        await asyncio.wait_for(waiting, 5)


async def test_a_bug_in_a_cycle_is_told_and_shown_and_the_next_one_is_tried(station: Station) -> None:
    await station.poll()
    store = station.keeper.store
    assert store is not None
    good = store.fact("connected_at")
    with store.transaction() as tx:
        tx.set_fact("connected_at", "nonsense")
    failed = await station.poll()
    assert (failed.outcome, type(failed.error)) == ("failed", ValueError)
    first = station.facts("trouble")
    assert first["outcome"] == "failed"
    assert "ValueError" in first["message"]
    await station.poll()
    assert station.facts("trouble") == first, "it lasts since the first one"
    with store.transaction() as tx:
        tx.set_fact("connected_at", good)
    assert (await station.poll()).outcome == "ok"
    assert station.facts("trouble") is None


async def test_a_lost_state_shows_in_status_until_it_is_mended(station: Station) -> None:
    await station.pair()
    station.keeper.stop.ask()
    await station.keeper.close()
    for file in station.database.parent.glob("state.db*"):
        file.unlink()
    await station.fresh().open()
    assert (await station.poll()).outcome == "halted"
    trouble = station.facts("trouble")
    assert "rebuild" in trouble["message"]


async def test_an_old_backup_is_found_at_every_tick_not_only_at_the_first(station: Station) -> None:
    """The check looks at the first cycle of a process; a tick that it stopped is none."""
    pairs = [await station.pair(task_name=f"Việc {number}") for number in range(3)]
    station.keeper.stop.ask()
    await station.keeper.close()
    backup = station.database.read_bytes()
    await station.fresh().open()
    station.world.clock.tick(300)
    for task, _ in pairs:
        station.world.crm.edit(task, task_name=f"Mới {task}")
    await station.poll()
    station.keeper.stop.ask()
    await station.keeper.close()
    station.database.with_name("state.db-wal").unlink(missing_ok=True)
    station.database.write_bytes(backup)
    await station.fresh().open()
    assert [(await station.poll()).outcome for _ in range(3)] == ["halted"] * 3


async def test_a_side_that_fails_is_left_alone_for_one_poll_and_then_longer(station: Station) -> None:
    await station.poll()
    station.world.lines[Side.CRM].cut = True
    assert (await station.poll()).outcome == "unavailable"
    assert (await station.poll(59)).down["crm"].code == "waiting"  # type: ignore[attr-defined]
    assert (await station.poll(2)).down["crm"].code != "waiting"  # type: ignore[attr-defined]
    station.world.lines[Side.CRM].cut = False
    assert (await station.poll(60)).outcome == "unavailable", "the second wait is two polls"
    assert (await station.poll(61)).outcome == "ok"


async def test_a_sweep_is_due_one_interval_after_the_last_one_even_across_restarts(station: Station) -> None:
    opened = station.world.clock.now()
    sweep = station.settings.schedule.sweep
    assert station.keeper.sweep_due() == opened + sweep
    station.world.clock.tick(3600)
    await station.keeper.sweep()
    swept = station.world.clock.now()
    station.keeper.stop.ask()
    await station.keeper.close()
    station.world.clock.tick(7200)
    await station.fresh().open()
    assert abs(station.keeper.sweep_due() - (swept + sweep)) < timedelta(seconds=5)
    station.world.lines[Side.WORK].cut = True
    await station.keeper.sweep()
    assert abs(station.keeper.sweep_due() - (swept + sweep)) < timedelta(seconds=5), "a failed one does not count"


async def test_a_connection_that_could_not_be_opened_is_tried_at_its_ticks(station: Station, tmp_path: Path) -> None:
    other = Keeper(station.settings, station.world.world, station.heard.append)
    await other.poll()
    ended = station.heard[-1]
    assert isinstance(ended, Ended) and type(ended.error).__name__ == "LeaseHeld"
    station.keeper.stop.ask()
    await station.keeper.close()
    await other.poll()
    ended = station.heard[-1]
    assert isinstance(ended, Ended) and ended.outcome == "ok"
    other.stop.ask()
    await other.close()


async def test_who_lost_the_lease_gives_everything_back_and_asks_for_it_again(
    station: Station, postgres_url: str
) -> None:
    """On a database server another host may take over while this process stands still."""
    station.world.sections["state"] = {"url": postgres_url}
    station.fresh()
    assert (await station.poll()).outcome == "ok"
    with administrator(postgres_url).connect() as connection:
        connection.exec_driver_sql("UPDATE lease SET token = token + 1, holder = 'another'")
        assert type((await station.poll()).error) is LeaseHeld
        assert station.keeper.store is None
        assert type((await station.poll()).error) is LeaseHeld
        connection.exec_driver_sql("UPDATE lease SET expires_at = clock_timestamp() - interval '1 second'")
    assert (await station.poll()).outcome == "ok"


async def test_nothing_that_moves_is_called_stalled_and_nothing_that_hangs_is_not(station: Station) -> None:
    station.world.sections["limits"]["timeout"] = "30s"
    await station.keeper.change(station.settings)
    await station.poll()
    station.world.clock.tick(120)
    assert not station.keeper.stalled()
    station.world.clock.tick(600)
    assert station.keeper.stalled(), "no tick for ten minutes"
    running = await station.shut(Side.CRM, station.keeper.poll())
    assert not station.keeper.stalled()
    station.world.clock.tick(600)
    assert station.keeper.stalled(), "a call that no deadline ends"
    station.gates[Side.CRM].open.set()
    await running
    assert not station.keeper.stalled()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"nonsense\n", "one line of JSON"),
        (b"[]\n", "JSON object"),
        (b"[" * 60_000 + b"\n", "one line of JSON"),
        (b'{"command": "once", "operator": "lan"}\n', "names no command"),
        (b'{"command": ["unlink"], "operator": "lan"}\n', "names no command"),
        (b'{"command": "unlink", "task": "1", "reason": ""}\n', "who asks"),
        (b'{"command": "unlink", "operator": "", "task": "1", "reason": ""}\n', "who asks"),
        (b'{"command": "unlink", "operator": "lan", "task": "1"}\n', "takes exactly: task, reason"),
        (b'{"command": "unlink", "operator": "lan", "task": 1, "reason": ""}\n', "takes exactly"),
        (b'{"command": "restore", "operator": "lan", "entry": true}\n', "takes exactly"),
        (b'{"command": "restore", "operator": "lan", "entry": 1, "more": 1}\n', "takes exactly"),
        (b'{"command": "pause", "operator": "lan", "reason": "x", "until": "soon"}\n', "no moment"),
        (b'{"command": "pause", "operator": "lan", "reason": "x", "until": "2026-03-02T09:00:00"}\n', "no moment"),
        (b"\xff\xfe\n", "UTF-8"),
        (b"x" * 70_000 + b"\n", "longer than"),
    ],
)
async def test_what_is_no_request_gets_a_clear_answer(station: Station, line: bytes, words: str) -> None:
    reader, writer = await asyncio.open_unix_connection(str(station.database.with_name("state.db.sock")))
    writer.write(line)
    answer = json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()
    assert answer["code"] == 2
    assert words in parse_said(json.dumps(answer)).err[0]


async def test_a_bug_in_a_request_is_answered_and_the_daemon_goes_on(station: Station) -> None:
    said = await station.ask(Restore(entry=10**30))
    assert said.exit_code in (1, 2)
    assert len(said.err) == 1
    assert (await station.poll()).outcome == "ok"
