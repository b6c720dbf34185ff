"""The report as plain JSON data, in the form that scripts may rely on: ids are strings, times are UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from reconciler.core.attention import fixer, grouped
from reconciler.core.lenses import StatusLens
from reconciler.core.model import Attention, Code, CycleRow, Entry, Field, Link, Reading, Side, Value
from reconciler.core.operations import ConflictLine, Create, Delete, Operation, Unlink, Update, fingerprint, kind
from reconciler.core.operations import name as kind_and_side
from reconciler.core.plan import Outside, Plan
from reconciler.core.policy import Policy
from reconciler.message import unpack
from reconciler.ports import StateReader

Json = dict[str, Any]


def report_data(
    *,
    name: str,
    generated_at: datetime,
    policy: Policy,
    state: StateReader,
    plan: Plan,
    operations: Sequence[Operation],
    readings: Mapping[Side, Reading],
    raised: list[Attention],
    cleared: list[Attention],
    down: Mapping[Side, str],
    left_out: Sequence[Outside] = (),
) -> Json:
    """Everything a dry run found, as one JSON object."""
    attention = _attention(state, raised, cleared)
    complete = len(readings) == len(Side) and all(reading.complete for reading in readings.values()) and not down
    return {
        "connection": name,
        "mode": "dry-run",
        "generated_at": utc(generated_at),
        "complete": complete,
        "fingerprint": fingerprint(operations),
        "last_cycle_at": utc(next((row.finished_at for row in state.cycles(limit=1)), None)),
        "watermarks": watermarks(state),
        "summary": summary(operations, len(plan.conflicts), len(attention)),
        "operations": [operation_data(operation) for operation in operations],
        "conflicts": [conflict_data(line) for line in plan.conflicts],
        "differences": differences(state, plan),
        "left_out": [{"crm_id": one.crm_id, "work_id": one.work_id, "title": one.title} for one in left_out],
        "held": [],
        "halted": None,
        "attention": [attention_data(entry) for entry in attention],
        "pairs": pairs(state),
        "statuses": collapses(policy),
        "reads": {side.value: reading_data(reading) for side, reading in readings.items()},
        "unavailable": {side.value: words for side, words in down.items()},
        "config": policy.config,
    }


def utc(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a trailing Z."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def watermarks(state: StateReader) -> dict[str, str | None]:
    """How far each side was read, in UTC."""
    stored = {side.value: state.fact(f"watermark.{side}") for side in Side}
    return {side: utc(datetime.fromisoformat(value)) if value else None for side, value in stored.items()}


def summary(operations: Sequence[Operation], conflicts: int, attention: int) -> Json:
    """Counts of operations by kind and side, of conflicts and of attention entries."""
    counts = {"create": 0, "update_crm": 0, "update_work": 0, "delete": 0, "unlink": 0}
    for operation in operations:
        counts[kind_and_side(operation)] += 1
    return {**counts, "conflicts": conflicts, "attention": attention}


def operation_data(operation: Operation) -> Json:
    """One operation with its fields, before and after."""
    row: Json = {
        "side": Side.WORK.value,
        "kind": kind(operation),
        "crm_id": operation.crm_id,
        "work_id": None,
        "title": operation.title,
        "fields": [],
    }
    match operation:
        case Create():
            row |= {"project": operation.project, "group": operation.group}
            row["fields"] = [
                _field(name, None, value, "created", f"{name}.to_work") for name, value in operation.values.items()
            ]
        case Update():
            row |= {"side": operation.side.value, "work_id": operation.work_id}
            row["fields"] = [
                _field(change.field, change.before, change.after, change.reason, change.rule)
                for change in operation.changes
            ]
        case Unlink():
            row |= {"side": operation.side.value, "work_id": operation.work_id, "reason": operation.reason}
        case Delete():
            row |= {"side": operation.side.value, "work_id": operation.work_id}
    return row


def _field(name: Field, before: Value, after: Value, reason: str, rule: str) -> Json:
    return {"name": name.value, "before": plain(before), "after": plain(after), "reason": reason, "rule": rule}


def plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def conflict_data(line: ConflictLine) -> Json:
    """One conflict and how it was decided; the two stamps are those of the field."""
    return {
        "crm_id": line.crm_id,
        "work_id": line.work_id,
        "field": line.field.value,
        "base": plain(line.base),
        "crm": plain(line.crm),
        "work": plain(line.work),
        "winner": line.decision.winner.value,
        "reason": line.decision.reason,
        "crm_modified": utc(line.decision.crm_modified),
        "work_modified": utc(line.decision.work_modified),
    }


def differences(state: StateReader, plan: Plan) -> list[Json]:
    """Accepted differences of all pairs, as the plan leaves them."""
    shown: list[Json] = []
    seen: set[str] = set()
    after = 0
    while page := state.differing_links(after=after):
        after = page[-1].key
        for link in page:
            seen.add(link.crm.id)
            shown += _differences(plan.links.get(link.crm.id, link))
    for crm_id, link in plan.links.items():
        if crm_id not in seen:
            shown += _differences(link)
    return shown


def _differences(link: Link) -> list[Json]:
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


def _attention(state: StateReader, raised: list[Attention], cleared: list[Attention]) -> list[Attention]:
    gone = {_key(entry) for entry in cleared}
    kept = {_key(entry): entry for entry in state.attention() if _key(entry) not in gone}
    for entry in raised:
        kept.setdefault(_key(entry), entry)
    return [entry for entry in grouped(list(kept.values())) if entry.acked is None]


def _key(entry: Attention) -> tuple[object, ...]:
    return (entry.side, entry.id, entry.code, entry.field)


def attention_data(entry: Attention) -> Json:
    """One entry of the attention list; `who` can fix it, `words` are the server's own."""
    return {
        "side": entry.side.value,
        "id": entry.id,
        "code": entry.code.value,
        "who": fixer(entry.code),
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


def collapses(policy: Policy) -> list[Json]:
    """Which CRM statuses each Work status stands for."""
    lens = policy.lenses[Field.STATUS]
    assert isinstance(lens, StatusLens)
    return [{"work": row.work, "crm": list(row.crm), "back": row.back} for row in lens.maps.collapses()]


def reading_data(reading: Reading) -> Json:
    """How a side was read, and whether that provably was all."""
    return {"started": utc(reading.started), "complete": reading.complete, "rows": reading.rows, "note": reading.note}


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
        "reason": entry.reason,
        "changed_by": entry.changed_by,
        "operator": entry.operator,
        "crm_modified": utc(entry.crm_modified),
        "work_modified": utc(entry.work_modified),
        "detail": dict(entry.detail),
        "inputs": dict(entry.inputs),
        "erased": entry.erased,
    }


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
        "differences": _differences(link) if link else [],
        "tombstone": [{"item": g.work_id, "reason": g.reason} for g in state.tombstones(crm_ids=[task])],
        "attention": [attention_data(entry) for entry in waiting],
    }
