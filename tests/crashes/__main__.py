"""`python -m tests.crashes [--pairs N] [--kills N] [--seed S]`: more deaths than every change can wait for.

Pairs: a scenario dies at a moment of its story, and again during the recovery. Kills: the kernel ends the real process
at a random time of a real cycle. The last line is `N passed, M failed`; the exit code is 1 if one failed.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cli.product import Product
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.stage import differences, perform
from tests.crashes.test_sigkill import settled, start
from tests.simulation.town import quick_folder


def pairs(count: int, chance: random.Random) -> Iterator[tuple[str, list[str]]]:
    """So many pairs of deaths, over all scenarios in turn: their names, and what was wrong in the end."""
    with quick_folder() as folder:
        undisturbed = {}
        for number in range(count):
            scenario = SCENARIOS[number % len(SCENARIOS)]
            if scenario.name not in undisturbed:
                stage, _, picture = perform(scenario, folder)
                undisturbed[scenario.name] = stage.moments, picture
            moments, wanted = undisturbed[scenario.name]
            deaths = chance.randrange(1, moments + 1), chance.randrange(1, 12)
            _, wrong, picture = perform(scenario, folder, *deaths)
            yield f"{scenario.name}, dead at {deaths}", [*wrong, *differences(picture, wanted)]


def kills(count: int, chance: random.Random) -> Iterator[tuple[str, list[str]]]:
    """So many kills of a process that creates and updates on both sides."""
    for _ in range(count):
        part = chance.random()
        with tempfile.TemporaryDirectory() as folder, Product(Path(folder)) as product:
            yield f"killed after {part:.2f} of a cycle", list(_killed(product, part))


def _killed(product: Product, part: float) -> Iterator[str]:
    task, item = product.pair(task_name="Một")
    started = time.monotonic()
    start(product, "once").wait()
    whole = time.monotonic() - started
    new = product.task(task_name="Mới")
    product.crm.edit(task, task_name="Hai")
    product.work.edit(item, Description="Ghi chú")
    product.clock.later(60)
    process = start(product, "once")
    try:
        process.wait(timeout=part * whole)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        settled(product)
    except AssertionError as error:
        yield f"not settled: {error}"
    left, right = product.crm.get(task), product.work.get(item)
    if left is None or right is None or (left["description"], right["TaskName"]) != ("Ghi chú", "Hai"):
        yield f"an edit is lost: {left} / {right}"
    if len(product.work.by_marker(new)) != 1:
        yield f"task {new} has the items {product.work.by_marker(new)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    passed = failed = 0
    for found in (pairs(given.pairs, chance), kills(given.kills, chance)):
        for name, wrong in found:
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(name, *wrong, sep="\n  ", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
