"""The journal for people and programs. Every form is made entry by entry, so a long journal takes no more memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from jinja2 import Environment, PackageLoader

from reconciler.message import Translate, into, joined, say, word
from reconciler.report.csv import csv_lines
from reconciler.report.data import Json, utc
from reconciler.report.document import Column, Form, Table, local, shown
from reconciler.report.render import told
from reconciler.report.xlsx import table_xlsx

COLUMNS: Final = (
    Column(key="id", heading=say("Entry"), form=Form.COUNT),
    Column(key="at", heading=say("When"), form=Form.MOMENT),
    Column(key="cycle", heading=say("Cycle"), form=Form.COUNT),
    Column(key="kind", heading=say("What"), form=Form.WORD),
    Column(key="crm_id", heading=say("CRM task"), form=Form.ID),
    Column(key="work_id", heading=say("Work item"), form=Form.ID),
    Column(key="side", heading=say("Side"), form=Form.WORD),
    Column(key="field", heading=say("Field"), form=Form.WORD),
    Column(key="old", heading=say("Before"), form=Form.VALUE),
    Column(key="new", heading=say("After"), form=Form.VALUE),
    Column(key="rule", heading=say("Rule"), form=Form.WORD),
    Column(key="reason", heading=say("Reason"), form=Form.WORD),
    Column(key="changed_by", heading=say("Edited by")),
    Column(key="operator", heading=say("Operator")),
)
"""What a table tells of an entry."""

HISTORY: Final = tuple(column.key for column in COLUMNS)

Rows = Iterable[Json]
"""Entries as `data.entry_data` gives them, oldest first."""


def as_text(rows: Rows, translate: Translate) -> Iterator[str]:
    """For a terminal, one entry a line."""
    return (f"{into(_entry_line(row), translate)}\n" for row in rows)


def as_json(rows: Rows) -> Iterator[str]:
    """For a program: one array."""
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"


def history_lines(rows: Rows) -> Iterator[str]:
    """For a spreadsheet, the same in both languages."""
    return csv_lines(HISTORY, ([row[name] for name in HISTORY] for row in rows))


def page(rows: Rows, translate: Translate, *, title: str, made_at: datetime | None = None) -> Iterator[str]:
    """A readable page of entries, in parts; `title` is the connection's name."""
    environment = Environment(loader=PackageLoader("reconciler.report"), autoescape=True, trim_blocks=True)
    environment.filters |= {
        "local": local,
        "shown": lambda value: into(shown(value), translate),
        "word": lambda code: into(word(code), translate) if code else "",
    }
    language = translate("language:en").removeprefix("language:")
    template = environment.get_template("journal.html")
    return template.generate(rows=rows, title=title, made_at=utc(made_at), _=translate, language=language)


def _table(rows: Rows) -> Table:
    return Table(key="journal", title=say("Journal"), columns=COLUMNS, rows=rows)


def _bytes(pieces: Iterator[str]) -> Iterator[bytes]:
    return (piece.encode("utf-8", "replace") for piece in pieces)


FORMS: Final[Mapping[str, Callable[[Rows, Translate], Iterator[bytes]]]] = {
    "text": lambda rows, translate: _bytes(as_text(rows, translate)),
    "json": lambda rows, _: _bytes(as_json(rows)),
    "csv": lambda rows, _: _bytes(history_lines(rows)),
    "html": lambda rows, translate: _bytes(page(rows, translate, title="")),
    "xlsx": lambda rows, translate: table_xlsx(_table(rows), translate),
}


def _entry_line(row: Json) -> str:
    parts: list[str] = [
        f"{row['id']} {local(row['at'])}",
        word(row["kind"]),
        f"{row['crm_id'] or '-'}/{row['work_id'] or '-'}",
    ]
    if row["erased"]:
        parts.append(say("(values erased)"))
    elif row["field"]:
        parts.append(
            say(
                "{field} on {side}: {old} -> {new}",
                field=word(row["field"]),
                side=word(row["side"] or "-"),
                old=shown(row["old"]),
                new=shown(row["new"]),
            )
        )
    if row["rule"] or row["reason"]:
        parts.append(joined(["[", word(row["rule"] or row["reason"]), "]"], ""))
    if row["operator"] or row["changed_by"]:
        parts.append(say("by {person}", person=row["operator"] or row["changed_by"]))
    return joined(parts, " ")


# --- the story of one task --------------------------------------------------------------------------------------------


def why_text(data: Json, rows: Rows, translate: Translate) -> str:
    """One pair's whole story for a terminal: how it is now, then every edit and every decision with its inputs."""
    return told(_story_lines(data), translate) + told(_told_entries(rows), translate)


def _told_entries(rows: Rows) -> Iterator[str]:
    for row in rows:
        yield _entry_line(row)
        if row["inputs"] and (row["kind"], row["reason"]) != ("intent", "conflict"):  # told with the conflict
            yield from _inputs_lines(row)


def _inputs_lines(row: Json) -> Iterator[str]:
    """What a decision was made from: the values last agreed on and the present ones, and for a conflict the clocks."""
    values, detail = row["inputs"], row["detail"]
    if "crm_base" not in values:
        return
    yield say(
        "    decided on: CRM «{crm_base}» -> «{crm}», Work «{work_base}» -> «{work}»; direction {direction}",
        **{name: shown(values[name]) for name in ("crm_base", "crm", "work_base", "work")},
        direction=word(detail["direction"]),
    )
    if row["kind"] == "conflict":
        clocks = detail["clocks"]
        yield say(
            "    edited in the CRM {crm} (its clock {crm_offset}), in Work {work} (its clock {work_offset}); tolerance"
            " {tolerance} s; {winner} wins: {decided}",
            crm=local(detail["crm_stamp"]),
            work=local(detail["work_stamp"]),
            crm_offset=_offset(clocks["crm"]),
            work_offset=_offset(clocks["work"]),
            tolerance=f"{clocks['tolerance']:g}",
            winner=word(detail["winner"]),
            decided=word(detail["decided"]),
        )


def _offset(clock: Json) -> str:
    value = clock["value"]
    return say("unknown") if value is None else f"{value:+.1f} s ± {clock['uncertainty']:.1f} s"


def _story_lines(data: Json) -> Iterator[str]:
    if data["item"]:
        yield say("CRM task {task} <-> work item {item}", task=data["task"], item=data["item"])
    else:
        yield say("CRM task {task}: not linked", task=data["task"])
    for name, value in data["fields"].items():
        yield say(
            "  {field}: CRM «{crm}»  Work «{work}»",
            field=word(name),
            crm=shown(value["crm"]),
            work=shown(value["work"]),
        )
    for side, moment in data["modified"].items():
        yield say(
            "  last edit on {side}: {at} by {person}",
            side=word(side),
            at=local(moment),
            person=data["author"][side] or say("unknown"),
        )
    if data["pending_since"]:
        yield say("  work on it is due since {at}", at=local(data["pending_since"]))
    for row in data["differences"]:
        yield say("  accepted difference in {field}: {reason}", field=word(row["field"]), reason=word(row["reason"]))
    for row in data["tombstone"]:
        yield say("  unlinked from item {item}: {reason}", item=row["item"], reason=word(row["reason"]))
    for row in data["attention"]:
        yield say("  needs a person: {code}: {message}", code=row["code"], message=row["message"])
