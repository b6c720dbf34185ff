"""The state in a PostgreSQL database: one connection that writes, or one that looks at a snapshot.

The database is ours alone, one for each connection, as a SQLite file is. Every transaction that writes begins with
renewing the lease's row, which stays locked until the end: whoever lost the lease writes nothing, and nobody takes it
in the midst of a transaction. The server ends a transaction whose process stands still for `LEASE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, exc, text
from sqlalchemy.engine import make_url

from reconciler.errors import LeaseHeld, StateError
from reconciler.message import say
from reconciler.store import database, schema
from reconciler.store.database import Opened
from reconciler.store.faults import translated
from reconciler.store.journal import RandomBytes
from reconciler.store.reading import SqlReader
from reconciler.store.state import SqlStore
from reconciler.store.tables import LEASE, METADATA

LEASE_SECONDS: Final = 30
"""How long a lease holds behind its last renewal, by the server's clock."""

_SESSION: Final = (
    "SET synchronous_commit = on",
    "SET timezone = 'UTC'",
    "SET lock_timeout = '5s'",
)
_WRITER_SESSION: Final = (*_SESSION, f"SET idle_in_transaction_session_timeout = '{LEASE_SECONDS}s'")

LOCK_NOT_AVAILABLE: Final = "55P03"
"""The SQLSTATE of who waited for a lock longer than `lock_timeout`."""

_REWRITTEN: Final = tuple(f'"{table.name}"' for table in METADATA.sorted_tables if table is not LEASE)

_READER: Final = {"isolation_level": "REPEATABLE READ", "execution_options": {"postgresql_readonly": True}}

_RENEW: Final = text(
    "UPDATE lease SET expires_at = clock_timestamp() + make_interval(secs => :seconds) WHERE token = :generation"
)


def is_postgres(url: str) -> bool:
    return url.startswith("postgresql:")


def _engine(url: str, session: Iterable[str], options: Mapping[str, Any]) -> Engine:
    """An engine with one connection. Raises StateError for a URL that cannot be read, or without the driver."""
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        made = create_engine(
            parsed,
            pool_size=1,
            max_overflow=0,
            json_serializer=database.dumps,
            connect_args={"prepare_threshold": None, "connect_timeout": 10, "application_name": "reconciler"},
            **options,
        )
    except ImportError:
        raise StateError(
            say("state.url names a PostgreSQL database; install the driver: pip install 'reconciler[postgres]'")
        ) from None
    except (exc.ArgumentError, ValueError):
        raise StateError(say("state.url cannot be read; it looks like postgresql://USER@HOST/DATABASE")) from None

    @event.listens_for(made, "connect")
    def prepare(raw: Any, _: object) -> None:
        with raw.cursor() as cursor:
            for statement in session:
                cursor.execute(statement)
        raw.commit()

    return made


def place(url: str) -> str:
    """The database as a person may see it: without user, password and parameters."""
    parsed = make_url(url)
    return f"postgresql://{parsed.host or ''}/{parsed.database or ''}"


def open_connection(url: str, *, writing: bool) -> Opened:
    """A connection, made at once; one that does not write sees one snapshot until it is closed. Raises StateError."""
    engine = _engine(url, _WRITER_SESSION, {}) if writing else _engine(url, _SESSION, _READER)
    with translated():
        try:
            connection = engine.connect()
        except BaseException:
            engine.dispose()
            raise

    def close() -> None:
        connection.close()
        engine.dispose()

    return Opened(connection, close)


def renew(connection: Connection, generation: int) -> None:
    """Put off the lease's end and keep its row locked until the transaction's. LeaseHeld if somebody took it."""
    done = connection.execute(_RENEW, {"generation": generation, "seconds": LEASE_SECONDS})
    if done.rowcount != 1:
        raise LeaseHeld(say("another process has taken over this connection meanwhile; nothing more is written here"))


class PostgresStore(SqlStore):
    """A `Store` whose transactions are those of one holder of the lease, told by `generation`."""

    def __init__(self, opened: Opened, random_bytes: RandomBytes, generation: int) -> None:
        super().__init__(opened, random_bytes)
        self._generation = generation

    def _begin(self) -> None:
        renew(self._connection, self._generation)

    def empty_log(self) -> bool:
        """True at once: the server's log is the server's, and it reuses its files by itself."""
        return True

    def rewrite(self) -> bool:
        if self._open is not None:
            raise RuntimeError("a transaction is open")
        with translated():
            self._connection.rollback()
            self._connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                self._connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(_REWRITTEN)}")
            except exc.OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                    raise
                return False
            finally:
                self._connection.rollback()
                self._connection.execution_options(isolation_level="READ COMMITTED")
        return True


def open_writer(url: str, random_bytes: RandomBytes, generation: int) -> PostgresStore:
    """The state for the holder of the lease, schema up to date. Raises StateError, LeaseHeld."""
    made = open_connection(url, writing=True)
    try:
        with translated():
            found = schema.revision(made.connection)
            made.connection.rollback()
            schema.refuse_unknown(found, place(url))
            if found != schema.HEAD:
                from reconciler.store.migrations import upgrade

                upgrade(made.connection, fence=lambda: renew(made.connection, generation))
        return PostgresStore(made, random_bytes, generation)
    except BaseException:
        made.close()
        raise


def open_reader(url: str) -> SqlReader:
    """A snapshot that cannot write, empty where the database holds nothing. Raises StateError."""
    made = open_connection(url, writing=False)
    try:
        with translated():
            found = schema.revision(made.connection)  # the first read takes the snapshot
        if found == schema.EMPTY:
            made.close()
            return SqlReader(database.empty())
        schema.refuse_unknown(found, place(url))
        schema.refuse_old(found, place(url))
    except BaseException:
        made.close()
        raise
    return SqlReader(made)
