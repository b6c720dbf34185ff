"""Every byte of a journal of 200 entries altered, each entry deleted, inserted, swapped, doubled, the tail cut off."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.audit.bundle import row_of
from reconciler.audit.checkpoint import Statement
from reconciler.audit.verifying import Findings, Piece, Trust, Witness, examine
from reconciler.errors import StateError
from reconciler.store import open_reader, open_store
from reconciler.store.journal import GENESIS, Broken, checked, inspect
from tests.journal.pieces import Rows, entries, lines, rows, signing_key
from tests.store.samples import bytes_from

COUNT = 200
KEY = signing_key()
AT = datetime(2026, 3, 2, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def journal() -> Rows:
    return rows(COUNT)


def witness(of: Rows, *, signed: bool = True, kept: bool = False) -> Witness:
    """A checkpoint behind the last of these rows."""
    statement = Statement("an-phat", of[-1]["id"], of[-1]["hash"], AT)
    return Witness(statement.text(), statement.signed(KEY).text() if signed else None, kept)


def examined(given: Rows, *witnesses: Witness) -> Findings:
    return examine(Piece(given), witnesses, Trust(KEY.public, given=True))


def first_fault(given: Rows, *witnesses: Witness) -> int | None:
    found = examined(given, *witnesses)
    return found.fault.id if found.fault else None


@pytest.mark.parametrize("part", range(8))
def test_every_byte_is_covered(journal: Rows, part: int) -> None:
    """Each byte of each line, one after the other, is another one: the entry is named, whatever became of it.

    What stands before an entry is not touched, so the walk begins there.
    """
    for number in range(part, COUNT, 8):
        [line], before = lines([journal[number]]), journal[number - 1]["hash"] if number else GENESIS
        assert list(checked([row_of(line, number + 1)], number, before))
        for position in range(len(line)):
            altered = bytearray(line)
            altered[position] ^= 1
            with pytest.raises(Broken) as broken:
                list(checked([row_of(bytes(altered), number + 1)], number, before))
            claimed = row_of(bytes(altered), number + 1)["id"]  # the number itself may be what was altered
            assert broken.value.fault.id == claimed


def test_every_deleted_entry_is_found_and_the_last_one_by_a_checkpoint(journal: Rows) -> None:
    for number in range(COUNT - 1):
        assert first_fault(journal[:number] + journal[number + 1 :]) == number + 2
    assert first_fault(journal[:-1]) is None, "a chain alone cannot know"
    for cut in range(COUNT):
        assert first_fault(journal[:cut], witness(journal)) == cut + 1


def test_every_inserted_entry_is_found(journal: Rows) -> None:
    [stranger] = rows(1, "another journal")
    for number in range(COUNT + 1):
        inserted = [*journal[:number], stranger | {"id": number + 1}, *journal[number:]]
        assert first_fault(inserted) == number + 1


def test_every_doubled_entry_is_found(journal: Rows) -> None:
    for number in range(COUNT):
        doubled = journal[: number + 1] + journal[number:]
        assert first_fault(doubled) == number + 1


def test_every_swap_is_found_with_and_without_new_numbers(journal: Rows) -> None:
    for number in range(COUNT - 1):
        one, two = journal[number], journal[number + 1]
        swapped = [*journal[:number], two, one, *journal[number + 2 :]]
        assert first_fault(swapped) == two["id"]
        renumbered = [*journal[:number], two | {"id": one["id"]}, one | {"id": two["id"]}, *journal[number + 2 :]]
        assert first_fault(renumbered) == one["id"]


def test_a_journal_that_was_built_anew_is_found_by_a_checkpoint_alone(journal: Rows) -> None:
    anew = rows(COUNT, "built anew")
    assert inspect(anew) is None
    for number in (1, 100, COUNT):
        assert first_fault(anew, witness(journal[:number])) == number


def test_a_checkpoint_that_was_altered_or_signed_by_another_is_found(journal: Rows) -> None:
    good = witness(journal)
    assert first_fault(journal, good) is None
    assert good.signature is not None
    for position in range(len(good.document)):
        document = good.document[:position] + chr(ord(good.document[position]) ^ 1) + good.document[position + 1 :]
        assert examined(journal, Witness(document, good.signature)).fault is not None
    stranger = Statement("an-phat", COUNT, journal[-1]["hash"], AT).signed(signing_key("another")).text()
    found = examined(journal, Witness(good.document, stranger)).fault
    assert found is not None
    assert KEY.public.id in str(found)


def test_a_checkpoint_without_a_signature_still_holds_the_tail(journal: Rows) -> None:
    assert first_fault(journal[:-1], witness(journal, signed=False)) == COUNT
    assert examined(journal, witness(journal, signed=False)).signed == 0


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "state.db"
    store = open_store(f"sqlite:///{path}", random_bytes=bytes_from("file"))
    with store.transaction() as tx:
        tx.append(entries(COUNT))
    store.close()
    return path


def journal_pages(path: Path) -> Iterator[int]:
    """Where in the file the pages of the journal's table begin."""
    with sqlite3.connect(path) as connection:
        [size] = connection.execute("PRAGMA page_size").fetchone()
        content = path.read_bytes()
    marks = [f"Gọi khách {number}".encode() for number in range(1, COUNT + 1)]
    for start in range(size, len(content), size):
        if any(mark in content[start : start + size] for mark in marks):
            yield start


def read(path: Path) -> Rows | str:
    """All rows of the journal, or what is wrong with it."""
    try:
        reader = open_reader(f"sqlite:///{path}")
        try:
            return [dict(row) for row in checked(reader.chain())]
        finally:
            reader.close()
    except (Broken, StateError) as error:
        return str(error)


def test_a_byte_of_the_database_file_is_unused_or_its_change_is_found(database: Path, tmp_path: Path) -> None:
    """SQLite's own pages, one byte in 173: nothing else than what was written is ever taken for the journal."""
    whole, content, copy = read(database), database.read_bytes(), tmp_path / "copy.db"
    assert isinstance(whole, list)
    found = 0
    for start in journal_pages(database):
        for position in range(start, start + 4096, 173):
            altered = bytearray(content)
            altered[position] ^= 1
            copy.write_bytes(altered)
            seen = read(copy)
            found += isinstance(seen, str)
            assert isinstance(seen, str) or seen == whole, position
    assert found > 500
