"""A pilot acts on some projects or people only; the rest is shown as left out, and flows when the filter goes."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler import app
from reconciler.errors import UsageError
from reconciler.store import verify
from reconciler.undoing import restore
from tests.world import World, fields_written

INSIDE: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}
OTHER: dict[str, Any] = {"custom_field1": "13", "custom_field2": "41"}


def piloting(world: World, **lists: Any) -> World:
    world.sections["pilot"] = lists
    return world


def left_out(data: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(row["crm_id"], row["work_id"]) for row in data["left_out"]]


async def two_pairs() -> tuple[World, tuple[int, int], tuple[int, int]]:
    world = World()
    return (
        world,
        await world.pair(task_name="Trong", owner_name="NV001"),
        await world.pair(task_name="Ngoài", owner_name="NV003", **OTHER),
    )


@pytest.mark.parametrize(
    "lists",
    [
        {"projects": [12]},
        {"projects": ["triển khai An Phát"]},
        {"people": ["NV001"]},
        {"people": ["nguyễn văn an"]},
        {"people": ["Nguyễn Văn An (NV001)"]},
        {"projects": [12, 13], "people": ["NV001"]},
    ],
    ids=str,
)
async def test_only_pairs_of_the_pilot_are_written_and_the_others_wait(lists: dict[str, Any]) -> None:
    world, (task, item), (other, other_item) = await two_pairs()
    piloting(world, **lists)
    world.work.edit(item, TaskName="Trong mới")
    world.crm.edit(other, task_name="Ngoài mới")
    world.work.edit(other_item, Description="thêm")
    marks = world.crm.mark(), world.work.mark()
    assert left_out(await world.report()) == [(str(other), str(other_item))]
    assert (await world.once()).exit_code == 0
    assert fields_written(world.crm.writes(marks[0])) == [(str(task), frozenset({"task_name"}))]
    assert world.work.writes(marks[1]) == []
    assert world.status()["left_out"] == 1
    assert (await world.report())["conflicts"] == []
    await world.quiet(3)
    piloting(world)
    await world.once()
    assert world.item(other_item)["TaskName"] == "Ngoài mới"
    assert world.task(other)["description"] == "thêm"
    assert world.status()["left_out"] == 0
    await world.quiet()
    assert verify(world.store) is None


async def test_a_conflict_outside_waits_and_is_won_by_the_later_edit_when_the_filter_goes() -> None:
    world, _, (other, other_item) = await two_pairs()
    piloting(world, projects=[12])
    world.work.edit(other_item, TaskName="Sớm hơn")
    await world.once(tick=60)
    world.crm.edit(other, task_name="Muộn hơn")
    await world.once(tick=60)
    piloting(world)
    await world.once()
    assert world.task(other)["task_name"] == world.item(other_item)["TaskName"] == "Muộn hơn"


async def test_an_edit_outside_that_was_taken_back_leaves_nothing_behind() -> None:
    world, _, (other, other_item) = await two_pairs()
    piloting(world, projects=[12])
    world.work.edit(other_item, StatusName="Đã hoàn thành")
    await world.once(tick=60)
    assert world.status()["left_out"] == 1
    world.work.edit(other_item, StatusName="Chưa hoàn thành")
    await world.once(tick=60)
    assert world.status()["left_out"] == 0
    piloting(world)
    await world.quiet()
    assert world.task(other)["status"] == "Chưa bắt đầu"


@pytest.mark.parametrize("lists", [{"projects": ["Triển khai An Phát"]}, {"people": ["NV001"]}], ids=str)
async def test_new_tasks_outside_get_no_item_until_the_filter_goes(lists: dict[str, Any]) -> None:
    world = piloting(World(), **lists)
    inside = world.crm.add(owner_name="NV001", **INSIDE)
    outside = world.crm.add(owner_name="NV003", **OTHER)
    assert (await world.once()).exit_code == 0
    assert (len(world.work.by_marker(inside)), world.work.by_marker(outside)) == (1, [])
    assert left_out(await world.report()) == [(str(outside), None)]
    assert world.status()["left_out"] == 1
    await world.quiet()
    assert left_out(await world.report()) == [(str(outside), None)], "also when nothing new was read of it"
    piloting(world)
    await world.once()
    assert len(world.work.by_marker(outside)) == 1
    await world.quiet()


async def test_an_edit_that_brings_a_task_or_a_pair_into_the_pilot_lets_it_flow() -> None:
    world, _, (other, other_item) = await two_pairs()
    piloting(world, people=["NV001"])
    new = world.crm.add(owner_name="NV003", **INSIDE)
    world.crm.edit(other, task_name="Ngoài mới")
    await world.once()
    assert world.work.by_marker(new) == []
    world.crm.edit(new, owner_name="NV001")
    world.crm.edit(other, owner_name="NV001")
    await world.once()
    assert len(world.work.by_marker(new)) == 1
    assert world.item(other_item)["TaskName"] == "Ngoài mới"
    await world.quiet()


async def test_wrong_targets_and_lost_records_outside_bother_nobody() -> None:
    world, _, (other, other_item) = await two_pairs()
    piloting(world, projects=[12])
    world.crm.add(custom_field1="Phòng Kinh doanh", custom_field2="x")
    world.work.delete(other_item)
    assert (await world.once()).exit_code == 0
    assert world.attention() == []
    assert world.linked(other) is not None
    inside = world.crm.add(custom_field1="12", custom_field2="Việc mới")
    assert (await world.once()).exit_code == 4
    assert world.attention() == [("crm", str(inside), "group_not_in_project")]
    piloting(world)
    await world.once()
    assert world.linked(other) is None
    assert len(world.attention()) == 2


async def test_neither_marker_nor_verdict_is_written_outside() -> None:
    world = World(crm={"result_field": "custom_field4"})
    task = world.crm.add(owner_name="NV003", **INSIDE)
    item = world.work.add(TaskName="Gọi khách hàng", CustomFields={"crm_task_id": str(task)})
    piloting(world, people=["NV001"])
    mark = world.crm.mark()
    with pytest.raises(Exception, match="rebuild"):
        await world.once()
    await world.rebuild()
    await world.quiet()
    assert world.crm.writes(mark) == []
    piloting(world)
    await world.once()
    assert world.task(task)["custom_field3"] == str(item)


async def test_commands_for_a_task_outside_say_so() -> None:
    world, _, (other, other_item) = await two_pairs()
    new = world.crm.add(owner_name="NV003")
    piloting(world, people=["NV001"])
    done = await world.link(new, "13", "41")
    assert (done.exit_code, world.work.by_marker(new)) == (4, [])
    assert "[pilot]" in done.message
    free = world.work.add(TaskName="Sẵn có", ProjectID=13)
    mark = world.crm.mark(), world.work.mark()
    done = await world.link_item(world.crm.add(owner_name="NV003"), free)
    assert "[pilot]" in done.message
    assert [*world.crm.writes(mark[0]), *world.work.writes(mark[1])] == []
    piloting(world)
    await world.once()
    assert len(world.work.by_marker(new)) == 1
    assert world.item(free)["TaskName"] == "Gọi khách hàng"
    assert world.item(other_item)["TaskName"] == world.task(other)["task_name"]


async def test_a_value_outside_is_not_restored() -> None:
    world, _, (other, _) = await two_pairs()
    world.crm.edit(other, task_name="Mới")
    await world.once()
    [entry] = [row for row in world.history() if row["kind"] == "intent" and row["new"] == "Mới"]
    piloting(world, projects=[12])
    with pytest.raises(UsageError, match=r"\[pilot\]"):
        async with app.connect_writing(world.settings, world.world) as (connection, writers):
            await restore(connection, writers, world.store, entry["id"], operator="test")


async def test_p1_an_idle_cycle_asks_twice_although_a_project_is_given_by_name() -> None:
    world, _, (other, _) = await two_pairs()
    piloting(world, projects=["Triển khai An Phát"])
    world.crm.edit(other, task_name="Ngoài mới")
    world.crm.add(**OTHER)
    await world.once()
    world.clock.tick(600)
    await world.once()
    mark = world.crm.mark(), world.work.mark()
    await world.once(tick=600)
    assert [call.verb for call in world.crm.log[mark[0] :] if call.kind != "token"] == ["list"]
    assert [call.verb for call in world.work.log[mark[1] :]] == ["get-tasks"]
