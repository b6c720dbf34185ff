"""A document as one HTML file that opens by double-click: no script, nothing from another host, everything escaped.

The page is written piece by piece, so a long table takes no more memory than a short one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from reconciler.core.model import Side
from reconciler.message import Translate, into
from reconciler.report.charts import bars
from reconciler.report.document import Column, Document, Form, Json, Table, address, cell, phrase

SIDES: Final = {"crm_id": Side.CRM, "work_id": Side.WORK}
LOOSE: Final = (Form.TEXT, Form.VALUE)
"""Forms of cells that may be broken anywhere: what people type may be one long word."""


def document_html(document: Document, translate: Translate) -> Iterator[str]:
    """The pieces of the page."""
    style = (files("reconciler.report") / "templates" / "report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("reconciler.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["said"] = lambda text: into(text, translate)
    template = environment.get_template("report.html")
    template_context = {
        "document": document,
        "language": translate("language:en").removeprefix("language:"),
        "style": Markup(style),
        "style_digest": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "rows": lambda table: _rows(document, table, translate),
        "counted": lambda table: _counted(document, table, translate),
        "_": translate,
    }
    stream = template.stream(template_context)
    stream.enable_buffering(64)
    return iter(stream)


def _rows(document: Document, table: Table, translate: Translate) -> Iterator[Markup]:
    """The rows of a table; one that says so if there is none."""

    @cache
    def word(code: str) -> str:
        return str(escape(into(phrase(code), translate)))

    def written(column: Column, row: Json) -> str:
        value = row.get(column.key)
        if column.form is Form.WORD and isinstance(value, str) and "{" not in value:
            return f"<td>{word(value)}" if value else "<td>"
        text = escape(into(cell(column, row), translate))
        if column.form is not Form.ID:
            return f'<td class="t">{text}' if column.form in LOOSE else f"<td>{text}"
        side = SIDES.get(column.key) or (Side(row["side"]) if column.key == "id" and "message" in row else None)
        link = address(document.pages, side, value) if side else None
        return (
            f'<td class="n"><a href="{escape(link)}" rel="noopener noreferrer">{text}</a>'
            if link
            else f'<td class="n">{text}'
        )

    empty = True
    for row in table.rows:
        empty = False
        yield Markup("<tr>" + "".join(written(column, row) for column in table.columns) + "</tr>\n")
    if empty:
        yield Markup('<tr><td colspan="{}" class="none">{}</td></tr>\n').format(
            len(table.columns), translate("nothing")
        )


def _counted(document: Document, table: Table, translate: Translate) -> tuple[Markup, list[Markup]]:
    """The picture of a table of counts, and its rows."""
    found = list(table.rows)
    kept = Table(key=table.key, title=table.title, columns=table.columns, rows=found)
    return bars(into(table.title, translate), table.columns, found, translate), list(_rows(document, kept, translate))
