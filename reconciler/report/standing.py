"""How a connection stands, in one sentence, and what goes with it: lag, and the conflicts that people should see."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Final

from reconciler.core.model import ZONE, Entry, Side
from reconciler.core.search import Selection
from reconciler.message import joined, say, word
from reconciler.ports import StateReader
from reconciler.report.data import Json, plain, status_data, utc

RECENT: Final = 10
"""Conflicts that are shown."""

OVERDUE: Final = 10
"""So many poll intervals without a cycle, and at least `PATIENCE`, and a person should look."""

PATIENCE: Final = timedelta(minutes=5)


def standing_data(name: str, state: StateReader, *, now: datetime, poll: timedelta) -> Json:
    """`status_data` with one sentence on top, the lag in seconds and the recent conflicts; `poll` is the interval."""
    data = status_data(name, state)
    waiting = [link.dirty_since for link in state.dirty_links() if link.dirty_since is not None]
    waiting += [one.since for one in state.candidates() if one.refused is None]
    midnight = datetime.combine(now.astimezone(ZONE), time(), tzinfo=ZONE)
    today = list(islice(state.entries(Selection(kind="conflict", since=midnight)), 1000))
    level, sentence = _standing(data, now, max(OVERDUE * poll, PATIENCE))
    return {
        **data,
        "now": utc(now),
        "standing": {"level": level, "sentence": sentence},
        "lag": int((now - min(waiting)).total_seconds()) if waiting else 0,
        "offsets": {side.value: state.fact(f"offset.{side}") for side in Side},
        "conflicts_today": len(today),
        "recent_conflicts": lost_values(state, islice(state.entries(Selection(kind="conflict")), RECENT)),
    }


def lost_values(state: StateReader, entries: Iterable[Entry]) -> list[Json]:
    """Conflicts with the values of both sides; `restore` is the entry that brings the replaced one back."""
    found = list(entries)
    links = state.links_by(Side.CRM, {entry.crm_id for entry in found if entry.crm_id is not None})
    rows: list[Json] = []
    for entry in found:
        loser = entry.side or Side.CRM
        link = links.get(entry.crm_id or "")
        rows.append(
            {
                "id": entry.id,
                "at": utc(entry.at),
                "crm_id": entry.crm_id,
                "work_id": entry.work_id,
                "title": link.title if link else "",
                "field": entry.field.value if entry.field else None,
                loser.value: plain(entry.old),
                loser.other.value: plain(entry.new),
                "winner": loser.other.value,
                "restore": entry.id,
            }
        )
    return rows


def _standing(data: Json, now: datetime, patience: timedelta) -> tuple[str, str]:
    """The level (ok, act, wait, down) and the sentence; the worst thing that a person must know comes first."""
    if data["halted"]:
        return "down", say("Halted for safety: nothing of what is held is written until a person approves it.")
    if data["trouble"]:
        return "down", say("The last cycle failed: {message}", message=data["trouble"]["message"])
    if lost := [side for side, health in data["sides"].items() if health]:
        sides = joined((word(side) for side in lost), ", ")
        return "down", say("{sides} cannot be reached; nothing is lost, the next cycle goes on.", sides=sides)
    last = data["last_cycle"]
    if last is None:
        return "wait", say("No cycle has run yet.")
    paused = data["paused"]
    if paused and (paused["until"] is None or now < datetime.fromisoformat(paused["until"])):
        return "wait", say("Paused by {operator}: {reason}", operator=paused["operator"], reason=paused["reason"])
    ended = datetime.fromisoformat(last["finished_at"] or last["started_at"])
    if now - ended > patience:
        return "act", say("No cycle has ended for {minutes} minutes.", minutes=int((now - ended).total_seconds() // 60))
    if data["config_refused"]:
        return "act", say("A changed config is not used; the old one stays at work.")
    if count := len(data["attention"]):
        return "act", say("In step, except for {count} matters that wait for a person.", count=count)
    if data["observing"] is not None:
        return "wait", say("Observing: everything is read and planned, nothing is written.")
    if data["pending"]:
        return "ok", say("At work: {pending} changes are on their way.", pending=data["pending"])
    return "ok", say("Both sides are in step.")
