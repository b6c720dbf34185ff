"""Rules 12 to 16: lists that move while they are read, orders that are wrong, watermarks that must not jump.

Each test says in its first comment which change of the engine would break it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}
MANY = 130


async def pairs(world: World, count: int, **fields: Any) -> list[tuple[int, int]]:
    tasks = [world.crm.add(task_name=f"Việc {number}", **TARGET, **fields) for number in range(count)]
    await world.once()
    await world.once()
    world.clock.tick(600)
    await world.once()
    await world.once()
    return [(task, world.work.by_marker(task)[0]) for task in tasks]


def watermarks(world: World) -> tuple[Any, Any]:
    return world.store.fact("watermark.crm"), world.store.fact("watermark.work")


# --- rule 12: the CRM, newest first -------------------------------------------------------------------------------


@pytest.mark.parametrize("meanwhile", ["purges", "edits", "creates"])
async def test_rule_12_rows_that_slide_between_pages_of_the_crm_are_not_lost(meanwhile: str) -> None:
    # broken by: trusting the pages although rows moved (a purge above pulls a row over the border unseen)
    world = World(safety={"max_updates": 1000, "max_update_percent": 100})
    made = await pairs(world, MANY)
    spare = [world.crm.add(task_name="Bỏ") for _ in range(4)]
    for number, (task, _) in enumerate(made):
        if number % 3 == 0:
            world.clock.tick(1)
        world.crm.edit(task, task_name=f"Mới {task}")
    pages = 0

    def move() -> None:
        nonlocal pages
        pages += 1
        if pages == 1:
            return
        match meanwhile:
            case "purges" if spare:
                world.crm.purge(spare.pop())
            case "creates":
                world.crm.add(task_name="Thêm")
            case "edits":
                world.clock.tick(1)
                world.crm.edit(made[pages][0], task_name=f"Mới {made[pages][0]}", priority="Cao")

    world.crm.faults.order("list", "hook_before", times=6, hook=move)
    for one in list(spare):
        world.crm.edit(one, priority="Cao")  # they stand at the very front
    await world.once()
    for _ in range(2):
        await world.once()
    assert [world.item(item)["TaskName"] for _, item in made] == [f"Mới {task}" for task, _ in made]


async def test_rule_12_a_purge_hidden_by_a_create_loses_no_row(world: World) -> None:
    # broken by: taking an unchanged total for proof that nothing moved
    world.sections["safety"] = {"max_updates": 1000, "max_update_percent": 100}
    made = await pairs(world, MANY)
    spare = [world.crm.add(task_name="Bỏ") for _ in range(3)]
    for task, _ in made:
        world.crm.edit(task, task_name=f"Mới {task}")  # one stamp for all: any order among them
    world.clock.tick(1)
    for one in spare:
        world.crm.edit(one, priority="Cao")

    def swap() -> None:
        if spare:
            world.crm.purge(spare.pop())
            world.crm.add(task_name="Thêm", modified=world.crm.time() - timedelta(days=9))

    world.crm.faults.order("list", "hook_before", times=3, skip=1, hook=swap)
    for _ in range(3):
        await world.once()
    assert [world.item(item)["TaskName"] for _, item in made] == [f"Mới {task}" for task, _ in made]


# --- rule 13: Work, oldest first ----------------------------------------------------------------------------------


@pytest.mark.parametrize("meanwhile", ["edits", "purges"])
@pytest.mark.parametrize("stamps", ["one", "many"])
async def test_rule_13_rows_that_slide_towards_the_front_of_work_are_not_lost(stamps: str, meanwhile: str) -> None:
    # broken by: reading pages 1, 2, 3 in that order
    world = World(safety={"max_updates": 1000, "max_update_percent": 100})
    made = await pairs(world, MANY)
    spare = [world.work.add(TaskName="Bỏ") for _ in range(6)]
    for _, item in made:
        if stamps == "many":
            world.clock.tick(1)
        world.work.edit(item, TaskName=f"Mới {item}")
    pages = 0

    def move() -> None:
        nonlocal pages
        pages += 1
        if pages == 1:
            return
        if meanwhile == "purges" and spare:
            world.work.purge(spare.pop(0))
        else:
            world.clock.tick(1)
            world.work.edit(made[pages][1], TaskName=f"Mới {made[pages][1]}", Progress=pages)

    world.work.faults.order("get-tasks", "hook_before", times=5, hook=move)
    world.clock.tick(600)  # so that the overlap of the next reading does not hide what this one loses
    for _ in range(3):
        await world.once()
    assert [world.task(task)["task_name"] for task, _ in made] == [f"Mới {item}" for _, item in made]


# --- rule 14: a wrong order proves nothing ------------------------------------------------------------------------


def crm_page(world: World, ids: list[int], stamps: list[str]) -> dict[str, Any]:
    data = []
    for number, stamp in zip(ids, stamps, strict=True):
        row = world.task(number)
        row["created_date"] = row["modified_date"] = stamp
        row["due_date"] = row["start_date"] = None
        data.append(row)
    return {"success": True, "code": 200, "data": data, "total_records": len(data)}


async def test_rule_14_a_crm_list_in_another_order_is_reported_and_moves_no_watermark(world: World) -> None:
    # broken by: trusting the order that was asked for (the stop rule would end at the first old row)
    first, _ = await world.pair()
    second, _ = await world.pair()
    await world.once()
    before = watermarks(world)[0]
    body = crm_page(world, [first, second], ["2026-03-02T09:30:00.000+07:00", "2026-03-02T09:40:00.000+07:00"])
    world.crm.faults.order("list", "status", status=200, body=body, times=None)
    world.clock.tick(300)
    assert (await world.once()).exit_code == 4
    assert ("crm", "", "read_unproven") in world.attention()
    assert watermarks(world)[0] == before
    world.crm.faults.clear()
    assert (await world.once()).exit_code == 0
    assert world.attention() == []
    assert watermarks(world)[0] > before


async def test_rule_14_short_pages_do_not_end_a_reading(world: World) -> None:
    # broken by: taking a page with fewer rows than asked for as the last one
    task, item = await world.pair(task_name="Cũ")
    await world.once()
    before = watermarks(world)[1]
    world.clock.tick(300)
    world.work.edit(item, TaskName="Ở trang sau")
    body = {"Success": True, "Code": 200, "Data": {"Tasks": [], "Total": 1}, "GetLastData": False}
    world.work.faults.order("get-tasks", "status", status=200, body=body, times=1)
    await world.once()
    await world.once()
    assert world.task(task)["task_name"] == "Ở trang sau"
    assert watermarks(world)[1] >= before


# --- rule 15: connected_at ----------------------------------------------------------------------------------------

ROUTES: list[dict[str, Any]] = [{"project": 12, "group": 31}]


def routed() -> World:
    world = World()
    world.sections["routes"] = ROUTES  # type: ignore[assignment]
    return world


async def test_rule_15_a_task_of_the_very_second_of_the_connection_counts_as_new() -> None:
    # broken by: an exclusive bound, or the time at which the first cycle ended
    world = routed()
    old = world.crm.add(task_name="Trước")
    world.clock.tick(60)
    new = world.crm.add(task_name="Cùng giây")
    await world.once(tick=0)
    await world.once()
    assert world.work.by_marker(old) == []
    assert len(world.work.by_marker(new)) == 1


async def test_rule_15_a_failed_first_cycle_does_not_connect() -> None:
    # broken by: setting connected_at in a cycle whose readings were not both complete
    world = routed()
    world.work.faults.order("get-tasks", "status", status=503, times=None)
    await world.once()
    old = world.crm.add(task_name="Vẫn là trước")
    world.work.faults.clear()
    world.clock.tick(60)
    await world.once()
    new = world.crm.add(task_name="Sau")
    await world.once()
    assert world.work.by_marker(old) == []
    assert len(world.work.by_marker(new)) == 1


async def test_rule_15_connected_at_is_server_time_kept_and_journalled() -> None:
    # broken by: our own clock as connected_at
    world = routed()
    world.crm.offset = timedelta(hours=-3)
    await world.once()
    since = world.store.fact("connected_at")
    [entry] = [row for row in world.history() if row["kind"] == "connected"]
    assert entry["crm_modified"] is not None
    new = world.crm.add(task_name="Mới, theo đồng hồ chậm")
    await world.once()
    await world.once()
    assert world.store.fact("connected_at") == since
    assert len(world.work.by_marker(new)) == 1


# --- rule 16: watermarks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [48, 24 * 400])
async def test_rule_16_a_stamp_from_the_future_hides_no_later_edit(world: World, hours: int) -> None:
    # broken by: a watermark that follows the largest stamp
    task, item = await world.pair()
    other, _ = await world.pair()
    ahead = world.clock.now() + timedelta(hours=hours)
    world.crm.edit(other, priority="Cao", stamp=ahead)
    world.work.add(modified=ahead)
    await world.once()
    world.clock.tick(600)
    world.crm.edit(task, task_name="Sau dấu tương lai")
    await world.once()
    assert world.item(item)["TaskName"] == "Sau dấu tương lai"
    world.clock.tick(600)
    world.work.edit(item, Description="cũng sau")
    await world.once()
    assert world.task(task)["description"] == "cũng sau"


async def test_rule_16_a_quiet_system_is_back_at_one_page_a_side(world: World) -> None:
    # broken by: a watermark that stays at the largest stamp seen (a burst would be read again for ever)
    for _ in range(MANY):
        world.crm.add()
        world.work.add()
    await world.once()
    world.clock.tick(600)
    await world.once()
    marks = world.crm.mark(), world.work.mark()
    await world.once()
    assert len(world.crm.reads(marks[0])) == 1
    assert len(world.work.reads(marks[1])) == 1


async def test_rule_16_a_row_with_a_late_stamp_inside_the_overlap_is_read(world: World) -> None:
    # broken by: a bound without overlap
    task, item = await world.pair()
    await world.once()
    await world.once()
    world.crm.edit(task, task_name="Ghi muộn", stamp=world.crm.time() - timedelta(seconds=100))
    await world.once()
    assert world.item(item)["TaskName"] == "Ghi muộn"


async def test_rule_16_equal_stamps_at_the_watermark_are_read_again(world: World) -> None:
    # broken by: an exclusive bound
    world.sections["watermark"] = {"overlap": "1ms", "settle": "0s"}
    first, item = await world.pair()
    second, other = await world.pair()
    world.crm.edit(first, task_name="Một")
    await world.once(tick=0)
    world.crm.edit(second, task_name="Hai")
    await world.once(tick=0)
    assert (world.item(item)["TaskName"], world.item(other)["TaskName"]) == ("Một", "Hai")


async def test_rule_16_a_failed_reading_moves_no_watermark_and_loses_no_edit(world: World) -> None:
    # broken by: moving a watermark to the time of the cycle
    task, item = await world.pair()
    world.crm.edit(task, task_name="Giữa lúc hỏng")
    world.crm.faults.order("list", "status", status=503, times=None)
    before = watermarks(world)[0]
    for _ in range(3):
        assert (await world.once(tick=300)).exit_code == 6
    assert watermarks(world)[0] == before
    world.crm.faults.clear()
    await world.once(tick=300)
    assert world.item(item)["TaskName"] == "Giữa lúc hỏng"


async def test_rule_16_a_record_edited_every_few_seconds_waits_at_most_a_minute() -> None:
    # broken by: settling for as long as somebody types
    world = World(watermark={"settle": "30s"})
    task, item = await world.pair()
    started = world.clock.now()
    number = 0
    while not world.item(item)["TaskName"].startswith("Gõ"):
        number += 1
        world.crm.edit(task, task_name=f"Gõ {number}")
        await world.once(tick=5)
        assert world.clock.now() - started <= timedelta(seconds=75)


# --- quiet --------------------------------------------------------------------------------------------------------


def dump(file: Path) -> dict[str, set[tuple[object, ...]]]:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return {table: set(connection.execute(f'select * from "{table}"').fetchall()) for table in tables}


def named(prefixes: tuple[str, ...]) -> Callable[[tuple[object, ...]], bool]:
    return lambda row: any(isinstance(cell, str) and cell.startswith(prefixes) for cell in row)


async def test_two_quiet_cycles_change_no_state_whatever_went_before(tmp_path: Path) -> None:
    # broken by: rewriting rows that did not change (asides, unclear writes, refused candidates, copies, tombstones)
    file = tmp_path / "state.db"
    world = World(state=f"sqlite:///{file}")
    made = await pairs(world, 8, description="cũ")
    world.crm.edit(made[0][0], description="dài " * 5000)
    world.crm.edit(made[1][0], owner_name="NV009")
    world.work.edit(made[2][1], DoerCodes=["NV003"])
    world.work.delete(made[3][1])
    world.work.add(CustomFields={"crm_task_id": str(made[4][0])})
    world.crm.edit(made[5][0], status=None)
    world.crm.add(custom_field1="10", custom_field2="31")
    world.crm.edit(made[6][0], custom_field1="13", custom_field2="41")
    world.crm.edit(made[7][0], task_name="Mới")
    world.work.faults.order("update-tasks", "drop_after")
    for _ in range(6):
        await world.once(tick=200)
    before = dump(file)
    await world.quiet(2)
    after = dump(file)
    assert before.keys() == after.keys()
    for table in before:
        changed = before[table] ^ after[table]
        if table == "fact":
            assert all(named(("watermark.", "today"))(row) for row in changed), changed
        elif table not in ("cycle", "lease", "sqlite_sequence"):
            assert not changed, (table, changed)
    world.reopen()
