"""Histories around a write: late effects, edits in between, refusals, lost answers. Each names the rule it needs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.sandbox.faults import FaultKind
from tests.world import World, fields_written

STOP_AT = 6


async def settle(world: World) -> None:
    """Cycles until one writes nothing."""
    for _ in range(STOP_AT):
        marks = world.crm.mark(), world.work.mark()
        await world.once()
        if not world.crm.writes(marks[0]) and not world.work.writes(marks[1]):
            return
    raise AssertionError("writes did not stop")


async def test_rule_1_an_edit_of_another_field_between_read_and_read_back_is_not_swallowed(world: World) -> None:
    """A whole-record read-back as base would make the description that was typed meanwhile look agreed."""
    task, item = await world.pair(description="alt")
    world.crm.edit(task, task_name="Tên mới")
    world.work.faults.order(
        "update-tasks", "hook_after", hook=lambda: world.work.edit(item, Description="gõ giữa chừng")
    )
    await settle(world)
    assert world.task(task)["description"] == "gõ giữa chừng"
    assert world.item(item)["TaskName"] == "Tên mới"


async def test_rule_1_the_source_base_is_the_value_the_write_was_planned_from(world: World) -> None:
    """A base taken from a later read would lose the second title."""
    task, item = await world.pair()
    world.crm.edit(task, task_name="Một")
    world.work.faults.order("update-tasks", "hook_after", hook=lambda: world.crm.edit(task, task_name="Hai"))
    await settle(world)
    assert world.item(item)["TaskName"] == "Hai"
    assert world.task(task)["task_name"] == "Hai"


async def test_rule_2_a_write_that_takes_effect_late_is_not_a_users_edit(world: World) -> None:
    """Taken for an edit, the late «Một» would flow back and undo the person's «Hai»."""
    task, item = await world.pair(task_name="Không")
    world.crm.edit(task, task_name="Một")
    world.work.faults.order("update-tasks", "late")
    assert (await world.once()).exit_code == 6
    world.clock.tick(20)
    world.crm.edit(task, task_name="Hai")
    world.clock.tick(20)
    world.work.run_late()
    assert world.item(item)["TaskName"] == "Một"
    await settle(world)
    assert world.task(task)["task_name"] == "Hai"
    assert world.item(item)["TaskName"] == "Hai"


async def test_rule_2_the_field_waits_while_a_late_write_may_still_arrive(world: World) -> None:
    task, item = await world.pair(task_name="Không")
    world.crm.edit(task, task_name="Một")
    world.work.faults.order("update-tasks", "drop_before")
    await world.once()
    mark = world.work.mark()
    await world.once(tick=30)
    assert world.work.writes(mark) == []
    await world.once(tick=120)
    assert world.item(item)["TaskName"] == "Một"


async def test_rule_5_a_persons_value_in_the_read_back_flows_on(world: World) -> None:
    """Our author is known; another value by another author is an edit, and its base is what we sent."""
    task, item = await world.pair()
    world.crm.edit(task, task_name="Chúng ta")
    world.work.faults.order("update-tasks", "hook_after", hook=lambda: world.work.edit(item, TaskName="Người khác"))
    await settle(world)
    assert world.task(task)["task_name"] == "Người khác"
    assert world.item(item)["TaskName"] == "Người khác"


async def test_rule_5_a_deadline_that_the_server_moves_is_accepted_and_does_not_flow_back(world: World) -> None:
    task = world.crm.add(custom_field1="12", custom_field2="34", due_date="2026-03-09")
    await world.once()
    [item] = world.work.by_marker(task)
    assert world.item(item)["Deadline"].startswith("2026-03-09T17:00:00")
    await world.quiet()
    world.clock.tick(300)

    def answer(row: dict[str, object], changed: object) -> None:
        row["Deadline"] = "2026-06-30T17:00:00+07:00"

    world.work.group_rules[34] = answer
    world.crm.edit(task, due_date="2026-03-20")
    world.work.faults.order(
        "update-tasks",
        "hook_after",
        hook=lambda: world.work.rows[item].update(Deadline="2026-06-30T17:00:00+07:00"),
    )
    await settle(world)
    assert world.task(task)["due_date"] == "2026-03-20", "the server's answer does not flow back"
    [difference] = [row for row in (await world.report())["differences"] if row["field"] == "due"]
    assert difference["reason"] == "server_answer"
    assert (await world.once()).exit_code == 0


async def test_rule_5b_an_accepted_write_that_does_not_show_is_tried_three_times_and_reported(world: World) -> None:
    task, item = await world.pair(task_name="Cũ")
    world.crm.edit(task, task_name="Mới")

    def undo() -> None:
        world.work.rows[item]["TaskName"] = "Cũ"

    world.work.faults.order("update-tasks", "hook_after", times=None, hook=undo)
    mark = world.work.mark()
    for _ in range(6):
        await world.once(tick=200)
    assert len(world.work.writes(mark)) == 3
    assert [row["reason"] for row in (await world.report())["differences"]] == ["unconfirmed"]
    assert world.task(task)["task_name"] == "Mới"


@pytest.mark.parametrize("moment", ["source", "target"])
async def test_rule_10_an_edit_between_poll_and_write_drops_that_field_only(world: World, moment: str) -> None:
    task, item = await world.pair(task_name="Cũ", description="cũ")
    world.crm.edit(task, task_name="Từ CRM", description="mới")
    fired = world.work.mark()

    def meddle() -> None:
        world.clock.tick(3)
        if moment == "source":
            world.crm.edit(task, task_name="Từ CRM, sửa lại")
        else:
            world.work.edit(item, TaskName="Từ Work")

    world.work.faults.order("get-tasks-by-id", "hook_before", hook=meddle)
    if moment == "source":
        world.crm.faults.order("by-id", "hook_before", hook=lambda: None)
    await world.once()
    assert world.item(item)["Description"] == "mới"
    await settle(world)
    wanted = "Từ CRM, sửa lại" if moment == "source" else "Từ Work"
    assert world.task(task)["task_name"] == wanted
    assert world.item(item)["TaskName"] == wanted
    assert fired == 0 or "Từ Work" in str(world.history()) or moment == "source"


async def test_rule_31_a_write_answered_401_or_429_is_sent_once_more_after_fresh_reads(world: World) -> None:
    for status, system in ((401, world.crm), (429, world.work)):
        task, item = await world.pair()
        if system is world.crm:
            world.work.edit(item, TaskName=f"Tên {status}")
            world.crm.faults.order("update", "empty401")
        else:
            world.crm.edit(task, task_name=f"Tên {status}")
            world.work.faults.order("update-tasks", "status", status=429, headers={"Retry-After": "2"})
        mark = system.mark()
        assert (await world.once()).exit_code == 0
        assert world.task(task)["task_name"] == world.item(item)["TaskName"] == f"Tên {status}"
        calls = [call for call in system.log[mark:] if call.kind != "token"]
        writes = [number for number, call in enumerate(calls) if call.kind == "write"]
        assert len(writes) == 2
        assert any(calls[number].kind == "read" for number in range(writes[0] + 1, writes[1])), "a fresh read between"


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "html", "truncate"])
async def test_rule_31_a_write_without_a_clear_answer_is_never_sent_twice_by_itself(
    world: World, kind: FaultKind
) -> None:
    task, item = await world.pair()
    world.crm.edit(task, task_name="Tên mới")
    extra = {"after": True} if kind == "html" else {}
    world.work.faults.order("update-tasks", kind, **extra)
    mark = world.work.mark()
    await world.once()
    assert len(world.work.writes(mark)) == 1
    await world.once(tick=400)
    await settle(world)
    assert world.item(item)["TaskName"] == "Tên mới"
    assert len([call for call in world.work.writes(mark) if call.elements]) == 1


async def test_rule_8_a_refusal_that_names_no_field_splits_in_the_same_cycle(world: World) -> None:
    task, item = await world.pair(task_name="Cũ", description="cũ", due_date="2026-03-09")
    world.crm.edit(task, task_name="Mới", description="xấu", due_date="2026-03-20")
    world.work.faults.order(
        "update-tasks",
        "element",
        times=None,
        predicate=lambda element: element.get("Description") == "xấu",
        code="InvalidValue",
        message="mô tả không hợp lệ",
    )
    assert (await world.once()).exit_code == 4
    row = world.item(item)
    assert (row["TaskName"], row["Description"], row["Deadline"][:10]) == ("Mới", "cũ", "2026-03-20")
    [entry] = world.store.attention()
    assert (entry.field, entry.words) == ("description", "mô tả không hợp lệ")
    await world.quiet(3)


async def test_rule_8_a_refused_field_edited_on_the_other_side_is_an_ordinary_conflict(world: World) -> None:
    task, item = await world.pair(description="cũ")
    world.crm.edit(task, description="dài " * 5000)
    await world.once()
    world.clock.tick(60)
    world.work.edit(item, Description="từ Work, sau")
    await settle(world)
    assert world.task(task)["description"] == "từ Work, sau"
    assert any(row["kind"] == "conflict" for row in world.history())


async def test_rule_17_the_stamp_of_the_field_decides_not_that_of_the_record(world: World) -> None:
    """The CRM record was touched last, but for another field: Work's later title wins."""
    task, item = await world.pair()
    world.crm.edit(task, task_name="CRM trước")
    world.work.faults.order("get-tasks", "status", status=503, times=None)
    await world.once()
    world.work.faults.clear()
    world.clock.tick(60)
    world.work.edit(item, TaskName="Work sau")
    world.clock.tick(60)
    world.crm.edit(task, description="chạm sau cùng")
    await settle(world)
    assert world.task(task)["task_name"] == "Work sau"
    assert world.item(item)["Description"] == "chạm sau cùng"


@pytest.mark.parametrize("minutes", [-7, 5])
async def test_s13_last_writer_wins_after_correcting_the_clocks(world: World, minutes: int) -> None:
    world.crm.offset = timedelta(minutes=minutes)
    task, item = await world.pair()
    world.crm.edit(task, task_name="CRM trước")
    world.clock.tick(30)
    world.work.edit(item, TaskName="Work sau")
    await settle(world)
    assert world.task(task)["task_name"] == "Work sau"
    lost = [row for row in world.history() if row["kind"] == "conflict"]
    assert [row["old"] for row in lost] == ["CRM trước"]


async def test_a_tie_goes_to_the_configured_side_and_says_so(world: World) -> None:
    task, item = await world.pair()
    world.crm.edit(task, task_name="CRM")
    world.work.edit(item, TaskName="Work")
    [line] = (await world.report())["conflicts"]
    assert (line["winner"], line["reason"]) == ("crm", "tie")
    await settle(world)
    assert world.item(item)["TaskName"] == "CRM"


async def test_rule_21_without_a_date_header_conflicts_are_ties_marked_no_clock(world: World) -> None:
    task, item = await world.pair()
    world.crm.date_header = world.work.date_header = False
    world.crm.edit(task, task_name="CRM")
    world.clock.tick(600)
    world.work.edit(item, TaskName="Work")
    [line] = (await world.report())["conflicts"]
    assert (line["winner"], line["reason"]) == ("crm", "no_clock")


async def test_rule_19_a_receiving_side_never_competes_and_its_value_is_kept(world: World) -> None:
    task, item = await world.pair(owner_name="NV001")
    world.work.edit(item, DoerCodes=["NV003"])
    assert (await world.once()).exit_code == 0
    await world.quiet()
    assert [row["reason"] for row in (await world.report())["differences"]] == ["one_directional"]
    world.clock.tick(60)
    world.crm.edit(task, owner_name="NV002")
    await settle(world)
    assert world.item(item)["DoerCodes"] == ["NV002"]
    assert ["NV003"] in [row["old"] for row in world.history()]


async def test_only_changed_fields_are_sent_and_an_echo_causes_no_write(world: World) -> None:
    task, item = await world.pair()
    world.crm.edit(task, task_name="Mới")
    mark = world.work.mark()
    await world.once()
    await world.once()
    assert fields_written(world.work.writes(mark)) == [(str(item), frozenset({"TaskName"}))]
    assert world.crm.violations == []
    assert world.work.violations == []
