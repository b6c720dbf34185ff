"""The lease of a connection: one process at a time may write to its state.

It is an exclusive lock on a file beside the database, and one on the database itself, so that removing the file lets
nobody in. The kernel releases both when their holder dies, so there is nothing to clean up; what the file says about
the holder is only for the message.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import LeaseHeld, StateError
from reconciler.message import say
from reconciler.ports import Clock
from reconciler.store.database import database_path


def lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


@contextmanager
def hold(url: str, clock: Clock) -> Iterator[int]:
    """Hold the lease while the block runs. LeaseHeld if another has it; StateError if no lock file can be made.

    Yields 0, a generation that nobody asks for: a lock of the kernel cannot pass to another while its holder is
    paused. A database in memory needs none.
    """
    database = database_path(url)
    if database is None:
        yield 0
        return
    with _locked(lock_path(database)) as descriptor:
        try:
            # Opened before SQLite opens it and closed after: closing a descriptor drops SQLite's own locks.
            with _locked(database):
                _write(descriptor, {"host": socket.gethostname(), "pid": os.getpid(), "since": clock.now().isoformat()})
                yield 0
        finally:
            _write(descriptor, None)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """An open and locked file; it stays when it is closed, or two processes could lock two files of the same name."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        raise StateError(
            say(
                "the folder {parent} does not exist; create it, owned by the user that runs reconciler",
                parent=path.parent,
            )
        ) from None
    except OSError as error:
        raise StateError(
            say("the lock file {path} cannot be opened: {strerror}", path=path, strerror=error.strerror)
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseHeld(
                say("another process is at work on this connection: {descriptor}", descriptor=_holder(descriptor))
            ) from None
        except OSError as error:
            raise StateError(
                say("the lock file {path} cannot be locked: {strerror}", path=path, strerror=error.strerror)
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, holder: dict[str, object] | None) -> None:
    os.ftruncate(descriptor, 0)
    if holder is not None:
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder(descriptor: int) -> str:
    try:
        said = json.loads(os.pread(descriptor, 4096, 0))
        return say("host {host}, process {pid}, since {since}", host=said["host"], pid=said["pid"], since=said["since"])
    except (ValueError, KeyError, TypeError):
        return say("it has not said which yet")
