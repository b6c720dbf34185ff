"""A connection that only observes: it reads, plans and shows, writes nothing, and loses nothing for later."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler import app
from reconciler.errors import UsageError
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


def observing(world: World) -> World:
    world.sections["connection"] = {"name": "an-phat", "mode": "observe"}
    return world


def syncing(world: World) -> World:
    world.sections["connection"] = {"name": "an-phat", "mode": "sync"}
    return world


async def paired() -> tuple[World, int, int]:
    world = World()
    task, item = await world.pair(task_name="Gọi khách", status="Đang thực hiện")
    return observing(world), task, item


async def test_it_counts_what_would_be_done_and_writes_nothing() -> None:
    world = observing(World())
    task = world.crm.add(**TARGET)
    wrong = world.crm.add(custom_field1="Phòng Kinh doanh", custom_field2="x")
    result = await world.once()
    assert result.exit_code == 4, "a refused target needs a person all the same"
    assert world.status()["observing"] == {
        "create": 1,
        "update_work": 0,
        "update_crm": 0,
        "delete": 0,
        "unlink": 0,
    }
    assert world.attention() == [("crm", str(wrong), "target_is_department")]
    await world.quiet()
    assert [row["crm_id"] for row in (await world.report())["operations"]] == [str(task)]
    assert world.work.snapshot() == []
    assert world.linked(task) is None


async def test_edits_seen_while_observing_flow_once_it_syncs() -> None:
    world, task, item = await paired()
    other = world.crm.add(**TARGET)
    world.work.edit(item, TaskName="Gọi lại")
    await world.quiet()
    world.clock.tick(3600)
    world.crm.edit(task, description="Mang mẫu")
    await world.quiet(3)
    assert (await world.once()).exit_code == 0
    syncing(world)
    assert (await world.once(tick=7200)).exit_code == 0
    assert (world.task(task)["task_name"], world.item(item)["Description"]) == ("Gọi lại", "Mang mẫu")
    assert world.task(task)["status"] == "Đang thực hiện"
    assert len(world.work.by_marker(other)) == 1
    await world.quiet()


async def test_a_conflict_seen_while_observing_is_won_by_the_later_edit() -> None:
    world, task, item = await paired()
    world.crm.edit(task, task_name="Sớm hơn")
    await world.once(tick=60)
    world.work.edit(item, TaskName="Muộn hơn")
    await world.once(tick=60)
    world.crm.edit(task, priority="Cao")  # a later edit of another field is no later edit of the title
    await world.once(tick=60)
    syncing(world)
    await world.once()
    assert world.task(task)["task_name"] == world.item(item)["TaskName"] == "Muộn hơn"
    assert "Sớm hơn" in [row["old"] for row in world.history()]


async def test_an_edit_that_was_taken_back_while_observing_flows_nowhere() -> None:
    world, task, item = await paired()
    world.work.edit(item, StatusName="Đã hoàn thành")
    await world.once(tick=60)
    world.work.edit(item, StatusName="Chưa hoàn thành")
    await world.once(tick=60)
    syncing(world)
    await world.quiet()
    assert world.task(task)["status"] == "Đang thực hiện"


async def test_a_deletion_seen_while_observing_unlinks_once_it_syncs() -> None:
    world, task, item = await paired()
    world.work.delete(item)
    await world.quiet()
    assert world.linked(task) is not None
    assert world.status()["observing"]["unlink"] == 1
    syncing(world)
    await world.once()
    assert world.linked(task) is None
    assert not world.task(task)["is_deleted"]


async def test_a_task_that_a_route_matches_gets_its_item_once_it_syncs() -> None:
    world = observing(World())
    world.sections["routes"] = [{"project": 12, "group": 31}]  # type: ignore[assignment]
    await world.once()
    world.clock.tick(60)
    task = world.crm.add(task_name="Sau khi nối")
    await world.quiet()
    syncing(world)
    await world.once()
    assert len(world.work.by_marker(task)) == 1


async def test_a_side_that_is_down_is_said_and_nothing_is_missed() -> None:
    world, task, item = await paired()
    world.work.faults.order("any", "drop_before", times=None)
    world.crm.edit(task, task_name="Sửa")
    assert (await world.once()).exit_code == 6
    world.work.faults.clear()
    syncing(world)
    await world.once(tick=60)
    assert world.item(item)["TaskName"] == "Sửa"


async def test_whatever_writes_is_refused_before_anything_is_built() -> None:
    world, task, _ = await paired()
    mark = world.crm.mark(), world.work.mark()
    with pytest.raises(UsageError, match="only observes"):
        await world.link(task)
    with pytest.raises(UsageError, match="only observes"):
        async with app.connect_writing(world.settings, world.world):
            raise AssertionError("there is no way to write")
    assert [*world.crm.log[mark[0] :], *world.work.log[mark[1] :]] == []


async def test_the_limits_are_met_when_it_syncs_not_before() -> None:
    world = World(safety={"max_creates": 2})
    observing(world)
    for number in range(3):
        world.crm.add(task_name=f"Việc {number}", **TARGET)
    assert (await world.once()).exit_code == 0
    assert world.status()["halted"] is None
    syncing(world)
    assert (await world.once()).exit_code == 5
    assert world.work.snapshot() == []
