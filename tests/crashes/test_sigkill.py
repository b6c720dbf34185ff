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
    ("crm", "list", "before"),
    ("crm", "list", "after"),
    ("work", "get-tasks", "before"),
    ("work", "get-projects", "after"),
    ("work", "insert-tasks", "before"),
    ("work", "insert-tasks", "after"),
    ("crm", "update", "before"),
    ("crm", "update", "after"),
]


@pytest.mark.parametrize(("side", "verb", "when"), CREATE)
def test_killed_while_it_creates(product: Product, side: str, verb: str, when: str) -> None:
    product.once()
    task = product.task(task_name="Gọi khách")
    die(product, side, verb, when, "once")
    settled(product)
    [item] = product.work.by_marker(task)
    assert titles(product, task, item) == ("Gọi khách", "Gọi khách")


UPDATE = [
    ("work", "get-tasks-by-id", "before"),
    ("work", "get-tasks-by-id", "after"),
    ("work", "update-tasks", "before"),
    ("work", "update-tasks", "after"),
    ("crm", "update", "before"),
    ("crm", "update", "after"),
]


@pytest.mark.parametrize(("side", "verb", "when"), UPDATE)
def test_killed_while_it_updates_both_sides(product: Product, side: str, verb: str, when: str) -> None:
    task, item = product.pair(task_name="Gọi khách", description="Cũ")
    product.crm.edit(task, task_name="Gọi lại")
    product.work.edit(item, Description="Mới")
    die(product, side, verb, when, "once")
    settled(product)
    crm, work = product.crm.get(task), product.work.get(item)
    assert crm is not None and work is not None
    assert titles(product, task, item) == ("Gọi lại", "Gọi lại")
    assert (crm["description"], work["Description"]) == ("Mới", "Mới")


@pytest.mark.parametrize(
    ("side", "verb", "when"),
    [("crm", "list", "after"), ("work", "get-tasks", "after"), ("work", "get-tasks-by-id", "after")],
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
    watched: Callable[[], bool] = product.state.with_name(f"{product.state.name}{sign}").exists
    product.state.with_name(f"{product.state.name}.lock").unlink(missing_ok=True)
    process = start(product, "once")
    until = time.monotonic() + DEADLINE
    while not watched() and process.poll() is None and time.monotonic() < until:
        time.sleep(0)
    process.kill()
    process.wait()
    task = product.task(task_name="Gọi khách")
    product.once(code=None)
    settled(product)
    [item] = product.work.by_marker(task)
    assert titles(product, task, item) == ("Gọi khách", "Gọi khách")
