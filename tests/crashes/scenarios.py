"""The scenarios: everything that the product does in several steps, each with people at work around it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from reconciler.backfill import backfill, find_old
from reconciler.core.model import Side, Target
from reconciler.errors import UsageError
from reconciler.halting import resume
from reconciler.linking import link_to_item, link_to_target, unlink
from reconciler.rebuilding import rebuild_links
from reconciler.undoing import restore, revert
from tests.crashes.stage import Scenario, Stage
from tests.simulation.town import Process

FULL: Final[dict[str, Any]] = {
    "task_name": "Gọi khách An Phát",
    "description": "Hỏi báo giá\nGọi trước 17h",
    "start_date": "2026-04-02",
    "due_date": "2026-04-09",
    "owner_name": "NV002",
    "status": "Đang thực hiện",
}

# what the product does


async def cycle(stage: Stage, process: Process) -> None:
    await process.cycle(first=True)


async def sweep(stage: Stage, process: Process) -> None:
    await process.cycle(first=True, sweep=True)


# how stories begin


def full_task(stage: Stage) -> None:
    stage.notes["task"] = stage.task(**FULL)


def know_item(stage: Stage) -> None:
    stage.notes["item"] = stage.item(stage.notes["task"])


PAIR: Final = (full_task, cycle, cycle, know_item)
"""A task and its item, in step."""


def crm_edit(**fields: Any) -> Any:
    def deed(stage: Stage) -> None:
        stage.crm(stage.notes["task"], **fields)

    return deed


def work_edit(**fields: Any) -> Any:
    def deed(stage: Stage) -> None:
        stage.work(stage.notes["item"], **fields)

    return deed


def wait(seconds: float) -> Any:
    def deed(stage: Stage) -> None:
        stage.town.clock.tick(seconds)

    return deed


def fault(side: Side, match: str, kind: Any, **more: Any) -> Any:
    def deed(stage: Stage) -> None:
        stage.town.system(side).faults.order(match, kind, **more)

    return deed


# parts of single stories


def three_tasks(stage: Stage) -> None:
    stage.notes["tasks"] = [stage.task(task_name=f"Việc {n}", description=f"Số {n}") for n in range(3)]


def mistaken(stage: Stage) -> None:
    stage.notes["wrong"] = stage.task(task_name="Nhầm phòng ban", custom_field1="10", custom_field2="31")


def mend(stage: Stage) -> None:
    stage.crm(stage.notes["wrong"], custom_field1="12", custom_field2="Đang làm")


def untargeted(stage: Stage) -> None:
    stage.notes["task"] = stage.task(**FULL | {"custom_field1": None, "custom_field2": None})


async def ask_for_link(stage: Stage, process: Process) -> None:
    target, task = Target(project="12", group="31"), str(stage.notes["task"])
    await link_to_target(process.connection, process.writers, process.store, task, target, operator="test")


def foreign_item(stage: Stage) -> None:
    fields: dict[str, Any] = {"TaskName": "Việc có sẵn", "Description": None, "Deadline": "2026-05-05T10:00:00+07:00"}
    stage.notes["item"] = stage.town.work.add(**fields, DoerCodes=["NV003"])
    stage.people.joined[stage.notes["task"]] = stage.notes["item"]


async def ask_for_item(stage: Stage, process: Process) -> None:
    task, item = str(stage.notes["task"]), str(stage.notes["item"])
    await link_to_item(process.connection, process.writers, process.store, task, item, operator="test")


async def forget(stage: Stage, process: Process) -> None:
    with suppress(UsageError):  # the process before this one did it, and died
        unlink(process.store, stage.town.clock.now(), str(stage.notes["task"]), "nhầm", "test")


async def bring_back(stage: Stage, process: Process) -> None:
    lost = next(e for e in process.store.journal() if e.kind == "intent" and e.old == FULL["task_name"])
    await restore(process.connection, process.writers, process.store, lost.id, operator="test")


async def take_back(stage: Stage, process: Process) -> None:
    wrong = next(e for e in process.store.journal() if e.kind == "intent" and e.old == FULL["task_name"])
    assert wrong.cycle is not None
    await revert(process.connection, process.writers, process.store, wrong.cycle, reason="nhầm", operator="test")


async def rebuild(stage: Stage, process: Process) -> None:
    await rebuild_links(process.connection, process.store, operator="test")


def lose_the_state(stage: Stage) -> None:
    stage.lose_the_state()


async def approve(stage: Stage, process: Process) -> None:
    held = process.store.fact("halted")
    if held is not None:
        resume(process.store, stage.town.clock.now(), "xem rồi", "test", held["fingerprint"])
    await process.cycle(first=True)


def edit_all(stage: Stage) -> None:
    for number, task in enumerate(stage.notes["tasks"]):
        stage.crm(task, description=f"Sửa {number}")


def old_tasks(stage: Stage) -> None:
    """Tasks from before the connection; a route would have linked them."""
    for number, status in enumerate(("Chưa bắt đầu", "Hoàn thành", "Đang chờ")):
        stage.task(task_name=f"Cũ {number}", status=status, custom_field1=None, custom_field2=None)
    stage.town.clock.tick(60)


async def fill_up(stage: Stage, process: Process) -> None:
    found = await find_old(process.connection, process.store)
    await backfill(process.connection, process.writers, process.store, found)


def copy_the_item(stage: Stage) -> None:
    stage.people.copy_item(stage.notes["item"], TaskName="Bản sao")


def copy_the_task(stage: Stage) -> None:
    row = stage.town.task(stage.notes["task"])
    stage.task(task_name="Bản sao", custom_field3=row["custom_field3"], description=row["description"])


def purge_the_item(stage: Stage) -> None:
    stage.town.work.purge(stage.notes["item"])


def unstamped_edit(stage: Stage) -> None:
    """An import that leaves the stamp alone, and a marker that somebody wiped out."""
    stage.town.crm.edit(stage.notes["task"], keep_stamp=True, description="Nhập từ tệp")
    stage.work(stage.notes["item"], CustomFields={})


def edit_before_the_write(stage: Stage) -> None:
    """A person sets the same field in the honest window, and another one beside it."""

    def now() -> None:
        stage.work(stage.notes["item"], TaskName="Vào đúng lúc đó", Description="Cũng lúc đó")

    stage.town.work.faults.order("update-tasks", "hook_before", hook=now)


def edit_the_newborn(stage: Stage) -> None:
    """A person edits the new item before the product has read it for the first time."""

    def now() -> None:
        stage.work(stage.item(stage.notes["task"]), TaskName="Ngay sau đó")

    stage.town.work.faults.order("get-tasks-by-id", "hook_before", hook=now)


PROPAGATE: Final = {"deletes": {"policy": "propagate", "confirm_after": "0s"}}
TIGHT: Final = {"safety": {"min_updates": 1, "max_update_percent": 10}}
WORK, CRM = Side.WORK, Side.CRM

SCENARIOS: Final = (
    Scenario("create", (), (full_task, cycle)),
    Scenario("create three at once", (), (three_tasks, cycle, edit_all, cycle)),
    Scenario("create, edited at once", (), (full_task, edit_the_newborn, cycle, wait(400), cycle)),
    Scenario("create with a wrong target, mended later", (), (mistaken, cycle, mend, cycle)),
    Scenario(
        "create whose answer is lost",
        (),
        (fault(WORK, "insert-tasks", "drop_after"), full_task, cycle, wait(400), cycle),
    ),
    Scenario(
        "create that arrives late",
        (),
        (fault(WORK, "insert-tasks", "late", seconds=100), full_task, cycle, wait(30), cycle, wait(400), cycle),
    ),
    Scenario(
        "create with a refused field",
        (),
        (fault(WORK, "insert-tasks", "element", code="InvalidValue"), full_task, cycle, cycle),
    ),
    Scenario("update towards Work", PAIR, (crm_edit(task_name="Gọi lại", due_date="2026-04-20"), cycle)),
    Scenario("update towards the CRM", PAIR, (work_edit(TaskName="Gọi lại", StartDate=None), cycle)),
    Scenario(
        "updates both ways in one cycle",
        PAIR,
        (crm_edit(description="Từ bán hàng"), work_edit(Deadline="2026-04-22T09:00:00+07:00"), cycle),
    ),
    Scenario(
        "update in whose window somebody edits",
        PAIR,
        (crm_edit(task_name="Của bán hàng"), edit_before_the_write, cycle, wait(400), cycle),
    ),
    Scenario(
        "update whose answer is lost",
        PAIR,
        (fault(CRM, "update", "drop_after"), work_edit(TaskName="Gọi lại"), cycle, wait(20), cycle),
    ),
    Scenario(
        "update that arrives late",
        PAIR,
        (
            fault(WORK, "update-tasks", "late", seconds=90),
            *(crm_edit(task_name="Đến muộn"), cycle, wait(20), crm_edit(task_name="Mới hơn"), cycle, wait(200), cycle),
        ),
    ),
    Scenario(
        "update with a refused element",
        PAIR,
        (fault(WORK, "update-tasks", "element"), crm_edit(task_name="Tên", description="Tả"), cycle, cycle),
    ),
    Scenario(
        "conflict that Work wins",
        PAIR,
        (crm_edit(task_name="Trước", due_date="2026-05-01"), wait(60), work_edit(TaskName="Sau"), wait(9), cycle),
    ),
    Scenario(
        "conflict that the CRM wins",
        PAIR,
        (work_edit(Description="Trước"), wait(60), crm_edit(description="Sau"), wait(9), cycle),
    ),
    Scenario(
        "status done and re-opened",
        PAIR,
        (
            *(work_edit(StatusName="Đã hoàn thành"), cycle, work_edit(StatusName="Chưa hoàn thành"), cycle),
            *(crm_edit(status="Đang chờ"), cycle, crm_edit(status="Hoàn thành"), cycle),
        ),
    ),
    Scenario("task deleted: unlink", PAIR, (crm_edit(is_deleted=True), cycle, work_edit(Description="Vẫn còn"), cycle)),
    Scenario(
        "item deleted and taken back",
        PAIR,
        (work_edit(IsDeleted=True), cycle, crm_edit(task_name="Đổi tên"), cycle, work_edit(IsDeleted=False), cycle),
    ),
    Scenario("item gone for good", PAIR, (purge_the_item, sweep, sweep), {"deletes": {"confirm_after": "0s"}}),
    Scenario("deletion propagated", PAIR, (crm_edit(is_deleted=True), cycle, cycle), PROPAGATE),
    Scenario(
        "deletion that an edit beats",
        PAIR,
        (work_edit(TaskName="Còn dùng"), wait(5), crm_edit(is_deleted=True), cycle, cycle),
        PROPAGATE,
    ),
    Scenario("sweep finds what polling cannot see", PAIR, (unstamped_edit, sweep, sweep)),
    Scenario("link on request", (untargeted, cycle), (ask_for_link, cycle)),
    Scenario("link to an item that is there", (untargeted, foreign_item, cycle), (ask_for_item, cycle)),
    Scenario("unlink, then link again", PAIR, (forget, cycle, ask_for_item, cycle)),
    Scenario("revert a cycle", (*PAIR, crm_edit(task_name="Đè lên"), cycle), (take_back, cycle)),
    Scenario("restore a lost value", (*PAIR, crm_edit(task_name="Đè lên"), cycle), (bring_back, cycle)),
    Scenario("rebuild a lost state", PAIR, (lose_the_state, rebuild, cycle, crm_edit(task_name="Sau đó"), cycle)),
    Scenario("halt and approve", (three_tasks, cycle, cycle), (edit_all, cycle, approve), TIGHT),
    Scenario("backfill", (old_tasks, cycle), (fill_up, cycle), {"routes": [{"project": 12, "group": 31}]}),
    Scenario("copies of an item and of a task", PAIR, (copy_the_item, copy_the_task, cycle, cycle)),
)
