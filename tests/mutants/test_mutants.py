"""Every rule that a mutant breaks has a test that fails then, and passes otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from tests.mutants.catalogue import CATALOGUE, SURVIVORS
from tests.mutants.mutant import Mutant
from tests.mutants.trial import run


@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.name) for one in CATALOGUE])
def test_a_broken_rule_is_noticed(mutant: Mutant) -> None:
    whole = run(mutant.killers)
    assert [node for node in mutant.killers if not whole.passed(node)] == [], "fails without the mutant"
    broken = run(mutant.killers, mutant)
    assert broken.mishaps == []
    assert [node for node in mutant.killers if broken.passed(node)] == [], "does not notice"


@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.name) for one in SURVIVORS])
def test_a_survivor_changes_nothing_that_its_tests_could_see(mutant: Mutant) -> None:
    broken = run(mutant.killers, mutant)
    assert [node for node in mutant.killers if not broken.passed(node)] == [], "caught now: it belongs to the catalogue"


def test_there_are_enough_of_them_and_each_has_a_name_of_its_own() -> None:
    names = Counter(one.name for one in (*CATALOGUE, *SURVIVORS))
    assert len(CATALOGUE) >= 25
    assert max(names.values()) == 1
    assert all(one.killers and one.old != one.new for one in (*CATALOGUE, *SURVIVORS))


def test_blind_changes_to_the_core_are_noticed_by_its_tests() -> None:
    command = [sys.executable, "-m", "tests.mutants.mechanical", "watermark", "--share", "0.3", "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 passed, 0 failed"), done.stdout + done.stderr
