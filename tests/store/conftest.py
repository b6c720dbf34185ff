"""The kinds of databases that every test of the contract runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

from reconciler.ports import Store
from reconciler.store import hold, open_store
from tests.store.samples import T0, bytes_from

POSTGRES = "RECONCILER_TEST_POSTGRES"


class Fixed:
    """A clock that stands still."""

    def now(self) -> datetime:
        return T0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


@contextmanager
def database(template: str | None = None) -> Iterator[str]:
    """A database of its own on the server that the environment names, gone afterwards."""
    server = make_url(os.environ[POSTGRES])
    name = f"test_{uuid4().hex}"
    with administrator(os.environ[POSTGRES]).connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def administrator(url: str) -> Engine:
    """An engine beside the product, for what tests arrange and look up."""
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")


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


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture(params=["file", "memory", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty state."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/state.db"
    return "sqlite://" if request.param == "memory" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with hold(url, Fixed()) as generation:
        opened = open_store(url, random_bytes=bytes_from("store"), generation=generation)
        yield opened
        opened.close()
