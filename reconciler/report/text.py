"""A document as text for a terminal: one row a line, empty cells left out."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.message import Translate, into, joined, say
from reconciler.report.document import Document, cell


def document_text(document: Document, translate: Translate) -> Iterator[str]:
    """The document, line by line."""
    return (f"{into(line, translate)}\n" for line in _lines(document))


def _lines(document: Document) -> Iterator[str]:
    yield document.name
    for warning in document.warnings:
        yield say("! {warning}", warning=warning)
    yield document.summary.verdict
    for number, line in enumerate(document.summary.lines, start=1):
        yield say("{number}. {line}", number=number, line=line)
    for name, value in document.facts:
        yield say("{name}: {value}", name=name, value=value)
    for table in document.tables:
        yield ""
        yield say("{title}:", title=table.title)
        empty = True
        for row in table.rows:
            empty = False
            cells = [(column, cell(column, row)) for column in table.columns]
            named = [say("{name}: {value}", name=column.headed, value=text) for column, text in cells if text]
            yield say("  {row}", row=joined(named, "; "))
        if empty:
            yield say("  nothing")
        if table.note and not empty:
            yield say("  ({note})", note=table.note)
    yield ""
    for name, value in document.footing.facts():
        yield say("{name}: {value}", name=name, value=value)
