"""Restores in the middle of lives, for every change; `python -m tests.drill` makes more."""

from __future__ import annotations

from tests.drill.restored import drill
from tests.simulation.town import quick_folder

VOIDED = (4, 38, 104)
"""Lives in which an old backup shows itself, and one in which later edits of people hide it."""
UNLINKED = (111, 158)
"""Lives whose backup is older than the first link."""


def test_an_old_backup_doubles_nothing_and_undoes_nothing() -> None:
    with quick_folder() as folder:
        drills = [drill(seed, folder) for seed in VOIDED]
    assert {one.seed: one.wrong for one in drills if one.wrong} == {}
    assert all(one.forgotten for one in drills)
    assert any(one.voided for one in drills)
    assert any(one.unseen for one in drills)


def test_a_backup_from_before_the_first_link_halts_and_is_rebuilt() -> None:
    with quick_folder() as folder:
        drills = [drill(seed, folder) for seed in UNLINKED]
    assert {one.seed: one.wrong for one in drills if one.wrong} == {}
    assert all(one.halts for one in drills)
