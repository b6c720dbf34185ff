"""Sides that fail, keys that are not there, maps that change: what is kept, and what must not flow."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from reconciler.core.model import Side
from tests.world import World, fields_written


@pytest.fixture(params=["UTC", "America/New_York", "Pacific/Kiritimati", "Asia/Ho_Chi_Minh"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The time zone of the host, for the whole process."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


async def test_due_dates_do_not_depend_on_the_zone_of_the_host(zone: str, world: World) -> None:
    task, item = await world.pair(due_date="2026-03-09")
    assert world.item(item)["Deadline"] == "2026-03-09T17:30:00+07:00"
    world.work.edit(item, Deadline="2026-03-11T00:15:00+07:00")
    await world.once()
    assert world.task(task)["due_date"] == "2026-03-11"


async def test_rule_7_a_changed_map_changes_nothing_by_itself_and_shows_what_differs(world: World) -> None:
    task, item = await world.pair(status="Đang chờ")
    world.sections["status"] = {
        "to_work": {"Hoàn thành": "Đã hoàn thành", "Đang chờ": "Đã hoàn thành", "*": "Chưa hoàn thành"},
        "to_crm": {"Đã hoàn thành": "Hoàn thành", "*": "Chưa bắt đầu"},
    }
    await world.quiet()
    world.clock.tick(60)
    world.crm.edit(task, description="chạm")
    await world.once()
    assert world.item(item)["StatusName"] == "Chưa hoàn thành"
    [row] = (await world.report())["differences"]
    assert (row["field"], row["reason"]) == ("status", "unchanged")
    world.clock.tick(60)
    world.work.edit(item, StatusName="Đã hoàn thành")
    await world.once()
    assert (await world.report())["differences"] == [], "it ends when either side changes"


async def test_rule_26_a_changed_direction_makes_nothing_flow_retroactively(world: World) -> None:
    task, item = await world.pair(owner_name="NV001")
    world.work.edit(item, DoerCodes=["NV003"])
    await world.once()
    world.sections["fields"] = {"owner": "both"}
    await world.quiet(3)
    world.clock.tick(60)
    world.work.edit(item, DoerCodes=["NV004"])
    await world.once()
    assert world.task(task)["owner_name"] == "NV004"


async def test_rule_11_an_absent_key_is_unseen_and_changes_nothing(world: World) -> None:
    task, item = await world.pair(description="đầy đủ")
    world.work.faults.order(
        "get-tasks",
        "status",
        status=200,
        body={
            "Success": True,
            "Code": 200,
            "Data": {"Tasks": [{"TaskID": item, "ModifiedDate": "2026-03-02T12:00:00+07:00"}], "Total": 1},
            "GetLastData": True,
        },
    )
    await world.once()
    assert world.task(task)["description"] == "đầy đủ"
    await world.quiet()


@pytest.mark.parametrize("side", list(Side))
async def test_rule_32_a_side_that_is_down_stops_nothing_but_itself_and_comes_back(world: World, side: Side) -> None:
    task, item = await world.pair()
    world.crm.edit(task, task_name="Trong lúc mất kết nối")
    world.lines[side].cut = True
    result = await world.once()
    assert result.exit_code == 6
    assert list(result.down) == [side]
    assert world.status()["sides"][side.value]["failures"] == 1
    await world.once()
    assert world.status()["sides"][side.value]["failures"] == 2
    world.lines[side].cut = False
    assert (await world.once()).exit_code == 0
    assert world.status()["sides"][side.value] is None
    assert world.item(item)["TaskName"] == "Trong lúc mất kết nối"


async def test_a_long_retry_after_is_remembered_across_runs(world: World) -> None:
    task, _ = await world.pair()
    world.crm.faults.order("list", "status", status=429, headers={"Retry-After": "600"})
    assert (await world.once()).exit_code == 6
    mark = world.crm.mark()
    assert (await world.once()).exit_code == 6
    assert world.crm.log[mark:] == []
    assert (await world.once(tick=600)).exit_code == 0
    assert world.linked(task) is not None


async def test_refused_credentials_close_that_side_and_lose_nothing(world: World) -> None:
    task, item = await world.pair()
    world.sections["work"]["secret_key"] = "sai"
    world.crm.edit(task, task_name="Mới")
    assert (await world.once()).exit_code == 6
    assert world.status()["sides"]["work"]["kind"] == "SideClosed"
    world.sections["work"]["secret_key"] = world.work.secret_key
    assert (await world.once()).exit_code == 0
    assert world.item(item)["TaskName"] == "Mới"


async def test_a_cut_connection_says_so_plainly(world: World) -> None:
    await world.pair()
    world.crm.disconnect()
    result = await world.once()
    assert result.exit_code == 6
    assert "cut the connection" in str(result.down[Side.CRM])


async def test_an_expired_token_is_renewed_without_a_word(world: World) -> None:
    task, item = await world.pair()
    world.work.edit(item, TaskName="Mới")
    world.crm.faults.order("list", "hook_before", hook=world.crm.expire_tokens)
    assert (await world.once()).exit_code == 0
    assert world.task(task)["task_name"] == "Mới"


async def test_rule_34_the_marker_of_the_crm_is_no_edit_and_no_winner(world: World) -> None:
    task = world.crm.add(task_name="Mới", custom_field1="12", custom_field2="31")
    mark = world.crm.mark()
    await world.once()
    [item] = world.work.by_marker(task)
    assert fields_written(world.crm.writes(mark)) == [(str(task), frozenset({"custom_field3"}))]
    assert world.task(task)["custom_field3"] == str(item)
    world.clock.tick(5)
    world.work.edit(item, TaskName="Sửa ngay bên Work")
    assert (await world.report())["conflicts"] == []
    await world.once()
    assert world.task(task)["task_name"] == "Sửa ngay bên Work"


async def test_rule_34_a_refused_marker_is_reported_and_the_link_stands(world: World) -> None:
    task = world.crm.add(custom_field1="12", custom_field2="31")
    world.crm.faults.order("update", "element", field_name="custom_field3", message="chỉ đọc", times=None)
    assert (await world.once()).exit_code == 4
    assert ("crm", str(task), "marker_refused") in world.attention()
    assert world.linked(task) is not None
    await world.quiet()


async def test_the_settle_time_waits_for_a_record_to_be_quiet_but_not_for_ever() -> None:
    world = World(watermark={"settle": "30s"})
    task, item = await world.pair()
    for number in range(3):
        world.crm.edit(task, task_name=f"Đang gõ {number}")
        await world.once(tick=10)
        assert world.item(item)["TaskName"] != f"Đang gõ {number}"
    await world.once(tick=40)
    assert world.item(item)["TaskName"] == "Đang gõ 2"
    for number in range(9):
        world.crm.edit(task, task_name=f"Không ngừng {number}")
        await world.once(tick=10)
    assert world.item(item)["TaskName"].startswith("Không ngừng"), "at most a minute"
