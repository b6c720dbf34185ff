"""Which schema a database has, asked with plain SQL so that a normal start needs no migration tool."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from reconciler.errors import StateError
from reconciler.message import say

REVISIONS: Final = ("0001", "0002", "0003")
"""Every schema this program knows, oldest first; the same as the files in `migrations/versions`."""

HEAD: Final = REVISIONS[-1]

EMPTY: Final = ""
"""A database without any table."""

FOREIGN: Final = "?"
"""A database with tables, none of which is ours."""


def revision(connection: Connection | sqlite3.Connection) -> str:
    """The revision written in the database, EMPTY or FOREIGN."""

    def ask(statement: str) -> list[str]:
        if isinstance(connection, sqlite3.Connection):
            return [str(row[0]) for row in connection.execute(statement)]
        return [str(row[0]) for row in connection.exec_driver_sql(statement)]

    if isinstance(connection, Connection) and connection.dialect.name == "postgresql":
        tables = ask("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    else:
        names = ask("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [name for name in names if not name.startswith("sqlite_")]
    if not tables:
        return EMPTY
    if "alembic_version" not in tables:
        return FOREIGN
    found = ask("SELECT version_num FROM alembic_version")
    if len(found) == 1:
        return found[0]
    return EMPTY if tables == ["alembic_version"] else FOREIGN


def refuse_unknown(found: str, path: Path | str) -> None:
    """StateError for a schema that only a newer program knows, or that is not ours at all."""
    if found == FOREIGN:
        raise StateError(
            say("{path} is a database of another program; state.url must name a file of its own", path=path)
        )
    if found != EMPTY and found not in REVISIONS:
        raise StateError(
            say(
                "the state {path} was written by a newer reconciler (schema {found}); upgrade this one",
                path=path,
                found=found,
            )
        )


def refuse_old(found: str, path: Path | str) -> None:
    """StateError for a schema that has to be migrated first, which a reader does not do."""
    if found != HEAD:
        raise StateError(
            say("the state {path} has an older schema; run `reconciler once` or start the daemon first", path=path)
        )
