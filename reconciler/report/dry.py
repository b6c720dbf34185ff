"""A dry run as data: what would be written and why, and everything else in which the two sides differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler import __version__
from reconciler.core.attention import grouped
from reconciler.core.condition import EQUAL, condition, worst
from reconciler.core.lenses import StatusLens
from reconciler.core.model import Attention, Direction, Field, Link, Offset, Reading, Side, Value
from reconciler.core.moment import Moment
from reconciler.core.operations import (
    ConflictLine,
    Create,
    Delete,
    FieldChange,
    Operation,
    Unlink,
    Update,
    fingerprint,
    kind,
)
from reconciler.core.operations import name as kind_and_side
from reconciler.core.plan import Outside, Plan
from reconciler.core.policy import Policy
from reconciler.ports import StateReader
from reconciler.report.data import Json, attention_data, differences_of, pairs, plain, utc, watermarks

ASKED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that a dry run found. `held` is what a limit holds now, `halted` the halt, found or standing."""

    name: str
    moment: Moment
    policy: Policy
    plan: Plan
    operations: Sequence[Operation]
    held: Sequence[Operation] = ()
    halted: Json | None = None
    readings: Mapping[Side, Reading]
    raised: Sequence[Attention]
    cleared: Sequence[Attention]
    down: Mapping[Side, str]
    left_out: Sequence[Outside] = ()
    pages: Mapping[Side, str]


def report_data(found: Found, state: StateReader) -> Json:
    """The dry run as one JSON object, in the form that scripts may rely on: ids are strings, times are UTC."""
    plan, moment = found.plan, found.moment
    attention = _attention(state, found.raised, found.cleared)
    complete = len(found.readings) == len(Side) and all(one.complete for one in found.readings.values())
    operations = [_planned(one, plan) for one in found.operations]
    unequal = list(_unequal(state, plan))
    open_rows = list(_open(unequal, found))
    return {
        "connection": found.name,
        "mode": "dry-run",
        "version": __version__,
        "generated_at": utc(moment.now),
        "complete": complete and not found.down,
        "fingerprint": fingerprint(found.operations),
        "last_cycle_at": utc(next((row.finished_at for row in state.cycles(limit=1)), None)),
        "watermarks": watermarks(state),
        "clocks": {side.value: _clock(moment.clocks.crm if side is Side.CRM else moment.clocks.work) for side in Side},
        "summary": summary(found.operations, len(plan.conflicts), len(attention)),
        "operations": operations,
        "conflicts": [_decided(line) for line in plan.conflicts],
        "differences": [row for link in unequal for row in differences_of(link)],
        **{name: [row for where, row in open_rows if where == name] for name in ("waiting", "set_aside", "frozen")},
        "left_out": [{"crm_id": one.crm_id, "work_id": one.work_id, "title": one.title} for one in found.left_out],
        "held": [_planned(one, plan) for one in found.held],
        "halted": found.halted,
        "attention": [attention_data(entry) for entry in attention],
        "pairs": _pairs(state, found),
        "statuses": collapses(found.policy),
        "crm_statuses": state.crm_statuses(),
        "reads": {side.value: reading_data(reading) for side, reading in found.readings.items()},
        "unavailable": {side.value: words for side, words in found.down.items()},
        "config": found.policy.config,
        "pages": {side.value: page for side, page in found.pages.items()},
    }


def summary(operations: Sequence[Operation], conflicts: int, attention: int) -> Json:
    """Counts of operations by kind and side, of conflicts and of attention entries."""
    counts = {"create": 0, "update_crm": 0, "update_work": 0, "delete": 0, "unlink": 0}
    for operation in operations:
        counts[kind_and_side(operation)] += 1
    return {**counts, "conflicts": conflicts, "attention": attention}


# --- what would be written --------------------------------------------------------------------------------------------


def _planned(operation: Operation, plan: Plan) -> Json:
    """One operation with its fields, before and after, and the stamps of each field on both sides."""
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
            link = plan.links.get(operation.crm_id)
            row["fields"] = [_changed(change, operation.side, link) for change in operation.changes]
        case Unlink():
            row |= {"side": operation.side.value, "work_id": operation.work_id, "reason": operation.reason}
        case Delete():
            row |= {"side": operation.side.value, "work_id": operation.work_id}
    return row


def _changed(change: FieldChange, side: Side, link: Link | None) -> Json:
    row = _field(change.field, change.before, change.after, change.reason, change.rule)
    stamps = {each: link.half(each).stamps.get(change.field) if link else None for each in Side}
    contested = change.reason == "conflict"
    return {
        **row,
        "winner": side.other.value if contested else None,
        "loser": side.value if contested else None,
        "crm_modified": utc(stamps[Side.CRM]),
        "work_modified": utc(stamps[Side.WORK]),
    }


def _field(name: Field, before: Value, after: Value, reason: str, rule: str) -> Json:
    return {"name": name.value, "before": plain(before), "after": plain(after), "reason": reason, "rule": rule}


def _clock(offset: Offset) -> Json:
    """A server's clock against ours, in seconds."""
    seconds = None if offset.value is None else round(offset.value.total_seconds(), 3)
    return {"offset": seconds, "uncertainty": round(offset.uncertainty.total_seconds(), 3)}


def _decided(line: ConflictLine) -> Json:
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


# --- what differs and is not written ----------------------------------------------------------------------------------


def _unequal(state: StateReader, plan: Plan) -> Iterator[Link]:
    """Every pair in any condition but equal, as the plan leaves it."""
    after = 0
    seen: set[str] = set()
    while page := state.unequal_links(after=after):
        after = page[-1].key
        for link in page:
            seen.add(link.crm.id)
            yield plan.links.get(link.crm.id, link)
    yield from (link for crm_id, link in plan.links.items() if crm_id not in seen)


def _open(unequal: Iterable[Link], found: Found) -> Iterator[tuple[str, Json]]:
    """The fields that wait, are set aside or belong to a frozen pair, each with the name of its list."""
    planned = {one.crm_id for one in (*found.operations, *found.held, *found.left_out)}
    for link in unequal:
        for name, aside in link.aside.items():
            yield (
                "set_aside",
                {
                    **_values(link, name),
                    "side": aside.side.value,
                    "code": aside.code.value,
                    "words": aside.words,
                    "since": utc(aside.since),
                    "until": utc(aside.until),
                },
            )
        where = "frozen" if link.frozen else "waiting" if link.dirty_since is not None else None
        if where is None or (where == "waiting" and link.crm.id in planned):
            continue
        names = [name for name in disagreeing(link, found.policy) if name not in link.aside]
        since = utc(link.dirty_since)
        yield from ((where, {**_values(link, name), "since": since}) for name in names)
        if not names and not link.aside:
            yield where, {**_ids(link), "field": None, "crm": None, "work": None, "since": since}


def disagreeing(link: Link, policy: Policy) -> list[Field]:
    """The fields in which the two sides differ, accepted differences and fields that do not flow left out."""
    return [
        name
        for name, lens in policy.lenses.items()
        if name not in link.differences
        and policy.directions[name] is not Direction.OFF
        and name in link.crm.seen
        and name in link.work.seen
        and not lens.agree(link.crm.seen[name], link.work.seen[name])
    ]


def _ids(link: Link) -> Json:
    return {"crm_id": link.crm.id, "work_id": link.work.id, "title": link.title}


def _values(link: Link, name: Field) -> Json:
    crm, work = link.crm.seen.get(name), link.work.seen.get(name)
    return {**_ids(link), "field": name.value, "crm": plain(crm), "work": plain(work)}


def _pairs(state: StateReader, found: Found) -> Json:
    """The conditions of all pairs as this plan finds them, not as the last cycle left them; the parts add up."""
    counts = Counter(pairs(state))
    written = {one.crm_id: "pending" for one in found.operations} | {one.crm_id: "held" for one in found.held}
    ids = list(found.plan.links)
    for start in range(0, len(ids), ASKED_AT_ONCE):
        for crm_id, before in state.links_by(Side.CRM, ids[start : start + ASKED_AT_ONCE]).items():
            counts[condition(before)] -= 1
            counts[worst(condition(found.plan.links[crm_id]), written.get(crm_id, EQUAL))] += 1
    return dict(counts)


# --- around it --------------------------------------------------------------------------------------------------------


def _attention(state: StateReader, raised: Sequence[Attention], cleared: Sequence[Attention]) -> list[Attention]:
    gone = {_key(entry) for entry in cleared}
    kept = {_key(entry): entry for entry in state.attention() if _key(entry) not in gone}
    for entry in raised:
        kept.setdefault(_key(entry), entry)
    return [entry for entry in grouped(list(kept.values())) if entry.acked is None]


def _key(entry: Attention) -> tuple[object, ...]:
    return (entry.side, entry.id, entry.code, entry.field)


def collapses(policy: Policy) -> list[Json]:
    """Which CRM statuses each Work status stands for."""
    lens = policy.lenses[Field.STATUS]
    assert isinstance(lens, StatusLens)
    return [{"work": row.work, "crm": list(row.crm), "back": row.back} for row in lens.maps.collapses()]


def reading_data(reading: Reading) -> Json:
    """How a side was read, and whether that provably was all."""
    return {"started": utc(reading.started), "complete": reading.complete, "rows": reading.rows, "note": reading.note}
