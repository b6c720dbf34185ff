"""Opening the database: one connection that writes, or one that looks at a snapshot.

The driver's own transactions are off (`isolation_level=None`): a transaction begins where this package says BEGIN, as
IMMEDIATE for writing, because a deferred one that reads first cannot wait for a lock. One process has one writing
connection; everything beside it opens `mode=ro`. The database file is never opened with ordinary file calls by a
process that has it open in SQLite: closing any descriptor of it would drop SQLite's locks.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, exc
from sqlalchemy.engine import make_url
from sqlalchemy.pool import StaticPool

from reconciler.errors import StateError
from reconciler.message import say
from reconciler.store import schema
from reconciler.store.faults import primary_code, translated
from reconciler.store.tables import METADATA

COPY_TRIES: Final = 5
_written: set[Path] = set()
"""The databases that this process has open for writing."""

_CANNOT_OPEN: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})

_WRITER_PRAGMAS: Final = (
    "synchronous=FULL",
    "secure_delete=ON",  # what is erased or overwritten leaves no bytes behind in the file
    "foreign_keys=ON",
    "busy_timeout=5000",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "recursive_triggers=ON",  # or INSERT OR REPLACE would get round the journal's delete trigger
)
_READER_PRAGMAS: Final = ("query_only=ON", "busy_timeout=5000", "trusted_schema=OFF", "cell_size_check=ON")


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that is ready for use. `close` gives back everything that belongs to it."""

    connection: Connection
    close: Callable[[], None]


def database_path(url: str) -> Path | None:
    """The absolute path that a URL names, None for a database in memory or on a server.

    StateError for what is not supported.
    """
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise StateError(say("state.url cannot be read; it looks like sqlite:////var/lib/reconciler/name.db")) from None
    if parsed.get_backend_name() == "postgresql":
        return None
    if parsed.get_backend_name() != "sqlite":
        raise StateError(
            say(
                "state.url: {parsed} is not supported; use sqlite:///path or postgresql://..",
                parsed=parsed.get_backend_name(),
            )
        )
    if parsed.query:
        raise StateError(say("state.url: parameters behind the path are not supported"))
    if not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database).absolute()


def dumps(value: object) -> str:
    """JSON for a column: readable letters, unless a lone surrogate needs to be escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text


def _engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    return create_engine("sqlite://", creator=connect, poolclass=StaticPool, json_serializer=dumps)


def _raw(target: str, mode: str, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    """A driver connection. Whoever opened it may hand it to another thread, but only one may use it at a time."""
    uri = ":memory:" if mode == "memory" else f"file:{quote(target)}?mode={mode}"
    raw = sqlite3.connect(uri, uri=mode != "memory", isolation_level=None, check_same_thread=False)
    try:
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}")
    except BaseException:
        raw.close()
        raise
    return raw


def begin_write(connection: Connection) -> None:
    """Take the write lock now, so that nothing that is read afterwards can become stale."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _finish(engine: Engine, connection: Connection) -> Callable[[], None]:
    def close() -> None:
        connection.close()
        engine.dispose()

    return close


def open_writer(url: str) -> Opened:
    """The writing connection, schema up to date. Creates the file (0600), not its folder. Raises StateError."""
    path = database_path(url)
    if path is not None:
        _create(path)
    with translated():
        raw = _raw(str(path), "memory" if path is None else "rw", _WRITER_PRAGMAS)
        try:
            if path is not None:
                _check_file(raw, path)
        except BaseException:
            raw.close()
            raise
        engine = _engine(lambda: raw)
        connection = engine.connect()
        opened = Opened(connection, _finish(engine, connection))
        try:
            if path is None:
                METADATA.create_all(connection)
                connection.commit()
            elif schema.revision(connection) != schema.HEAD:
                from reconciler.store.migrations import upgrade  # imports alembic: 0.4 s that most starts do not need

                upgrade(connection)
        except BaseException:
            opened.close()
            raise
        return opened if path is None else _noted(opened, path)


def _noted(opened: Opened, path: Path) -> Opened:
    _written.add(path)

    def close() -> None:
        opened.close()
        _written.discard(path)

    return Opened(opened.connection, close)


def _create(path: Path) -> None:
    if not path.parent.is_dir():
        raise StateError(
            say(
                "the folder {parent} does not exist; create it, owned by the user that runs reconciler",
                parent=path.parent,
            )
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass  # never opened here, see the head of this module
    except OSError as error:
        raise StateError(
            say("the state {path} cannot be created: {strerror}", path=path, strerror=error.strerror)
        ) from error


def _check_file(raw: sqlite3.Connection, path: Path) -> None:
    """Refuse a schema that is not ours before anything is changed, then damage, then a file system without WAL."""
    schema.refuse_unknown(schema.revision(raw), path)
    found = [row[0] for row in raw.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise StateError(
            say("the state {path} is damaged; restore it from a backup ({value})", path=path, value="; ".join(found))
        )
    mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StateError(say("the state {path} cannot use write-ahead logging here; put it on a local disk", path=path))


def open_reader(url: str) -> Opened:
    """A snapshot that stays as it is until closed, even while another process writes. Changes nothing on disk.

    Without a file: an empty state in memory. In a folder that cannot be written, SQLite may be unable to read a WAL
    database; then a private copy is read, unless this very process writes it. Raises StateError.
    """
    path = database_path(url)
    with translated():
        if path is None or not _exists(path):
            return empty()
        try:
            return _snapshot(path, lambda: None)
        except sqlite3.OperationalError as error:
            if primary_code(error) not in _CANNOT_OPEN or path in _written:
                raise
        folder = tempfile.TemporaryDirectory(prefix="reconciler-")
        try:
            return _snapshot(private_copy(path, Path(folder.name)), folder.cleanup)
        except BaseException:
            folder.cleanup()
            raise


def _exists(path: Path) -> bool:
    """Whether there is a state; an empty file is what somebody left who took the lease and got no further."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(
            say("the state {path} cannot be reached: {strerror}", path=path, strerror=error.strerror)
        ) from error


def empty() -> Opened:
    """A state in memory without content, that cannot be written."""
    engine = _engine(lambda: _raw("", "memory", ()))
    connection = engine.connect()
    METADATA.create_all(connection)
    connection.commit()
    connection.exec_driver_sql("PRAGMA query_only=ON")
    return Opened(connection, _finish(engine, connection))


def _snapshot(path: Path, after: Callable[[], None]) -> Opened:
    raw = _raw(str(path), "ro", _READER_PRAGMAS)
    engine = _engine(lambda: raw)
    try:
        connection = engine.connect()  # may roll back while it gets to know the driver, so nothing is begun before
        raw.execute("BEGIN")
        revision = schema.revision(raw)  # the first read takes the snapshot
        schema.refuse_unknown(revision, path)
        schema.refuse_old(revision, path)
    except BaseException:
        engine.dispose()
        raw.close()
        raise
    close = _finish(engine, connection)

    def close_all() -> None:
        close()
        after()

    return Opened(connection, close_all)


def private_copy(path: Path, folder: Path) -> Path:
    """Copy the database and its WAL into `folder` at a moment when neither changed; StateError if there is none.

    Must not be called by a process that has the database open.
    """
    files = (path, path.with_name(path.name + "-wal"))
    copy = folder / path.name
    for _ in range(COPY_TRIES):
        before = [_identity(file) for file in files]
        try:
            for file in files:
                target = folder / file.name
                target.unlink(missing_ok=True)
                if file.exists():
                    shutil.copyfile(file, target)
        except OSError as error:
            raise StateError(
                say("the state {path} cannot be read: {strerror}", path=path, strerror=error.strerror)
            ) from error
        if before == [_identity(file) for file in files]:
            return copy
    raise StateError(say("the state {path} is being written all the time; try again", path=path))


def _identity(file: Path) -> Any:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def copy_to(url: str, target: Path) -> None:
    """A consistent copy of the database, taken through SQLite's own backup interface. Raises StateError."""
    path = database_path(url)
    if path is None or not _exists(path):
        raise StateError(say("there is no state to copy yet"))
    create_copy(target)
    reading = closing(_raw(str(path), "ro", _READER_PRAGMAS))
    with translated(), reading as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


@contextmanager
def arriving(target: Path) -> Iterator[Path]:
    """Where to make a copy that is to be at `target`: it is there once it is whole, and durable. StateError if
    something is there already, or nothing can be."""
    try:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        folder = tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise _no_copy(target, error) from error
    with folder as name:
        part = Path(name) / target.name
        yield part
        with part.open("rb") as made:
            os.fsync(made.fileno())
        part.rename(target)


def create_copy(target: Path) -> None:
    """An empty file (0600) for a copy; StateError if there is one already."""
    try:
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise _no_copy(target, error) from error
    os.close(descriptor)


def _no_copy(target: Path, error: OSError) -> StateError:
    return StateError(say("the copy {target} cannot be made: {strerror}", target=target, strerror=error.strerror))
