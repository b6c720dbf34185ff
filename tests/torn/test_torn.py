"""A hundred torn states for every change; `python -m tests.torn` makes more."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.town import quick_folder
from tests.torn.logs import HEADER, Log, logs_of, tear, torn_states


def test_a_torn_log_leaves_the_last_whole_commit() -> None:
    with quick_folder() as folder:
        found = list(torn_states(1, 100, folder))
    assert [one for one in found if one[1]] == []
    assert len(found) == 100


@pytest.fixture(scope="module")
def log() -> Log:
    with quick_folder() as folder:
        return logs_of(1, folder)[0]


def test_the_comparison_notices_a_commit_too_few(log: Log, tmp_path: Path) -> None:
    shifted = replace(log, commits=[(end - 1, state) for end, state in log.commits])
    end = log.commits[-1][0]
    assert tear(log, end - 1, "nothing", tmp_path, random.Random(1)) == []
    assert tear(shifted, end - 1, "nothing", tmp_path, random.Random(1)) != []


def test_the_comparison_notices_a_state_of_no_commit(log: Log, tmp_path: Path) -> None:
    """A log whose database is of another time, as after a copy that forgot the log."""
    strange = replace(log, commits=[(end, "of another life") for end, _ in log.commits])
    assert tear(strange, HEADER, "nothing", tmp_path, random.Random(1)) == ["the state is that of no commit"]
