"""`python -m tests.simulation --seeds N --start S [--jobs J]`: the lives of N seeds, from seed S on, in J processes.

A failing seed is printed with what went wrong, and replays alone: `--seeds 1 --start THAT`. The figures, and the trace
(a digest of every call and journal entry), are the same in every run of the same seeds, in however many processes.
The last line is `N passed, M failed`; the exit code is 1 if a life failed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path

from tests.simulation.life import Life, Verdict
from tests.simulation.town import quick_folder

CHUNK = 25
COUNTED = [one.name for one in fields(Verdict) if one.type == "int" and one.name not in ("seed", "agreed_after")]


def live(seeds: range) -> list[Verdict]:
    """The verdicts over some lives, one after the other."""
    with quick_folder() as folder:
        return [asyncio.run(Life(seed, Path(folder)).live()) for seed in seeds]


def verdicts(start: int, count: int, jobs: int) -> Iterator[Verdict]:
    """All verdicts in the order of the seeds."""
    chunks = [range(first, min(first + CHUNK, start + count)) for first in range(start, start + count, CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield from live(chunk)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(live, chunks):
            yield from found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    totals: Counter[str] = Counter()
    agreed: Counter[int] = Counter()
    trace = hashlib.sha256()
    failed = 0
    for verdict in verdicts(given.start, given.seeds, given.jobs):
        totals.update({name: getattr(verdict, name) for name in COUNTED})
        trace.update(verdict.trace.encode())
        if verdict.wrong:
            failed += 1
            print(f"seed {verdict.seed}:", *verdict.wrong, sep="\n  ", flush=True)
        else:
            agreed[verdict.agreed_after] += 1
    print(", ".join(f"{totals[name]} {name}" for name in COUNTED))
    print("cycles to agree:", ", ".join(f"{cycles} in {agreed[cycles]} lives" for cycles in sorted(agreed)))
    print("trace", trace.hexdigest()[:16])
    print(f"{given.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
