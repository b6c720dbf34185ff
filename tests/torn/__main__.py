"""`python -m tests.torn --states N --seed S`: N write-ahead logs that a power cut tore, in the lives from seed S on.

The last line is `N passed, M failed`; the exit code is 1 if a state was not that of the last whole commit.
"""

from __future__ import annotations

import argparse
import sys

from tests.simulation.town import quick_folder
from tests.torn.logs import torn_states


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    passed = failed = 0
    with quick_folder() as folder:
        for name, wrong in torn_states(given.seed, given.states, folder):
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(name, *wrong, sep="\n  ", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
