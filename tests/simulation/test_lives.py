"""A thousand lives for every change, and proof that a life can be replayed; `python -m tests.simulation` plays more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import live

SEEDS = 1000
AT_ONCE = 20
REPLAYED = 50
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("start", range(1, SEEDS + 1, AT_ONCE))
def test_nothing_is_lost_doubled_undone_or_left_unequal(start: int) -> None:
    verdicts = live(range(start, start + AT_ONCE))
    assert {verdict.seed: verdict.wrong for verdict in verdicts if verdict.wrong} == {}
    assert len(verdicts) == AT_ONCE


def test_a_seed_lives_the_same_life_whatever_the_hash_seed() -> None:
    """The trace is a digest of all calls and journal entries of all these lives."""
    command = [sys.executable, "-m", "tests.simulation", "--seeds", str(REPLAYED), "--start", "5"]
    running = [
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True
        )
        for seed in ("1", "2")
    ]
    lives = [one.communicate()[0] for one in running]
    assert lives[0] == lives[1]
    assert "\ntrace " in lives[0]
    assert lives[0].endswith(f"{REPLAYED} passed, 0 failed\n")
