"""Bringing a database to the schema of this program, with Alembic and in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from reconciler.errors import StateError
from reconciler.store.schema import HEAD

LOCATION: Final = "reconciler.store:migrations"


def config(connection: Connection | None = None) -> Config:
    """A configuration without a file; `connection` is the one that the migrations use."""
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", LOCATION)
    made.set_main_option("path_separator", "os")
    return made


def nothing() -> None:
    """No fence: SQLite's lease is a kernel's lock."""


def upgrade(connection: Connection, to: str = HEAD, fence: Callable[[], None] = nothing) -> None:
    """Apply all that is missing, or nothing. `fence` runs first in the transaction and may refuse all of it.

    On SQLite foreign keys are off meanwhile and checked before the end.
    """
    _migrate(connection, to, fence, down=False)


def downgrade(connection: Connection, to: str) -> None:
    """Go back to an older revision ("base": to nothing). For tests and for a person who knows what is lost."""
    _migrate(connection, to, nothing, down=True)


def _migrate(connection: Connection, to: str, fence: Callable[[], None], *, down: bool) -> None:
    connection.rollback()
    if connection.dialect.name == "postgresql":
        with connection.begin():
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('reconciler'))")
            fence()
            (command.downgrade if down else command.upgrade)(config(connection), to)
        return
    # Without effect inside a transaction; with them on, replacing a table would delete what refers to it.
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            (command.downgrade if down else command.upgrade)(config(connection), to)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken is not None:
                raise StateError(f"the migration would break a reference of table {broken[0]}; nothing was changed")
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    finally:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.rollback()
