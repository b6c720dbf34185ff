"""What each page shows, as plain data: the data of `status`, `why`, `history` and `report`, arranged for the eye."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any, Final

from reconciler.core.model import Field, Side
from reconciler.core.search import Selection
from reconciler.ports import StateReader
from reconciler.report.data import Json, entry_data, pair_data
from reconciler.report.fidelity import fidelity
from reconciler.report.finding import find
from reconciler.report.summary import LATELY, Integrity, dry_summary
from reconciler.store import verify

ROWS: Final = 100
"""Journal entries on one page."""

AT_ONCE: Final = 20_000
"""Journal entries that are read without being asked for: a second of work."""

KINDS: Final = (
    "drafted", "intent", "created", "linked", "unlinked", "conflict", "bases", "server_answer", "overwritten",
    "refused", "set_aside", "dropped", "unclear", "not_applied", "marked", "told", "restore", "revert", "retry",
    "acknowledged", "tombstone_lifted", "bases_voided", "halted", "approved", "resumed", "paused", "apply", "config",
    "configured",
    "connected", "rebuilt", "tenant_proven", "day",
)  # fmt: skip
"""The kinds of journal entries, in the order of the filter."""

FIELDS: Final = tuple(name.value for name in Field)


def matters(state: StateReader, attention: list[Json]) -> list[Json]:
    """The attention list by cause: who can fix it and how, the oldest first in each, both ids where there is a pair."""
    known = {side: state.links_by(side, {row["id"] for row in attention if row["side"] == side}) for side in Side}
    groups: dict[str, Json] = {}
    for row in attention:
        link = known[Side(row["side"])].get(row["id"])
        own = {f"{row['side']}_id": row["id"]}
        ids = {"crm_id": link.crm.id, "work_id": link.work.id} if link else {"crm_id": None, "work_id": None, **own}
        group = groups.setdefault(
            row["code"], {name: row[name] for name in ("code", "cause", "who", "fix")} | {"rows": []}
        )
        group["rows"].append(row | ids | {"option": "--item " if row["side"] == Side.WORK else ""})
    for group in groups.values():
        group["rows"].sort(key=lambda row: row["since"])
        group["oldest"] = group["rows"][0]["since"]
    return sorted(groups.values(), key=lambda group: str(group["oldest"]))


def story(state: StateReader, query: str, before: int | None) -> Json:
    """What a search found: the one task with its time line, or several to choose from."""
    found = find(state, query)
    if found["task"] is None:
        return found
    task = found["task"]
    links = state.links_by(Side.CRM, [task])
    title = links[task].title if task in links else next((row["title"] for row in found["hits"]), "")
    return {**found, "title": title, "pair": pair_data(state, task), **lines(state, Selection(crm_id=task), before)}


def lines(state: StateReader, wanted: Selection, before: int | None) -> Json:
    """A page of the journal, newest first; `further` is where the next page begins, None at the end."""
    found = [entry_data(entry) for entry in islice(state.recent(wanted, before=before), ROWS + 1)]
    rows = found[:ROWS]
    return {"rows": rows, "further": rows[-1]["id"] if len(found) > ROWS else None}


def summarised(report: Json, state: StateReader, now: datetime, *, at_most: int = AT_ONCE) -> Json:
    """A dry run with its summary for management, and its operations by direction.

    For the summary the journal is read, unless that is more than `at_most` entries: it then says what was not checked.
    """
    since = now - LATELY
    first, last = state.span(since, None)
    kept = fidelity(state.journal(since=since)) if last - first < at_most else None
    entries = state.head()[0]
    integrity = Integrity(entries, str(verify(state) or "")) if entries <= at_most else None
    summary = dry_summary(report, fidelity=kept, integrity=integrity)
    return {**report, "management": summary, "by_direction": by_direction(report)}


def by_direction(report: Json) -> list[tuple[str, list[Json]]]:
    """The operations of a dry run under the counts of its summary, those that there are."""
    names = ("create", "update_work", "update_crm", "delete", "unlink")
    sorted_rows: dict[str, list[Any]] = {name: [] for name in names}
    for row in report["operations"]:
        sorted_rows[f"update_{row['side']}" if row["kind"] == "update" else row["kind"]].append(row)
    return [(name, rows) for name, rows in sorted_rows.items() if rows]


def head(state: StateReader) -> Json | None:
    """The last entry of the journal, whose hash stands for all before it."""
    number, mark = state.head()
    return {"id": number, "hash": mark} if number else None
