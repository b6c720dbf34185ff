"""Every scenario dies at its first moment, at its second, at its third .. until it lives through. Whatever the moment:
started again, both sides agree, nothing exists twice, no edit is lost, the journal's chain holds and then it is quiet.

A moment is any exchange with a server, any commit (before and after each of both) and any sleep; see
`tests.simulation.fate`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.backfill import backfill, find_old
from reconciler.core.model import Side, Target
from reconciler.errors import ReconcilerError
from reconciler.halting import resume
from reconciler.linking import link_to_item, link_to_target, restore
from reconciler.rebuilding import rebuild_links
from reconciler.store import open_reader, verify
from tests.simulation.fate import Died, Fate
from tests.simulation.town import Process, Town, quick_folder

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}
LATER = timedelta(minutes=6)
"""Longer than `resolve_after`: what was unclear may be sent again."""

Deed = Callable[["Stage"], Awaitable[None]]


@dataclass
class Stage:
    """One run of a scenario: the town, the process that may die, and what the scenario remembers."""

    town: Town
    process: Process
    known: dict[str, int] = field(default_factory=dict)

    async def pair(self, name: str, **fields: Any) -> tuple[int, int]:
        task = self.town.crm.add(task_name=name, **{**TARGET, **fields})
        for _ in range(2):
            await self.cycle(10)
        self.town.clock.tick(300)
        return task, self.item(task)

    async def cycle(self, tick: float = 60, *, sweep: bool = False, first: bool = False) -> None:
        self.town.clock.tick(tick)
        await self.process.cycle(sweep=sweep, first=first)

    def item(self, task: int) -> int:
        """The one living item of a task."""
        [item] = self.town.work.by_marker(task)
        return item


@dataclass(frozen=True)
class Scenario:
    """`before` happens in peace, `deed` is what dies (and is tried again), `holds` is what must be true at the end."""

    name: str
    before: Deed
    deed: Deed
    holds: Callable[[Stage], bool]
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    again: bool = False
    """Whether the person runs the command again after the crash; otherwise the daemon goes on by itself."""


async def peace(stage: Stage) -> None:
    await stage.cycle()


async def one_cycle(stage: Stage) -> None:
    await stage.cycle()


def title(stage: Stage, task: int) -> tuple[str, str]:
    crm, work = stage.town.crm.get(task), stage.town.work.get(stage.item(task))
    assert crm is not None and work is not None
    return crm["task_name"], work["TaskName"]


def status(stage: Stage, task: int) -> tuple[str, str]:
    crm, work = stage.town.crm.get(task), stage.town.work.get(stage.item(task))
    assert crm is not None and work is not None
    return crm["status"], work["StatusName"]


# create


async def new_task(stage: Stage) -> None:
    await stage.cycle()
    stage.known["task"] = stage.town.crm.add(task_name="Gọi khách", status="Đang thực hiện", **TARGET)


async def unclear_create(stage: Stage) -> None:
    await new_task(stage)
    stage.town.work.faults.order("insert-tasks", "drop_after")


async def late_create(stage: Stage) -> None:
    await new_task(stage)
    stage.town.work.faults.order("insert-tasks", "late", seconds=90)


async def wrong_target(stage: Stage) -> None:
    await stage.cycle()
    stage.known["task"] = stage.town.crm.add(task_name="Nhầm", custom_field1="Phòng Kinh doanh", custom_field2="31")
    await stage.cycle()
    stage.town.crm.edit(stage.known["task"], custom_field1="12")


def created(stage: Stage) -> bool:
    crm, work = title(stage, stage.known["task"])
    return crm == work and len(stage.town.work.snapshot()) == 1


# updates


async def crm_edit(stage: Stage) -> None:
    stage.known["task"], _ = await stage.pair("Gọi khách")
    stage.town.crm.edit(stage.known["task"], task_name="Gọi lại", due_date="2026-03-20")


async def work_edit(stage: Stage) -> None:
    stage.known["task"], item = await stage.pair("Gọi khách", status="Đang thực hiện")
    stage.town.work.edit(item, TaskName="Gọi lại")


async def unclear_update(stage: Stage) -> None:
    await crm_edit(stage)
    stage.town.work.faults.order("update-tasks", "drop_after")


async def conflict(stage: Stage) -> None:
    stage.known["task"], item = await stage.pair("Gọi khách")
    stage.town.crm.edit(stage.known["task"], task_name="Sửa trước")
    stage.town.clock.tick(30)
    stage.town.work.edit(item, TaskName="Gọi lại")


async def different_fields(stage: Stage) -> None:
    stage.known["task"], item = await stage.pair("Gọi khách")
    stage.town.crm.edit(stage.known["task"], description="Khách muốn xem mẫu")
    stage.town.work.edit(item, TaskName="Gọi lại")


def called_back(stage: Stage) -> bool:
    return title(stage, stage.known["task"]) == ("Gọi lại", "Gọi lại")


def both_kept(stage: Stage) -> bool:
    crm = stage.town.crm.get(stage.known["task"])
    work = stage.town.work.get(stage.item(stage.known["task"]))
    assert crm is not None and work is not None
    return called_back(stage) and crm["description"] == work["Description"] == "Khách muốn xem mẫu"


async def completed(stage: Stage) -> None:
    stage.known["task"], item = await stage.pair("Gọi khách", status="Đang thực hiện")
    stage.town.work.edit(item, StatusName="Đã hoàn thành")


async def reopened(stage: Stage) -> None:
    stage.known["task"], item = await stage.pair("Gọi khách", status="Hoàn thành")
    stage.town.work.edit(item, StatusName="Chưa hoàn thành")


# deletions and the sweep


async def deleted(stage: Stage) -> None:
    stage.known["task"], item = await stage.pair("Gọi khách")
    stage.town.work.delete(item)


async def deleted_task(stage: Stage) -> None:
    stage.known["task"], stage.known["item"] = await stage.pair("Gọi khách")
    stage.town.crm.delete(stage.known["task"])


async def unseen(stage: Stage) -> None:
    """An import changed a title without moving the stamp; another pair's item was purged."""
    stage.known["task"], _ = await stage.pair("Gọi khách")
    _, other = await stage.pair("Báo giá")
    stage.town.crm.edit(stage.known["task"], task_name="Gọi lại", keep_stamp=True)
    stage.town.work.purge(other)


async def two_sweeps(stage: Stage) -> None:
    for _ in range(2):
        await stage.cycle(sweep=True)


def unlinked(stage: Stage) -> bool:
    crm = stage.town.crm.get(stage.known["task"])
    return crm is not None and not crm["is_deleted"] and stage.process.store.tally().linked == 0


def gone_on_both(stage: Stage) -> bool:
    work = stage.town.work.get(stage.known["item"])
    return work is not None and work["IsDeleted"] and stage.process.store.tally().linked == 0


def swept(stage: Stage) -> bool:
    return called_back(stage) and stage.process.store.tally().linked == 1


# commands


async def old_tasks(stage: Stage) -> None:
    for number in range(3):
        stage.town.crm.add(task_name=f"Cũ {number}", status="Chưa bắt đầu")
    stage.town.clock.tick(60)
    await stage.cycle()


async def fill_back(stage: Stage) -> None:
    process = stage.process
    found = await find_old(process.connection, process.store)
    await backfill(process.connection, process.writers, process.store, found)


def all_filled(stage: Stage) -> bool:
    tasks = stage.town.crm.snapshot()
    return len(tasks) == 3 and all(title(stage, row["id"])[0] == title(stage, row["id"])[1] for row in tasks)


async def old_task(stage: Stage) -> None:
    stage.known["task"] = stage.town.crm.add(task_name="Gọi lại")
    stage.town.clock.tick(60)
    await stage.cycle()


async def link_on_request(stage: Stage) -> None:
    process, target = stage.process, Target(project="12", group="31")
    await link_to_target(
        process.connection, process.writers, process.store, str(stage.known["task"]), target, operator="lan"
    )


async def task_and_item(stage: Stage) -> None:
    await old_task(stage)
    stage.known["item"] = stage.town.work.add(TaskName="Tên khác", ProjectID=12, TaskGroupID=31)


async def join(stage: Stage) -> None:
    process = stage.process
    await link_to_item(
        process.connection,
        process.writers,
        process.store,
        str(stage.known["task"]),
        str(stage.known["item"]),
        operator="lan",
    )


async def overwritten(stage: Stage) -> None:
    stage.known["task"], item = await stage.pair("Gọi lại")
    stage.town.work.edit(item, TaskName="Sửa nhầm")
    await stage.cycle()
    stage.town.clock.tick(300)
    stage.known["entry"] = next(
        entry.id for entry in stage.process.store.journal() if entry.kind == "intent" and entry.old == "Gọi lại"
    )


async def bring_back(stage: Stage) -> None:
    process = stage.process
    await restore(process.connection, process.writers, process.store, stage.known["entry"], operator="lan")


async def lost_state(stage: Stage) -> None:
    stage.known["task"], _ = await stage.pair("Gọi lại")
    with sqlite3.connect(stage.town.path) as database:
        for table in ("link", "fact", "claim"):
            database.execute(f"DELETE FROM {table}")
    database.close()


async def build_again(stage: Stage) -> None:
    await rebuild_links(stage.process.connection, stage.process.store, operator="lan")


async def held(stage: Stage) -> None:
    stage.known["task"], _ = await stage.pair("Gọi khách")
    other, _ = await stage.pair("Báo giá")
    stage.town.crm.edit(stage.known["task"], task_name="Gọi lại")
    stage.town.crm.edit(other, task_name="Báo giá mới")
    await stage.cycle()


async def approve(stage: Stage) -> None:
    store = stage.process.store
    halted = store.fact("halted")
    if halted is not None:
        resume(store, stage.town.clock.now(), "đã xem", "lan", halted["fingerprint"])
    await stage.cycle()


ROUTES: Any = [{"project": 12, "group": 31}]
SCENARIOS = (
    Scenario("a task is created in Work", new_task, one_cycle, created),
    Scenario("a create whose answer is lost", unclear_create, one_cycle, created),
    Scenario("a create that takes effect late", late_create, one_cycle, created),
    Scenario("a mistaken target is put right", wrong_target, one_cycle, created),
    Scenario("an edit in the CRM", crm_edit, one_cycle, called_back),
    Scenario("an edit in Work", work_edit, one_cycle, called_back),
    Scenario("an update whose answer is lost", unclear_update, one_cycle, called_back),
    Scenario("two people edit the same title", conflict, one_cycle, called_back),
    Scenario("different fields on the two sides", different_fields, one_cycle, both_kept),
    Scenario(
        "completed in Work",
        completed,
        one_cycle,
        lambda stage: status(stage, stage.known["task"]) == ("Hoàn thành", "Đã hoàn thành"),
    ),
    Scenario(
        "re-opened in Work",
        reopened,
        one_cycle,
        lambda stage: status(stage, stage.known["task"]) == ("Chưa bắt đầu", "Chưa hoàn thành"),
    ),
    Scenario("an item is deleted", deleted, one_cycle, unlinked),
    Scenario(
        "a deletion is propagated",
        deleted_task,
        one_cycle,
        gone_on_both,
        {"deletes": {"policy": "propagate", "confirm_after": "0s"}},
    ),
    Scenario("a sweep", unseen, two_sweeps, swept, again=True),
    Scenario("backfill", old_tasks, fill_back, all_filled, {"routes": ROUTES}, again=True),
    Scenario("link on request", old_task, link_on_request, called_back, again=True),
    Scenario("link to an item", task_and_item, join, called_back, again=True),
    Scenario("restore", overwritten, bring_back, called_back, again=True),
    Scenario("rebuild", lost_state, build_again, called_back, again=True),
    Scenario(
        "a halt is approved",
        held,
        approve,
        called_back,
        {"safety": {"max_updates": 1}},
        again=True,
    ),
)


def chain_holds(town: Town) -> bool:
    reader = open_reader(town.state)
    try:
        return verify(reader) is None
    finally:
        reader.close()


async def run(scenario: Scenario, folder: Path, dies_at: int) -> bool:
    """One run that dies at that moment. Returns whether it died; asserts that nothing was lost."""
    town = Town(folder / f"{dies_at}.db", deletes={"confirm_after": "0s"})
    for name, values in scenario.sections.items():
        town.sections[name] = values if isinstance(values, list) else {**town.sections.get(name, {}), **values}
    died = False
    async with AsyncExitStack() as alive:
        stage = Stage(town, await alive.enter_async_context(town.process(Fate())))
        await scenario.before(stage)
        town.fate.dies_at = town.fate.passed + dies_at
        try:
            await scenario.deed(stage)
        except Died:
            died = True
    async with AsyncExitStack() as alive:
        stage.process = await alive.enter_async_context(town.process(Fate()))
        if died and scenario.again:
            town.clock.tick(5)
            await scenario.deed(stage)
        await stage.cycle(first=True)
        town.clock.tick(LATER.total_seconds())
        for _ in range(3):
            await stage.cycle()
        what = f"{scenario.name}, dead at moment {dies_at}"
        assert scenario.holds(stage), what
        for row in town.crm.snapshot():
            assert len(town.work.by_marker(row["id"])) <= 1, f"twice: {what}"
        assert chain_holds(town), what
        assert [*stage.process.store.intents(), *stage.process.store.sendings()] == [], what
        marks = {side: town.system(side).mark() for side in Side}
        for _ in range(2):
            await stage.cycle()
        assert [call for side in Side for call in town.system(side).writes(marks[side])] == [], f"not quiet: {what}"
        assert town.crm.violations + town.work.violations == [], what
    return died


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_death_at_any_moment_costs_nothing(scenario: Scenario) -> None:
    with quick_folder() as folder:
        moment = 1
        while await run(scenario, folder, moment):
            moment += 1
    assert moment > 4, "it must have had moments to die at"


async def test_a_death_is_a_death() -> None:
    """The enumeration itself: a process that is told to die at its first moment does nothing at all."""
    with quick_folder() as folder:
        town = Town(folder / "state.db")
        town.crm.add(task_name="Gọi khách", **TARGET)
        with pytest.raises((Died, ReconcilerError)):
            async with town.process(Fate(dies_at=1)) as process:
                await process.cycle(first=True)
        assert town.work.snapshot() == []
