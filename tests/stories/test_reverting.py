"""`revert CYCLE`: one planned, guarded edit that leaves alone what people changed since, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler import app
from reconciler.audit.erasing import Subject, erase
from reconciler.core.model import Entry
from reconciler.core.search import Selection
from reconciler.errors import Halted, UsageError
from reconciler.halting import pause
from reconciler.linking import unlink
from reconciler.undoing import Undone, foresee_revert, restore, revert
from tests.world import World


async def reverted(world: World, cycle: int, *, tick: float = 60) -> Undone:
    world.clock.tick(tick)
    async with app.connect_writing(world.settings, world.world) as (connection, writers):
        return await revert(connection, writers, world.store, cycle, reason="nhầm hàng loạt", operator="lan")


async def foreseen(world: World, cycle: int) -> Undone:
    async with app.connect(world.settings, world.world) as connection:
        return await foresee_revert(connection, world.store, cycle)


def last_cycle(world: World) -> int:
    return world.store.cycles(limit=1)[0].id


def of_cycle(world: World, cycle: int) -> list[Entry]:
    return list(world.store.entries(Selection(cycle=cycle)))


def writes(world: World) -> int:
    return len([*world.crm.writes(0), *world.work.writes(0)])


async def mistaken(world: World, count: int = 1) -> tuple[list[tuple[int, int]], int]:
    """Pairs whose tasks were renamed by mistake, and the cycle that carried that over."""
    pairs = [await world.pair(task_name=f"Gốc {number}") for number in range(count)]
    for task, _ in pairs:
        world.crm.edit(task, task_name="Nhầm")
    await world.once()
    return pairs, last_cycle(world)


async def test_everything_that_a_cycle_overwrote_comes_back_on_its_side_and_flows_across(world: World) -> None:
    first, second = await world.pair(task_name="Gốc"), await world.pair(due_date="2026-03-10")
    world.crm.edit(first[0], task_name="Nhầm", description="Nhầm")
    before = world.task(second[0])["due_date"]
    world.work.edit(second[1], Deadline="2026-03-20T17:00:00+07:00")
    await world.once()
    cycle = last_cycle(world)
    assert world.task(second[0])["due_date"] != before
    done = await reverted(world, cycle)
    assert (done.exit_code, done.left) == (0, ())
    assert "3 values are brought back" in done.said[0]
    assert world.item(first[1])["TaskName"] == "Gốc"
    assert not world.item(first[1])["Description"]
    assert world.task(second[0])["due_date"] == before
    await world.once(tick=60)
    assert world.task(first[0])["task_name"] == "Gốc"
    assert world.item(second[1])["Deadline"].startswith("2026-03-10")
    await world.quiet()


async def test_a_conflicts_loser_comes_back(world: World) -> None:
    task, item = await world.pair(task_name="Gốc")
    world.work.edit(item, TaskName="Của Công việc")
    world.clock.tick(60)
    world.crm.edit(task, task_name="Của Bán hàng")
    await world.once()
    assert world.item(item)["TaskName"] == "Của Bán hàng"
    assert (await reverted(world, last_cycle(world))).exit_code == 0
    assert world.item(item)["TaskName"] == "Của Công việc"
    await world.once(tick=60)
    assert world.task(task)["task_name"] == "Của Công việc"
    await world.quiet()


async def test_it_is_journalled_with_who_and_why_before_anything_is_sent(world: World) -> None:
    pairs, cycle = await mistaken(world, 2)
    await reverted(world, cycle)
    entries = of_cycle(world, last_cycle(world))
    told = [one for one in entries if one.kind == "revert"]
    assert [(one.crm_id, one.side, one.field, one.old, one.new) for one in told] == [
        (str(task), "work", "title", "Nhầm", f"Gốc {number}") for number, (task, _) in enumerate(pairs)
    ]
    assert {(one.operator, one.why, one.rule) for one in told} == {("lan", "nhầm hàng loạt", f"revert.{cycle}")}
    intents = [one for one in entries if one.kind == "intent"]
    assert {one.rule for one in intents} == {f"revert.{cycle}"}
    assert max(one.id for one in told) < min(one.id for one in intents)


@pytest.mark.parametrize("side", ["crm", "work"])
async def test_what_a_person_changed_since_is_left_alone_and_named(world: World, side: str) -> None:
    pairs, cycle = await mistaken(world, 2)
    task, item = pairs[0]
    world.clock.tick(60)
    if side == "crm":
        world.crm.edit(task, task_name="Sửa sau")
    else:
        world.work.edit(item, TaskName="Sửa sau")
    done = await reverted(world, cycle)
    assert done.exit_code == 4
    assert done.left == (f"title of work {item} was changed since; it stays as it is",)
    assert "1 values are brought back" in done.said[0]
    await world.once(tick=60)
    assert world.task(task)["task_name"] == world.item(item)["TaskName"] == "Sửa sau"
    assert world.task(pairs[1][0])["task_name"] == "Gốc 1"


async def test_a_status_that_changed_since_within_its_class_is_left_alone(world: World) -> None:
    task, item = await world.pair(status="Hoàn thành")
    world.crm.edit(task, status="Đang thực hiện")
    await world.once()
    cycle = last_cycle(world)
    assert world.item(item)["StatusName"] == "Chưa hoàn thành"
    world.clock.tick(60)
    world.crm.edit(task, status="Chưa bắt đầu")
    await world.once()
    assert "status of work" in (await reverted(world, cycle)).left[0]
    assert world.item(item)["StatusName"] == "Chưa hoàn thành"


async def test_a_second_run_changes_nothing_and_says_so(world: World) -> None:
    _, cycle = await mistaken(world)
    await reverted(world, cycle)
    head, mark = world.store.head(), writes(world)
    for _ in range(2):
        again = await reverted(world, cycle)
        assert (again.exit_code, again.left) == (0, ())
        assert again.said == ("nothing was changed", f"1 values are already as they were before cycle {cycle}")
        assert (world.store.head(), writes(world)) == (head, mark)
        await world.once()
        head, mark = world.store.head(), writes(world)


async def test_a_revert_can_be_reverted(world: World) -> None:
    [(task, item)], cycle = await mistaken(world)
    await reverted(world, cycle)
    again = last_cycle(world)
    await world.once()
    assert (await reverted(world, again)).exit_code == 0
    await world.once()
    assert world.task(task)["task_name"] == world.item(item)["TaskName"] == "Nhầm"


async def test_what_no_edit_can_undo_is_named(world: World) -> None:
    task = world.crm.add(custom_field1="12", custom_field2="31")
    await world.once()
    [item] = world.work.by_marker(task)
    made = next(one.cycle for one in world.store.entries(Selection(kind="created")))
    assert made is not None
    done = await reverted(world, made)
    assert (done.exit_code, done.left) == (4, (f"work item {item} was created for CRM task {task}; it stays",))
    world.work.delete(item)
    await world.once(sweep=True)
    parted = next(one.cycle for one in world.store.entries(Selection(kind="unlinked")))
    assert parted is not None
    done = await reverted(world, parted)
    assert done.left == (f"CRM task {task} and work item {item} were unlinked; they stay unlinked",)
    assert done.said == ("nothing was changed",)


async def test_a_deletion_is_named() -> None:
    world = World(deletes={"policy": "propagate"})
    task, item = await world.pair()
    world.work.delete(item)
    await world.once(sweep=True)
    parted = next(one.cycle for one in world.store.entries(Selection(kind="unlinked")))
    assert parted is not None
    done = await reverted(world, parted)
    assert done.left == (f"of CRM task {task} and work item {item} one was deleted; it stays deleted",)


async def test_pairs_that_are_parted_hidden_archived_or_erased_are_named(world: World) -> None:
    pairs, cycle = await mistaken(world, 4)
    unlink(world.store, world.clock.now(), str(pairs[0][0]), "thôi", "lan")
    world.work.hide(pairs[1][1])
    world.work.delete(pairs[2][1])
    subject = Subject(task=str(pairs[3][0]))
    list(erase(world.store, subject, reason="yêu cầu", operator="lan", now=world.clock.now()))
    mark = writes(world)
    done = await reverted(world, cycle)
    assert (done.exit_code, writes(world)) == (4, mark)
    for words in ("no longer linked", f"work {pairs[1][1]} cannot be seen", f"work {pairs[2][1]} is deleted", "erased"):
        assert len([line for line in done.left if words in line]) == 1
    assert len(done.left) == 4


async def test_what_the_pilot_leaves_out_is_left_alone(world: World) -> None:
    [(task, item)], cycle = await mistaken(world)
    world.sections["pilot"] = {"projects": [13]}
    done = await reverted(world, cycle)
    assert done.left == (f"CRM task {task} is left out by [pilot]",)
    assert world.item(item)["TaskName"] == "Nhầm"


async def test_a_limit_refuses_all_of_it_before_anything_is_written() -> None:
    world = World()
    _, cycle = await mistaken(world, 3)
    world.sections["safety"] = {"max_updates": 2}
    head, mark = world.store.head(), writes(world)
    with pytest.raises(Halted, match="3 updates") as refused:
        await reverted(world, cycle)
    assert refused.value.exit_code == 5
    assert (world.store.head(), writes(world)) == (head, mark)
    shown = await foreseen(world, cycle)
    assert (shown.exit_code, len(shown.said)) == (5, 4)


async def test_a_pause_holds_it_and_a_restore_too(world: World) -> None:
    _, cycle = await mistaken(world)
    [entry] = [one.id for one in of_cycle(world, cycle) if one.kind == "intent"]
    pause(world.store, world.clock.now(), "nghỉ", None, "lan")
    mark = writes(world)
    with pytest.raises(Halted, match="paused"):
        await reverted(world, cycle)
    async with app.connect_writing(world.settings, world.world) as (connection, writers):
        with pytest.raises(Halted, match="paused"):
            await restore(connection, writers, world.store, entry, operator="lan")
    assert writes(world) == mark


async def test_a_dry_run_shows_the_plan_and_writes_nothing(world: World) -> None:
    pairs, cycle = await mistaken(world, 2)
    world.work.edit(pairs[1][1], TaskName="Sửa sau")
    head, mark = world.store.head(), writes(world)
    shown = await foreseen(world, cycle)
    assert (world.store.head(), writes(world)) == (head, mark)
    assert shown.exit_code == 4
    assert shown.said == (
        f"title of work {pairs[0][1]}: «Nhầm» -> «Gốc 0»",
        "1 values would be brought back; nothing was written",
    )
    assert len(shown.left) == 1


@pytest.mark.parametrize("cycle", [0, -1, 10**30])
async def test_an_unknown_cycle_is_refused(world: World, cycle: int) -> None:
    await world.once()
    for call in (reverted, foreseen):
        with pytest.raises(UsageError, match="there was no cycle"):
            await call(world, cycle)


async def test_a_cycle_that_overwrote_nothing_is_none_to_undo(world: World) -> None:
    await world.once()
    assert await reverted(world, last_cycle(world)) == Undone(said=("nothing was changed",))


async def test_a_value_that_never_arrived_is_not_taken_for_overwritten(world: World) -> None:
    task, item = await world.pair(task_name="Gốc")
    world.crm.edit(task, task_name="Nhầm")
    world.work.faults.order("update-tasks", "element", times=None, code="NoPermission")
    await world.once()
    cycle = last_cycle(world)
    world.work.faults.clear()
    world.work.edit(item, TaskName="Của người")
    done = await reverted(world, cycle)
    assert (done.exit_code, done.said) == (0, ("nothing was changed",))
    assert world.item(item)["TaskName"] == "Của người"


async def test_what_is_still_unclear_is_left_for_the_next_cycle(world: World) -> None:
    task, item = await world.pair(task_name="Gốc")
    world.crm.edit(task, task_name="Nhầm")
    world.work.faults.order("update-tasks", "drop_before")
    await world.once()
    done = await reverted(world, last_cycle(world), tick=1)
    assert done.exit_code == 4
    assert f"title of work {item}: an earlier write is still unclear" in done.left[0]


async def test_a_refusal_is_named_and_the_rest_comes_back(world: World) -> None:
    pairs, cycle = await mistaken(world, 2)
    refused = str(pairs[0][1])
    world.work.faults.order(
        "update-tasks", "element", times=None, code="NoPermission", predicate=lambda element: refused in str(element)
    )
    done = await reverted(world, cycle)
    assert done.exit_code == 4
    assert f"title of work {pairs[0][1]} was not restored: forbidden" in done.left[0]
    assert world.item(pairs[1][1])["TaskName"] == "Gốc 1"


async def test_a_side_that_is_down_ends_with_6_and_a_second_run_goes_on(world: World) -> None:
    [(task, item)], cycle = await mistaken(world)
    world.work.faults.order("update-tasks", "status", status=404, times=None)
    done = await reverted(world, cycle)
    assert done.exit_code == 6
    assert f"title of work {item} was not restored" in done.left[0]
    world.work.faults.clear()
    assert (await reverted(world, cycle)).exit_code == 0
    await world.once(tick=60)
    assert world.task(task)["task_name"] == world.item(item)["TaskName"] == "Gốc 0"


async def test_a_pair_in_an_archived_project_is_left_alone(world: World) -> None:
    [(_, item)], cycle = await mistaken(world)
    world.work.archive_project(12)
    await world.once(sweep=True)
    done = await reverted(world, cycle)
    assert done.exit_code == 4
    assert "archived" in done.left[0]
    assert world.item(item)["TaskName"] == "Nhầm"


async def test_a_pair_that_was_joined_stays_joined(world: World) -> None:
    task, item = world.crm.add(task_name="Của Bán hàng"), world.work.add(TaskName="Của Công việc")
    await world.once()
    assert (await world.link_item(task, item)).exit_code == 0
    await world.once()
    linked = next(one.cycle for one in world.store.entries(Selection(kind="linked")))
    assert linked is not None
    done = await reverted(world, linked)
    assert f"CRM task {task} and work item {item} were linked; they stay linked" in done.left
    assert done.exit_code == 4


async def test_what_a_server_moved_by_itself_in_answer_to_our_write_is_named_and_stays(world: World) -> None:
    task, item = await world.pair(task_name="Gốc", due_date="2026-03-09")

    def shift(row: dict[str, Any], changed: frozenset[str]) -> None:
        row["Deadline"] = "2026-07-01T17:00:00+07:00"

    world.work.group_rules[31] = shift
    world.crm.edit(task, task_name="Nhầm")
    await world.once()
    world.work.group_rules.clear()
    done = await reverted(world, last_cycle(world))
    assert done.exit_code == 4
    [left] = done.left
    assert f"due of work {item}" in left
    assert ("01/07/2026" in left, "09/03/2026" in left) == (True, True)
    assert world.item(item)["TaskName"] == "Gốc"
    assert world.item(item)["Deadline"].startswith("2026-07-01")
