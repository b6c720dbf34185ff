"""The real process on real sockets, ended by the kernel (SIGKILL) at named points; the next process finishes its work.

The product has no seam for this: the sandbox, in the test's own process, strikes when a certain call arrives or has been
carried out. The points of the migration are told by the files that appear.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from tests.cli.product import Product

FULL: Final[dict[str, Any]] = {
    "task_name": "Gọi khách An Phát",
    "description": "Hỏi báo giá",
    "due_date": "2026-04-09",
    "owner_name": "NV002",
    "status": "Đang thực hiện",
}
PATIENCE: Final = 60
"""Seconds after which a process that was not killed, or does not end, fails the test."""

Side = Literal["crm", "work"]
When = Literal["arrives", "is lost", "is done"]


@dataclass(frozen=True)
class Point:
    """The process dies when call number `skip` + 1 of `verb` arrives and is carried out nevertheless, arrives and is
    lost, or has been carried out and is not answered."""

    side: Side
    verb: str
    when: When
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.side} {self.verb} {self.when}" + (f" ({self.skip + 1})" if self.skip else "")


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with Product(tmp_path) as made:
        yield made


def start(product: Product, *command: str) -> subprocess.Popen[bytes]:
    """The real command in a process of its own."""
    name, *rest = command
    call = [sys.executable, "-c", "from reconciler.cli import main; main()", name, "--config", str(product.config), *rest]
    return subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_at(product: Product, point: Point, *command: str) -> None:
    """Run a command until it is killed at that point."""
    running: list[subprocess.Popen[bytes]] = []
    system = product.crm if point.side == "crm" else product.work

    def strike() -> None:
        os.kill(running[0].pid, signal.SIGKILL)
        running[0].wait(PATIENCE)

    hook: Literal["hook_before", "hook_after"] = "hook_after" if point.when == "is done" else "hook_before"
    system.faults.order(point.verb, hook, hook=strike, skip=point.skip)
    if point.when == "is lost":
        system.faults.order(point.verb, "drop_before", skip=point.skip)
    running.append(start(product, *command))
    assert running[0].wait(PATIENCE) == -signal.SIGKILL
    system.faults.clear()


def recover(product: Product) -> None:
    """Cycles until one writes nothing; what it takes is bounded."""
    for _ in range(4):
        before = product.mark()
        product.once(code=None)
        if not product.writes(before):
            break
    before = product.mark()
    product.once()
    assert product.writes(before) == []
    assert product.run("verify").code == 0
    assert product.crm.violations == product.work.violations == []


def agreed(product: Product, task: int) -> dict[str, Any]:
    """The one item of a task, in step with it in every field. Returns the task's row."""
    [number] = product.work.by_marker(task)
    row, item = product.crm.get(task), product.work.get(number)
    assert row is not None
    assert item is not None
    assert row["custom_field3"] == str(number)
    assert (row["task_name"], row["description"] or "") == (item["TaskName"], item["Description"] or "")
    assert (row["start_date"] or "", row["due_date"] or "") == tuple(
        (item[name] or "")[:10] for name in ("StartDate", "Deadline")
    )
    assert (row["status"] == "Hoàn thành") is (item["StatusName"] == "Đã hoàn thành")
    return row


CREATE: Final = (
    Point("work", "get-tasks", "is done"),
    Point("work", "get-task-groups", "is done"),
    Point("crm", "by-id", "is done"),
    Point("work", "insert-tasks", "is lost"),
    Point("work", "insert-tasks", "arrives"),
    Point("work", "insert-tasks", "is done"),
    Point("work", "get-tasks-by-id", "is done"),
    Point("crm", "update", "is lost"),
    Point("crm", "update", "is done"),
    Point("crm", "by-id", "is done", skip=2),
)


@pytest.mark.parametrize("point", CREATE, ids=str)
def test_killed_while_it_creates(product: Product, point: Point) -> None:
    task = product.task(**FULL)
    kill_at(product, point, "once")
    recover(product)
    assert agreed(product, task)["task_name"] == FULL["task_name"]
    assert len([call for call in product.work.log if call.verb == "insert-tasks" and call.elements]) == 1


UPDATE: Final = (
    Point("crm", "list", "is done"),
    Point("work", "get-tasks-by-id", "is done"),
    Point("crm", "update", "is lost"),
    Point("crm", "update", "is done"),
    Point("crm", "by-id", "is done", skip=1),
    Point("work", "update-tasks", "arrives"),
    Point("work", "update-tasks", "is done"),
    Point("work", "get-tasks-by-id", "is done", skip=2),
)


@pytest.mark.parametrize("point", UPDATE, ids=str)
def test_killed_while_it_updates_both_sides(product: Product, point: Point) -> None:
    task, item = product.pair(**FULL)
    product.crm.edit(task, task_name="Gọi lại", status="Hoàn thành")
    product.work.edit(item, Description="Đã hỏi", Deadline="2026-04-20T09:00:00+07:00")
    kill_at(product, point, "once")
    recover(product)
    row = agreed(product, task)
    assert (row["task_name"], row["description"], row["due_date"]) == ("Gọi lại", "Đã hỏi", "2026-04-20")
    assert row["status"] == "Hoàn thành"


SWEEP: Final = (
    Point("crm", "list", "is done"),
    Point("work", "get-tasks-by-id", "is done"),
    Point("work", "get-projects", "is done"),
    Point("work", "update-tasks", "is done"),
)


@pytest.mark.parametrize("point", SWEEP, ids=str)
def test_killed_while_it_sweeps(product: Product, point: Point) -> None:
    task, _ = product.pair(**FULL)
    gone, item = product.pair(task_name="Bị xóa hẳn")
    product.crm.edit(task, keep_stamp=True, description="Nhập từ tệp")
    product.work.purge(item)
    kill_at(product, point, "once", "--sweep")
    for _ in range(3):
        product.clock.later(60)
        product.run("once", "--sweep", code=None)
    recover(product)
    assert agreed(product, task)["description"] == "Nhập từ tệp"
    assert product.work.by_marker(gone) == []
    assert product.run("status", "--format", "json").json["counts"]["linked"] == 1


RESTORE: Final = (
    Point("work", "get-tasks-by-id", "is done"),
    Point("work", "update-tasks", "is lost"),
    Point("work", "update-tasks", "is done"),
    Point("work", "get-tasks-by-id", "is done", skip=2),
)


@pytest.mark.parametrize("point", RESTORE, ids=str)
def test_killed_while_it_restores_a_lost_value(product: Product, point: Point) -> None:
    task, _ = product.pair(**FULL)
    product.crm.edit(task, task_name="Đè lên")
    product.once()
    [lost] = [row for row in product.history() if row["kind"] == "intent" and row["old"] == FULL["task_name"]]
    kill_at(product, point, "restore", str(lost["id"]))
    product.clock.later(60)
    product.run("restore", str(lost["id"]))  # the person tries again
    recover(product)
    assert agreed(product, task)["task_name"] == FULL["task_name"]


@pytest.mark.parametrize("when", ["is lost", "is done"])
def test_killed_while_it_propagates_a_deletion(product: Product, when: When) -> None:
    product.write_config(deletes={"policy": "propagate"})
    task, item = product.pair(**FULL)
    product.crm.delete(task)
    kill_at(product, Point("work", "delete-tasks", when), "once")
    recover(product)
    row = product.work.get(item)
    assert row is not None
    assert row["IsDeleted"]


MIGRATION: Final[Sequence[tuple[str, Callable[[Path], bool]]]] = (
    ("its file is there", lambda state: state.exists()),
    ("its file has a header", lambda state: state.exists() and state.stat().st_size > 0),
    ("its log is there", lambda state: state.with_name(f"{state.name}-wal").exists()),
    (
        "its log holds the schema",
        lambda state: (log := state.with_name(f"{state.name}-wal")).exists() and log.stat().st_size > 0,
    ),
)


@pytest.mark.parametrize(("name", "reached"), MIGRATION, ids=[name for name, _ in MIGRATION])
def test_killed_while_it_makes_its_state(product: Product, name: str, reached: Callable[[Path], bool]) -> None:
    task = product.task(**FULL)
    process = start(product, "once")
    while not reached(product.state):
        assert process.poll() is None, f"it ended before {name}"
    process.kill()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    recover(product)
    assert agreed(product, task)["task_name"] == FULL["task_name"]
