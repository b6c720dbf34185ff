"""No call makes a statement per row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from reconciler.core.model import Side
from reconciler.ports import Store, Transaction
from reconciler.store import open_store
from reconciler.store.state import SqlStore
from tests.store.samples import attention, bytes_from, candidate, claim, entry, intent, link, sending, tombstone

MANY = 1200


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    statements: list[str] = []
    assert isinstance(store, SqlStore)
    engine = store._connection.engine

    def seen(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", seen)
    yield statements
    event.remove(engine, "before_cursor_execute", seen)


@pytest.fixture
def full() -> Iterator[Store]:
    store = open_store("sqlite://", random_bytes=bytes_from("full"))
    with store.transaction() as transaction:
        transaction.save_links(link(number) for number in range(2 * MANY))
    yield store
    store.close()


def ids() -> list[str]:
    return [str(number) for number in range(MANY)]


@pytest.mark.parametrize(
    ("read", "most"),
    [
        (lambda store: store.links_by(Side.CRM, ids()), 3),
        (lambda store: store.links(limit=5000), 1),
        (lambda store: store.dirty_links(), 1),
        (lambda store: store.claims(ids()), 3),
        (lambda store: store.tombstones(crm_ids=ids(), work_ids=ids()), 6),
        (lambda store: store.tally(), 2),
    ],
)
def test_reading(full: Store, read: Callable[[Store], object], most: int) -> None:
    with counted(full) as statements:
        read(full)
    assert len(statements) == most


WRITES: list[tuple[Callable[[Transaction], object], int]] = [
    (lambda tx: tx.save_links(link(10_000 + number) for number in range(MANY)), 3),
    (lambda tx: tx.save_links(tx.links(limit=MANY)), 2),
    (lambda tx: tx.drop_links(range(MANY)), 3),
    (lambda tx: tx.save_candidates(candidate(number) for number in range(MANY)), 1),
    (lambda tx: tx.drop_candidates(ids()), 3),
    (lambda tx: tx.save_intents(intent(number) for number in range(MANY)), 1),
    (lambda tx: tx.drop_intents(ids()), 3),
    (lambda tx: tx.save_sendings(sending(number, Side.CRM) for number in range(1, MANY)), 1),
    (lambda tx: tx.drop_sendings(sending(number, Side.CRM) for number in range(MANY)), 5),
    (lambda tx: tx.save_claims(claim(number) for number in range(MANY)), 1),
    (lambda tx: tx.drop_claims(ids()), 3),
    (lambda tx: tx.save_tombstones(tombstone(number, known=False) for number in range(MANY)), 1),
    (lambda tx: tx.drop_tombstones(ids()), 3),
    (lambda tx: tx.raise_attention(attention(number) for number in range(MANY)), 1),
    (lambda tx: tx.clear_attention(attention(number) for number in range(MANY)), 10),
    (lambda tx: tx.append(entry(number) for number in range(MANY)), 2),
]


@pytest.mark.parametrize(("write", "most"), WRITES)
def test_writing(full: Store, write: Callable[[Transaction], object], most: int) -> None:
    with full.transaction() as transaction, counted(full) as statements:
        write(transaction)
    assert len(statements) <= most
    with full.transaction() as transaction, counted(full) as statements:
        transaction.save_links([])
        transaction.drop_links([])
        transaction.save_claims([])
        transaction.raise_attention([])
    assert statements == []
