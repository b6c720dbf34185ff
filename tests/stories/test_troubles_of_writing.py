"""Servers that fail while they are written to: nothing twice, nothing lost, and people hear only of what is theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.core.model import Code, Field, Side
from reconciler.sandbox.faults import FaultKind
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


async def recovers(world: World) -> None:
    """The servers are well again, and two cycles go by."""
    world.crm.faults.clear()
    world.work.faults.clear()
    for _ in range(2):
        await world.once(tick=400)


# --- creates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "args"),
    [("retry_after", {"seconds": 1}), ("status", {"status": 404})],
    ids=["too many requests, twice", "no longer at this address"],
)
async def test_a_create_that_was_surely_not_applied_needs_no_search_and_no_waiting(
    world: World, kind: FaultKind, args: dict[str, Any]
) -> None:
    # broken by: leaving the intent behind, so that the task waits for `resolve_after` although nothing was sent
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("insert-tasks", kind, times=None, **args)
    assert (await world.once()).exit_code != 0
    assert world.store.intents() == []
    assert "not_applied" in {row["kind"] for row in world.history()}
    world.work.faults.clear()
    await world.once(tick=120)
    assert len(world.work.by_marker(task)) == 1
    assert world.linked(task) is not None


@pytest.mark.parametrize("reads", ["get-tasks", "get-tasks-by-id"])
async def test_a_create_whose_answer_and_whose_search_are_lost_is_adopted_later(world: World, reads: str) -> None:
    # broken by: taking a failed search for an empty one
    await world.once()
    task = world.crm.add(**TARGET)

    def silence() -> None:
        world.work.faults.order(reads, "status", times=None, status=503)

    world.work.faults.order("insert-tasks", "hook_before", hook=silence)
    world.work.faults.order("insert-tasks", "drop_after")
    await world.once()
    await recovers(world)
    assert len(world.work.by_marker(task)) == 1
    assert world.linked(task) is not None
    await world.quiet()


async def test_an_item_that_is_created_and_does_not_show_yet_is_awaited_and_not_made_again(world: World) -> None:
    # broken by: taking an accepted id that reads do not show for a create that failed
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("insert-tasks", "hook_after", hook=lambda: world.work.hide(world.work.by_marker(task)[0]))
    await world.once()
    [item] = world.work.by_marker(task)
    assert [intent.crm_id for intent in world.store.intents()] == [str(task)]
    world.work.reveal(item)
    world.work.edit(item, Description="nay đã thấy")
    await recovers(world)
    assert world.work.by_marker(task) == [item]
    link = world.linked(task)
    assert link is not None
    assert link.work.id == str(item)
    await world.once()
    await world.quiet()


async def test_a_refused_create_waits_for_a_person_and_the_rest_of_its_batch_goes_on(world: World) -> None:
    await world.once()
    bad, good = world.crm.add(task_name="Cấm", **TARGET), world.crm.add(task_name="Được", **TARGET)
    world.work.faults.order(
        "insert-tasks",
        "element",
        times=None,
        predicate=lambda sent: sent["TaskName"] == "Cấm",
        code="NoPermission",
        message="Không có quyền thêm",
    )
    assert (await world.once()).exit_code == 4
    assert len(world.work.by_marker(good)) == 1
    assert world.work.by_marker(bad) == []
    [entry] = world.store.attention()
    assert (entry.side, entry.id, entry.code) == (Side.CRM, str(bad), Code.FORBIDDEN)
    assert entry.message == "Không có quyền thêm"
    await world.quiet()
    world.work.faults.clear()
    world.clock.tick(60)
    world.crm.edit(bad, task_name="Nay được")
    assert (await world.once()).exit_code == 0
    assert len(world.work.by_marker(bad)) == 1


async def test_a_create_ends_with_the_title_alone_if_each_other_field_is_refused_in_turn(world: World) -> None:
    """Each refusal shows the next fault: the item is made in that same cycle, and every field is told."""
    await world.once()
    task = world.crm.add(
        task_name="Chỉ còn tên",
        description="x",
        start_date="2026-03-05",
        due_date="2026-03-09",
        owner_name="NV002",
        status="Hoàn thành",
        **TARGET,
    )
    for name, code in (
        ("DoerCodes", "MemberNotInProject"),
        ("StatusName", "WaitingApproval"),
        ("Description", "InvalidValue"),
    ):
        world.work.faults.order(
            "insert-tasks", "element", times=None, predicate=_has(name), code=code, message=f"không nhận {name}"
        )
    assert (await world.once()).exit_code == 4
    [item] = world.work.by_marker(task)
    assert world.item(item)["TaskName"] == "Chỉ còn tên"
    told = {entry.field: entry.words for entry in world.store.attention()}
    assert told[Field.OWNER] == "không nhận DoerCodes"
    assert told[Field.DESCRIPTION] == "không nhận Description"


def _has(name: str) -> Callable[[Any], bool]:
    return lambda sent: name in sent


# --- updates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "args"),
    [("retry_after", {"seconds": 1}), ("status", {"status": 404})],
    ids=["too many requests, twice", "no longer at this address"],
)
async def test_an_update_that_was_surely_not_applied_is_sent_as_soon_as_the_server_takes_it(
    world: World, kind: FaultKind, args: dict[str, Any]
) -> None:
    # broken by: keeping it among the writes that may still arrive, which holds the field back
    task, item = await world.pair(task_name="Cũ")
    world.crm.edit(task, task_name="Mới")
    world.work.faults.order("update-tasks", kind, times=None, **args)
    assert (await world.once()).exit_code != 0
    assert world.store.sendings() == []
    world.work.faults.clear()
    await world.once(tick=120)
    assert world.item(item)["TaskName"] == "Mới"
    await world.once()
    await world.quiet()


async def test_an_update_whose_answer_and_whose_reading_back_are_lost_is_not_sent_twice(world: World) -> None:
    task, item = await world.pair(task_name="Cũ")
    world.crm.edit(task, task_name="Mới")

    def silence() -> None:
        world.work.faults.order("read", "status", times=None, status=503)

    world.work.faults.order("update-tasks", "hook_before", hook=silence)
    world.work.faults.order("update-tasks", "drop_after")
    mark = world.work.mark()
    await world.once()
    await recovers(world)
    assert world.item(item)["TaskName"] == world.task(task)["task_name"] == "Mới"
    assert len([call for call in world.work.writes(mark) if call.elements]) == 1
    await world.quiet()


async def test_an_item_that_vanishes_right_after_an_accepted_write_is_not_believed_gone_at_once(world: World) -> None:
    task, item = await world.pair(task_name="Cũ")
    world.crm.edit(task, task_name="Mới")
    world.work.faults.order("update-tasks", "hook_after", hook=lambda: world.work.hide(item))
    await world.once()
    assert world.linked(task) is not None
    world.work.reveal(item)
    await recovers(world)
    assert world.item(item)["TaskName"] == world.task(task)["task_name"] == "Mới"
    await world.quiet()


async def test_a_record_that_is_gone_when_it_is_written_to_is_no_refusal_of_its_values(world: World) -> None:
    # broken by: setting the fields aside, so that a person is told about values that nothing is wrong with
    task, item = await world.pair(task_name="Cũ")
    world.crm.edit(task, task_name="Mới")
    world.work.faults.order("update-tasks", "hook_before", hook=lambda: world.work.hide(item))
    await world.once()
    link = world.linked(task)
    assert link is not None
    assert link.aside == {}
    assert world.attention() == []
    world.work.reveal(item)
    await recovers(world)
    assert world.item(item)["TaskName"] == "Mới"


async def test_refusals_that_come_one_field_at_a_time_end_with_every_good_field_written(world: World) -> None:
    """The CRM names one field of an element; four of them in turn are more than one cycle sends again."""
    task, item = await world.pair(task_name="Cũ", description="cũ", due_date="2026-03-09", start_date="2026-03-02")
    bad = {
        "description": "xấu",
        "start_date": "2026-03-03",
        "due_date": "2026-03-10",
        "task_name": "Xấu",
    }
    for name, value in bad.items():
        world.crm.faults.order(
            "update", "element", times=None, predicate=_sends(name, value), field_name=name, message=f"{name} sai"
        )
    world.work.edit(
        item,
        Description="xấu",
        StartDate="2026-03-03T08:00:00+07:00",
        Deadline="2026-03-10T17:30:00+07:00",
        TaskName="Xấu",
        StatusName="Đã hoàn thành",
    )
    mark = world.crm.mark()
    for _ in range(4):
        await world.once(tick=200)
    assert world.task(task)["status"] == "Hoàn thành"
    assert {entry.field for entry in world.store.attention()} == {"title", "description", "start", "due"}
    assert all("sai" in entry.words for entry in world.store.attention())
    writes = len(world.crm.writes(mark))
    await world.quiet(3)
    assert writes == len(world.crm.writes(mark))


def _sends(name: str, value: str) -> Callable[[Any], bool]:
    return lambda sent: str(sent.get(name)).startswith(value)


async def test_a_refusal_that_changes_its_reason_leaves_one_entry_the_present_one(world: World) -> None:
    task, item = await world.pair(description="cũ")
    first = world.work.faults.order("update-tasks", "element", times=None, code="FieldTooLong", message="dài quá")
    world.crm.edit(task, description="mới")
    await world.once()
    assert [entry.words for entry in world.store.attention()] == ["dài quá"]
    first.times = 0
    world.work.faults.order("update-tasks", "element", times=None, code="InvalidValue", message="không hợp lệ")
    world.clock.tick(60)
    world.crm.edit(task, description="mới hơn")
    await world.once()
    assert [(entry.code.value, entry.words) for entry in world.store.attention()] == [
        ("invalid_value", "không hợp lệ"),
    ]
    assert world.item(item)["Description"] == "cũ"


# --- deletions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def deleting() -> World:
    """A world whose config propagates deletions."""
    return World(deletes={"policy": "propagate"})


@pytest.mark.parametrize(
    ("kind", "args", "code"),
    [
        ("retry_after", {"seconds": 9}, 0),
        ("drop_before", {}, 6),
        ("drop_after", {}, 0),
        ("retry_after", {"seconds": 30}, 6),
    ],
)
async def test_a_deletion_that_failed_is_made_once_more_or_read_back_or_finished_by_the_next_cycle(
    deleting: World, kind: FaultKind, args: dict[str, Any], code: int
) -> None:
    world = deleting
    task, item = await world.pair()
    world.crm.delete(task)
    world.work.faults.order("delete-tasks", kind, **args)
    assert (await world.once()).exit_code == code
    await recovers(world)
    assert world.linked(task) is None
    row = world.work.get(item)
    assert row is None or row["IsDeleted"]
    assert world.attention() == []
    await world.quiet()


async def test_a_refused_deletion_is_told_and_the_record_stays_unlinked(deleting: World) -> None:
    world = deleting
    task, item = await world.pair()
    world.crm.delete(task)
    world.work.faults.order("delete-tasks", "element", times=None, code="NoPermission", message="Không có quyền xóa")
    assert (await world.once()).exit_code == 4
    [entry] = world.store.attention()
    assert (entry.side, entry.id, entry.words) == (Side.WORK, str(item), "Không có quyền xóa")
    assert world.linked(task) is None
    assert world.item(item)["IsDeleted"] is False
