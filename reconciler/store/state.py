"""The state opened for writing, and its transactions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Final

from sqlalchemy import Executable, bindparam, case, delete, func, insert, null, update

from reconciler.core.model import (
    Attention,
    Candidate,
    Checkpoint,
    Claim,
    CycleRow,
    Entry,
    Intent,
    Link,
    Sending,
    Tombstone,
    Verdict,
)
from reconciler.store import codec, journal, rows
from reconciler.store.database import Opened, begin_write
from reconciler.store.faults import translated
from reconciler.store.reading import SqlReader
from reconciler.store.sql import chunks, delete_in, delete_keys, upsert
from reconciler.store.tables import (
    ATTENTION,
    CANDIDATE,
    CHECKPOINT,
    CLAIM,
    CYCLE,
    FACT,
    INTENT,
    JOURNAL,
    LINK,
    SENDING,
    TOMBSTONE,
    VERDICT,
)

CYCLES_KEPT: Final = 1000


class SqlTransaction(SqlReader):
    """A `Transaction`: sees its own writes. Usable only inside its `with` block."""

    def __init__(self, opened: Opened, random_bytes: journal.RandomBytes) -> None:
        super().__init__(opened)
        self._random_bytes = random_bytes
        self._ended = False

    def end(self) -> None:
        self._ended = True
        self._facts = None

    def close(self) -> None:
        """Nothing: the block's end closes it."""

    def _rows(self, statement: Executable) -> list[codec.Row]:
        if self._ended:
            raise RuntimeError("this transaction has ended")
        return super()._rows(statement)

    def _upsert(self, table: Any, new: list[codec.Row], **options: Any) -> None:
        self._alive()
        upsert(self._connection, table, new, **options)

    def _alive(self) -> None:
        if self._ended:
            raise RuntimeError("this transaction has ended")

    def set_fact(self, name: str, value: Any) -> None:
        self._facts = None
        if value is None:
            self._alive()
            self._connection.execute(delete(FACT).where(FACT.c.name == name))
        else:
            self._upsert(FACT, [{"name": name, "value": value}])

    def save_links(self, links: Iterable[Link]) -> list[Link]:
        self._alive()
        wanted = list(links)
        known = [
            codec.link_row(link) | {"the_key": link.key, "the_generation": link.generation}
            for link in wanted
            if link.key
        ]
        if known:
            # A form of a link that was made from older observations never replaces a newer one.
            newest = LINK.c.generation <= bindparam("the_generation")
            statement = update(LINK).where(LINK.c.key == bindparam("the_key"), newest)
            done = self._connection.execute(statement, known)
            if done.rowcount != len(known):
                raise LookupError("a link that is no longer there, or was saved in a newer form, cannot be saved")
        fresh = [codec.link_row(link) for link in wanted if not link.key]
        if not fresh:
            return wanted
        # Not in the order of the rows, which would cost SQLite a statement for each; so by the other unique column.
        made = insert(LINK).returning(LINK.c.crm_id, LINK.c.key)
        keys: dict[str, int] = {row.crm_id: row.key for row in self._connection.execute(made, fresh)}
        return [link if link.key else replace(link, key=keys[link.crm.id]) for link in wanted]

    def drop_links(self, keys: Collection[int]) -> None:
        self._alive()
        delete_in(self._connection, LINK.c.key, LINK, keys)

    def save_candidates(self, candidates: Iterable[Candidate]) -> None:
        self._upsert(CANDIDATE, [rows.candidate_row(candidate) for candidate in candidates])

    def drop_candidates(self, crm_ids: Collection[str]) -> None:
        self._alive()
        delete_in(self._connection, CANDIDATE.c.crm_id, CANDIDATE, crm_ids)

    def save_intents(self, intents: Iterable[Intent]) -> None:
        self._upsert(INTENT, [rows.intent_row(intent) for intent in intents])

    def drop_intents(self, crm_ids: Collection[str]) -> None:
        self._alive()
        delete_in(self._connection, INTENT.c.crm_id, INTENT, crm_ids)

    def save_sendings(self, sendings: Iterable[Sending]) -> None:
        self._upsert(SENDING, [rows.sending_row(sending) for sending in sendings])

    def drop_sendings(self, sendings: Iterable[Sending]) -> None:
        self._alive()
        delete_keys(self._connection, SENDING, [(sending.link, sending.side.value) for sending in sendings])

    def save_claims(self, claims: Iterable[Claim]) -> None:
        self._upsert(CLAIM, [rows.claim_row(claim) for claim in claims])

    def drop_claims(self, work_ids: Collection[str]) -> None:
        self._alive()
        delete_in(self._connection, CLAIM.c.work_id, CLAIM, work_ids)

    def save_tombstones(self, tombstones: Iterable[Tombstone]) -> None:
        self._upsert(TOMBSTONE, [rows.tombstone_row(tombstone) for tombstone in tombstones])

    def drop_tombstones(self, crm_ids: Collection[str]) -> None:
        self._alive()
        delete_in(self._connection, TOMBSTONE.c.crm_id, TOMBSTONE, crm_ids)

    def save_verdicts(self, verdicts: Iterable[Verdict]) -> None:
        self._upsert(VERDICT, [rows.verdict_row(verdict) for verdict in verdicts])

    def drop_verdicts(self, crm_ids: Collection[str]) -> None:
        self._alive()
        delete_in(self._connection, VERDICT.c.crm_id, VERDICT, crm_ids)

    def raise_attention(self, entries: Iterable[Attention]) -> None:
        """As the port says; an entry that comes with `acked` sets it, which is how a person acknowledges one."""

        def acked(old: Any, new: Any) -> Any:
            return func.coalesce(new.acked, case((old.content == new.content, old.acked), else_=None))

        found = [rows.attention_row(entry) for entry in entries]
        self._upsert(ATTENTION, found, replace={"since": None, "acked": acked})

    def clear_attention(self, entries: Iterable[Attention]) -> None:
        self._alive()
        keys = [
            (entry.side.value, entry.id, entry.code.value, entry.field.value if entry.field else "")
            for entry in entries
        ]
        delete_keys(self._connection, ATTENTION, keys)

    def append(self, entries: Iterable[Entry]) -> list[int]:
        linked = list(journal.chain(entries, *self.head(), self._random_bytes))
        if linked:
            self._connection.execute(insert(JOURNAL), linked)
        return [row["id"] for row in linked]

    def erase(self, entries: Collection[int]) -> int:
        self._alive()
        nothing = dict.fromkeys((*journal.PERSONAL, "secret"), null())
        statement = update(JOURNAL).where(JOURNAL.c.secret.is_not(None)).values(nothing)
        return sum(
            self._connection.execute(statement.where(JOURNAL.c.id.in_(some))).rowcount for some in chunks(entries)
        )

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._upsert(CHECKPOINT, [asdict(checkpoint)])

    def save_cycle(self, row: CycleRow) -> int:
        self._alive()
        values = rows.cycle_row(row)
        if row.id:
            self._connection.execute(update(CYCLE).where(CYCLE.c.id == row.id).values(values))
            return row.id
        made: int = self._connection.execute(insert(CYCLE).values(values).returning(CYCLE.c.id)).scalar_one()
        self._connection.execute(delete(CYCLE).where(CYCLE.c.id <= made - CYCLES_KEPT))
        return made


class SqlStore(SqlReader):
    """A `Store`. One connection reads and writes, so a read inside an open transaction's block sees its writes."""

    def __init__(self, opened: Opened, random_bytes: journal.RandomBytes) -> None:
        super().__init__(opened)
        self._random_bytes = random_bytes
        self._open: SqlTransaction | None = None

    def _rows(self, statement: Executable) -> list[codec.Row]:
        try:
            return super()._rows(statement)
        finally:
            if self._open is None:
                self._connection.rollback()  # a lone read holds no transaction afterwards

    def fact(self, name: str) -> Any:
        return super().fact(name) if self._open is None else self._open.fact(name)

    def _begin(self) -> None:
        begin_write(self._connection)

    def empty_log(self) -> bool:
        if self._open is not None:
            raise RuntimeError("a transaction is open")
        with translated():
            self._connection.rollback()
            busy = self._connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
            self._connection.rollback()
        return not busy

    def rewrite(self) -> bool:
        if self._open is not None:
            raise RuntimeError("a transaction is open")
        with translated():
            self._connection.rollback()
            self._connection.exec_driver_sql("VACUUM")
            self._connection.rollback()
        return self.empty_log()

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Writes that become durable together. RuntimeError inside another one; StateError if the disk fails."""
        if self._open is not None:
            raise RuntimeError("a transaction is open already")
        with translated():
            self._begin()
            made = self._open = SqlTransaction(Opened(self._connection, lambda: None), self._random_bytes)
            try:
                yield made
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise
            finally:
                made.end()
                self._open = self._facts = None
