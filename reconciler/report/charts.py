"""Bars as inline SVG: a picture of a table's counts. No script, no style of its own: classes say the colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

from reconciler.message import Translate, into
from reconciler.report.document import Column, Form, Json, cell, count

LABEL: Final = 150
BARS: Final = 420
TAIL: Final = 70
ROW: Final = 20
COLOURS: Final = 8
DRAWN_AT_MOST: Final = 100
"""Rows of a picture; a longer table is only a table."""


def bars(title: str, columns: Sequence[Column], rows: Sequence[Json], translate: Translate) -> Markup:
    """Horizontal stacked bars, a row each, labelled by the first column; empty where there is nothing to draw."""
    counted = [column for column in columns if column.form is Form.COUNT]
    totals = [sum(row.get(column.key) or 0 for column in counted) for row in rows]
    most = max(totals, default=0)
    if not most or len(rows) > DRAWN_AT_MOST:
        return Markup("")
    parts = [
        Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}">').format(
            title, LABEL + BARS + TAIL, ROW * len(rows)
        )
    ]
    for number, (row, total) in enumerate(zip(rows, totals, strict=True)):
        top = number * ROW
        label = into(cell(columns[0], row), translate)
        parts.append(Markup('<text x="{}" y="{}" class="label">{}</text>').format(LABEL - 6, top + 14, label))
        left = float(LABEL)
        for place, column in enumerate(counted):
            width = BARS * (row.get(column.key) or 0) / most
            if width:
                parts.append(
                    Markup('<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" class="c{}"/>').format(
                        left, top + 3, width, ROW - 6, place % COLOURS
                    )
                )
            left += width
        parts.append(Markup('<text x="{:.1f}" y="{}" class="total">{}</text>').format(left + 6, top + 14, count(total)))
    parts.append(Markup("</svg>"))
    used = [(place, column) for place, column in enumerate(counted) if any(row.get(column.key) for row in rows)]
    return Markup("").join(parts) + (legend(used, translate) if len(counted) > 1 else Markup(""))


def legend(columns: Sequence[tuple[int, Column]], translate: Translate) -> Markup:
    """What the colours mean, each by its number."""
    named = [
        Markup('<span><i class="c{}"></i>{}</span>').format(place % COLOURS, escape(into(column.heading, translate)))
        for place, column in columns
    ]
    return Markup('<p class="legend">{}</p>').format(Markup("").join(named))
