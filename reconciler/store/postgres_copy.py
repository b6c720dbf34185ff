"""A backup of a state in PostgreSQL: the same rows as a SQLite state, which `sqlite:///` opens anywhere."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, text

from reconciler.errors import StateError
from reconciler.message import say
from reconciler.store import database, schema
from reconciler.store.faults import translated
from reconciler.store.postgres import open_connection, place
from reconciler.store.reading import PAGE
from reconciler.store.tables import LEASE, METADATA

_COUNTED = ("cycle", "link")
"""Tables whose numbers are never given twice: what the counters say is copied too."""


def copy_to(url: str, target: Path) -> None:
    """Write one snapshot to a new file (0600). Raises StateError if there is no state, or if the file exists."""
    made = open_connection(url, writing=False)
    try:
        with translated():
            found = schema.revision(made.connection)
            if found == schema.EMPTY:
                raise StateError(say("there is no state to copy yet"))
            schema.refuse_unknown(found, place(url))
            schema.refuse_old(found, place(url))
            database.create_copy(target)
            copy = database.open_writer(f"sqlite:///{target}")
            try:
                database.begin_write(copy.connection)
                _copy_rows(made.connection, copy.connection)
                copy.connection.commit()
                copy.connection.exec_driver_sql("PRAGMA journal_mode=DELETE")  # all of it in the one file
            finally:
                copy.close()
    finally:
        made.close()


def _copy_rows(source: Connection, copy: Connection) -> None:
    for table in METADATA.sorted_tables:
        if table is LEASE:
            continue
        for page in source.execute(select(table)).mappings().partitions(PAGE):
            copy.execute(insert(table), [dict(row) for row in page])
    for name in _COUNTED:
        [key] = inspect(source).get_pk_constraint(name)["constrained_columns"]
        given = source.execute(text(f"SELECT last_value FROM {name}_{key}_seq")).scalar()
        copy.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        copy.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, given))
