"""Rules 7 and 17 to 21: who is later, who competes, and what only looks like a change.

Each test says in its first comment which change of the engine would break it.
"""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.world import World, fields_written

STOP_AT = 8


async def settle(world: World, tick: float = 10) -> None:
    """Cycles until one writes nothing."""
    for _ in range(STOP_AT):
        marks = world.crm.mark(), world.work.mark()
        await world.once(tick=tick)
        if not world.crm.writes(marks[0]) and not world.work.writes(marks[1]):
            return
    raise AssertionError("writes did not stop")


def conflicts(world: World) -> list[Any]:
    return [row for row in world.history() if row["kind"] == "conflict"]


# --- rule 7 -------------------------------------------------------------------------------------------------------


async def test_rule_7_an_accepted_difference_outlives_unrelated_edits_and_ends_with_its_own(world: World) -> None:
    # broken by: comparing the two sides instead of each with its base
    task, item = await world.pair(owner_name="NV001")
    world.work.edit(item, DoerCodes=["NV003"])
    await world.once()
    for number in range(3):
        world.clock.tick(60)
        world.crm.edit(task, description=f"chạm {number}")
        await world.once()
        world.clock.tick(60)
        world.work.edit(item, TaskName=f"chạm {number}")
        await world.once()
    assert world.item(item)["DoerCodes"] == ["NV003"]
    assert [row["field"] for row in (await world.report())["differences"]] == ["owner"]
    assert conflicts(world) == []
    world.clock.tick(60)
    world.work.edit(item, DoerCodes=["NV001"])
    await world.quiet()
    assert (await world.report())["differences"] == []


# --- rule 17 ------------------------------------------------------------------------------------------------------


async def test_rule_17_the_field_edited_last_wins_although_its_record_was_touched_first(world: World) -> None:
    # broken by: comparing the records' stamps
    task, item = await world.pair(task_name="Gốc", description="gốc")
    world.work.edit(item, Description="Work trước")
    world.crm.faults.order("list", "status", status=503, times=None)
    await world.once()
    world.crm.faults.clear()
    world.clock.tick(60)
    world.crm.edit(task, description="CRM sau")
    world.clock.tick(60)
    world.work.edit(item, TaskName="Work chạm sau cùng")
    await settle(world)
    assert world.item(item)["Description"] == "CRM sau"
    assert world.task(task)["description"] == "CRM sau"
    assert world.task(task)["task_name"] == "Work chạm sau cùng"
    assert [row["old"] for row in conflicts(world)] == ["Work trước"]


async def test_rule_17_a_value_that_changed_under_an_unmoved_stamp_has_no_evidence_and_ties(world: World) -> None:
    # broken by: giving the old stamp of the record to the new value
    task, item = await world.pair(task_name="Gốc")
    await world.once()
    world.crm.edit(task, task_name="Nhập không dấu", keep_stamp=True)
    world.clock.tick(60)
    world.work.edit(item, TaskName="Work có dấu")
    await world.once(sweep=True)
    await settle(world)
    [lost] = conflicts(world)
    assert lost["old"] == "Work có dấu"
    assert world.item(item)["TaskName"] == "Nhập không dấu", "a tie goes to the configured side"
    assert world.task(task)["task_name"] == "Nhập không dấu"


async def test_rule_17_our_own_write_is_no_evidence_for_a_person(world: World) -> None:
    # broken by: taking the stamp of our marker or update as the time of a person's edit
    task, item = await world.pair(task_name="Gốc", description="gốc")
    world.work.edit(item, Description="từ Work")
    world.crm.faults.order("update", "hook_before", hook=lambda: world.crm.edit(task, task_name="CRM gõ trước"))
    await world.once()
    world.clock.tick(30)
    world.work.edit(item, TaskName="Work gõ sau")
    [line] = (await world.report())["conflicts"]
    assert line["reason"] == "tie"
    await settle(world)
    assert world.task(task)["task_name"] == world.item(item)["TaskName"]
    assert world.task(task)["description"] == "từ Work"
    assert len(conflicts(world)) == 1


async def test_rule_17_a_loser_is_journalled_before_it_is_overwritten(world: World) -> None:
    # broken by: journalling the conflict with the outcome
    task, item = await world.pair(task_name="Gốc")
    world.crm.edit(task, task_name="CRM thua")
    world.clock.tick(60)
    world.work.edit(item, TaskName="Work thắng")
    seen: list[Any] = []
    world.crm.faults.order("update", "hook_before", hook=lambda: seen.extend(row["old"] for row in conflicts(world)))
    await settle(world)
    assert seen == ["CRM thua"]
    assert world.task(task)["task_name"] == "Work thắng"


async def test_rule_17_fields_of_one_record_are_decided_one_by_one(world: World) -> None:
    # broken by: one winner for the whole record
    task, item = await world.pair(task_name="Gốc", description="gốc", due_date="2026-03-09")
    world.work.edit(item, Description="Work trước", TaskName="Work trước")
    world.crm.faults.order("list", "status", status=503, times=None)
    await world.once()
    world.crm.faults.clear()
    world.clock.tick(60)
    world.crm.edit(task, task_name="CRM giữa", description="CRM giữa")
    world.work.faults.order("get-tasks", "status", status=503, times=None)
    await world.once()
    world.work.faults.clear()
    world.clock.tick(60)
    world.work.edit(item, Description="Work sau")
    await settle(world)
    assert world.task(task)["task_name"] == world.item(item)["TaskName"] == "CRM giữa"
    assert world.task(task)["description"] == world.item(item)["Description"] == "Work sau"


# --- rule 18 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", ["crm", "work"])
async def test_rule_18_a_move_inside_a_class_competes_with_a_completion(world: World, later: str) -> None:
    # broken by: ignoring a CRM status change whose image in Work is the same
    task, item = await world.pair(status="Chưa bắt đầu")
    for side in ("crm", "work") if later == "work" else ("work", "crm"):
        world.clock.tick(60)
        if side == "crm":
            world.crm.edit(task, status="Đang thực hiện")
        else:
            world.work.edit(item, StatusName="Đã hoàn thành")
    await settle(world)
    done = later == "work"
    assert world.task(task)["status"] == ("Hoàn thành" if done else "Đang thực hiện")
    assert world.item(item)["StatusName"] == ("Đã hoàn thành" if done else "Chưa hoàn thành")
    [lost] = conflicts(world)
    assert lost["old"] == ("Đang thực hiện" if done else "Đã hoàn thành")


async def test_rule_18_an_hour_typed_after_the_crm_day_neither_wins_nor_is_lost(world: World) -> None:
    # broken by: calling every change of the deadline a change of the day
    task, item = await world.pair(due_date="2026-03-09")
    world.crm.edit(task, due_date="2026-03-12")
    world.clock.tick(60)
    world.work.edit(item, Deadline="2026-03-09T07:45:00+07:00")
    await settle(world)
    assert world.task(task)["due_date"] == "2026-03-12"
    assert world.item(item)["Deadline"] == "2026-03-12T07:45:00+07:00"
    assert conflicts(world) == []


async def test_rule_18_an_hour_around_midnight_is_judged_at_plus_seven(world: World) -> None:
    # broken by: taking the day in UTC (00:30 in Hà Nội is the day before in UTC)
    task, item = await world.pair(due_date="2026-03-09")
    world.work.edit(item, Deadline="2026-03-09T00:30:00+07:00")
    await world.quiet()
    world.work.edit(item, Deadline="2026-03-09T23:59:59+07:00")
    await world.quiet()
    world.clock.tick(60)
    world.work.edit(item, Deadline="2026-03-10T00:00:00+07:00")
    await settle(world)
    assert world.task(task)["due_date"] == "2026-03-10"


async def test_rule_18_a_cleared_day_clears_the_deadline_and_a_new_one_gets_the_usual_hour(world: World) -> None:
    # broken by: keeping an hour without a day
    task, item = await world.pair(due_date="2026-03-09")
    world.crm.edit(task, due_date=None)
    await settle(world)
    assert world.item(item)["Deadline"] is None
    world.clock.tick(60)
    world.work.edit(item, Deadline="2026-03-15T06:00:00+07:00")
    await settle(world)
    assert world.task(task)["due_date"] == "2026-03-15"
    world.clock.tick(60)
    world.work.edit(item, Deadline=None)
    await settle(world)
    assert world.task(task)["due_date"] is None


# --- rule 19 ------------------------------------------------------------------------------------------------------


async def test_rule_19_the_receiving_side_neither_flows_nor_wins_and_is_journalled_before_it_is_replaced(
    world: World,
) -> None:
    # broken by: letting the later side win on a field that flows one way
    world.sections["fields"] = {"title": "crm_to_work"}
    task, item = await world.pair(task_name="Gốc")
    world.work.edit(item, TaskName="Work sửa")
    await world.quiet()
    world.clock.tick(60)
    world.crm.edit(task, task_name="CRM sửa")
    world.clock.tick(60)
    world.work.edit(item, TaskName="Work sửa sau cùng")
    await settle(world)
    assert world.item(item)["TaskName"] == "CRM sửa"
    assert world.task(task)["task_name"] == "CRM sửa"
    assert conflicts(world) == []
    assert "Work sửa sau cùng" in [row["old"] for row in world.history()]


# --- rule 20 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doers", "owner", "after"),
    [
        (["NV001"], "NV002", ["NV002"]),
        (["NV001", "NV002", "NV003"], "NV002", ["NV002", "NV003"]),
        (["NV001", "NV003", "NV004"], "NV002", ["NV002", "NV003", "NV004"]),
        (["NV001", "NV003"], None, ["NV001", "NV003"]),
        (["NV001"], None, []),
    ],
)
async def test_rule_20_a_new_owner_goes_first_and_nobody_else_is_touched(
    world: World, doers: list[str], owner: str | None, after: list[str]
) -> None:
    # broken by: writing the owner as the only doer, keeping a duplicate, or mapping "nobody" over further doers
    task, item = await world.pair(owner_name="NV001")
    world.work.edit(item, DoerCodes=doers)
    await world.once()
    world.clock.tick(60)
    world.crm.edit(task, owner_name=owner)
    await settle(world)
    assert world.item(item)["DoerCodes"] == after
    assert world.task(task)["owner_name"] == owner


# --- rule 21 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{"Age": "3600"}, {"X-Cache": "HIT from edge"}])
async def test_rule_21_the_date_of_a_cached_answer_is_no_clock(world: World, headers: dict[str, str]) -> None:
    # broken by: believing the Date of every answer (this one is an hour old and would make the CRM an hour slow)
    task, item = await world.pair(task_name="Gốc")
    world.crm.edit(task, task_name="CRM trước")
    world.clock.tick(30)
    world.work.edit(item, TaskName="Work sau")
    stale = format_datetime(world.clock.now() - timedelta(hours=1), usegmt=True)
    row = world.task(task)
    stamp = row["modified_date"].astimezone().isoformat()
    row |= {"modified_date": stamp, "created_date": stamp}
    body = {"success": True, "code": 200, "data": [row], "total_records": 1}
    world.crm.faults.order("list", "status", status=200, body=body, headers={**headers, "date": stale})
    await settle(world)
    assert world.task(task)["task_name"] == "Work sau"
    assert world.item(item)["TaskName"] == "Work sau"


async def test_rule_21_without_dates_the_configured_side_wins_and_edits_still_flow(world: World) -> None:
    # broken by: reading from a start time that the server's own clock has not reached
    task, item = await world.pair(task_name="Gốc", description="gốc")
    world.crm.date_header = world.work.date_header = False
    world.crm.offset = timedelta(seconds=-50)
    for number in range(3):
        world.clock.tick(90)
        world.crm.edit(task, description=f"lần {number}")
        await world.once()
        assert world.item(item)["Description"] == f"lần {number}"
    world.crm.edit(task, task_name="CRM")
    world.clock.tick(600)
    world.work.edit(item, TaskName="Work")
    await settle(world)
    assert world.item(item)["TaskName"] == "CRM"
    [lost] = conflicts(world)
    assert lost["old"] == "Work"


# --- statuses, texts, days ----------------------------------------------------------------------------------------


async def test_ten_toggles_in_work_give_exactly_ten_writes_in_the_crm(world: World) -> None:
    # broken by: writing an echo back, or suppressing the second toggle as one
    task, item = await world.pair(status="Đang thực hiện")
    marks = world.crm.mark(), world.work.mark()
    for number in range(10):
        world.clock.tick(60)
        world.work.edit(item, StatusName="Đã hoàn thành" if number % 2 == 0 else "Chưa hoàn thành")
        await world.once()
    assert (
        fields_written(world.crm.writes(marks[0])) == [(str(task), frozenset({"status", "form_layout"}))] * 10
        or [names - {"form_layout"} for _, names in fields_written(world.crm.writes(marks[0]))]
        == [frozenset({"status"})] * 10
    )
    assert world.work.writes(marks[1]) == []
    assert world.task(task)["status"] == "Chưa bắt đầu"
    assert world.attention() == []


async def test_every_edit_but_the_status_leaves_dang_thuc_hien_alone(world: World) -> None:
    # broken by: mapping the status with every other edit of the item
    task, item = await world.pair(status="Đang thực hiện", owner_name="NV001", due_date="2026-03-09")
    edits: list[dict[str, Any]] = [
        {"TaskName": "Tên"},
        {"Description": "mô tả"},
        {"Deadline": "2026-04-01T09:00:00+07:00"},
        {"DoerCodes": ["NV001", "NV002"]},
        {"Progress": 70},
        {"TaskGroupID": 32},
    ]
    for edit in edits:
        world.clock.tick(60)
        world.work.edit(item, **edit)
        await settle(world)
        assert world.task(task)["status"] == "Đang thực hiện"
        assert world.item(item)["StatusName"] == "Chưa hoàn thành"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_a_text_is_written_as_it_was_typed_and_its_other_form_is_no_edit(world: World, form: Any) -> None:
    # broken by: writing the normalised form, or comparing bytes
    typed = unicodedata.normalize(form, "Gọi lại khách hàng ở Đà Nẵng ☎️")
    other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", typed)
    task, item = await world.pair(task_name="Cũ", description="cũ")
    world.crm.edit(task, task_name=typed, description=typed + "\r\ndòng hai")
    await settle(world)
    assert world.item(item)["TaskName"] == typed
    assert world.item(item)["Description"].replace("\r\n", "\n") == typed + "\ndòng hai"
    world.clock.tick(60)
    world.work.edit(item, TaskName=other, Description=other + "\ndòng hai  \n")
    await world.quiet()
    assert world.task(task)["task_name"] == typed
    assert world.task(task)["description"] == typed + "\r\ndòng hai"


async def test_emoji_go_there_and_back_ten_times(world: World) -> None:
    # broken by: counting or cutting in anything but characters
    task, item = await world.pair(description="bắt đầu")
    family = "👨‍👩‍👧‍👦🇻🇳🏳️‍🌈"
    for number in range(10):
        world.clock.tick(60)
        text = f"{family * 100} {number}"
        if number % 2:
            world.crm.edit(task, description=text)
        else:
            world.work.edit(item, Description=text)
        await settle(world)
        assert world.task(task)["description"] == world.item(item)["Description"] == text
