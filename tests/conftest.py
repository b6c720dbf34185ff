"""Fixtures that every test folder shares, and how hard Hypothesis tries."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url

from reconciler.store import hold
from tests.postgres import POSTGRES, database
from tests.store.samples import Fixed
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


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """The name of a migrated database, which costs a second to make and nothing to copy."""
    with database() as url:
        with hold(url, Fixed()):
            pass
        yield str(make_url(url).database)


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh state on a PostgreSQL server; skipped where there is none, but never in CI."""
    if POSTGRES not in os.environ:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI runs on PostgreSQL too: {POSTGRES} must name a server")
        pytest.skip(f"no PostgreSQL: {POSTGRES} names no server")
    with database(request.getfixturevalue("postgres_template")) as made:
        yield made
