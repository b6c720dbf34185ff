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
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("start", range(1, SEEDS + 1, AT_ONCE))
def test_nothing_is_lost_doubled_undone_or_left_unequal(start: int) -> None:
    verdicts = live(range(start, start + AT_ONCE))
    assert {verdict.seed: verdict.wrong for verdict in verdicts if verdict.wrong} == {}
    assert len(verdicts) == AT_ONCE


def test_a_seed_lives_the_same_life_whatever_the_hash_seed() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "12", "--start", "5"]
    lives = [
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert lives[0] == lives[1]
    assert lives[0].endswith("12 passed, 0 failed\n")
