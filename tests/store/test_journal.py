"""The chain finds what was altered, removed, inserted or moved, and survives erasure."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model import Entry, Field, Side
from reconciler.store import open_reader, open_store, verify
from reconciler.store.journal import GENESIS, HASHED, PERSONAL, chain, inspect
from reconciler.store.tables import JOURNAL
from tests.store.samples import at, bytes_from, entry

PERSONAL_WORDS = ("Nguyễn Văn A", "NV001", "Trần B", "lan")


@pytest.fixture
def written(file_url: str) -> str:
    """A journal with entries 1 to 5; the fourth holds no personal values."""
    store = open_store(file_url, random_bytes=bytes_from("journal"))
    with store.transaction() as transaction:
        transaction.append(
            [
                entry(1, operator="lan"),
                entry(2, inputs={"crm": "Nguyễn Văn A", "work": ["NV001"]}),
                entry(3, old=None, new=""),
                entry(4, old=None, new=None, changed_by=None),
                entry(5),
            ]
        )
    store.close()
    return file_url


def raw(url: str) -> sqlite3.Connection:
    return sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)


def tamper(url: str, *statements: str) -> None:
    connection = raw(url)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def fault(url: str) -> int | None:
    reader = open_reader(url)
    found = verify(reader)
    reader.close()
    return found.id if found else None


def test_an_untouched_journal_holds(written: str) -> None:
    assert fault(written) is None


def test_every_column_is_hashed_erasable_or_part_of_the_chain() -> None:
    assert {column.name for column in JOURNAL.columns} == {*HASHED, *PERSONAL, "secret", "previous", "hash"}


CHANGES = {
    "id": "99",
    "at": "'2024-01-01 00:00:00.000000'",
    "cycle": "cycle + 1",
    "crm_modified": "NULL",
    "work_modified": "'2024-01-01 00:00:00.000000'",
    "side": "'work'",
    "field": "'title'",
    "detail": "'{}'",
    "secret": "x'00'",
    "previous": "hash",
    "old": """'"Nguyễn Văn C"'""",
    "new": "NULL",
}


@pytest.mark.parametrize("column", [column.name for column in JOURNAL.columns])
def test_an_altered_column_is_found(written: str, column: str) -> None:
    tamper(written, f"UPDATE journal SET {column} = {CHANGES.get(column, repr('other'))} WHERE id = 2")
    assert fault(written) in ({3, 99} if column == "id" else {2})


@pytest.mark.parametrize("value", ["x'00'", "'[1'", "12"])
def test_an_unreadable_value_is_a_fault_and_not_a_crash(written: str, value: str) -> None:
    tamper(written, f"UPDATE journal SET detail = {value} WHERE id = 3")
    assert fault(written) == 3


def test_a_value_put_where_none_was_is_found(written: str) -> None:
    tamper(written, "UPDATE journal SET operator = 'minh' WHERE id = 4")
    assert fault(written) == 4


def test_a_missing_entry_is_found(written: str) -> None:
    tamper(written, "DELETE FROM journal WHERE id = 3")
    assert fault(written) == 4


def test_a_missing_first_entry_is_found(written: str) -> None:
    tamper(written, "DELETE FROM journal WHERE id = 1")
    assert fault(written) == 2


def test_a_gap_that_was_closed_by_renumbering_is_found(written: str) -> None:
    tamper(
        written,
        "DELETE FROM journal WHERE id = 3",
        "UPDATE journal SET id = 3 WHERE id = 4",
        "UPDATE journal SET id = 4 WHERE id = 5",
    )
    assert fault(written) == 3


def test_an_inserted_entry_is_found(written: str) -> None:
    names = ", ".join(column.name for column in JOURNAL.columns if column.name != "id")
    tamper(
        written,
        "UPDATE journal SET id = 6 WHERE id = 5",
        f"INSERT INTO journal (id, {names}) SELECT 5, {names} FROM journal WHERE id = 2",
    )
    assert fault(written) == 5


def test_swapped_entries_are_found(written: str) -> None:
    tamper(
        written,
        "UPDATE journal SET id = 99 WHERE id = 2",
        "UPDATE journal SET id = 2 WHERE id = 3",
        "UPDATE journal SET id = 3 WHERE id = 99",
    )
    assert fault(written) == 2


NOTHING = ", ".join(f"{name} = NULL" for name in (*PERSONAL, "secret"))
ERASE = f"UPDATE journal SET {NOTHING} WHERE id = 2"


def test_erased_values_leave_the_chain_whole(written: str) -> None:
    connection = raw(written)
    connection.execute(ERASE)  # with the triggers in place
    connection.close()
    assert fault(written) is None
    reader = open_reader(written)
    [found] = reader.journal(entry=2)
    reader.close()
    assert (found.old, found.new, found.changed_by, found.operator) == (None, None, None, None)
    assert found.crm_id == "c2"


def test_an_erased_value_that_comes_back_is_found(written: str) -> None:
    tamper(written, ERASE, "UPDATE journal SET changed_by = 'Trần B' WHERE id = 2")
    assert fault(written) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM journal",
        "UPDATE journal SET reason = 'x' WHERE id = 1",
        "UPDATE journal SET hash = previous",
        "UPDATE journal SET changed_by = 'x' WHERE id = 1",
        "INSERT OR REPLACE INTO journal SELECT * FROM journal WHERE id = 2",
    ],
)
def test_the_triggers_refuse_mistakes(written: str, statement: str) -> None:
    connection = raw(written)
    connection.execute("PRAGMA recursive_triggers=ON")
    with pytest.raises(sqlite3.IntegrityError, match="journal"):
        connection.execute(statement)
    connection.close()
    assert fault(written) is None


def test_nothing_that_is_hashed_lets_a_value_be_guessed() -> None:
    """Equal values have unlike seals: within an entry, between entries, and between sources of randomness."""
    same = entry(1, old="A", new="A", changed_by="A", operator="A", inputs={"crm": "A"})
    rows = [*chain([same, same], 0, GENESIS, bytes_from("a")), *chain([same], 0, GENESIS, bytes_from("b"))]
    seals = [row[f"{name}_seal"] for row in rows for name in PERSONAL]
    assert len(set(seals)) == len(seals)
    hashed = str(
        [{name: row[name] for name in HASHED} for row in chain([entry(1, operator="lan")], 0, GENESIS, bytes_from("a"))]
    )
    assert not any(word in hashed for word in PERSONAL_WORDS)


@pytest.mark.parametrize("detail", [{"x": object()}, {"x": float("nan")}])
def test_what_is_not_json_is_refused(written: str, detail: dict[str, object]) -> None:
    store = open_store(written, random_bytes=bytes_from(""))
    with pytest.raises((TypeError, ValueError)), store.transaction() as transaction:
        transaction.append([entry(6, detail=detail)])
    store.close()
    assert fault(written) is None


def test_details_of_other_types_become_plain(written: str) -> None:
    store = open_store(written, random_bytes=bytes_from(""))
    with store.transaction() as transaction:
        transaction.append(
            [entry(6, detail={"at": at(0), "ids": ("1", "2"), "set": {"b", "a"}, "side": Side.CRM, "1": 1e300})]
        )
    [found] = store.journal(entry=6)
    store.close()
    assert found.detail == {"at": at(0).isoformat(), "ids": ["1", "2"], "set": ["a", "b"], "side": "crm", "1": 1e300}
    assert fault(written) is None


TEXT = st.text(max_size=10)
VALUES = st.one_of(st.none(), TEXT, st.lists(TEXT, max_size=2).map(tuple))
ENTRIES = st.builds(
    Entry,
    kind=TEXT,
    at=st.just(at(0)),
    crm_id=st.none() | TEXT,
    field=st.none() | st.sampled_from(Field),
    old=VALUES,
    new=VALUES,
    changed_by=st.none() | TEXT,
    detail=st.dictionaries(
        TEXT, st.recursive(st.none() | st.booleans() | st.integers() | TEXT, st.lists, max_leaves=4)
    ),
)


@settings(deadline=None)
@given(st.lists(ENTRIES, min_size=2, max_size=6), st.data())
def test_any_chain_holds_and_any_removal_or_swap_breaks_it(entries: list[Entry], data: st.DataObject) -> None:
    rows = list(chain(entries, 0, GENESIS, bytes_from("any")))
    assert inspect(rows) is None
    at_row = data.draw(st.integers(0, len(rows) - 2))
    assert inspect(rows[:at_row] + rows[at_row + 1 :]) is not None
    rows[at_row], rows[at_row + 1] = rows[at_row + 1], rows[at_row]
    assert inspect(rows) is not None
