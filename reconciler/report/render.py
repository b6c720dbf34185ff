"""The report data as text for a terminal, as CSV for a spreadsheet, as one self-contained HTML file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from jinja2 import Environment, PackageLoader

from reconciler.core.message import say
from reconciler.core.model import ZONE
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
        return "(empty)"
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return text.replace("\n", " ⏎ ")


def as_json(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def as_text(data: Json) -> str:
    """The dry run for a terminal."""
    lines = [
        f"DRY RUN, nothing is written: {data['connection']}, {local(data['generated_at'])}",
        f"plan {data['fingerprint']}",
        "read to the end on both sides" if data["complete"] else "NOT COMPLETE: a side could not be read to the end",
    ]
    lines += [f"  {side} is unavailable: {words}" for side, words in data["unavailable"].items()]
    if data["halted"]:
        lines.append(f"HALTED ({data['halted']['reason']}): {data['halted']['message']}")
    counts = data["summary"]
    lines.append(
        f"{counts['create']} to create, {counts['update_work']} work items and {counts['update_crm']} CRM tasks"
        f" to update, {counts['delete']} to delete, {counts['unlink']} to unlink; {counts['conflicts']} conflicts,"
        f" {counts['attention']} need a person"
    )
    lines += [line for row in data["operations"] for line in _operation_lines(row)]
    lines += [
        f"conflict {row['field']} of CRM {row['crm_id']} / work {row['work_id']}: CRM «{shown(row['crm'])}»,"
        f" Work «{shown(row['work'])}»; {row['winner']} wins ({row['reason']})"
        for row in data["conflicts"]
    ]
    lines += [
        f"differs, accepted ({row['reason']}): {row['field']} of CRM {row['crm_id']} «{shown(row['crm'])}»,"
        f" work {row['work_id']} «{shown(row['work'])}»"
        for row in data["differences"]
    ]
    lines += [
        say("left out by [pilot]: CRM {crm_id} / work {work_id} {title}", **{**row, "work_id": row["work_id"] or "-"})
        for row in data["left_out"]
    ]
    lines += [f"attention {row['code']}: {row['side']} {row['id']}: {row['message']}" for row in data["attention"]]
    return "\n".join(lines) + "\n"


def _operation_lines(row: Json) -> Iterable[str]:
    where = f"CRM {row['crm_id']}" + (f" / work {row['work_id']}" if row["work_id"] else "")
    yield f"{row['kind']} on {row['side']}: {where} {row['title']}"
    for change in row["fields"]:
        yield f"    {change['name']}: {shown(change['before'])} -> {shown(change['after'])}  [{change['reason']}]"


def as_csv(data: Json) -> str:
    """One row for each field of each operation, with a byte-order mark so that spreadsheets see UTF-8."""
    rows = [
        [*(row[key] for key in COLUMNS[:5]), *(change[key] for key in ("name", "before", "after", "reason", "rule"))]
        for row in data["operations"]
        for change in row["fields"] or [dict.fromkeys(("name", "before", "after", "reason", "rule"))]
    ]
    return "\ufeff" + csv_text(COLUMNS, rows)


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """CSV with every text that a spreadsheet could run as a formula made harmless by a leading apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe(value) for value in row])
    return out.getvalue()


def safe(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    stripped = text.lstrip(" \u00a0\ufeff\x00")
    return "'" + text if (stripped[:1] or text[:1]) and (stripped[:1] in DANGEROUS or text[:1] in DANGEROUS) else text


def as_html(data: Json) -> str:
    """One file that opens by double-click: no script, nothing from another host."""
    environment = Environment(loader=PackageLoader("reconciler.report"), autoescape=True, trim_blocks=True)
    environment.filters |= {"local": local, "shown": shown}
    return environment.get_template("report.html").render(report=data)


FORMATS: Final[Mapping[str, Callable[[Json], str]]] = {
    "text": as_text,
    "json": as_json,
    "csv": as_csv,
    "html": as_html,
}


def status_text(data: Json) -> str:
    """The state of a connection for a terminal."""
    last, pairs = data["last_cycle"], data["pairs"]
    lines = [f"connection {data['connection']}: {data['links']} pairs, {data['pending']} pending"]
    lines.append(f"last cycle: {local(last['finished_at'])} {last['outcome']}" if last else "no cycle yet")
    if data["observing"] is not None:
        lines.append(say("observing: nothing is written; due now: {due}", due=foreseen(data["observing"])))
    if data["left_out"]:
        lines.append(say("{count} pairs and tasks with news are left out by [pilot]", count=data["left_out"]))
    lines += [f"{side} read up to {local(moment)}" for side, moment in data["watermarks"].items()]
    lines.append(", ".join(f"{name} {count}" for name, count in pairs.items()))
    lines += [f"{side} unavailable since {local(h['since'])}: {h['reason']}" for side, h in data["sides"].items() if h]
    lines += [f"attention {row['code']}: {row['side']} {row['id']}: {row['message']}" for row in data["attention"]]
    return "\n".join(lines) + "\n"


def foreseen(counts: Mapping[str, int]) -> str:
    """What would be done, by kind and side, as `data.summary` counts it."""
    return say(
        "{create} to create, {update_work} work items and {update_crm} CRM tasks to update, {delete} to delete,"
        " {unlink} to unlink",
        **counts,
    )


HISTORY: Final = (
    "id", "at", "cycle", "kind", "crm_id", "work_id", "side", "field", "old", "new", "rule", "reason", "changed_by",
    "operator",
)  # fmt: skip


def history_text(rows: list[Json]) -> str:
    """The journal for a terminal, one entry a line."""
    return "".join(
        f"{row['id']} {local(row['at'])} {row['kind']} {row['crm_id'] or '-'}/{row['work_id'] or '-'}"
        + (f" {row['field']} on {row['side']}: {shown(row['old'])} -> {shown(row['new'])}" if row["field"] else "")
        + (f" [{row['rule'] or row['reason']}]" if row["rule"] or row["reason"] else "")
        + (f" by {row['operator'] or row['changed_by']}" if row["operator"] or row["changed_by"] else "")
        + "\n"
        for row in rows
    )


def history_csv(rows: list[Json]) -> str:
    """The journal for a spreadsheet."""
    return "\ufeff" + csv_text(HISTORY, ([row[name] for name in HISTORY] for row in rows))


def why_text(data: Json, rows: list[Json]) -> str:
    """One pair's whole story for a terminal."""
    lines = [f"CRM task {data['task']}" + (f" <-> work item {data['item']}" if data["item"] else ": not linked")]
    for name, value in data["fields"].items():
        lines.append(f"  {name}: CRM «{shown(value['crm'])}»  Work «{shown(value['work'])}»")
    for side, moment in data["modified"].items():
        lines.append(f"  last edit on {side}: {local(moment)} by {data['author'][side] or 'unknown'}")
    if data["pending_since"]:
        lines.append(f"  work on it is due since {local(data['pending_since'])}")
    lines += [f"  accepted difference in {row['field']}: {row['reason']}" for row in data["differences"]]
    lines += [f"  unlinked from item {row['item']}: {row['reason']}" for row in data["tombstone"]]
    lines += [f"  needs a person: {row['code']}: {row['message']}" for row in data["attention"]]
    return "\n".join(lines) + "\n" + history_text(rows)
