"""The journal for people and programs. Every form is made entry by entry, so a long journal takes no more memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from jinja2 import Environment, PackageLoader

from reconciler import __version__
from reconciler.message import Translate, into, joined, say, word
from reconciler.report import columns as c
from reconciler.report.csv import csv_lines
from reconciler.report.data import Json, utc
from reconciler.report.document import Column, Document, Footing, Form, Summary, Table, local, shown
from reconciler.report.grounds import grounds
from reconciler.report.render import told

HISTORY: Final = (
    "id", "at", "cycle", "kind", "crm_id", "work_id", "side", "field", "old", "new", "rule", "reason", "changed_by",
    "operator",
)  # fmt: skip

RULED: Final = ("settled", "accepted", "set_aside")
"""Decisions after which nothing is written, so that they have no value before and after."""

Rows = Iterable[Json]
"""Entries as `data.entry_data` gives them, oldest first."""


def as_text(rows: Rows, translate: Translate) -> Iterator[str]:
    """For a terminal, one entry a line."""
    return (f"{into(_entry_line(row), translate)}\n" for row in rows)


def as_json(rows: Rows, _: Translate) -> Iterator[str]:
    """For a program: one array."""
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"


def as_csv(rows: Rows, _: Translate) -> Iterator[str]:
    """For a spreadsheet, the same in both languages."""
    return csv_lines(HISTORY, ([row[name] for name in HISTORY] for row in rows))


def as_html(rows: Rows, translate: Translate) -> Iterator[str]:
    """One file that opens by double-click."""
    return page(rows, translate, title="")


def page(
    rows: Rows, translate: Translate, *, title: str, made_at: datetime | None = None, configs: Rows = ()
) -> Iterator[str]:
    """A readable page of entries, in parts; `title` is the connection's name, `configs` are the fingerprints of the
    configs that were in force, with `since`."""
    environment = Environment(loader=PackageLoader("reconciler.report"), autoescape=True, trim_blocks=True)

    def value(given: object, field: str | None) -> str:
        return into(shown(given, field), translate)

    environment.filters |= {
        "local": local,
        "shown": value,
        "word": lambda code: into(word(code), translate) if code else "",
    }
    language = translate("language:en").removeprefix("language:")
    template = environment.get_template("journal.html")
    shared = {"title": title, "made_at": utc(made_at), "configs": configs, "language": language}
    return template.generate(rows=rows, _=translate, **shared)


def history_document(rows: Rows, *, connection: str, made_at: datetime, query: str) -> Document:
    """The entries as a document of one table, for a workbook."""
    footing = Footing(query=query, version=__version__)
    columns = (
        Column(key="id", heading=say("Entry"), form=Form.ID),
        c.AT,
        Column(key="kind", heading=say("What"), form=Form.WORD),
        c.SIDE,
        c.CRM_ID,
        c.WORK_ID,
        c.FIELD,
        Column(key="old", heading=say("Before"), form=Form.VALUE),
        Column(key="new", heading=say("After"), form=Form.VALUE),
        c.RULE,
        c.REASON,
        Column(key="changed_by", heading=say("Edited by")),
        c.OPERATOR,
    )
    return Document(
        title=say("Journal"),
        connection=connection,
        at=local(utc(made_at)),
        facts=((say("Time zone"), "Asia/Ho_Chi_Minh (GMT+7)"),),
        summary=Summary(verdict=say("Entries of the journal, oldest first."), grave=False, lines=(), signatures=()),
        tables=(Table(key="journal", title=say("Journal"), columns=columns, rows=footing.over(rows)),),
        header={},
        pages={},
        footing=footing,
    )


FORMS: Final[Mapping[str, Callable[[Rows, Translate], Iterator[str]]]] = {
    "text": as_text,
    "json": as_json,
    "csv": as_csv,
    "html": as_html,
}


def _entry_line(row: Json) -> str:
    parts: list[str] = [
        f"{row['id']} {local(row['at'])}",
        word(row["kind"]),
        f"{row['crm_id'] or '-'}/{row['work_id'] or '-'}",
    ]
    if row["erased"]:
        parts.append(say("(values erased)"))
    elif row["field"] and row["kind"] in RULED:
        parts.append(word(row["field"]))
    elif row["field"]:
        parts.append(
            say(
                "{field} on {side}: {old} -> {new}",
                field=word(row["field"]),
                side=word(row["side"] or "-"),
                old=shown(row["old"], row["field"]),
                new=shown(row["new"], row["field"]),
            )
        )
    marks = [word(mark) for mark in (row["rule"], row["reason"]) if mark]
    if marks:  # of a command both: its reason is a person's
        parts.append(joined(["[", joined(marks if row["operator"] else marks[:1], ": "), "]"], ""))
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
        if (row["kind"], row["reason"]) != ("intent", "conflict"):  # told with the conflict
            yield from grounds(row)


def _story_lines(data: Json) -> Iterator[str]:
    if data["item"]:
        yield say("CRM task {task} <-> work item {item}", task=data["task"], item=data["item"])
    else:
        yield say("CRM task {task}: not linked", task=data["task"])
    for name, value in data["fields"].items():
        yield say(
            "  {field}: CRM «{crm}»  Work «{work}»",
            field=word(name),
            crm=shown(value["crm"], name),
            work=shown(value["work"], name),
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
