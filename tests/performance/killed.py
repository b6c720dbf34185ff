"""A backfill that is killed again and again: `python -m tests.performance.killed --tasks 10000` prints its figures.

The product runs as a process of its own against the sandbox over sockets. The kernel ends it (SIGKILL) a random
few milliseconds after a random call: while it waits for an answer, reads one, or commits.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from reconciler.sandbox.calls import Call
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.work import WorkSystem
from tests.cli.product import Product

BATCH = 20
PAGE = 100
PACE = 0.5
"""Seconds that pass on the servers before each write beside those that really pass: about what ten requests a second,
the default, make of it. Faster than any server, hundreds of rows would have the same stamp."""

LATEST_KILL = 0.06
"""Seconds after the chosen call; a batch of creates takes about as long."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a killed backfill came to. Requests are all calls but those for a token; elements are records in writes."""

    tasks: int
    kills: int
    items: int
    doubled: int
    created_again: int
    marked_again: int
    requests: int
    linked: int
    journal: str
    quiet_writes: int
    seconds: float

    @property
    def allowed(self) -> int:
        """P4 of the performance page: 0.40 requests a task, and ten."""
        return math.floor(0.40 * self.tasks) + 10

    @property
    def listings(self) -> int:
        """What starting again costs at most besides: both lists in full, the places, and reading one batch again."""
        return self.kills * (2 * math.ceil(self.tasks / PAGE) + 10)

    def __str__(self) -> str:
        return (
            f"{self.tasks} tasks, killed {self.kills} times, {self.seconds:.0f} s: {self.items} items,"
            f" {self.doubled} doubled; {self.created_again} creates and {self.marked_again} markers sent again"
            f" (at most {BATCH * self.kills} each); {self.requests} requests (P4 allows {self.allowed});"
            f" {self.linked} links, {self.journal}, {self.quiet_writes} writes afterwards"
        )


def run(folder: Path, *, tasks: int, kills: int, seed: int) -> Figures:
    """Backfill `tasks` old tasks, with that many kills, to the end."""
    rng = random.Random(seed)
    begun = time.monotonic()
    with Product(folder) as product:
        product.sections["routes"] = [{"project": 12, "group": 31}]
        product.write_config(limits={"requests_per_second": 10_000})
        day = product.clock.now() - timedelta(days=400)
        for number in range(tasks):
            moment = day + timedelta(seconds=number)
            product.crm.add(task_name=f"Việc {number}", owner_name="NV001", created=moment, modified=moment)
        for system, verb in ((product.crm, "update"), (product.work, "insert-tasks")):
            system.faults.order(verb, "hook_before", hook=lambda: product.clock.later(PACE), times=None)
        survived = 0
        for _ in range(kills):
            survived += not _killed(product, rng, within=max(1, tasks // BATCH // (kills + 1)))
        _finish(product)
        requests = len(asked(product.crm, product.work))
        product.once()
        mark = product.mark()
        product.once()
        return Figures(
            tasks=tasks,
            kills=kills - survived,
            **repeats(product.crm, product.work),
            requests=requests,
            linked=product.run("status", "--format", "json").json["links"],
            journal="journal intact" if product.run("verify", code=None).code == 0 else "JOURNAL BROKEN",
            quiet_writes=len(product.writes(mark)),
            seconds=time.monotonic() - begun,
        )


def _start(product: Product) -> subprocess.Popen[str]:
    program = "from reconciler.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "backfill", "--yes", "--config", str(product.config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def _killed(product: Product, rng: random.Random, *, within: int) -> bool:
    """Start a backfill and kill it at one of its next calls. Returns False if it ended before."""
    aim: list[subprocess.Popen[str]] = []

    def shoot() -> None:
        threading.Timer(rng.uniform(0, LATEST_KILL), lambda: aim[0].send_signal(signal.SIGKILL)).start()

    system, verb = rng.choice(
        ((product.work, "insert-tasks"), (product.work, "get-tasks-by-id"), (product.crm, "update"))
    )
    system.faults.order(verb, rng.choice(("hook_before", "hook_after")), hook=shoot, skip=rng.randrange(within))
    aim.append(_start(product))
    aim[0].communicate()
    return aim[0].returncode == -signal.SIGKILL


def _finish(product: Product) -> None:
    process = _start(product)
    said, _ = process.communicate()
    assert process.returncode == 0, said


def asked(crm: CrmSystem, work: WorkSystem) -> list[Call]:
    """All calls so far but those for a token."""
    return [call for call in (*crm.log, *work.log) if call.kind != "token"]


def repeats(crm: CrmSystem, work: WorkSystem) -> dict[str, int]:
    """How many items there are, how many too many, and how many records were sent more than once."""
    elements = {
        verb: [element for call in asked(crm, work) if call.verb == verb for element in call.elements]
        for verb in ("insert-tasks", "update")
    }
    creates = Counter(str(element.fields["CustomFields"]["crm_task_id"]) for element in elements["insert-tasks"])
    marks = Counter(element.id for element in elements["update"])
    owners = Counter(row["CustomFields"]["crm_task_id"] for row in work.snapshot())
    return {
        "items": owners.total(),
        "doubled": owners.total() - len(owners),
        "created_again": creates.total() - len(creates),
        "marked_again": marks.total() - len(marks),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), tasks=given.tasks, kills=given.kills, seed=given.seed)
    print(figures)
    exact = figures.items == figures.linked == given.tasks and figures.doubled == figures.quiet_writes == 0
    return 0 if exact and figures.requests <= figures.allowed else 1


if __name__ == "__main__":
    sys.exit(main())
