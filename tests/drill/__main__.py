"""`python -m tests.drill --backups N --seed S`: N backups, each restored in the life of a seed, from seed S on.

The last line is `N passed, M failed`; the exit code is 1 if a life after a restore went wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.drill.restored import drill
from tests.simulation.town import quick_folder

COUNTED = ("forgotten", "halts", "voided", "unseen")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backups", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    totals: Counter[str] = Counter()
    failed = 0
    with quick_folder() as folder:
        for seed in range(given.seed, given.seed + given.backups):
            found = drill(seed, folder)
            totals.update({name: getattr(found, name) for name in COUNTED})
            failed += bool(found.wrong)
            if found.wrong:
                print(f"seed {seed}:", *found.wrong, sep="\n  ", flush=True)
    print(", ".join(f"{totals[name]} {name}" for name in COUNTED))
    print(f"{given.backups - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
