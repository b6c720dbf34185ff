"""The durable state of one connection: links, what is under way, the attention list, and the journal.

with hold(url, clock) as generation:                                        # one writer at a time
    store = open_store(url, random_bytes=os.urandom, generation=generation)   # migrates
    with store.transaction() as transaction: ...

reader = open_reader(url)                                                   # a snapshot; changes nothing
fault = verify(reader)                                                      # the first bad entry, or None
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from reconciler.ports import Clock, StateReader, Store
from reconciler.store import database, lease, postgres, postgres_copy, postgres_lease
from reconciler.store.database import database_path
from reconciler.store.journal import Fault, RandomBytes, inspect
from reconciler.store.reading import SqlReader
from reconciler.store.state import SqlStore

__all__ = ["Fault", "RandomBytes", "back_up", "database_path", "hold", "open_reader", "open_store", "verify"]


def back_up(url: str, file: Path) -> None:
    """Write a consistent copy of the state to a new file (mode 0600), also beside a running writer.

    The file is there whole or not at all, whenever the process dies. Raises StateError if there is no state, or if the
    file exists.
    """
    copy_to = postgres_copy.copy_to if postgres.is_postgres(url) else database.copy_to
    with database.arriving(file) as part:
        copy_to(url, part)


def hold(url: str, clock: Clock) -> AbstractContextManager[int]:
    """Hold the lease while the block runs; yields the holder's generation. LeaseHeld if another has it; StateError."""
    return postgres_lease.hold(url, clock) if postgres.is_postgres(url) else lease.hold(url, clock)


def open_store(url: str, *, random_bytes: RandomBytes, generation: int = 0) -> Store:
    """Open the state for writing; the caller holds the lease. Creates the file, migrates the schema.

    `generation` is what `hold` gave; on PostgreSQL every transaction of another one is refused with LeaseHeld.
    `random_bytes` gives unpredictable bytes for the journal's seals (`os.urandom`). Raises StateError.
    """
    if postgres.is_postgres(url):
        return postgres.open_writer(url, random_bytes, generation)
    return SqlStore(database.open_writer(url), random_bytes)


def open_reader(url: str) -> StateReader:
    """Open a snapshot of the state, empty where there is no file. Raises StateError."""
    if postgres.is_postgres(url):
        return postgres.open_reader(url)
    return SqlReader(database.open_reader(url))


def verify(reader: StateReader) -> Fault | None:
    """Check the journal's hash chain and the values beside it: the first entry that does not fit, or None."""
    return inspect(reader.chain())
