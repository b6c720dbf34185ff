"""On which line of a TOML file a key stands; the parser of the standard library does not say."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import Any

Place = tuple[str | int, ...]
"""A key's path: names, and positions (from 0) in arrays."""


def lines_of(text: str) -> dict[Place, int]:
    """The line, counted from 1, of every key and table of `text`, which must be valid TOML.

    Lines are gathered until they parse as one statement, and its header or keys are taken from that parse: no second
    idea of what TOML looks like.
    """
    found: dict[Place, int] = {}
    tables: Counter[Place] = Counter()
    table: Place = ()
    statement, first = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        statement, first = (f"{statement}\n{line}", first) if statement else (line, number)
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # the statement goes on on the next line
        if statement.lstrip().startswith("["):
            table = _header(parsed, tables)
            found.setdefault(table, first)
        else:
            for place in _keys(parsed, table):
                found.setdefault(place, first)
        statement = ""
    return found


def _header(node: Any, tables: Counter[Place]) -> Place:
    """The table that a header opens; `tables` counts those of each array, and this one if it begins another."""
    table: Place = ()
    while node:
        ((name, node),) = node.items()
        table = (*table, name)
        if isinstance(node, list):
            tables[table] += 1
            node = node[0]
        if tables[table]:
            table = (*table, tables[table] - 1)
    return table


def _keys(node: Any, place: Place) -> Iterator[Place]:
    """Every place below `node`, which stands at `place`."""
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield (*place, key)
            yield from _keys(child, (*place, key))
