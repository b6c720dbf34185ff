"""Fixtures that every test folder shares, and how hard Hypothesis tries."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.world import World

# A busy machine is no fault of the code, and a run of CI says the same twice; chance is for the desk and the night.
settings.register_profile(
    "steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("steady")


@pytest.fixture
def world() -> Iterator[World]:
    """Both systems empty, the state in memory."""
    made = World()
    yield made
    made.reopen()
