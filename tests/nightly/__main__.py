"""`python -m tests.nightly [--release]`: every long test, one after the other, with the figures of a night or release.

| part       | what it does                                                      | night  | release |
|------------|-------------------------------------------------------------------|--------|---------|
| simulation | seeded lives                                                      | 20,000 | 100,000 |
| replay     | lives under two hash seeds, whose outputs must be equal           | 1,000  | 1,000   |
| crashes    | pairs of deaths, the second during the recovery from the first    | 5,000  | 20,000  |
| kills      | the real process killed by the kernel at random times             | 200    | 1,000   |
| mutants    | every rule broken once                                            | all    | all     |
| code       | the core's deciding modules changed blindly, nine in ten noticed  | all    | all     |
| worlds     | dry run against the real cycle, where `tests.worlds` exists       | 10,000 | 10,000  |
| torn       | torn write-ahead logs                                             | 1,000  | 2,000   |
| drill      | restores of old backups                                           | 30     | 30      |
| soak       | simulated days of the daemon                                      | 30     | 30      |

One line a part: `ok` or `FAILED`, the command, the seconds it took and the last line that it printed; all that a failed
one printed follows. A part that fails does not stop the others. The exit code is 1 if one failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Part:
    """`python -m MODULE WORDS`, run once under each hash seed; it passes if all end with 0 and print the same."""

    module: str
    words: tuple[str, ...] = ()
    hash_seeds: tuple[str, ...] = ("0",)

    @property
    def command(self) -> str:
        again = f" under {len(self.hash_seeds)} hash seeds" if len(self.hash_seeds) > 1 else ""
        return " ".join(("python -m", self.module, *self.words)) + again


def programme(*, release: bool) -> list[Part]:
    """The parts, in the order in which they run; those whose module is not there are left out."""

    def figure(night: int, released: int) -> str:
        return str(released if release else night)

    parts = [
        Part("tests.simulation", ("--seeds", figure(20_000, 100_000), "--jobs", str(os.cpu_count() or 1))),
        Part("tests.simulation", ("--seeds", "1000"), hash_seeds=("1", "2")),
        Part("tests.crashes", ("--pairs", figure(5_000, 20_000))),
        Part("tests.crashes", ("--kills", figure(200, 1_000))),
        Part("tests.mutants"),
        Part("tests.mutants.mechanical"),
        Part("tests.worlds", ("--seeds", "10000", "--jobs", str(os.cpu_count() or 1))),
        Part("tests.torn", ("--states", figure(1_000, 2_000))),
        Part("tests.drill", ("--backups", "30")),
        Part("tests.soak", ("--days", "30")),
    ]
    return [part for part in parts if find_spec(part.module) is not None]


def run(part: Part) -> bool:
    """Run a part and print its line; whether it passed."""
    started = time.monotonic()
    ends = [
        subprocess.run(
            [sys.executable, "-m", part.module, *part.words],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for seed in part.hash_seeds
    ]
    outputs = {one.stdout for one in ends}
    passed = all(one.returncode == 0 for one in ends) and len(outputs) == 1
    last = next((line for line in reversed(ends[0].stdout.splitlines()) if line.strip()), "no output")
    print(f"{'ok' if passed else 'FAILED'}  {part.command}  ({time.monotonic() - started:.0f} s)  {last}", flush=True)
    if not passed:
        print(*sorted(outputs), sep="\n", flush=True)
    return passed


def run_all(parts: Sequence[Part]) -> int:
    """Run all parts, whatever becomes of them; the exit code."""
    passed = [run(part) for part in parts]
    return 0 if all(passed) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="store_true", help="the figures of a release")
    return run_all(programme(release=parser.parse_args().release))


if __name__ == "__main__":
    sys.exit(main())
