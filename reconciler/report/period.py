"""The report over a period: what really happened, from the journal, with totals that can be checked.

`period_data` is the bounded part (totals, days, halts, config changes); what may be long (changes, commands,
exceptions) is iterated, so a journal of any length takes the same memory. A row has the title that its task had then,
as far as the journal knows it, else the present one.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any, Final

from reconciler.core.daybook import Day, day_in, day_of
from reconciler.core.evidence import evidence_of
from reconciler.core.model import ZONE, Code, Entry, Side
from reconciler.core.search import Retitled, title_at
from reconciler.ports import StateReader
from reconciler.report.changes import LINKING, Joiner, changes
from reconciler.report.data import Json, corrected, entry_data, offsets_of, pairs, utc, watermarks
from reconciler.report.fidelity import Fidelity, deviations

TITLES_AT_ONCE: Final = 200

EXCEPTIONS: Final = frozenset(
    {
        "conflict", "overwritten", "unconfirmed", "server_answer", "user_edit", "refused", "not_applied", "unclear",
        "dropped", "bases_voided", "halted",
    }
)  # fmt: skip
"""Journal entries that an auditor may want to look at one by one; an unlinking that nobody ordered is one too."""

ROWS: Final = ("entries", "changes", "commands", "exceptions", "deviations")
"""What is counted of a period's rows."""

LAGS: Final = ((60, "1m"), (120, "2m"), (300, "5m"), (3600, "1h"), (86400, "1d"))
"""Upper bounds in seconds of the classes of lag, and their names; what took longer is "more"."""


LAG_NAMES: Final = (*(name for _, name in LAGS), "more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `since` to `until`, which is not included; both aware."""

    since: datetime
    until: datetime

    @property
    def days(self) -> list[str]:
        """Its days in Asia/Ho_Chi_Minh, as 2026-03-02."""
        first = self.since.astimezone(ZONE).date()
        last = (self.until - timedelta(microseconds=1)).astimezone(ZONE).date()
        return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]

    def __contains__(self, moment: datetime) -> bool:
        return self.since <= moment < self.until


def month(text: str) -> Period:
    """A month as 2026-03, a year as 2026, a day as 2026-03-02. ValueError for anything else."""
    parts = [int(part) for part in text.split("-")]
    if len(text) not in (4, 7, 10) or len(parts) != (len(text) - 1) // 3:
        raise ValueError(text)
    first = date(*[*parts, 1, 1][:3])
    match len(parts):
        case 1:
            last = first.replace(year=first.year + 1)
        case 2:
            last = (first + timedelta(days=32)).replace(day=1)
        case _:
            last = first + timedelta(days=1)
    return Period(since=_midnight(first), until=_midnight(last))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZONE)


def period_data(*, name: str, state: StateReader, period: Period, generated_at: datetime) -> Json:
    """The bounded part of the report. `candidates` and `pairs` are those of the moment of the report."""
    account = _Account(period)
    for entry in state.journal(since=period.since):
        account.add(entry)
    account.end()
    linked = state.tally().linked
    closing = linked - account.after
    existing = _existing(state, period, generated_at)
    return {
        "connection": name,
        "mode": "period",
        "since": utc(period.since),
        "until": utc(period.until),
        "generated_at": utc(generated_at),
        "watermarks": watermarks(state),
        "candidates": candidates(state),
        "pairs": pairs(state),
        "links": {
            "opening": closing - account.added + account.removed,
            "added": account.added,
            "removed": account.removed,
            "closing": closing,
        },
        "rows": dict(account.rows),
        "operations": {key: dict(counts) for key, counts in sorted(account.operations.items())},
        "by_day": {day: dict(account.by_day.get(day, {})) for day in sorted({*existing, *account.by_day})},
        "conflicts": [
            {"field": name, "winner": winner, "reason": reason, "count": count}
            for (name, winner, reason), count in sorted(account.conflicts.items())
        ],
        "lag": dict(account.lags),
        "fidelity": {"planned": account.compared.planned, "matched": account.compared.matched},
        "last_cycle_at": utc(next((row.finished_at for row in state.cycles(limit=1)), None)),
        **account.continuity(state.fact("today"), existing),
        "halts": account.halts(min(period.until, generated_at)),
        "config_changes": account.config,
    }


def _existing(state: StateReader, period: Period, now: datetime) -> list[str]:
    """The days of the period on which the connection existed: not before its first cycle, not after now."""
    connected = state.fact("connected_at")
    first = day_of(datetime.fromisoformat(connected)) if connected else ""
    return [day for day in period.days if first <= day <= day_of(now)]


def candidates(state: StateReader) -> Json:
    """Every task that ever asked for an item counts once: candidates = linked + refused + excluded + waiting.

    `excluded` are those that the pilot leaves out and those unlinked since; `waiting` those without an answer yet.
    """
    tally, known = state.tally(), state.candidates()
    refused = {one.crm_id for one in known if one.refused not in (None, Code.OUTSIDE_PILOT)}
    pilot = {one.crm_id for one in known if one.refused is Code.OUTSIDE_PILOT}
    waiting = {one.crm_id for one in known if one.refused is None} | {one.crm_id for one in state.intents()}
    waiting -= refused | pilot
    counts = {
        "linked": tally.linked,
        "refused": len(refused),
        "excluded": len(pilot) + tally.tombstones,
        "waiting": len(waiting),
    }
    return {"candidates": sum(counts.values()), **counts}


def period_changes(state: StateReader, period: Period) -> Iterator[Json]:
    """Every change, with who made it, oldest first."""
    return titled(state, changes(state.journal(since=period.since, until=period.until)))


def period_commands(state: StateReader, period: Period) -> Iterator[Json]:
    """Every command of an operator, with the reason that was given."""
    return (entry_data(one) for one in _entries(state, period) if one.commanded)


def period_exceptions(state: StateReader, period: Period) -> Iterator[Json]:
    """What an auditor may want to look at one by one."""
    rows = ((entry_data(one), offsets_of(one)) for one in _entries(state, period) if exceptional(one))
    return titled(state, ({**row, **corrected(row, offsets)} for row, offsets in rows))


def period_deviations(state: StateReader, period: Period) -> Iterator[Json]:
    """Where a cycle did not write what it had planned, and why."""
    return titled(state, deviations(_entries(state, period)))


def exceptional(entry: Entry) -> bool:
    """Whether an entry is one of the exceptions."""
    return entry.kind in EXCEPTIONS or (entry.kind == "unlinked" and not entry.commanded)


def _entries(state: StateReader, period: Period) -> Iterator[Entry]:
    return state.journal(since=period.since, until=period.until)


def titled(state: StateReader, rows: Iterable[Json]) -> Iterator[Json]:
    """The rows with the title that their pair had then, else its present one; empty if neither is known."""
    source = iter(rows)
    while some := list(islice(source, TITLES_AT_ONCE)):
        title = _titles(state, {row["crm_id"] for row in some if row["crm_id"]})
        yield from ({**row, "title": title(row["crm_id"] or "", row["id"])} for row in some)


def _titles(state: StateReader, tasks: Collection[str]) -> Callable[[str, int], str]:
    """Tells the title of one of these tasks at a journal entry."""
    present = {task: link.title for task, link in state.links_by(Side.CRM, tasks).items()}
    known: defaultdict[str, list[Retitled]] = defaultdict(list)
    for one in state.retitled(tasks):
        known[one.crm_id].append(one)
    return lambda task, entry: title_at(known[task], entry) or present.get(task, "")


def sample(rows: Iterable[Json], size: int, seed: int) -> list[Json]:
    """`size` rows, drawn such that the same seed and rows give the same ones, in the order of their ids."""

    def lot(row: Json) -> bytes:
        return hashlib.sha256(f"{seed}:{row['id']}".encode()).digest()

    return sorted(heapq.nsmallest(size, rows, key=lot), key=lambda row: int(row["id"]))


@dataclass(slots=True)
class _Account:
    """The totals of a period while its entries go by; what comes after it is only needed to count back from today."""

    period: Period
    joiner: Joiner = field(default_factory=Joiner)
    compared: Fidelity = field(default_factory=Fidelity)
    rows: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(ROWS, 0)))
    operations: dict[str, Counter[str]] = field(default_factory=dict)
    by_day: dict[str, Counter[str]] = field(default_factory=dict)
    conflicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    lags: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(LAG_NAMES, 0)))
    added: int = 0
    removed: int = 0
    after: int = 0
    config: list[Json] = field(default_factory=list)
    lines: dict[str, Day] = field(default_factory=dict)
    _halts: list[Json] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        linked = (entry.kind in LINKING) - (entry.kind == "unlinked")
        if entry.kind == "day":
            day = day_in(entry.detail)
            self.lines[day.day] = day
        if entry.at not in self.period:
            self.after += linked
            return
        self.added += linked > 0
        self.removed += linked < 0
        self.rows["entries"] += 1
        self.rows["commands"] += entry.commanded
        self.rows["exceptions"] += exceptional(entry)
        for row in self.joiner.feed(entry):
            self._count(row)
        self.rows["deviations"] += len(list(self.compared.feed(entry)))
        match entry.kind:
            case "halted" | "paused":
                self._halts.append(_halt(entry))
            case "resumed" | "approved":
                self._lift(entry)
            case "config":
                self.config.append({key: entry_data(entry)[key] for key in ("id", "at", "rule", "old", "new")})
            case "conflict":
                winner = entry.side.other.value if entry.side else ""
                self.conflicts[(entry.field.value if entry.field else "", winner, _decided_by(entry))] += 1

    def end(self) -> None:
        for row in self.joiner.rest():
            self._count(row)
        self.rows["deviations"] += len(self.compared.end())

    def _count(self, row: Json) -> None:
        self.rows["changes"] += 1
        key = f"update_{row['side']}" if row["kind"] == "update" else row["kind"]
        self.operations.setdefault(key, Counter())[row["outcome"]] += 1
        self.by_day.setdefault(day_of(datetime.fromisoformat(row["at"])), Counter())[key] += 1
        giver = row["crm_corrected"] if row["side"] == Side.WORK.value else row["work_corrected"]
        if row["outcome"] == "confirmed" and giver is not None:
            lag = datetime.fromisoformat(row["at"]) - datetime.fromisoformat(giver)
            self.lags[lag_class(lag)] += 1

    def _lift(self, entry: Entry) -> None:
        """A `resume` ends every halt and pause that stands; one of which the period knows nothing began before it."""
        standing = [one for one in self._halts if one["until"] is None]
        if not standing:
            standing = [_halt(None)]
            self._halts += standing
        for one in standing:
            one |= {
                "until": utc(entry.at),
                "lifted_by": entry.operator,
                "lift_reason": entry.why,
                "approved": entry.kind == "approved",
            }

    def halts(self, end: datetime) -> list[Json]:
        """Halts and pauses, how long each lasted in seconds (until `end` if it stands), who lifted it."""
        for one in self._halts:
            until = datetime.fromisoformat(one["until"]) if one["until"] else end
            since = datetime.fromisoformat(one["since"]) if one["since"] else None
            one["seconds"] = int((until - since).total_seconds()) if since else None
        return self._halts

    def continuity(self, today: Mapping[str, Any] | None, existing: Collection[str]) -> Json:
        """The cycles of each day on which the connection existed, and every gap that touches the period.

        Today's line is still in the state.

        `gaps_unlisted` counts those that a day had too many of to keep one by one.
        """
        lines = self.lines | ({today["line"]["day"]: day_in(today["line"])} if today else {})
        days = [lines.get(day, Day(day=day)) for day in existing]
        return {
            "days": [{"day": one.day, "cycles": one.cycles, "outcomes": dict(one.outcomes)} for one in days],
            "gaps": [
                {"since": utc(gap.since), "until": utc(gap.until), "seconds": int(gap.lasted.total_seconds())}
                for line in lines.values()
                for gap in line.gaps
                if gap.since < self.period.until and gap.until > self.period.since
            ],
            "gaps_unlisted": sum(one.missed for one in days),
        }


def _decided_by(entry: Entry) -> str:
    """Why the winner of a conflict won, from the evidence that the entry holds; `erased` if it holds none any more."""
    try:
        return evidence_of(entry).decision().reason
    except KeyError:
        return "erased"


def _halt(entry: Entry | None) -> Json:
    known: dict[str, Any] = dict(entry.detail) if entry else {}
    return {
        "kind": entry.kind if entry else "halted",
        "since": utc(entry.at) if entry else None,
        "reason": entry.why if entry else "",
        "operator": entry.operator if entry else None,
        "count": known.get("count"),
        "kinds": known.get("kinds", []),
        "fingerprint": known.get("fingerprint"),
        "until": None,
        "lifted_by": None,
        "lift_reason": "",
        "approved": False,
    }


def lag_class(lag: timedelta) -> str:
    """The class that a lag falls into; a negative one (what is left of the clocks' uncertainty) is the shortest."""
    return next((name for bound, name in LAGS if lag.total_seconds() <= bound), "more")
