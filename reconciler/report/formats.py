"""The formats of a report: each turns a document into the pieces of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from reconciler.message import Translate
from reconciler.report.csv import document_csv
from reconciler.report.document import Document
from reconciler.report.html import document_html
from reconciler.report.text import document_text
from reconciler.report.xlsx import document_xlsx

Format = Callable[[Document, Translate], Iterator[bytes]]


def _encoded(written: Callable[[Document, Translate], Iterator[str]]) -> Format:
    return lambda document, translate: (piece.encode("utf-8", "replace") for piece in written(document, translate))


FORMATS: Final[Mapping[str, Format]] = {
    "text": _encoded(document_text),
    "csv": _encoded(lambda document, _: document_csv(document)),
    "html": _encoded(document_html),
    "xlsx": document_xlsx,
}
