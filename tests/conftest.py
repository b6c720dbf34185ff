"""Fixtures that every test folder shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Both systems empty, the state in memory."""
    made = World()
    yield made
    made.reopen()
