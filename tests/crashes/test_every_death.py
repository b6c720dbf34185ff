"""A process dies at moment 1, another at moment 2, and so on, until the scenario runs through; nothing may differ."""

from __future__ import annotations

import random

import pytest

from tests.crashes.scenarios import SCENARIOS
from tests.crashes.stage import Scenario, differences, every_death, perform
from tests.simulation.town import quick_folder

TWICE = 7
"""Pairs of deaths for each scenario: one somewhere in the story, the next during the recovery from it."""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_death_at_any_moment_changes_nothing_in_the_end(scenario: Scenario) -> None:
    with quick_folder() as folder:
        found = dict(every_death(scenario, folder))
    assert {moment: wrong for moment, wrong in found.items() if wrong} == {}
    assert len(found) > 10, "a scenario without moments proves nothing"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_death_during_the_recovery_from_a_death_changes_nothing_either(scenario: Scenario) -> None:
    chance = random.Random(scenario.name)
    with quick_folder() as folder:
        stage, _, wanted = perform(scenario, folder)
        moments = stage.moments
        for _ in range(TWICE):
            deaths = chance.randrange(1, moments + 1), chance.randrange(1, 12)
            _, wrong, picture = perform(scenario, folder, *deaths)
            assert [*wrong, *differences(picture, wanted)] == [], deaths
