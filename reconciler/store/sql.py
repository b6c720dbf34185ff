"""Bulk statements: chunked IN, and the one place that knows how a dialect spells an upsert."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import JSON, ColumnElement, Connection, Table, Text, cast, delete, func, tuple_
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

IN_LIMIT: Final = 500
"""How many ids one IN holds: small enough for every build of every database."""

_UNREADABLE: Final = r"(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})"
"""The escapes in JSON that PostgreSQL cannot turn into text: U+0000 and surrogates."""


def chunks(items: Iterable[T], size: int = IN_LIMIT) -> Iterator[list[T]]:
    """The distinct items in their order, in lists of at most `size`."""
    distinct = list(dict.fromkeys(items))
    for start in range(0, len(distinct), size):
        yield distinct[start : start + size]


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    replace: Mapping[str, Any] | None = None,
) -> None:
    """Insert rows, or update those whose primary key is there; the later of two rows with one key wins.

    All rows have the same keys. `replace` maps a function of (table, excluded) to columns that are not simply taken
    from the new row; None as a function leaves the stored value.
    """
    if not rows:
        return
    insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name]
    statement: Any = insert(table)  # the two classes share their methods but no type that has them
    keys = [column.name for column in table.primary_key]
    changed: dict[str, Any] = {}
    for name in rows[0]:
        if name in keys:
            continue
        special = replace.get(name, ...) if replace else ...
        if special is ...:
            changed[name] = statement.excluded[name]
        elif special is not None:
            changed[name] = special(table.c, statement.excluded)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))


def delete_in(connection: Connection, column: ColumnElement[Any], table: Table, ids: Collection[Any]) -> None:
    for some in chunks(ids):
        connection.execute(delete(table).where(column.in_(some)))


def delete_keys(connection: Connection, table: Table, keys: Collection[tuple[Any, ...]]) -> None:
    """Delete by whole primary keys, each a tuple in the order of the key's columns."""
    columns = tuple_(*table.primary_key)
    for some in chunks(keys, IN_LIMIT // len(table.primary_key.columns)):
        connection.execute(delete(table).where(columns.in_(some)))


def json_word(connection: Connection, document: ColumnElement[Any], name: str) -> ColumnElement[str]:
    """The text under a name in a JSON column, null where it is none. PostgreSQL gives "?" for what it cannot show."""
    if connection.dialect.name == "postgresql":
        document = cast(func.regexp_replace(cast(document, Text), _UNREADABLE, r"\1?", "g"), JSON)
    word: ColumnElement[str] = document[name].as_string()
    return word
