"""A document as CSV for a spreadsheet: UTF-8 with a byte-order mark, every cell quoted, no cell a formula.

All tables are in one file; `section` says which one a row is of. Headings and cells are the same in both languages:
they are for filters, formulas and programs. Times are in UTC.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.report.document import Column, Document, Form, plain_cell

BOM: Final = "\ufeff"
DANGEROUS: Final = "=+-@\t\r\n＝＋－＠"
"""First characters that a spreadsheet may take for a formula."""

SKIPPED: Final = " \u00a0\ufeff\x00\u200b\u3000\t\r\n"
"""What a spreadsheet may skip before it looks at the first character."""


def safe(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: a leading apostrophe makes it text."""
    text = plain_cell(value)
    first = text.lstrip(SKIPPED)[:1]
    risky = (first and first in DANGEROUS) or (text[:1] and text[0] in DANGEROUS)
    return "'" + text if risky else text


def csv_lines(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a CSV file, the byte-order mark first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    out.write(BOM)
    writer.writerow(columns)
    for row in rows:
        yield out.getvalue()
        out.seek(0)
        out.truncate()
        writer.writerow([safe(value) for value in row])
    yield out.getvalue()


def document_csv(document: Document) -> Iterator[str]:
    """The tables of a document below each other, then its header and footing as rows of their own."""
    known = [key for table in document.tables for column in table.columns for key in _keys(column)]
    keys = list(dict.fromkeys([*known, "field", "after"]))
    return csv_lines(["section", *keys], _rows(document, keys))


def _keys(column: Column) -> list[str]:
    """A stamp is two cells: as the server gave it, and corrected."""
    return [column.key, column.key.replace("modified", "corrected")] if column.form is Form.STAMP else [column.key]


def _rows(document: Document, keys: list[str]) -> Iterator[list[object]]:
    for table in document.tables:
        own = {key for column in table.columns for key in _keys(column)}
        for row in table.rows:
            yield [table.key, *(row.get(key) if key in own else None for key in keys)]
    stated = {**document.header, **document.footing.data()}
    for name, value in stated.items():
        yield ["header", *(name if key == "field" else value if key == "after" else None for key in keys)]
