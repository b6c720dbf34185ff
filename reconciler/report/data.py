"""The report as plain JSON data, in the form that scripts may rely on: ids are strings, times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.core.advice import advice, cause
from reconciler.core.attention import fixer, grouped
from reconciler.core.model import Attention, Code, CycleRow, Entry, Field, Link, Side, Value
from reconciler.message import unpack
from reconciler.ports import StateReader

Json = dict[str, Any]


def utc(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a trailing Z."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def corrected(row: Json, offsets: Mapping[str, float | None]) -> Json:
    """Both stamps of a row as our clock would have given them. `offsets` are the seconds by which each server's clock
    is ahead of ours; None where that is not known."""
    made: Json = {}
    for side in Side:
        stamp, offset = row.get(f"{side.value}_modified"), offsets.get(side.value)
        moment = datetime.fromisoformat(stamp) - timedelta(seconds=offset) if stamp and offset is not None else None
        made[f"{side.value}_corrected"] = moment and moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    return made


def offsets_of(entry: Entry) -> dict[str, float | None]:
    """The clocks' offsets in seconds that an entry was decided with, else those of its moment; it may tell none."""
    detail: Mapping[str, Any] = entry.detail
    if clocks := detail.get("clocks"):
        return {side.value: clocks[side.value]["value"] for side in Side}
    return dict(detail.get("offsets", {}))


def watermarks(state: StateReader) -> dict[str, str | None]:
    """How far each side was read, in UTC."""
    stored = {side.value: state.fact(f"watermark.{side}") for side in Side}
    return {side: utc(datetime.fromisoformat(value)) if value else None for side, value in stored.items()}


def plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def differences_of(link: Link) -> list[Json]:
    """The accepted differences of a pair."""
    return [
        {
            "crm_id": link.crm.id,
            "work_id": link.work.id,
            "field": name.value,
            "crm": plain(link.crm.seen.get(name)),
            "work": plain(link.work.seen.get(name)),
            "reason": difference.reason,
            "since": utc(difference.since),
        }
        for name, difference in link.differences.items()
    ]


def attention_data(entry: Attention) -> Json:
    """One entry of the attention list; `who` can fix it by doing `fix`, `words` are the server's own."""
    return {
        "side": entry.side.value,
        "id": entry.id,
        "code": entry.code.value,
        "cause": cause(entry.code),
        "who": fixer(entry.code),
        "fix": advice(entry.code),
        "message": entry.message,
        "words": entry.words,
        "field": entry.field.value if entry.field else None,
        "title": entry.title,
        "since": utc(entry.since),
    }


def pairs(state: StateReader) -> Json:
    """How many pairs are in which condition; the parts add up to `linked`."""
    tally = state.tally()
    return {
        "linked": tally.linked,
        "equal": tally.equal,
        "accepted": tally.accepted,
        "pending": tally.pending,
        "held": tally.held,
        "set_aside": tally.set_aside,
        "frozen": tally.frozen,
        "attention": tally.attention,
    }


def cycle_data(row: CycleRow) -> Json:
    """One cycle as `status` shows it."""
    return {
        "id": row.id,
        "started_at": utc(row.started_at),
        "finished_at": utc(row.finished_at),
        "outcome": row.outcome,
        "counts": dict(row.counts),
    }


def status_data(name: str, state: StateReader) -> Json:
    """The state of a connection: last cycle, watermarks, links, pending, attention list."""
    cycles = state.cycles(limit=10)
    tally = state.tally()
    sides = {side.value: spoken_fact(state, f"side.{side}", "reason") for side in Side}
    return {
        "connection": name,
        "last_cycle": cycle_data(cycles[0]) if cycles else None,
        "cycles": [cycle_data(row) for row in cycles],
        "watermarks": watermarks(state),
        "links": tally.linked,
        "pairs": pairs(state),
        "pending": len(state.dirty_links()) + sum(1 for c in state.candidates() if c.refused is None),
        "unclear_creates": len(state.intents()),
        "tombstones": tally.tombstones,
        "attention": [attention_data(entry) for entry in grouped(state.attention()) if entry.acked is None],
        "left_out": (cycles[0].counts.get("left_out", 0) if cycles else 0)
        + sum(1 for c in state.candidates() if c.refused is Code.OUTSIDE_PILOT),
        "observing": _foreseen(cycles[0]) if cycles else None,
        "acknowledged": sum(1 for entry in state.attention() if entry.acked is not None),
        "sides": sides,
        "paused": state.fact("paused"),
        "halted": spoken_fact(state, "halted", "message"),
        "trouble": spoken_fact(state, "trouble", "message"),
        "config_refused": spoken_fact(state, "config_refused", "message"),
    }


def spoken_fact(state: StateReader, fact: str, key: str) -> Json | None:
    """A fact of the state in which `key` holds a sentence for a person."""
    stored = state.fact(fact)
    return None if stored is None else {**stored, key: unpack(stored[key])}


def _foreseen(row: CycleRow) -> Json | None:
    """What the last cycle would have done, if it only observed; None if it was one that writes."""
    found = {key.removeprefix("would_"): count for key, count in row.counts.items() if key.startswith("would_")}
    return found or None


def entry_data(entry: Entry) -> Json:
    """One journal entry as `history` shows it."""
    return {
        "id": entry.id,
        "at": utc(entry.at),
        "cycle": entry.cycle,
        "kind": entry.kind,
        "crm_id": entry.crm_id,
        "work_id": entry.work_id,
        "side": entry.side.value if entry.side else None,
        "field": entry.field.value if entry.field else None,
        "old": plain(entry.old),
        "new": plain(entry.new),
        "rule": entry.rule,
        "reason": entry.why,
        "changed_by": entry.changed_by,
        "operator": entry.operator,
        "restorable": restorable(entry),
        "crm_modified": utc(entry.crm_modified),
        "work_modified": utc(entry.work_modified),
        "detail": dict(entry.detail),
        "inputs": dict(entry.inputs),
        "erased": entry.erased,
    }


def restorable(entry: Entry) -> bool:
    """Whether the entry holds a value that was overwritten, so that `restore` can bring it back."""
    written = entry.kind in ("intent", "conflict") and entry.reason != "created"
    return written and entry.field is not None and entry.side is not None and entry.work_id is not None


def pair_data(state: StateReader, task: str) -> Json:
    """What the state knows of one CRM task: its link with both sides as last seen, or why there is none."""
    link = state.links_by(Side.CRM, [task]).get(task)
    waiting = [entry for entry in state.attention() if entry.side is Side.CRM and entry.id == task]
    if link is not None:
        waiting += [entry for entry in state.attention() if entry.side is Side.WORK and entry.id == link.work.id]
    return {
        "task": task,
        "item": link.work.id if link else None,
        "fields": {
            name.value: {
                "crm": plain(link.crm.seen.get(name)),
                "work": plain(link.work.seen.get(name)),
                "crm_base": plain(link.crm.base.get(name)),
                "work_base": plain(link.work.base.get(name)),
            }
            for name in Field
        }
        if link
        else {},
        "modified": {side.value: utc(link.half(side).modified) for side in Side} if link else {},
        "author": {side.value: link.half(side).author for side in Side} if link else {},
        "pending_since": utc(link.dirty_since) if link else None,
        "differences": differences_of(link) if link else [],
        "tombstone": [{"item": g.work_id, "reason": g.reason} for g in state.tombstones(crm_ids=[task])],
        "attention": [attention_data(entry) for entry in waiting],
    }
