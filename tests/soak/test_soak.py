"""Three days of the soak: from the second day on nothing that the daemon holds grows."""

from __future__ import annotations

import io

import pytest

from tests.daemon.test_log import logging_to
from tests.simulation.town import quick_folder
from tests.soak.month import COMING, Figures, month

GROWTH = 3 * 2**20
"""Bytes by which the memory of a process may differ from one day to the next without being a leak: 860 ticks, each
of which would have to lose less than what a single record takes."""


@pytest.mark.timeout(240)
async def test_after_a_day_nothing_grows_and_at_the_end_everything_agrees() -> None:
    figures: list[Figures] = []
    with quick_folder() as folder, logging_to(io.StringIO()):
        async with month(folder, seed=7) as made:
            async for one in made.days(3):
                figures.append(one)
            assert await made.ends() == []
    _, before, after = figures
    assert after.resident - before.resident < GROWTH, figures
    assert (after.descriptors, after.threads) == (before.descriptors, before.threads)
    assert after.tasks <= before.tasks, "a process that has just begun has no courier yet"
    growing = {
        name: after.rows[name] - before.rows[name] for name in after.rows if after.rows[name] > before.rows[name]
    }
    assert growing.pop("cycle", 0) <= 288, "those of the last thousand cycles are kept"
    assert growing.pop("tombstone", 0) <= COMING, "one for each pair that ended"
    assert growing.pop("attention", 0) <= COMING + 3
    assert growing.keys() <= {"link", "fact"}
    assert after.rows["link"] <= 45
    assert sum(after.notices.values()) <= 24, "no storm"
    edits = after.entries - before.entries
    assert (after.state - before.state) / edits < 4096, "what an edit costs for good"
