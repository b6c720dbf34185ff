"""A few lives for every change; `python -m tests.simulation --seeds N` plays more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.life import Life


@pytest.mark.parametrize("seed", range(1, 31))
async def test_nothing_is_lost_doubled_or_left_unequal(seed: int, tmp_path: Path) -> None:
    assert await Life(seed, tmp_path).live() == []
