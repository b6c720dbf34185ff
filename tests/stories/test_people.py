"""People whom one side does not know: one matter each, however many tasks name them; everything else flows."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.linking import ack
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


def unknown(world: World) -> list[tuple[str, str]]:
    """The entries about people as a person reads them: record and sentence."""
    return [(row["id"], row["message"]) for row in world.status()["attention"] if row["code"] == "person_unknown"]


async def three_tasks(world: World, owner: str) -> list[int]:
    world.crm.employees["NV777"] = "Lạ Mặt"
    tasks = [world.crm.add(task_name=f"Việc {number}", owner_name=owner, **TARGET) for number in range(3)]
    assert (await world.once()).exit_code == 4
    return tasks


async def test_an_unknown_person_is_reported_once_with_the_number_of_tasks_and_other_fields_flow() -> None:
    world = World()
    tasks = await three_tasks(world, "NV777")
    [(first, message)] = unknown(world)
    assert first == str(tasks[0])
    assert "«Lạ Mặt (NV777)»" in message and "3 tasks" in message
    assert "NV777 is no member of project 12" in message
    report = await world.report()
    assert report["summary"]["attention"] == len(report["attention"]) == 1
    assert all(len(world.work.by_marker(task)) == 1 for task in tasks)
    world.crm.edit(tasks[1], task_name="Tên mới")
    await world.once()
    assert world.item(world.work.by_marker(tasks[1])[0])["TaskName"] == "Tên mới"
    assert len(unknown(world)) == 1
    await world.quiet()


async def test_two_people_are_two_matters() -> None:
    world = World()
    await three_tasks(world, "NV777")
    world.crm.employees["NV778"] = "Người Khác"
    world.crm.add(owner_name="NV778", **TARGET)
    await world.once()
    assert [("3 tasks" in message, "1 tasks" in message) for _, message in unknown(world)] == [
        (True, False),
        (False, True),
    ]


async def test_it_leaves_by_itself_when_the_config_knows_the_person() -> None:
    world = World()
    tasks = await three_tasks(world, "NV777")
    world.sections["people"] = {"NV777": "NV002"}
    assert (await world.once()).exit_code == 0
    assert unknown(world) == []
    assert {tuple(world.item(world.work.by_marker(task)[0])["DoerCodes"]) for task in tasks} == {("NV002",)}
    assert {world.task(task)["owner_name"] for task in tasks} == {"NV777"}
    await world.quiet()


async def test_it_leaves_by_itself_when_the_person_joins_the_project() -> None:
    world = World()
    tasks = await three_tasks(world, "NV777")
    world.work.members[12].append("NV777")
    assert (await world.once(sweep=True)).exit_code == 0
    assert unknown(world) == []
    assert {tuple(world.item(world.work.by_marker(task)[0])["DoerCodes"]) for task in tasks} == {("NV777",)}


async def test_it_shrinks_with_the_tasks_and_leaves_with_the_last() -> None:
    world = World()
    first, second, third = await three_tasks(world, "NV777")
    world.crm.edit(first, owner_name="NV001")
    world.crm.edit(second, owner_name="NV001")
    await world.once()
    [(record, message)] = unknown(world)
    assert (record, "1 tasks" in message) == (str(third), True)
    world.crm.edit(third, owner_name="NV001")
    assert (await world.once()).exit_code == 0
    assert unknown(world) == []


async def test_a_dismissed_person_stays_dismissed_when_another_task_names_them() -> None:
    world = World()
    tasks = await three_tasks(world, "NV777")
    ack(world.store, world.clock.now(), "test", "nghỉ phép", task=str(tasks[2]), item=None)
    assert (await world.once()).exit_code == 0
    world.crm.add(owner_name="NV777", **TARGET)
    assert (await world.once()).exit_code == 0
    assert unknown(world) == []


@pytest.mark.parametrize("count", [2])
async def test_a_doer_whom_the_crm_does_not_know_is_one_matter_too(count: int) -> None:
    world = World(fields={"owner": "both"})
    pairs = [await world.pair(task_name=f"Việc {number}") for number in range(count)]
    world.work.employees["NV888"] = "Thợ Mới"
    world.work.members[12].append("NV888")
    for _, item in pairs:
        world.work.edit(item, DoerCodes=["NV888"], Description="kèm")
    assert (await world.once()).exit_code == 4
    [(_, message)] = unknown(world)
    assert "«NV888»" in message and "2 tasks" in message
    assert [world.task(task)["description"] for task, _ in pairs] == ["kèm"] * count
