"""The report data as text for a terminal, as CSV for a spreadsheet, as one self-contained HTML file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, Final

from jinja2 import Environment, PackageLoader

from reconciler.core.model import ZONE
from reconciler.message import Translate, into, joined, say, word
from reconciler.report.data import Json

DANGEROUS: Final = "=+-@\t\r\n＝＋－＠"
"""First characters that a spreadsheet may take for a formula."""

COLUMNS: Final = ("kind", "side", "crm_id", "work_id", "title", "field", "before", "after", "reason", "rule")


def local(moment: str | None) -> str:
    """A UTC time of the report as a person in Vietnam reads it: 02/03/2026 09:00:00 (GMT+7)."""
    if moment is None:
        return "-"
    return datetime.fromisoformat(moment).astimezone(ZONE).strftime("%d/%m/%Y %H:%M:%S (GMT+7)")


def shown(value: object) -> str:
    """A field value on one line; empty is said."""
    if value is None or value == "" or value == []:
        return say("(empty)")
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return text.replace("\n", " ⏎ ")


def as_json(data: Json, translate: Translate) -> str:
    """The report for a program; only its sentences are translated."""
    return json.dumps(spoken(data, translate), ensure_ascii=False, indent=1) + "\n"


def spoken(data: Any, translate: Translate) -> Any:
    """The data with every sentence in the language of `translate`."""
    if isinstance(data, dict):
        return {key: spoken(value, translate) for key, value in data.items()}
    if isinstance(data, list):
        return [spoken(one, translate) for one in data]
    return into(data, translate) if isinstance(data, str) else data


def told(lines: Iterable[str], translate: Translate) -> str:
    """Lines of text in the language of `translate`."""
    return "".join(f"{into(line, translate)}\n" for line in lines)


def as_text(data: Json, translate: Translate) -> str:
    """The dry run for a terminal."""
    return told(_report_lines(data), translate)


def _report_lines(data: Json) -> Iterator[str]:
    yield say(
        "DRY RUN, nothing is written: {connection}, {at}",
        connection=data["connection"],
        at=local(data["generated_at"]),
    )
    yield say("plan {fingerprint}", fingerprint=data["fingerprint"])
    if data["complete"]:
        yield say("read to the end on both sides")
    else:
        yield say("NOT COMPLETE: a side could not be read to the end")
    if caught_up := _days(data["last_cycle_at"], data["generated_at"]):
        yield say(
            "the last cycle ended {at}: this catches up {days} days, and the update limit counts for as many",
            at=local(data["last_cycle_at"]),
            days=caught_up,
        )
    for side, words in data["unavailable"].items():
        yield say("  {side} is unavailable: {words}", side=word(side), words=words)
    if data["halted"]:
        halted = data["halted"]
        yield say("HALTED ({reason}): {message}", reason=word(halted["reason"]), message=halted["message"])
    counts = data["summary"]
    yield say(
        "{create} to create, {update_work} work items and {update_crm} CRM tasks to update, {delete} to delete, "
        "{unlink} to unlink; {conflicts} conflicts, {attention} need a person",
        **counts,
    )
    for row in data["operations"]:
        yield from _operation_lines(row)
    for row in data["conflicts"]:
        yield say(
            "conflict {field} of CRM {crm_id} / work {work_id}: CRM «{crm}», Work «{work}»; {winner} wins ({reason})",
            field=word(row["field"]),
            crm_id=row["crm_id"],
            work_id=row["work_id"],
            crm=shown(row["crm"]),
            work=shown(row["work"]),
            winner=word(row["winner"]),
            reason=word(row["reason"]),
        )
    for row in data["differences"]:
        yield say(
            "differs, accepted ({reason}): {field} of CRM {crm_id} «{crm}», work {work_id} «{work}»",
            field=word(row["field"]),
            crm_id=row["crm_id"],
            work_id=row["work_id"],
            crm=shown(row["crm"]),
            work=shown(row["work"]),
            reason=word(row["reason"]),
        )
    for row in data["left_out"]:
        yield say(
            "left out by [pilot]: CRM {crm_id} / work {work_id} {title}", **{**row, "work_id": row["work_id"] or "-"}
        )
    for row in data["attention"]:
        yield attention_line(row)


def _days(before: str | None, now: str) -> int:
    """Whole days between two moments; 0 if there is no first one."""
    return (datetime.fromisoformat(now) - datetime.fromisoformat(before)).days if before else 0


def attention_line(row: Json) -> str:
    """One entry of the attention list."""
    return say(
        "attention {code}: {side} {id}: {message} [{who}, since {at}]",
        code=row["code"],
        who=word(row["who"]),
        at=local(row["since"]),
        side=word(row["side"]),
        id=row["id"],
        message=row["message"],
    )


def _operation_lines(row: Json) -> Iterator[str]:
    where = {"crm_id": row["crm_id"], "work_id": row["work_id"]}
    yield say(
        "{kind} on {side}: {where} {title}",
        kind=word(row["kind"]),
        side=word(row["side"]),
        where=say("CRM {crm_id} / work {work_id}" if row["work_id"] else "CRM {crm_id}", **where),
        title=row["title"],
    )
    for change in row["fields"]:
        yield say(
            "    {field}: {before} -> {after}  [{reason}]",
            field=word(change["name"]),
            before=shown(change["before"]),
            after=shown(change["after"]),
            reason=word(change["reason"]),
        )


def as_csv(data: Json, translate: Translate) -> str:
    """One row for each field of each operation, with a byte-order mark so that spreadsheets see UTF-8.

    Headings and cells are the same in both languages: they are for filters, formulas and programs.
    """
    rows = [
        [*(row[key] for key in COLUMNS[:5]), *(change[key] for key in ("name", "before", "after", "reason", "rule"))]
        for row in data["operations"]
        for change in row["fields"] or [dict.fromkeys(("name", "before", "after", "reason", "rule"))]
    ]
    return "\ufeff" + csv_text(COLUMNS, rows)


def csv_text(columns: tuple[str, ...], rows: Iterable[Iterable[object]]) -> str:
    """CSV with every text that a spreadsheet could run as a formula made harmless by a leading apostrophe."""
    return "".join(csv_lines(columns, rows))


def csv_lines(columns: tuple[str, ...], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The same, a row at a time."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in chain([columns], rows):
        writer.writerow([safe(value) for value in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def safe(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    stripped = text.lstrip(" \u00a0\ufeff\x00")
    return "'" + text if (stripped[:1] or text[:1]) and (stripped[:1] in DANGEROUS or text[:1] in DANGEROUS) else text


def as_html(data: Json, translate: Translate) -> str:
    """One file that opens by double-click: no script, nothing from another host."""
    environment = Environment(loader=PackageLoader("reconciler.report"), autoescape=True, trim_blocks=True)
    environment.filters |= {
        "local": local,
        "shown": lambda value: into(shown(value), translate),
        "said": lambda text: into(text, translate),
        "word": lambda code: translate(code) if code else "",
    }
    language = translate("language:en").removeprefix("language:")
    return environment.get_template("report.html").render(report=data, _=translate, language=language, days=_days)


FORMATS: Final[Mapping[str, Callable[[Json, Translate], str]]] = {
    "text": as_text,
    "json": as_json,
    "csv": as_csv,
    "html": as_html,
}


def status_text(data: Json, translate: Translate) -> str:
    """The state of a connection for a terminal."""
    return told(_status_lines(data), translate)


def _status_lines(data: Json) -> Iterator[str]:
    last = data["last_cycle"]
    yield say(
        "connection {connection}: {links} pairs, {pending} pending",
        connection=data["connection"],
        links=data["links"],
        pending=data["pending"],
    )
    if last:
        yield say("last cycle: {at} {outcome}", at=local(last["finished_at"]), outcome=word(last["outcome"]))
    else:
        yield say("no cycle yet")
    if data["observing"] is not None:
        yield say("observing: nothing is written; due now: {due}", due=foreseen(data["observing"]))
    if data["left_out"]:
        yield say("{count} pairs and tasks with news are left out by [pilot]", count=data["left_out"])
    for side, moment in data["watermarks"].items():
        yield say("{side} read up to {at}", side=word(side), at=local(moment))
    yield joined((say("{name} {count}", name=word(name), count=count) for name, count in data["pairs"].items()), ", ")
    for side, health in data["sides"].items():
        if health:
            yield say(
                "{side} unavailable since {at}: {reason}",
                side=word(side),
                at=local(health["since"]),
                reason=health["reason"],
            )
    if data["paused"]:
        yield say(
            "paused by {operator}: {reason}", operator=data["paused"]["operator"], reason=data["paused"]["reason"]
        )
    if data["halted"]:
        halted = data["halted"]
        yield say("HALTED ({reason}): {message}", reason=word(halted["reason"]), message=halted["message"])
        yield say(
            "{count} operations are held; `reconciler resume --reason .. --approve {fingerprint}` applies them",
            count=halted["count"],
            fingerprint=halted["fingerprint"],
        )
    if trouble := data["trouble"]:
        yield say(
            "the daemon's cycles fail since {at}: {message}", at=local(trouble["since"]), message=trouble["message"]
        )
    if refused := data["config_refused"]:
        yield say(
            "the config was changed at {at} and is not used: {message}",
            at=local(refused["at"]),
            message=refused["message"],
        )
    for row in data["attention"]:
        yield attention_line(row)


def foreseen(counts: Mapping[str, int]) -> str:
    """What would be done, by kind and side, as `data.summary` counts it."""
    return say(
        "{create} to create, {update_work} work items and {update_crm} CRM tasks to update, {delete} to delete,"
        " {unlink} to unlink",
        **counts,
    )
