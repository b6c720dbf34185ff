"""A document as a workbook: the summary on its first sheet, then a sheet a table. No cell is a formula or a link.

Times are local ones without a zone, as spreadsheets want them; the headings and the first sheet say which zone.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import xlsxwriter  # type: ignore[import-untyped]

from reconciler.core.model import ZONE
from reconciler.message import Translate, into, say
from reconciler.report.document import Column, Document, Form, Json, Table, cell

ROWS: Final = 1_048_575
"""Rows of a sheet below its heading; a longer table goes on in another one."""

CELL: Final = 32_767
"""Characters of a cell."""

SHEET_NAME: Final = 31
CREATED: Final = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""A constant, so that the same report has the same bytes."""

PIECE: Final = 1 << 16
WIDTHS: Final = {Form.MOMENT: 19, Form.STAMP: 44, Form.COUNT: 12, Form.ID: 12, Form.WORD: 20, Form.VALUE: 32}


def document_xlsx(document: Document, translate: Translate) -> Iterator[bytes]:
    """The pieces of the workbook's file."""
    return _pieces(document.name, translate, lambda writer: writer.document(document))


def table_xlsx(table: Table, translate: Translate) -> Iterator[bytes]:
    """A table alone, with nothing before or behind it."""
    return _pieces(table.title, translate, lambda writer: writer.table(table))


def _pieces(title: str, translate: Translate, write: Callable[[_Writer], None]) -> Iterator[bytes]:
    """Rows go to the disk as they come; the file is read from there."""
    with tempfile.TemporaryFile() as file:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        with xlsxwriter.Workbook(file, {**options, "strings_to_numbers": False}) as book:
            book.set_properties({"title": into(title, translate), "created": CREATED})
            write(_Writer(book, translate))
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


class _Writer:
    """Writes sheets, one row after the other."""

    def __init__(self, book: Any, translate: Translate) -> None:
        self._book, self._translate = book, translate
        self._names: set[str] = set()
        self._heading = book.add_format({"bold": True, "bg_color": "#E8ECF1", "text_wrap": True, "valign": "top"})
        self._moment = book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss", "valign": "top"})
        self._text = book.add_format({"text_wrap": True, "valign": "top"})
        self._count = book.add_format({"num_format": "#,##0", "valign": "top"})

    def document(self, document: Document) -> None:
        summary = document.summary
        lines: list[tuple[str, str]] = [(document.name, ""), *((warning, "") for warning in document.warnings)]
        lines += [(summary.verdict, "")]
        lines += [(say("{number}. {line}", number=n, line=line), "") for n, line in enumerate(summary.lines, start=1)]
        sheet = self._sheet(say("Summary"))
        sheet.set_column(0, 0, 100)
        sheet.set_column(1, 1, 60)
        for number, (name, value) in enumerate([*lines, *document.facts, *((name, "") for name in summary.signatures)]):
            self._string(sheet, number, 0, name, self._heading if number == 0 else self._text)
            self._string(sheet, number, 1, value, self._text)
        for table in document.tables:
            self.table(table)
        sheet = self._sheet(say("Footing"))
        sheet.set_column(0, 1, 70)
        for number, (name, value) in enumerate(document.footing.facts()):
            self._string(sheet, number, 0, name, self._text)
            self._string(sheet, number, 1, value, self._text)

    def table(self, table: Table) -> None:
        sheet, number = self._headed(table), 0
        for row in table.rows:
            if number == ROWS:
                sheet, number = self._headed(table), 0
            number += 1
            for place, column in enumerate(table.columns):
                self._cell(sheet, number, place, column, row)

    def _headed(self, table: Table) -> Any:
        sheet = self._sheet(table.title)
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(table.columns):
            sheet.set_column(place, place, WIDTHS.get(column.form, 28))
            self._string(sheet, 0, place, column.headed, self._heading)
        return sheet

    def _cell(self, sheet: Any, number: int, place: int, column: Column, row: Json) -> None:
        value = row.get(column.key)
        if column.form is Form.COUNT and isinstance(value, int):
            sheet.write_number(number, place, value, self._count)
        elif column.form is Form.MOMENT and value:
            moment = datetime.fromisoformat(value).astimezone(ZONE).replace(tzinfo=None)
            sheet.write_datetime(number, place, moment, self._moment)
        else:
            self._string(sheet, number, place, cell(column, row), self._text)

    def _string(self, sheet: Any, number: int, place: int, text: str, look: Any) -> None:
        sheet.write_string(number, place, into(text, self._translate)[:CELL], look)

    def _sheet(self, title: str) -> Any:
        """A new sheet; its name is what a workbook allows, and no other sheet's."""
        plain = re.sub(r"[\[\]:*?/\\']", " ", into(title, self._translate)).strip()[:SHEET_NAME]
        name, again = plain, 1
        while name.lower() in self._names:
            again += 1
            name = f"{plain[: SHEET_NAME - 5]} ({again})"
        self._names.add(name.lower())
        return self._book.add_worksheet(name)
