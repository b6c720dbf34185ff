"""`python -m tests.soak --days 30 [--seed N]`: one line of figures a day; exit code 1 if anything is wrong."""

from __future__ import annotations

import argparse
import asyncio
import io
import sys

from tests.daemon.test_log import logging_to
from tests.simulation.town import quick_folder
from tests.soak.month import Figures, month


async def soak(days: int, seed: int) -> int:
    figures: list[Figures] = []
    with quick_folder() as folder, logging_to(io.StringIO()) as stream:
        async with month(folder, seed) as made:
            async for one in made.days(days):
                figures.append(one)
                print(one, f"log {stream.tell() // 1024} KiB", flush=True)
                stream.seek(0)
                stream.truncate()
            wrong = await made.ends()
    print(*(wrong or ["everything agrees"]), sep="\n")
    first, last = figures[min(2, len(figures) - 1)], figures[-1]
    print(f"from day {first.day} to day {last.day}:")
    print(f"  memory {(last.resident - first.resident) / 1024:+.0f} KiB ({last.resident / first.resident - 1:+.1%})")
    print(f"  descriptors {last.descriptors - first.descriptors:+}, threads {last.threads - first.threads:+}")
    print("  rows", {name: f"{first.rows[name]} -> {count}" for name, count in last.rows.items() if count})
    print(f"  state {last.state / last.entries:.0f} bytes a journal entry, was {first.state / first.entries:.0f}")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    return asyncio.run(soak(given.days, given.seed))


if __name__ == "__main__":
    sys.exit(main())
