"""Databases on a PostgreSQL server, for tests that run on one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

POSTGRES = "RECONCILER_TEST_POSTGRES"
"""The environment's name for the URL of a server on which tests may create databases."""


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
