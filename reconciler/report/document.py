"""A report as a document: what every format shows, and in which order. Formats differ only in how they write.

A table's rows are plain data, iterated once; its columns say how a person reads them. A chart is a picture of a table,
so each has its text beside it. `Footing` counts and digests rows while a format writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Any, Final

from reconciler.core.model import ZONE, Side
from reconciler.message import Message, say, word

Json = dict[str, Any]

DATES: Final = ("start", "due")
"""Fields whose values are days or instants; people read them as 02/03/2026."""


PHRASES: Final[Mapping[str, str]] = {
    "crm": say("CRM side"),
    "work": say("Work side"),
    "crm_to_work": say("CRM → Work"),
    "work_to_crm": say("Work → CRM"),
    "update_crm": say("change in the CRM"),
    "update_work": say("change in Work"),
    "text": say("result told in the CRM"),
    "no_outcome": say("outcome not known"),
    "not_applied": say("surely not applied"),
    "not_sent": say("not sent: the cycle ended before"),
    "unplanned": say("planned anew within the cycle"),
    "changed_meanwhile": say("edited meanwhile, planned again"),
    "server_answer": say("altered by the server"),
    "user_edit": say("edited by a person meanwhile"),
    "count": say("number"),
    "1m": say("up to 1 minute"),
    "2m": say("up to 2 minutes"),
    "5m": say("up to 5 minutes"),
    "1h": say("up to 1 hour"),
    "1d": say("up to 1 day"),
    "more": say("longer"),
}
"""Codes that a report says in more than their own word."""


def phrase(code: str) -> str:
    """A code as a report says it."""
    return PHRASES.get(code) or word(code)


class Form(StrEnum):
    """How a cell is read: `WORD` is a code of ours, `VALUE` a value of the row's `field`, `STAMP` a server's time with
    its correction beside it (under the same key with `corrected` for `modified`), `ID` a record's id."""

    TEXT = auto()
    WORD = auto()
    VALUE = auto()
    DAY = auto()
    MOMENT = auto()
    STAMP = auto()
    COUNT = auto()
    ID = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`key` is the same in every language; `heading` is for people."""

    key: str
    heading: str
    form: Form = Form.TEXT

    @property
    def headed(self) -> str:
        """The heading, with the zone of its times; of a stamp, that the corrected time follows."""
        match self.form:
            case Form.MOMENT:
                return say("{heading} (GMT+7)", heading=self.heading)
            case Form.STAMP:
                return say("{heading} → corrected (GMT+7)", heading=self.heading)
            case _:
                return self.heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`key` names the table for programs. `rows` may be iterated once. `drawn`: its counts are also shown as bars."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: Iterable[Json]
    note: str = ""
    drawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The page for management: the verdict, then numbered sentences, then who signs. `grave` marks a warning."""

    verdict: str
    grave: bool
    lines: tuple[str, ...]
    signatures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One report. `header` are its facts for programs. `pages` are the addresses of records in a browser, with {id}, of
    the sides where they are known."""

    title: str
    connection: str
    at: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...] = ()
    summary: Summary
    tables: tuple[Table, ...]
    header: Json
    pages: Mapping[str, str]
    footing: Footing

    @property
    def name(self) -> str:
        """The title with the connection and the time."""
        return say("{title} · {connection} · {at}", title=self.title, connection=self.connection, at=self.at)


@dataclass(slots=True)
class Footing:
    """What stands below a report: the query, and how many rows it gave with which digest.

    The digest is SHA-256 over the rows as canonical JSON, a line each, in the order in which they were written; the
    same query over the same journal gives the same one in every format.
    """

    query: str
    version: str
    rows: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    def over(self, rows: Iterable[Json]) -> Iterator[Json]:
        """The rows, counted and digested as they go by."""
        for row in rows:
            self.rows += 1
            self._digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode() + b"\n")
            yield row

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"

    def data(self) -> Json:
        """The footing of what was written so far."""
        return {"query": self.query, "rows": self.rows, "hash": self.digest, "version": self.version}

    def facts(self) -> tuple[tuple[str, str], ...]:
        """The same for a person."""
        return (
            (say("Query"), self.query),
            (say("Rows"), count(self.rows)),
            (say("Digest of the rows"), self.digest),
            (say("Version"), self.version),
        )


# --- how people read values -------------------------------------------------------------------------------------------


def local(moment: str | None) -> str:
    """A UTC time of the report as a person in Vietnam reads it: 02/03/2026 09:00:00 (GMT+7)."""
    if moment is None:
        return "-"
    return datetime.fromisoformat(moment).astimezone(ZONE).strftime("%d/%m/%Y %H:%M:%S (GMT+7)")


def count(number: int) -> str:
    """A count as both languages write it in these reports: 1.042."""
    return f"{number:,}".replace(",", ".")


def deviation(seconds: float, uncertainty: float) -> str:
    """How far a clock is ahead: +0,4 s (± 0,5 s)."""
    return f"{seconds:+.1f} s (± {uncertainty:.1f} s)".replace(".", ",")


def percent(part: int, whole: int) -> str:
    """A share as 12,5 %; it says 100 % and 0 % only where that is exact."""
    if whole == 0:
        return "-"
    tenths = round(1000 * part / whole)
    tenths = 999 if tenths == 1000 and part < whole else 1 if tenths == 0 and part else tenths
    return f"{tenths // 10},{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"


def duration(seconds: int | None) -> str:
    """How long something lasted: 2 d 03:04:05."""
    if seconds is None:
        return say("unknown")
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return say("{days} d {clock}", days=days, clock=clock) if days else clock


def shown(value: object, field: str | None = None) -> str:
    """A value on one line; empty is said. Of `start` and `due`, a day or an instant is 02/03/2026 17:30."""
    if field in DATES and isinstance(value, str) and value:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return shown(value)
        return moment.strftime("%d/%m/%Y" if len(value) == 10 else "%d/%m/%Y %H:%M")
    if value is None or value == "" or value == []:
        return say("(empty)")
    if isinstance(value, Message):
        return value
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return text.replace("\r\n", " ⏎ ").replace("\n", " ⏎ ")


def cell(column: Column, row: Json) -> str:
    """What a person reads in a cell, in English; messages in it can still be translated."""
    value = row.get(column.key)
    match column.form:
        case Form.VALUE:
            return shown(value, row.get("field")) if row.get("field") else "" if value is None else shown(value)
        case Form.WORD:
            return phrase(value) if value else ""
        case Form.DAY:
            return shown(value, "start")
        case Form.MOMENT:
            return _clock(value) if value else ""
        case Form.STAMP:
            return _stamp(value, row.get(column.key.replace("modified", "corrected")))
        case Form.COUNT:
            return count(value) if isinstance(value, int) else ""
        case _:
            return "" if value is None else shown(value) if value != "" else ""


def _stamp(stamp: str | None, corrected: str | None) -> str:
    if stamp is None:
        return ""
    if corrected is None or corrected == stamp:
        return _clock(stamp)
    return f"{_clock(stamp)} → {_clock(corrected).split(' ')[1]}"


def _clock(moment: str) -> str:
    """A local time without its zone, which the heading names."""
    return local(moment).removesuffix(" (GMT+7)")


def plain_cell(value: object) -> str:
    """What a program reads in a cell: the same in both languages, times in UTC."""
    if value is None:
        return ""
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def address(pages: Mapping[str, str], side: Side, identifier: str | None) -> str | None:
    """The address of a record in a browser, where the config says how it is made."""
    page = pages.get(side.value)
    return page.replace("{id}", identifier) if page and identifier and identifier.isalnum() else None
