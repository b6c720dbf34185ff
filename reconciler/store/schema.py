"""Which schema a database has, and bringing it to ours. Alembic is only imported when there is something to do."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from reconciler.errors import StateError
from reconciler.store.tables import TRIGGERS, Row

VERSIONS: Final = ("0001",)
"""Every schema version there has been, oldest first; the last is ours. Each has a file among the migrations."""

HEAD: Final = VERSIONS[-1]


def version(connection: sa.Connection, name: str) -> str | None:
    """The schema version of a database, None for an empty one. `name` is what messages call it.

    Raises StateError for a version that is not among ours, and for a database that is not a state at all.
    """
    tables = sa.inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StateError(f"{name}: this is not a state of reconciler; name another file in [state] url")
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if found is None or found not in VERSIONS:
        raise StateError(
            f"{name}: the state has schema {found}, and this program knows up to {HEAD}; it was written by a newer"
            " version. Install that version again, or restore a backup made before the upgrade"
        )
    return found


def create(connection: sa.Connection) -> None:
    """Our schema in an empty in-memory database; one that lasts is migrated instead, which gives the same."""
    Row.metadata.create_all(connection)
    for trigger in TRIGGERS:
        connection.execute(sa.text(trigger))
    connection.commit()


def migrate(connection: sa.Connection) -> None:
    """Bring the database to our schema in one transaction of its own: all of it or nothing.

    Foreign keys are off meanwhile: SQLite changes a table by copying it and dropping the old one, and that would
    delete every row that refers to it.
    """
    from alembic import command

    from reconciler.store.migrations import config

    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.commit()
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        command.upgrade(config(connection), "head")
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise StateError(f"the migration to {HEAD} would leave {len(broken)} rows without what they refer to")
        connection.commit()
    finally:
        connection.rollback()  # nothing is left to roll back after the commit
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.commit()
