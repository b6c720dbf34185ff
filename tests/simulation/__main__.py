"""`python -m tests.simulation --seeds N --start S`: lives from seed S on; a failing seed is named and replays."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.simulation.life import Life


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=1)
    given = parser.parse_args()
    passed = failed = deaths = faults = edits = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.start, given.start + given.seeds):
            life = Life(seed, Path(folder))
            wrong = asyncio.run(life.live())
            deaths, faults, edits = deaths + life.deaths, faults + life.faults, edits + len(life.edits)
            if wrong:
                failed += 1
                print(f"seed {seed}: {'; '.join(wrong)}", flush=True)
            else:
                passed += 1
    print(f"{edits} edits, {faults} faults, {deaths} deaths")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
