"""The lease of a state in PostgreSQL: a row with an end, renewed for as long as its holder runs.

The server's clock decides. Each new holder gets the next generation, and a transaction of an older one is refused
(`postgres.renew`), so a holder that was paused beyond the end can write nothing. What the row says about its holder
matters in one case only: the holder was a process of this very host and is no more; then nobody needs to wait.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, exc, text

from reconciler.errors import LeaseHeld, StateError
from reconciler.message import say
from reconciler.ports import Clock
from reconciler.store import schema
from reconciler.store.faults import translated
from reconciler.store.postgres import LEASE_SECONDS, LOCK_NOT_AVAILABLE, open_connection, place, renew

BEAT_SECONDS: Final = 10
"""Between two renewals while nothing is written; every transaction renews too."""

_CLAIM: Final = text(
    "INSERT INTO lease (name, holder, token, expires_at)"
    " VALUES ('writer', :holder, 1, clock_timestamp() + make_interval(secs => :seconds))"
    " ON CONFLICT (name) DO UPDATE"
    " SET holder = excluded.holder, token = lease.token + 1, expires_at = excluded.expires_at"
    " WHERE lease.expires_at < clock_timestamp() OR lease.holder = :dead RETURNING token"
)
_RELEASE: Final = text("UPDATE lease SET expires_at = clock_timestamp() WHERE token = :generation")


@contextmanager
def hold(url: str, clock: Clock) -> Iterator[int]:
    """Hold the lease while the block runs; yields its generation. Creates the tables in an empty database.

    LeaseHeld if another has it, StateError if the server cannot be used.
    """
    made = open_connection(url, writing=True)
    try:
        with translated():
            _make_tables(made.connection, url)
            generation = _claim(made.connection, clock)
        try:
            with _beating(made.connection, generation):
                yield generation
        finally:
            with suppress(StateError), translated():  # otherwise it ends by itself
                made.connection.execute(_RELEASE, {"generation": generation})
                made.connection.commit()
    finally:
        made.close()


def _make_tables(connection: Connection, url: str) -> None:
    """Where there is no table, there is no lease that could protect the schema: the first of several makes it."""
    found = schema.revision(connection)
    connection.rollback()
    schema.refuse_unknown(found, place(url))
    if found == schema.EMPTY:
        from reconciler.store.migrations import upgrade

        upgrade(connection)


def _claim(connection: Connection, clock: Clock) -> int:
    holder = connection.execute(text("SELECT holder FROM lease")).scalar()
    values = {
        "holder": json.dumps(_this_process() | {"since": clock.now().isoformat()}),
        "seconds": LEASE_SECONDS,
        "dead": holder if holder is not None and _dead(holder) else None,
    }
    try:
        generation: int | None = connection.execute(_CLAIM, values).scalar()
    except exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        generation = None  # its holder is in the midst of a transaction
    if generation is None:
        connection.rollback()
        raise LeaseHeld(say("another process is at work on this connection: {descriptor}", descriptor=_words(holder)))
    connection.commit()
    return generation


@contextmanager
def _beating(connection: Connection, generation: int) -> Iterator[None]:
    """Renew from a thread of its own, which has the connection meanwhile."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                with translated():
                    renew(connection, generation)
                    connection.commit()
            except LeaseHeld:
                return  # the next transaction says so
            except StateError:
                connection.rollback()  # the server is away, or our own transaction holds the row; the next beat tries

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        connection.rollback()


def _this_process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "machine": _machine(), "started": _started(os.getpid())}


def _machine() -> str:
    """The running kernel and the space of process numbers, which no two hosts or containers share."""
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"


def _started(pid: int) -> str | None:
    """When a process began, in ticks since the boot; None if it is no more."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else rest[18]


def _dead(holder: str) -> bool:
    """Whether the holder was a process of this machine and is no more; False in any doubt."""
    try:
        said = json.loads(holder)
        return bool(said["machine"] == _machine() and _started(said["pid"]) != said["started"])
    except (ValueError, KeyError, TypeError, OSError):
        return False


def _words(holder: str | None) -> str:
    try:
        said = json.loads(holder or "")
        return say("host {host}, process {pid}, since {since}", host=said["host"], pid=said["pid"], since=said["since"])
    except (ValueError, KeyError, TypeError):
        return say("it has not said which yet")
