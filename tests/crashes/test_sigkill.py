"""The kernel ends the real process (SIGKILL) at a named point of a real cycle, over sockets and on a real file; started
again, nothing exists twice, nothing is lost, and it is quiet.

The points are named by the call that the process makes there: the server kills it before or after the call's effect.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from reconciler.store import open_reader, verify
from reconciler.store.migrations import upgrade
from tests.cli.product import Product

DEADLINE = 60.0


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with Product(tmp_path) as made:
        yield made


@dataclass
class Victim:
    """The process, as the server that kills it knows it."""

    process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """Returns when the process is dead, so that no answer can reach it."""
        while self.process is None:  # the call came before Popen had returned
            time.sleep(0)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def start(product: Product, *args: str) -> subprocess.Popen[bytes]:
    command, *rest = args
    words = [sys.executable, "-c", "from reconciler.cli import main; main()", command, "--config", str(product.config)]
    return subprocess.Popen([*words, *rest], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def die(product: Product, side: str, verb: str, when: str, *args: str, skip: int = 0) -> None:
    """Run a command that is killed at its call `verb` (the one after `skip` others)."""
    system, victim = product.crm if side == "crm" else product.work, Victim()
    fault = system.faults.order(verb, f"hook_{when}", hook=victim.kill, skip=skip)  # type: ignore[arg-type]
    product.clock.later(60)
    victim.process = start(product, *args)
    assert victim.process.wait(timeout=DEADLINE) == -signal.SIGKILL, f"{side} {verb} is not called"
    assert fault.fired == 1
    system.faults.clear()


def kill_when(process: subprocess.Popen[bytes], begun: Callable[[], bool]) -> None:
    """Kill a process as soon as it has begun; if it is quicker than we can look, it has ended."""
    until = time.monotonic() + DEADLINE
    while not begun() and process.poll() is None and time.monotonic() < until:
        time.sleep(0)
    process.kill()
    process.wait()


def settled(product: Product) -> None:
    """Started again, everything is done once and then nothing more is written."""
    for _ in range(3):
        product.once(code=None)
    mark = product.mark()
    product.once()
    product.once()
    assert product.writes(mark) == []
    for row in product.crm.snapshot():
        assert len(product.work.by_marker(row["id"])) <= 1
    reader = open_reader(f"sqlite:///{product.state}")
    assert verify(reader) is None
    assert [*reader.intents(), *reader.sendings()] == []
    reader.close()
    assert product.crm.violations + product.work.violations == []


def titles(product: Product, task: int, item: int) -> tuple[str, str]:
    crm, work = product.crm.get(task), product.work.get(item)
    assert crm is not None and work is not None
    return crm["task_name"], work["TaskName"]


CREATE = [
    ("crm", "token", "before", 0),
    ("crm", "token", "after", 0),
    ("crm", "list", "before", 0),
    ("crm", "list", "after", 0),
    ("work", "get-tasks", "before", 0),
    ("work", "get-tasks", "after", 0),
    ("work", "get-projects", "before", 0),
    ("work", "get-projects", "after", 0),
    ("work", "get-task-groups", "after", 0),
    ("crm", "by-id", "before", 0),
    ("crm", "by-id", "after", 0),
    ("work", "insert-tasks", "before", 0),
    ("work", "insert-tasks", "after", 0),
    ("work", "get-tasks-by-id", "before", 0),
    ("work", "get-tasks-by-id", "after", 0),
    ("crm", "by-id", "after", 1),
    ("crm", "update", "before", 0),
    ("crm", "update", "after", 0),
    ("crm", "by-id", "after", 2),
]
"""Side, call, before or after its effect, and how many such calls come before."""


@pytest.mark.parametrize(("side", "verb", "when", "skip"), CREATE)
def test_killed_while_it_creates(product: Product, side: str, verb: str, when: str, skip: int) -> None:
    product.once()
    task = product.task(task_name="Gọi khách")
    die(product, side, verb, when, "once", skip=skip)
    settled(product)
    [item] = product.work.by_marker(task)
    assert titles(product, task, item) == ("Gọi khách", "Gọi khách")


@pytest.mark.parametrize(
    ("side", "verb", "when"),
    [("work", "get-tasks", "after"), ("crm", "by-id", "after"), ("work", "get-tasks-by-id", "after")],
)
def test_killed_again_while_it_looks_for_what_it_had_created(product: Product, side: str, verb: str, when: str) -> None:
    product.once()
    task = product.task(task_name="Gọi khách")
    die(product, "work", "insert-tasks", "after", "once")
    die(product, side, verb, when, "once")
    settled(product)
    [item] = product.work.by_marker(task)
    assert titles(product, task, item) == ("Gọi khách", "Gọi khách")


UPDATE = [
    ("work", "get-tasks-by-id", "before", 0),
    ("work", "get-tasks-by-id", "after", 0),
    ("crm", "by-id", "before", 0),
    ("crm", "by-id", "after", 0),
    ("work", "update-tasks", "before", 0),
    ("work", "update-tasks", "after", 0),
    ("work", "get-tasks-by-id", "before", 1),
    ("work", "get-tasks-by-id", "after", 1),
    ("crm", "update", "before", 0),
    ("crm", "update", "after", 0),
    ("crm", "by-id", "before", 1),
    ("crm", "by-id", "after", 1),
]


@pytest.mark.parametrize(("side", "verb", "when", "skip"), UPDATE)
def test_killed_while_it_updates_both_sides(product: Product, side: str, verb: str, when: str, skip: int) -> None:
    task, item = product.pair(task_name="Gọi khách", description="Cũ")
    product.crm.edit(task, task_name="Gọi lại")
    product.work.edit(item, Description="Mới")
    die(product, side, verb, when, "once", skip=skip)
    settled(product)
    crm, work = product.crm.get(task), product.work.get(item)
    assert crm is not None and work is not None
    assert titles(product, task, item) == ("Gọi lại", "Gọi lại")
    assert (crm["description"], work["Description"]) == ("Mới", "Mới")


@pytest.mark.parametrize("side", ["crm", "work"])
def test_killed_again_while_it_looks_what_became_of_an_update(product: Product, side: str) -> None:
    task, item = product.pair(task_name="Gọi khách")
    if side == "work":
        product.crm.edit(task, task_name="Gọi lại")
        written, read = "update-tasks", "get-tasks-by-id"
    else:
        product.work.edit(item, TaskName="Gọi lại")
        written, read = "update", "by-id"
    die(product, side, written, "after", "once")
    die(product, side, read, "after", "once")
    settled(product)
    assert titles(product, task, item) == ("Gọi lại", "Gọi lại")


@pytest.mark.parametrize(
    ("side", "verb", "when"),
    [
        ("crm", "list", "before"),
        ("crm", "list", "after"),
        ("work", "get-tasks", "after"),
        ("work", "get-projects", "after"),
        ("work", "get-tasks-by-id", "before"),
        ("work", "get-tasks-by-id", "after"),
    ],
)
def test_killed_while_it_sweeps(product: Product, side: str, verb: str, when: str) -> None:
    task, item = product.pair(task_name="Gọi khách")
    _, gone = product.pair(task_name="Báo giá")
    product.crm.edit(task, task_name="Gọi lại", keep_stamp=True)
    product.work.purge(gone)
    die(product, side, verb, when, "once", "--sweep")
    for _ in range(2):
        product.clock.later(60)
        product.run("once", "--sweep", code=None)
    settled(product)
    assert titles(product, task, item) == ("Gọi lại", "Gọi lại")
    assert product.run("status", "--format", "json").json["links"] == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_it_restores(product: Product, when: str) -> None:
    task, item = product.pair(task_name="Gọi khách")
    product.work.edit(item, TaskName="Sửa nhầm")
    product.once()
    [entry] = [row["id"] for row in product.history() if row["kind"] == "intent" and row["old"] == "Gọi khách"]
    product.clock.later(60)
    die(product, "crm", "update", when, "restore", str(entry))
    product.run("restore", entry, code=None)
    settled(product)
    assert titles(product, task, item) == ("Gọi khách", "Gọi khách")


def test_killed_while_it_makes_a_backup(product: Product) -> None:
    """As soon as any file of the copy is there: it is no copy yet, or a whole one; the state is untouched."""
    task, item = product.pair(task_name="Gọi khách")
    copy = product.state.with_name("copy.db")
    kill_when(start(product, "backup", str(copy)), lambda: any(product.state.parent.rglob("copy.db")))
    if copy.exists():
        reader = open_reader(f"sqlite:///{copy}")
        assert verify(reader) is None
        reader.close()
        copy.unlink()
    product.run("backup", str(copy))
    product.crm.edit(task, task_name="Gọi lại")
    settled(product)
    assert titles(product, task, item) == ("Gọi lại", "Gọi lại")


def test_killed_while_it_erases(product: Product) -> None:
    """As soon as the log grows: the values are there or not, the chain holds, and the same command ends it."""
    task, item = product.pair(task_name="Gọi khách hàng cũ")
    product.crm.edit(task, task_name="Gọi lại")
    product.once()
    log = product.state.with_name(f"{product.state.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    words = ("erase", "--task", str(task), "--reason", "theo yêu cầu")
    kill_when(start(product, *words), lambda: log.exists() and log.stat().st_size > size)
    product.run(*words)
    assert "hàng cũ".encode() not in product.state.read_bytes()
    settled(product)
    assert titles(product, task, item) == ("Gọi lại", "Gọi lại")


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_it_propagates_a_deletion(product: Product, when: str) -> None:
    product.write_config(deletes={"policy": "propagate"})
    task, item = product.pair(task_name="Gọi khách")
    product.crm.delete(task)
    die(product, "work", "delete-tasks", when, "once")
    settled(product)
    row = product.work.get(item)
    assert row is not None
    assert row["IsDeleted"]


@pytest.mark.parametrize("sign", ["-wal", ".lock"])
def test_killed_while_it_makes_or_migrates_its_state(product: Product, sign: str) -> None:
    """As soon as the file that the first statement brings about is there; the next start finishes or begins again."""
    product.once()
    product.state.unlink()
    product.state.with_name(f"{product.state.name}-wal").unlink(missing_ok=True)
    if sign == "-wal":
        engine = create_engine(f"sqlite:///{product.state}", connect_args={"isolation_level": None})
        with engine.connect() as connection:
            upgrade(connection, "0001")
        engine.dispose()
    product.state.with_name(f"{product.state.name}.lock").unlink(missing_ok=True)
    kill_when(start(product, "once"), product.state.with_name(f"{product.state.name}{sign}").exists)
    task = product.task(task_name="Gọi khách")
    product.once(code=None)
    settled(product)
    [item] = product.work.by_marker(task)
    assert titles(product, task, item) == ("Gọi khách", "Gọi khách")
