"""What a database itself complains about, in words for a person: a full disk, a lock, damage, a server that is away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from reconciler.errors import StateError
from reconciler.message import say


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database itself complains about (full disk, lock, damage) into StateError.

    Constraint violations and wrong statements are bugs and stay what they are.
    """
    try:
        yield
    except exc.IntegrityError:
        raise
    except exc.DBAPIError as error:
        known = explained(error.orig)
        if known is None:
            raise
        raise known from error
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        known = explained(error)
        if known is None:
            raise
        raise known from error


_WORDS: Final = {
    sqlite3.SQLITE_CORRUPT: say("the state is damaged; restore it from a backup"),
    sqlite3.SQLITE_NOTADB: say("the file is not a database, or is damaged; restore it from a backup"),
    sqlite3.SQLITE_FULL: say("the disk is full; nothing was changed"),
    sqlite3.SQLITE_BUSY: say("the state is locked by another program"),
    sqlite3.SQLITE_READONLY: say("the state cannot be written; check the owner of the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: say("the state cannot be opened; check the owner of the file and its folder"),
    sqlite3.SQLITE_IOERR: say("the disk reports an error"),
    sqlite3.SQLITE_PERM: say("the state cannot be opened; check the owner of the file and its folder"),
}


def primary_code(error: BaseException | None) -> int:
    """SQLite's primary result code of an error, 0 if it is none of SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


_SERVER_WORDS: Final = {
    "08": say("the database server cannot be reached"),
    "25P03": say("the database server ended a transaction that stood still"),
    "25006": say("the state cannot be written: the database server only reads"),
    "28": say("the database server refuses this user"),
    "3D": say("the database server has no such database; create it, owned by the user in state.url"),
    "42501": say("the database server refuses this user"),
    "53": say("the database server has no room; nothing was changed"),
    "55P03": say("the state is locked by another program"),
    "57": say("the database server cannot be reached"),
}
"""By SQLSTATE, or by the first two letters of it, which are its class."""


def _server_words(error: BaseException | None) -> str | None:
    """Words for what PostgreSQL says; its driver gives no SQLSTATE where no server answered, or one hung up."""
    if not type(error).__module__.startswith("psycopg"):
        return None
    state = getattr(error, "sqlstate", None) or ("08" if type(error).__name__ == "OperationalError" else "")
    return _SERVER_WORDS.get(state) or _SERVER_WORDS.get(state[:2])


def explained(error: BaseException | None) -> StateError | None:
    words = _WORDS.get(primary_code(error)) or _server_words(error)
    return StateError(say("{words} ({error})", words=words, error=error)) if words else None
