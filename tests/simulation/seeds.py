"""Many seeds, one judgement each: in as many processes as wanted, with the same figures whatever their number."""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from typing import Final, TypeVar

CHUNK: Final = 25


@dataclass
class Judgement:
    """What became of one seed: `wrong` is empty if all is well, `trace` a digest of everything that happened.

    A subclass adds figures; those declared as `int` are summed over all seeds.
    """

    seed: int
    wrong: list[str] = field(default_factory=list)
    trace: str = ""

    @property
    def figures(self) -> dict[str, int]:
        """The figures that can be summed, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.type == "int" and one.name != "seed"}


J = TypeVar("J", bound=Judgement)
Play = Callable[[range], list[J]]
"""Plays some seeds one after the other; a function of a module, so that another process can call it."""


def judgements(play: Play[J], start: int, count: int, jobs: int) -> Iterator[J]:
    """All judgements in the order of the seeds."""
    chunks = [range(first, min(first + CHUNK, start + count)) for first in range(start, start + count, CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield from play(chunk)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(play, chunks):
            yield from found


def main(play: Play[J], description: str, closing: Callable[[Sequence[J]], Iterable[str]] = lambda good: ()) -> int:
    """The command line: print what is wrong, the sums, the lines that `closing` makes of the good ones, the trace over
    all, and `N passed, M failed`. Returns 1 if a seed failed.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    totals, trace, good = Counter[str](), hashlib.sha256(), list[J]()
    for one in judgements(play, given.start, given.seeds, given.jobs):
        totals.update(one.figures)
        trace.update(one.trace.encode())
        if one.wrong:
            print(f"seed {one.seed}:", *one.wrong, sep="\n  ", flush=True)
        else:
            good.append(one)
    print(", ".join(f"{number} {name.replace('_', ' ')}" for name, number in totals.items()))
    print(*closing(good), f"trace {trace.hexdigest()[:16]}", sep="\n")
    print(f"{len(good)} passed, {given.seeds - len(good)} failed")
    return 1 if len(good) < given.seeds else 0
