"""Whether cycles wrote what they had planned: counted, and every difference named with its cause."""

from __future__ import annotations

from typing import Any

from reconciler.halting import pause
from reconciler.report.data import Json
from reconciler.report.fidelity import deviations, fidelity
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


def found(world: World) -> list[tuple[str, str, str | None, str]]:
    return [_short(row) for row in deviations(world.store.journal())]


def _short(row: Json) -> tuple[str, str, str | None, str]:
    return row["kind"], row["side"], row["field"], row["cause"]


async def test_cycles_that_wrote_exactly_their_plan_match(world: World) -> None:
    task, item = await world.pair()
    world.crm.edit(task, task_name="Gọi lại", due_date="2026-05-05")
    world.work.edit(item, Description="Mới")
    await world.once()
    await world.quiet()
    assert fidelity(world.store.journal()) == (2, 2), "the create and the edits; cycles without a plan do not count"
    assert found(world) == []


async def test_a_field_that_somebody_edits_meanwhile_is_a_difference_with_that_cause(world: World) -> None:
    task, _ = await world.pair()
    world.crm.edit(task, task_name="Gọi lại")
    world.crm.faults.order("by-id", "hook_before", hook=lambda: world.crm.edit(task, task_name="Gọi sau"))
    await world.once()
    assert fidelity(world.store.journal()) == (1, 2)
    assert found(world) == [("update", "work", "title", "changed_meanwhile")]


async def test_a_refused_field_is_a_difference_and_the_others_are_not(world: World) -> None:
    task, _ = await world.pair()
    world.crm.edit(task, task_name="Gọi lại")
    world.work.faults.order("update-tasks", "element", times=None)
    await world.once()
    assert found(world) == [("update", "work", "title", "refused")]


async def test_a_side_that_fails_before_the_write_leaves_it_unsent(world: World) -> None:
    task, _ = await world.pair()
    world.crm.edit(task, task_name="Gọi lại")
    world.work.faults.order("get-tasks-by-id", "drop_before", times=None)
    await world.once()
    assert found(world) == [("update", "work", "title", "not_sent")]


async def test_a_write_whose_outcome_stays_open_says_so(world: World) -> None:
    task, _ = await world.pair()
    world.crm.edit(task, task_name="Gọi lại")
    world.work.faults.order("update-tasks", "timeout")
    await world.once()
    assert found(world) == [("update", "work", "title", "unclear")]


async def test_a_propagated_deletion_matches_its_plan() -> None:
    world = World(deletes={"policy": "propagate"})
    task, _ = await world.pair()
    world.crm.delete(task)
    await world.once()
    assert fidelity(world.store.journal()) == (2, 2)


async def test_a_paused_connection_has_no_plan_to_keep(world: World) -> None:
    task, _ = await world.pair()
    world.crm.edit(task, task_name="Gọi lại")
    pause(world.store, world.clock.now(), "kiểm kê", None, "test")
    await world.once()
    assert fidelity(world.store.journal()) == (1, 1)


async def test_the_plan_in_the_journal_holds_no_value(world: World) -> None:
    task = world.crm.add(**TARGET, task_name="Bí mật của khách")
    await world.once()
    [plan] = [entry for entry in world.store.journal() if entry.kind == "plan"]
    assert "Bí mật" not in str(plan.detail)
    assert plan.detail["operations"] == [["create", "work", str(task), None, ["title", "owner", "status"]]]
