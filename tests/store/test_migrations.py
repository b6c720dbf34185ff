"""The migrations and the tables describe the same schema."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import StaticPool

from reconciler.errors import StateError
from reconciler.store import open_reader, open_store, schema, verify
from reconciler.store.database import open_writer
from reconciler.store.migrations import config, downgrade, upgrade
from reconciler.store.tables import METADATA
from tests.store.samples import bytes_from, entry


def described(connection: Connection) -> dict[str, str]:
    rows = connection.exec_driver_sql("SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL")

    def plain(sql: str) -> str:
        return re.sub(r'^CREATE TABLE "(\w+)"', r"CREATE TABLE \1", re.sub(r"\s+", " ", sql))

    return {name: plain(sql) for name, sql in rows if "alembic_version" not in name and "sqlite_" not in name}


def migrated() -> Connection:
    connection = create_engine("sqlite://", poolclass=StaticPool, connect_args={"isolation_level": None}).connect()
    upgrade(connection)
    return connection


def test_the_known_revisions_are_the_scripts() -> None:
    scripts = ScriptDirectory.from_config(config())
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == schema.REVISIONS
    assert scripts.get_current_head() == schema.HEAD


def test_upgrading_from_nothing_gives_the_tables() -> None:
    connection = migrated()
    assert schema.revision(connection) == schema.HEAD
    assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA) == []
    other = create_engine("sqlite://").connect()
    METADATA.create_all(other)
    assert described(connection) == described(other)
    connection.close()
    other.close()


def test_down_and_up_again() -> None:
    connection = migrated()
    first = described(connection)
    downgrade(connection, "base")
    assert described(connection) == {}
    upgrade(connection)
    assert described(connection) == first
    assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    connection.close()


def test_a_journal_from_before_there_were_inputs_holds_behind_the_migration(file_url: str) -> None:
    """Entries without inputs are hashed as they always were, and the guards are there again."""
    store = open_store(file_url, random_bytes=bytes_from("old"))
    with store.transaction() as tx:
        tx.append([entry(1), entry(2)])
    store.close()
    opened = open_writer(file_url)
    downgrade(opened.connection, "0002")
    assert "inputs" not in described(opened.connection)["table journal"]
    upgrade(opened.connection)
    with pytest.raises(IntegrityError, match="append-only"):
        opened.connection.exec_driver_sql("DELETE FROM journal")
    opened.close()
    store = open_store(file_url, random_bytes=bytes_from("new"))
    with store.transaction() as tx:
        tx.append([entry(3, inputs={"crm": "Gốc"})])
    assert (store.head()[0], verify(store)) == (3, None)
    store.close()


def test_a_migration_that_fails_leaves_nothing() -> None:
    connection = create_engine("sqlite://", poolclass=StaticPool, connect_args={"isolation_level": None}).connect()
    connection.exec_driver_sql("CREATE TABLE tombstone (x)")
    connection.rollback()
    with pytest.raises(Exception, match="already exists"):
        upgrade(connection)
    assert set(described(connection)) == {"table tombstone"}
    connection.close()


def test_a_migration_that_breaks_a_reference_is_refused() -> None:
    connection = migrated()
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("INSERT INTO sending VALUES (7, 'crm', '{}', '{}', '2025-01-01 00:00:00.000000')")
    connection.rollback()
    with pytest.raises(StateError, match="reference of table sending"):
        upgrade(connection)
    connection.close()


def test_a_database_of_the_present_schema_needs_no_alembic(file_url: str) -> None:
    open_store(file_url, random_bytes=bytes_from("")).close()
    program = (
        "import sys, os; from reconciler.store import open_store, open_reader\n"
        f"open_store({file_url!r}, random_bytes=os.urandom).close(); open_reader({file_url!r}).close()\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def set_revision(url: str, revision: str) -> None:
    opened = open_writer(url)
    opened.connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    opened.connection.commit()
    opened.close()


def test_a_newer_schema_is_refused_by_all(file_url: str) -> None:
    open_store(file_url, random_bytes=bytes_from("")).close()
    set_revision(file_url, "9999")
    with pytest.raises(StateError, match="newer reconciler"):
        open_store(file_url, random_bytes=bytes_from(""))
    with pytest.raises(StateError, match="newer reconciler"):
        open_reader(file_url)


def test_an_older_schema_is_refused_by_readers_and_migrated_by_the_writer(
    file_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_writer(file_url)
    downgrade(opened.connection, "base")
    opened.close()
    with pytest.raises(StateError, match="run `reconciler once` or start the daemon first"):
        open_reader(file_url)
    monkeypatch.setattr(schema, "REVISIONS", ("0000", *schema.REVISIONS))
    open_store(file_url, random_bytes=bytes_from("")).close()
    set_revision(file_url, "0000")
    with pytest.raises(StateError, match="older schema"):
        open_reader(file_url)


def test_a_database_of_another_program_is_left_alone(file_url: str) -> None:
    engine = create_engine(file_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (x)")
    engine.dispose()
    before = Path(file_url.removeprefix("sqlite:///")).read_bytes()
    with pytest.raises(StateError, match="another program"):
        open_store(file_url, random_bytes=bytes_from(""))
    with pytest.raises(StateError, match="another program"):
        open_reader(file_url)
    assert Path(file_url.removeprefix("sqlite:///")).read_bytes() == before
