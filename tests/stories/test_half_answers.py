"""A side that stops answering in the middle of a cycle: half an answer proves nothing, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler import app
from reconciler.backfill import find_old
from reconciler.core.model import Side
from reconciler.errors import Halted, SideDown
from reconciler.rebuilding import rebuild_links
from reconciler.sandbox.system import System
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}
MARKER = "crm_task_id"
UNPROVEN: dict[str, Any] = {"success": True, "code": 200, "data": [], "total_records": 7}


def silent(system: System, verb: str) -> None:
    """From now on this call is answered with 503."""
    system.faults.order(verb, "status", status=503, times=None)


async def recovers(world: World, cycles: int = 2) -> None:
    """Both servers are well again, and some cycles go by."""
    world.crm.faults.clear()
    world.work.faults.clear()
    for _ in range(cycles):
        await world.once(tick=400)


async def one_item_each(world: World, *tasks: int) -> None:
    """Every task has exactly one item and is linked to it, and then it is quiet."""
    for task in tasks:
        [item] = world.work.by_marker(task)
        link = world.linked(task)
        assert link is not None
        assert link.work.id == str(item)
    await world.once()
    await world.quiet()


# --- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["get-projects", "get-task-groups", "get-project-members"])
async def test_a_create_waits_while_its_place_cannot_be_looked_up(world: World, verb: str) -> None:
    # broken by: taking a list that could not be read for an empty one, and refusing the target
    await world.once()
    task = world.crm.add(**TARGET)
    silent(world.work, verb)
    mark = world.work.mark()
    await world.once()
    assert world.work.writes(mark) == []
    assert world.attention() == []
    await recovers(world)
    await one_item_each(world, task)


async def test_a_pilot_whose_project_cannot_be_looked_up_lets_nothing_through() -> None:
    # broken by: taking a pilot without known projects for one that has none
    world = World()
    task, item = await world.pair(task_name="Cũ")
    world.sections["pilot"] = {"projects": ["Triển khai An Phát"]}
    world.crm.edit(task, task_name="Mới")
    silent(world.work, "get-projects")
    assert (await world.once()).exit_code == 6
    assert world.item(item)["TaskName"] == "Cũ"
    await recovers(world)
    assert world.item(item)["TaskName"] == "Mới"


async def test_a_sweep_looks_up_again_which_project_the_pilot_means() -> None:
    """The name moved to another project: the sweep finds out, or leaves everything as it was if Work does not say."""
    world = World()
    task, _ = await world.pair(task_name="Cũ")
    world.sections["pilot"] = {"projects": ["Triển khai An Phát"]}
    await world.once()
    name = world.work.projects[12]["ProjectName"]
    world.work.projects[12]["ProjectName"] = "Tên khác"
    world.work.projects[13]["ProjectName"] = name
    world.crm.edit(task, task_name="Mới")
    silent(world.work, "get-projects")
    await world.once(sweep=True)
    world.work.faults.clear()
    world.clock.tick(3600)
    await world.once(sweep=True)
    await world.once()
    assert [row["crm_id"] for row in (await world.report())["left_out"]] == [str(task)]


async def test_a_sweep_without_work_concludes_nothing_about_the_crm_either(world: World) -> None:
    task, _ = await world.pair()
    world.lines[Side.WORK].cut = True
    world.crm.hide(task)
    for _ in range(3):
        assert (await world.once(sweep=True)).exit_code == 6
    assert world.linked(task) is not None
    world.crm.reveal(task)
    world.lines[Side.WORK].cut = False
    await recovers(world)
    assert world.linked(task) is not None


# --- pairing ----------------------------------------------------------------------------------------------------------


async def test_an_open_create_waits_while_its_task_cannot_be_read(world: World) -> None:
    # broken by: giving the intent up because its task was not in an answer that never came
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("insert-tasks", "late")
    await world.once()
    world.work.run_late()
    silent(world.crm, "by-id")
    await world.once(tick=400)
    assert [intent.crm_id for intent in world.store.intents()] == [str(task)]
    await recovers(world)
    await one_item_each(world, task)


async def test_a_task_that_waits_for_its_item_waits_on_while_the_crm_does_not_answer_by_id(world: World) -> None:
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("insert-tasks", "status", status=404, times=None)
    await world.once()
    world.work.faults.clear()
    silent(world.crm, "by-id")
    for _ in range(3):
        await world.once(tick=120)
    assert world.work.by_marker(task) == []
    await recovers(world)
    await one_item_each(world, task)


async def test_a_restored_task_is_attached_again_only_when_both_records_were_read(world: World) -> None:
    task, item = await world.pair()
    world.crm.delete(task)
    await world.once()
    world.clock.tick(60)
    world.crm.restore(task)
    silent(world.work, "get-tasks-by-id")
    await world.once()
    assert world.linked(task) is None
    world.work.faults.clear()
    world.clock.tick(400)
    world.crm.edit(task, description="chạm")
    await recovers(world)
    assert world.work.by_marker(task) == [item]
    await one_item_each(world, task)


async def test_a_marked_item_waits_for_its_task_to_be_read_and_is_then_linked(world: World) -> None:
    # broken by: taking a task that could not be read for one that does not exist, and giving it a second item
    await world.pair()
    task = world.crm.add(task_name="Có sẵn")
    await world.once()
    world.work.add(TaskName="Có sẵn", CustomFields={MARKER: str(task)})
    silent(world.crm, "by-id")
    await world.once()
    assert world.linked(task) is None
    await recovers(world)
    await one_item_each(world, task)


async def test_an_item_that_vanishes_between_the_list_and_the_look_is_not_linked(world: World) -> None:
    await world.pair()
    task = world.crm.add(task_name="Có sẵn")
    await world.once()
    item = world.work.add(TaskName="Có sẵn", CustomFields={MARKER: str(task)})
    world.work.faults.order("get-tasks-by-id", "hook_before", hook=lambda: world.work.hide(item))
    await world.once()
    assert world.linked(task) is None


async def test_a_link_whose_outcome_is_open_says_so_and_the_next_cycle_finishes_it(world: World) -> None:
    await world.once()
    task = world.crm.add()
    world.work.faults.order("insert-tasks", "late")
    done = await world.link(task)
    assert (done.exit_code, "not linked yet" in done.message) == (6, True)
    world.work.run_late()
    await recovers(world)
    await one_item_each(world, task)


async def test_link_makes_no_item_while_work_cannot_be_searched_for_one(world: World) -> None:
    await world.pair()
    task = world.crm.add()
    silent(world.work, "get-tasks")
    mark = world.work.mark()
    assert (await world.link(task)).exit_code == 6
    assert world.work.writes(mark) == []
    world.work.faults.clear()
    assert (await world.link(task)).exit_code == 0
    await one_item_each(world, task)


@pytest.mark.parametrize("by_item", [True, False])
async def test_whoever_joins_two_records_the_salesperson_reads_that_they_are_synced(by_item: bool) -> None:
    world = World(crm={"result_field": "custom_field4"})
    await world.pair()
    task = world.crm.add(task_name="Có sẵn")
    item = world.work.add(TaskName="Có sẵn", CustomFields={} if by_item else {MARKER: str(task)})
    if by_item:
        assert (await world.link_item(task, item)).exit_code == 0
    await world.once()
    assert str(world.task(task)["custom_field4"]).startswith("Đã đồng bộ")


# --- the whole list ---------------------------------------------------------------------------------------------------


@pytest.fixture
def lost(tmp_path: Path) -> Callable[[World], None]:
    """Loses the state of a world, as a disk does."""

    def lose(world: World) -> None:
        world.reopen()
        for file in tmp_path.glob("state.db*"):
            file.unlink()

    return lose


async def test_a_rebuild_from_half_a_list_is_none(tmp_path: Path, lost: Callable[[World], None]) -> None:
    # broken by: recording a listing that was cut short, after which creates would be allowed again
    world = World(state=f"sqlite:///{tmp_path / 'state.db'}")
    task, _ = await world.pair()
    lost(world)
    silent(world.work, "get-tasks")
    async with app.connect(world.settings, world.world) as connection:
        with pytest.raises(SideDown):
            await rebuild_links(connection, world.store, operator="test")
    world.work.faults.clear()
    world.crm.faults.order("list", "status", status=200, body=UNPROVEN, times=None)
    world.clock.tick(600)
    async with app.connect(world.settings, world.world) as connection:
        with pytest.raises(Halted, match="could not be proven complete"):
            await rebuild_links(connection, world.store, operator="test")
    assert world.linked(task) is None
    world.crm.faults.clear()
    assert await world.rebuild() == (1, 0)


async def test_a_backfill_of_half_a_list_is_none(world: World) -> None:
    world.sections["routes"] = [{"project": 12, "group": "Cần làm"}]  # type: ignore[assignment]  # a list of tables
    world.crm.add()
    await world.once()
    world.crm.faults.order("list", "status", status=200, body=UNPROVEN, times=None)
    async with app.connect(world.settings, world.world) as connection:
        with pytest.raises(Halted, match="could not be proven complete"):
            await find_old(connection, world.store)
