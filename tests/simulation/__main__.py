"""`python -m tests.simulation --seeds N --start S [--jobs J]`: the lives of N seeds, from seed S on, in J processes.

A failing seed is printed with what went wrong, and replays alone: `--seeds 1 --start THAT`. The figures, and the trace
(a digest of every call and journal entry), are the same in every run of the same seeds, in however many processes.
The last line is `N passed, M failed`; the exit code is 1 if a life failed.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.simulation import seeds
from tests.simulation.life import Life, Verdict
from tests.simulation.town import quick_folder


def live(chosen: range) -> list[Verdict]:
    """The verdicts over some lives, one after the other."""
    with quick_folder() as folder:
        return [asyncio.run(Life(seed, Path(folder)).live()) for seed in chosen]


def agreement(good: Sequence[Verdict]) -> Iterator[str]:
    """In how many lives the sides agreed after how many cycles."""
    agreed = Counter(one.agreed_after or 0 for one in good)
    yield "cycles to agree: " + ", ".join(f"{cycles} in {agreed[cycles]} lives" for cycles in sorted(agreed))


if __name__ == "__main__":
    assert __doc__ is not None
    sys.exit(seeds.main(live, __doc__, agreement))
