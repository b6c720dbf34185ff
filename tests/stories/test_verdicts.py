"""What the salesperson sees: the CRM's result field says whether a task is synced, and is never an edit."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reconciler import linking
from reconciler.core.model import Side
from tests.world import World, fields_written

FIELD = "custom_field4"
TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}
WRONG: dict[str, Any] = {"custom_field1": "Phòng Kinh doanh", "custom_field2": "Cần làm"}
REFUSED = "Không đồng bộ: Phòng Kinh doanh là phòng ban, hãy chọn dự án"


@pytest.fixture
def world() -> World:
    return World(crm={"result_field": FIELD})


def shown(world: World, task: int) -> Any:
    return world.task(task)[FIELD]


async def test_a_linked_task_says_when_and_is_written_together_with_its_marker(world: World) -> None:
    task = world.crm.add(task_name="Gọi khách", **TARGET)
    mark = world.crm.mark()
    await world.once()
    assert shown(world, task) == "Đã đồng bộ 09:00"
    assert fields_written(world.crm.writes(mark)) == [(str(task), frozenset({"custom_field3", FIELD}))]
    await world.quiet()


async def test_it_is_no_edit_no_winner_and_an_edit_that_flows_costs_no_further_write(world: World) -> None:
    task, item = await world.pair(task_name="Gọi khách")
    before = shown(world, task)
    world.clock.tick(3600)
    mark = world.crm.mark()
    world.work.edit(item, TaskName="Gọi lại")
    assert (await world.report())["conflicts"] == []
    await world.once()
    assert world.task(task)["task_name"] == "Gọi lại"
    assert fields_written(world.crm.writes(mark)) == [(str(task), frozenset({"task_name"}))]
    assert shown(world, task) == before
    world.crm.edit(task, status="Hoàn thành")
    await world.once()
    assert shown(world, task) == before
    await world.quiet()


async def test_without_a_link_field_it_is_written_alone() -> None:
    world = World(crm={"result_field": FIELD, "link_field": ""})
    task = world.crm.add(**TARGET)
    mark = world.crm.mark()
    await world.once()
    assert fields_written(world.crm.writes(mark)) == [(str(task), frozenset({FIELD}))]
    assert shown(world, task) == "Đã đồng bộ 09:00"
    await world.quiet()


async def test_a_refused_task_says_why_and_it_changes_with_the_reason_only(world: World) -> None:
    task = world.crm.add(**WRONG)
    assert (await world.once()).exit_code == 4
    assert shown(world, task) == REFUSED
    await world.quiet()
    world.sections["conflict"] = {"tolerance": "3s"}  # a changed config lets every refusal be judged again
    await world.quiet()
    assert world.attention() == [("crm", str(task), "target_is_department")]
    world.crm.edit(task, custom_field1="Triển khai An Phát", custom_field2="Việc mới")
    await world.once()
    assert shown(world, task) == (
        "Không đồng bộ: Việc mới không phải nhóm công việc của Triển khai An Phát, hãy chọn nhóm khác"
    )
    world.crm.edit(task, custom_field2="Cần làm")
    assert (await world.once()).exit_code == 0
    assert re.fullmatch("Đã đồng bộ 09:0[0-9]", shown(world, task))
    await world.quiet()


async def test_a_refusal_is_taken_back_when_the_task_asks_for_nothing_any_more(world: World) -> None:
    task, noted = world.crm.add(**WRONG), world.crm.add(**WRONG)
    await world.once()
    world.crm.edit(task, custom_field1=None)
    world.crm.edit(noted, custom_field1=None, custom_field4="để sau")
    await world.once()
    assert (shown(world, task), shown(world, noted)) == (None, "để sau")
    await world.quiet()


async def test_what_a_person_types_there_flows_nowhere_and_is_kept_in_the_journal(world: World) -> None:
    task, item = await world.pair()
    work = world.work.mark()
    world.crm.edit(task, custom_field4="tôi ghi ở đây")
    await world.quiet()
    assert world.work.writes(work) == []
    assert shown(world, task) == "tôi ghi ở đây"
    linking.unlink(world.store, world.clock.now(), str(task), "thử", "test")
    await world.once()
    assert shown(world, task).startswith("Ngừng đồng bộ 09:0")
    assert [row["old"] for row in world.history() if row["kind"] == "overwritten"] == ["tôi ghi ở đây"]
    assert world.item(item)["TaskName"] == world.task(task)["task_name"]
    await world.quiet()


async def test_a_task_whose_item_was_deleted_says_that_syncing_ended(world: World) -> None:
    task, item = await world.pair()
    world.work.delete(item)
    await world.once()
    assert world.linked(task) is None
    assert shown(world, task).startswith("Ngừng đồng bộ")
    await world.quiet()


async def test_a_refused_verdict_is_reported_and_the_link_and_its_marker_stand(world: World) -> None:
    task = world.crm.add(**TARGET)
    world.crm.faults.order(
        "update", "element", predicate=lambda sent: FIELD in sent, field_name=FIELD, message="chỉ đọc", times=None
    )
    assert (await world.once()).exit_code == 4
    assert world.attention() == [("crm", str(task), "result_refused")]
    assert world.linked(task) is not None
    assert world.task(task)["custom_field3"] is not None
    await world.quiet()
    world.crm.faults.clear()
    linking.retry(world.store, world.clock.now(), "test", task=str(task))
    assert (await world.once()).exit_code == 0
    assert shown(world, task).startswith("Đã đồng bộ")
    assert world.attention() == []


async def test_it_waits_while_the_crm_is_down_and_is_said_once(world: World) -> None:
    task = world.crm.add(**TARGET)
    world.crm.faults.order("update", "drop_before", times=None)
    assert (await world.once()).exit_code == 6
    world.crm.faults.clear()
    mark = world.crm.mark()
    await world.once()
    await world.once(tick=120)
    assert shown(world, task) == "Đã đồng bộ 09:00", "the time of the link, not of the writing"
    assert len(world.crm.writes(mark)) == 1


async def test_a_lost_state_says_nothing_again(world: World) -> None:
    task, _ = await world.pair()
    said = shown(world, task)
    world.clock.tick(7200)
    world.reopen()
    assert await world.rebuild() == (1, 0)
    await world.quiet()
    assert shown(world, task) == said


async def test_nothing_is_said_while_writes_are_paused(world: World) -> None:
    task = world.crm.add(**WRONG)
    with world.store.transaction() as tx:
        tx.set_fact("paused", {"reason": "x", "since": "", "until": None, "operator": ""})
    await world.quiet()
    assert shown(world, task) is None
    with world.store.transaction() as tx:
        tx.set_fact("paused", None)
    await world.once()
    assert shown(world, task) == REFUSED


async def test_a_dry_run_needs_no_result_field_and_writes_none(world: World) -> None:
    world.crm.add(**WRONG)
    mark = world.crm.mark()
    data = await world.report()
    assert [entry["code"] for entry in data["attention"]] == ["target_is_department"]
    assert world.crm.writes(mark) == []


async def test_a_connection_without_the_field_says_nothing_and_keeps_nothing() -> None:
    world = World()
    task, _ = await world.pair()
    linking.unlink(world.store, world.clock.now(), str(task), "", "test")
    await world.quiet()
    assert world.store.verdicts() == []
    assert shown(world, task) is None


async def test_rows_without_the_field_break_nothing() -> None:
    world = World(crm={"result_field": "custom_field9"})
    task = world.crm.add(**TARGET)
    assert (await world.once()).exit_code == 4  # a field that the CRM does not have: said once, and the link stands
    assert world.linked(task) is not None
    assert ("crm", str(task), "result_refused") in world.attention()
    await world.quiet()


async def test_p4_creates_with_a_marker_and_a_verdict_stay_within_the_same_requests(world: World) -> None:
    await world.once()
    tasks = [world.crm.add(task_name=f"Việc {n}", **TARGET) for n in range(100)]
    calls = len(world.crm.log) + len(world.work.log)
    await world.once()
    await world.once(tick=60)
    assert all(shown(world, task) for task in tasks)
    assert len(world.store.links_by(Side.CRM, [str(task) for task in tasks])) == 100
    assert len(world.crm.log) + len(world.work.log) - calls <= 0.40 * 100 + 10
