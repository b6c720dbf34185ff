"""`python -m tests.worlds --seeds N --start S [--jobs J]`: a dry run, then the real cycle, in N generated worlds.

Whatever the cycle did otherwise than foretold, and whatever the dry run changed, is printed with its seed, which
replays alone. The last line is `N passed, M failed`; the exit code is 1 if a world failed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.simulation import seeds
from tests.simulation.town import quick_folder
from tests.worlds.foretold import World, generate


def foretell(chosen: range) -> list[World]:
    """The judgements over some worlds, one after the other."""
    with quick_folder() as folder:
        return [asyncio.run(generate(seed, Path(folder))) for seed in chosen]


if __name__ == "__main__":
    assert __doc__ is not None
    sys.exit(seeds.main(foretell, __doc__))
