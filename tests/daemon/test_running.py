"""The daemon around its connections, in process: health, words for systemd, and what ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from reconciler.core.model import Side
from reconciler.daemon.notify_socket import Notifier
from reconciler.daemon.running import Daemon
from reconciler.errors import LeaseHeld
from tests.cli.product import Product
from tests.daemon.test_keeper import Station


class Ear:
    """The socket that systemd would listen on."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(f"\0reconciler-ear-{os.getpid()}-{id(self)}")
        address = self.socket.getsockname().decode().replace("\0", "@", 1)
        self.env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"}

    def heard(self) -> list[str]:
        """The lines since the last time."""
        lines: list[str] = []
        while True:
            try:
                lines += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return lines


@pytest_asyncio.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    made = Station(tmp_path)
    await made.keeper.open()
    yield made
    made.keeper.stop.ask()
    await made.keeper.close()


@pytest_asyncio.fixture
async def ear() -> AsyncIterator[Ear]:
    made = Ear()
    yield made
    made.socket.close()


@pytest.fixture
def daemon(station: Station, ear: Ear) -> Daemon:
    made = Daemon([], ear.env, world=station.world.world, notifier=Notifier(ear.env))
    made.keepers[Path("an-phat.toml")] = station.keeper
    return made


async def test_the_watchdog_hears_of_progress_and_of_nothing_else(daemon: Daemon, station: Station, ear: Ear) -> None:
    assert daemon.pulse == 1.0, "three times within what systemd allows"
    daemon.beat(lag=0.0)
    assert "WATCHDOG=1" in ear.heard()
    daemon.beat(lag=daemon.pulse * 2)
    assert "WATCHDOG=1" not in ear.heard(), "the loop itself was blocked"
    station.world.clock.tick(3600 * 24)
    daemon.beat(lag=0.0)
    assert "WATCHDOG=1" not in ear.heard(), "no tick for a day"
    await station.poll()
    daemon.beat(lag=0.0)
    assert "WATCHDOG=1" in ear.heard()


async def test_systemd_is_told_in_words_a_person_understands(daemon: Daemon, station: Station, ear: Ear) -> None:
    def said() -> list[str]:
        daemon.beat(lag=0.0)
        return [line for line in ear.heard() if not line.startswith("WATCHDOG")]

    assert said() == ["STATUS=an-phat: the first cycle is running"]
    await station.poll()
    assert said() == ["READY=1", "STATUS=an-phat: in step"]
    assert said() == []
    station.world.crm.add(custom_field1="10", custom_field2="31")
    await station.poll()
    assert said() == ["STATUS=an-phat: in step; some tasks need a person, see `reconciler status`"]
    for line in station.world.lines.values():
        line.cut = True
    await station.poll()
    assert said() == ["STATUS=an-phat: crm and work cannot be reached"]
    for side in Side:
        station.world.lines[side].cut = False
    await station.poll(3600)
    assert said()[-1].startswith("STATUS=an-phat: in step")


async def test_a_long_first_cycle_does_not_keep_systemd_waiting(daemon: Daemon, station: Station, ear: Ear) -> None:
    daemon.beat(lag=0.0)
    assert "READY=1" not in ear.heard()
    station.world.clock.tick(31)
    daemon.beat(lag=0.0)
    assert "READY=1" in ear.heard()


@pytest.mark.parametrize("second", [False, True])
async def test_what_never_should_end_ends_the_daemon_in_good_order(tmp_path: Path, second: bool) -> None:
    """A job that lets something escape is a bug; the daemon then stops as on a signal, and says 1."""
    with Product(tmp_path) as product:
        product.write_config(schedule={"poll": "1s"})
        daemon = Daemon([product.config], {})

        async def broken() -> None:
            raise SystemExit(3)

        running = asyncio.ensure_future(daemon.run())
        async with asyncio.timeout(20):
            while not daemon.keepers or not next(iter(daemon.keepers.values())).last:
                await asyncio.sleep(0.01)
        [keeper] = daemon.keepers.values()
        if second:
            daemon.timetable.put("broken", keeper.settings.schedule.poll, broken, first=keeper.last.started)  # type: ignore[union-attr]
        else:
            os.kill(os.getpid(), signal.SIGTERM)
        assert await running == (1 if second else 0)
        assert keeper.store is None
        await asyncio.to_thread(product.run, "once")


async def test_nothing_is_left_behind_when_it_cannot_start(station: Station) -> None:
    config = station.database.with_name("an-phat.toml")
    with Product(config.parent) as product:
        product.state = station.database
        product.write_config(state={"url": f"sqlite:///{station.database}"})
        with pytest.raises(LeaseHeld):
            await Daemon([product.config], {}).run()
