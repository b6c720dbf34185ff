"""S11, in bulk: tasks that are older than the connection, on request."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from reconciler import app
from reconciler.backfill import backfill, find_old
from reconciler.core.model import Candidate
from tests.world import World

ROUTES: Any = [{"project": 12, "group": "Cần làm", "when": {"owner": ["NV001", "NV002"]}}]


class Died(BaseException):
    """The process ends here."""


def die() -> None:
    raise Died


def routed(state: str = "sqlite://") -> World:
    world = World(state=state)
    world.sections["routes"] = ROUTES
    return world


async def found(world: World, **limits: Any) -> list[Candidate]:
    async with app.connect(world.settings, world.world) as connection:
        return await find_old(connection, world.store, **limits)


async def run(world: World, **limits: Any) -> int:
    async with app.connect_writing(world.settings, world.world) as (connection, writers):
        candidates = await find_old(connection, world.store, **limits)
        linked, _ = await backfill(connection, writers, world.store, candidates)
        return linked


async def test_s11_old_tasks_are_linked_only_on_request_and_open_ones_first() -> None:
    world = routed()
    done = world.crm.add(task_name="Xong", owner_name="NV001", status="Hoàn thành")
    other = world.crm.add(task_name="Người khác", owner_name="NV003")
    opened = world.crm.add(task_name="Chưa xong", owner_name="NV002")
    await world.once()
    assert world.work.snapshot() == []
    assert [one.crm_id for one in await found(world)] == [str(opened), str(done)]
    assert [one.crm_id for one in await found(world, limit=1)] == [str(opened)]
    assert world.work.snapshot() == [], "looking writes nothing"
    assert await run(world) == 2
    assert len(world.work.by_marker(done)) == len(world.work.by_marker(opened)) == 1
    assert world.work.by_marker(other) == []
    await world.once()
    await world.quiet()


async def test_a_new_task_goes_where_the_first_matching_route_says() -> None:
    world = World()
    world.sections["routes"] = [
        {"project": "Chăm sóc Bình Minh", "group": 41, "when": {"priority": ["Cao"], "not_owner": ["NV003"]}},
        {"project": 12, "group": 31},
    ]  # type: ignore[assignment]
    await world.once()
    world.clock.tick(60)
    urgent = world.crm.add(priority="Cao", owner_name="NV001")
    negated = world.crm.add(priority="Cao", owner_name="NV003")
    usual = world.crm.add(priority="Thấp")
    await world.once()
    places = {task: world.item(world.work.by_marker(task)[0])["ProjectID"] for task in (urgent, negated, usual)}
    assert places == {urgent: 13, negated: 12, usual: 12}


@pytest.mark.parametrize("count", [450])
async def test_a_backfill_that_dies_again_and_again_ends_with_one_item_each(tmp_path: Any, count: int) -> None:
    world = routed(f"sqlite:///{tmp_path / 'state.db'}")
    day = world.clock.now() - timedelta(days=40)
    tasks = [
        world.crm.add(task_name=f"Việc {n}", owner_name="NV001", created=day, modified=day + timedelta(minutes=n))
        for n in range(count)
    ]
    await world.once()
    for skip in (0, 2, 4, 5, 3):
        world.work.faults.order("insert-tasks", "hook_after", hook=die, skip=skip)
        with pytest.raises(Died):
            await run(world)
        world.reopen()
        world.work.faults.clear()
        world.clock.tick(30)
    mark = world.crm.mark(), world.work.mark()
    left = len(tasks) - len({row["TaskID"] for row in world.work.snapshot()})
    await run(world)
    await world.once(tick=60)
    assert [len(world.work.by_marker(task)) for task in tasks] == [1] * count
    assert len(world.work.snapshot()) == count
    assert len(world.work.writes(mark[1])) == math.ceil(left / 20)
    assert len(world.crm.writes(mark[0])) <= math.ceil(left / 20) + 1, "at most one batch of markers is done again"
    await world.once()
    await world.quiet()


async def test_a_target_that_cannot_be_used_stops_only_its_tasks() -> None:
    world = World()
    world.sections["routes"] = [
        {"project": 14, "group": 51, "when": {"owner": ["NV001"]}},
        {"project": 12, "group": 31},
    ]  # type: ignore[assignment]
    bad = world.crm.add(owner_name="NV001")
    good = world.crm.add(owner_name="NV002")
    await world.once()
    assert await run(world) == 1
    assert len(world.work.by_marker(good)) == 1
    assert ("crm", str(bad), "target_archived") in world.attention()
