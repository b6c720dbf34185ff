"""Six hours without a side, and clocks that step: two lines in the log, and nothing is lost."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from reconciler.core.model import Side
from reconciler.daemon.narrator import Narrator
from tests.daemon.test_keeper import Station
from tests.daemon.test_log import logging_to, told


@pytest_asyncio.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    made = Station(tmp_path)
    await made.keeper.open()
    yield made
    made.keeper.stop.ask()
    await made.keeper.close()


async def test_six_hours_down_are_two_lines_and_everything_flows_afterwards(station: Station) -> None:
    """Meanwhile our clock is set on by an hour, and later back again."""
    task, item = await station.pair(task_name="Gọi")
    asked = station.world.work.mark()
    steps = {120: timedelta(hours=1), 240: -timedelta(hours=1)}
    with logging_to(io.StringIO()) as stream:
        tell = Narrator()
        station.world.lines[Side.WORK].cut = True
        for minute in range(6 * 60):
            station.world.clock.time += steps.get(minute, timedelta(0))
            if minute == 60:
                station.world.crm.edit(task, task_name="Gọi lại")
            tell(await station.poll())
        station.world.lines[Side.WORK].cut = False
        for _ in range(30):
            tell(await station.poll())
        lines = [line for line in told(stream) if line["level"] != "debug"]
    assert [line["event"] for line in lines if line["event"].startswith("side.")] == ["side.down", "side.up"]
    assert [line["event"] for line in lines if not line["event"].startswith("side.")] == ["cycle.finished"]
    assert station.world.item(item)["TaskName"] == "Gọi lại"
    assert len(station.world.work.writes(asked)) == 1, "the edit flowed once"
