"""Counts that must not grow: requests of an idle cycle, requests and statements for each changed pair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from reconciler.sandbox.calls import Call
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


async def linked(world: World, count: int) -> list[tuple[int, int]]:
    tasks = [world.crm.add(task_name=f"Việc {number}", **TARGET) for number in range(count)]
    await world.once()
    world.clock.tick(300)
    await world.once()
    world.clock.tick(300)
    await world.once()
    return [(task, world.work.by_marker(task)[0]) for task in tasks]


def asked(world: World, marks: tuple[int, int]) -> list[Call]:
    calls = [*world.crm.log[marks[0] :], *world.work.log[marks[1] :]]
    return [call for call in calls if call.kind != "token"]


def marks(world: World) -> tuple[int, int]:
    return world.crm.mark(), world.work.mark()


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement.strip().split(None, 1)[0].upper())

    def commit(connection: Any) -> None:
        seen.append("COMMITTED")

    event.listen(Engine, "before_cursor_execute", note)
    event.listen(Engine, "commit", commit)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        event.remove(Engine, "commit", commit)


@pytest.mark.parametrize("count", [3, 90, 250])
async def test_p1_an_idle_cycle_makes_exactly_two_requests(count: int) -> None:
    world = World(safety={"max_update_percent": 100})
    await linked(world, count)
    before = marks(world)
    result = await world.once(tick=300)
    assert result.exit_code == 0
    assert [call.verb for call in asked(world, before)] in (["list", "get-tasks"], ["get-tasks", "list"])


@pytest.mark.parametrize("side", ["crm", "work"])
async def test_p1_an_unlinked_pair_costs_an_idle_cycle_no_request(world: World, side: str) -> None:
    [(task, item)] = await linked(world, 1)
    world.crm.delete(task) if side == "crm" else world.work.delete(item)
    await world.once()
    await world.once()
    before = marks(world)
    await world.once()
    assert len(asked(world, before)) == 2


async def test_p4_requests_for_a_hundred_updates_echoes_included() -> None:
    world = World(safety={"max_update_percent": 100})
    made = await linked(world, 100)
    for task, _ in made:
        world.crm.edit(task, due_date="2026-04-01")
    before = marks(world)
    await world.once()
    await world.once(tick=60)
    await world.once(tick=300)
    assert all(world.item(item)["Deadline"].startswith("2026-04-01") for _, item in made)
    calls = asked(world, before)
    assert len([call for call in calls if call.kind == "write"]) == 5, "batches of 20, and no echo causes a write"
    assert len(calls) <= 0.26 * 100 + 8


async def test_p4_requests_for_a_hundred_creates_with_a_crm_marker() -> None:
    world = World()
    await world.once()
    tasks = [world.crm.add(task_name=f"Việc {number}", **TARGET) for number in range(100)]
    before = marks(world)
    await world.once()
    await world.once(tick=60)
    assert all(len(world.work.by_marker(task)) == 1 for task in tasks)
    assert len(asked(world, before)) <= 0.40 * 100 + 10


async def test_p8_no_select_a_row_and_at_most_three_commits_a_batch_of_writes(tmp_path: Path) -> None:
    counts = {}
    for size in (20, 100):
        world = World(state=f"sqlite:///{tmp_path / f'{size}.db'}", safety={"max_update_percent": 100})
        made = await linked(world, size)
        for task, _ in made:
            world.crm.edit(task, due_date="2026-04-01")
        with statements() as seen:
            await world.once()
        counts[size] = seen.count("SELECT"), seen.count("COMMITTED")
        world.reopen()
    selects = counts[100][0] - counts[20][0]
    commits = counts[100][1] - counts[20][1]
    assert selects <= 4 * 25, f"four more batches made {selects} more SELECTs"
    assert commits <= 4 * 3, f"four more batches made {commits} more commits"
