"""Histories that mutants of the design showed to be missing: each was broken, and no other story noticed."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from reconciler.core.watermark import bound
from reconciler.halting import resume
from reconciler.linking import unlink
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


async def pairs(world: World, count: int) -> list[tuple[int, int]]:
    tasks = [world.crm.add(task_name=f"Việc {number}", **TARGET) for number in range(count)]
    await world.once()
    await world.once()
    world.clock.tick(300)
    return [(task, world.work.by_marker(task)[0]) for task in tasks]


async def test_rule_3_a_pair_unlinked_by_hand_while_an_item_was_hidden_stays_unlinked(world: World) -> None:
    # broken by: taking the tombstone of a person for one of our own as soon as the lost record is back
    task, item = await world.pair(task_name="Gốc")
    world.work.hide(item)
    await world.once(sweep=True)
    unlink(world.store, world.clock.now(), str(task), "không cần nữa", "test")
    world.work.reveal(item)
    world.work.edit(item, TaskName="Sửa sau khi tách")
    for _ in range(2):
        await world.once(sweep=True)
    assert world.linked(task) is None
    assert world.task(task)["task_name"] == "Gốc"


async def test_rule_24_without_a_marker_in_the_crm_a_copy_does_not_take_the_place_of_a_deleted_item() -> None:
    # broken by: asking only whether the task is linked, when its own record names no item
    world = World(crm={"link_field": ""})
    task, item = await world.pair(task_name="Gốc")
    copy = world.work.add(TaskName="Bản sao", CustomFields={"crm_task_id": str(task)})
    world.work.delete(item)
    for _ in range(3):
        await world.once()
    assert world.linked(task) is None
    assert ("work", str(copy), "duplicate_marker") in world.attention()
    assert world.task(task)["task_name"] == "Gốc"


async def test_rule_28_an_approval_is_for_what_was_held_and_for_nothing_else() -> None:
    # broken by: lifting the limits altogether for the cycle after an approval
    world = World(safety={"max_updates": 5})
    made = await pairs(world, 14)
    for task, _ in made[:6]:
        world.crm.edit(task, task_name=f"Đã xem {task}")
    assert (await world.once()).exit_code == 5
    resume(world.store, world.clock.now(), "đã xem", "test", world.status()["halted"]["fingerprint"])
    for task, _ in made[6:]:
        world.crm.edit(task, task_name=f"Chưa ai xem {task}")
    assert (await world.once()).exit_code == 5
    assert [world.item(item)["TaskName"] for _, item in made[:6]] == [f"Đã xem {task}" for task, _ in made[:6]]
    assert [world.item(item)["TaskName"] for _, item in made[6:]] == [f"Việc {n}" for n in range(6, 14)]


def test_rule_16_a_stamp_at_the_very_bound_is_read() -> None:
    # broken by: an exclusive bound
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert bound(noon, timedelta(0)) == noon


async def test_rule_16_a_work_row_that_shows_late_is_read_although_a_newer_one_was(world: World) -> None:
    # broken by: reading from the newest stamp that was seen
    task, item = await world.pair()
    other, late = await world.pair()
    world.work.edit(item, TaskName="Mới nhất")
    await world.once(tick=0)
    world.work.edit(late, TaskName="Hiện muộn", stamp=world.work.time() - timedelta(seconds=100))
    await world.once(tick=0)
    assert (world.task(task)["task_name"], world.task(other)["task_name"]) == ("Mới nhất", "Hiện muộn")


async def test_rule_16_news_that_could_not_be_stored_are_read_again(tmp_path: Path) -> None:
    # broken by: storing the watermark before the rows that it covers
    file = tmp_path / "state.db"
    world = World(state=f"sqlite:///{file}", watermark={"overlap": "1ms", "settle": "0s"})
    task, item = await world.pair(task_name="Cũ")
    world.work.edit(item, TaskName="Mới")
    world.reopen()
    with sqlite3.connect(file) as state:
        state.execute("create trigger full before update on link begin select raise(abort, 'disk full'); end")
    state.close()
    with pytest.raises(IntegrityError, match="disk full"):
        await world.once()
    world.reopen()
    with sqlite3.connect(file) as state:
        state.execute("drop trigger full")
    state.close()
    for _ in range(2):
        await world.once()
    assert world.task(task)["task_name"] == "Mới"
    world.reopen()


async def test_rule_30_a_new_value_in_answer_to_our_write_is_no_revert(world: World) -> None:
    # broken by: counting every edit that follows a write of ours within the hour
    task, item = await world.pair(task_name="Gốc")
    for number in range(5):
        world.clock.tick(60)
        world.crm.edit(task, task_name=f"CRM {number}")
        await world.once()
        world.clock.tick(60)
        world.work.edit(item, TaskName=f"Work {number}")
        await world.once()
        assert world.task(task)["task_name"] == f"Work {number}"
    assert world.attention() == []


async def test_rule_27_what_we_wrote_beats_no_deletion_while_another_field_is_set_aside(world: World) -> None:
    # broken by: taking our own stamp, newer than the last full agreement, for a person's edit
    task, item = await world.pair(task_name="Cũ", description="cũ")
    world.crm.faults.order("update", "element", field_name="description", times=1, message="không nhận")
    world.work.edit(item, TaskName="Mới", Description="xấu")
    await world.once()
    assert (world.task(task)["task_name"], world.task(task)["description"]) == ("Mới", "cũ")
    world.clock.tick(60)
    world.work.delete(item)
    await world.once()
    assert world.linked(task) is None
    assert ("crm", str(task), "deleted_elsewhere") not in world.attention()
