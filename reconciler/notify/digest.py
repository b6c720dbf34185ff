"""The daily digest: how the day went, who is needed, and the journal's head, which anchors it outside this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from reconciler.core.attention import fixer
from reconciler.core.model import ZONE, Extent, Side
from reconciler.message import joined, say, word
from reconciler.notify.notice import Notice
from reconciler.notify.situation import local
from reconciler.ports import StateReader

LOOKED_AT: Final = 1000
"""Cycles, the latest ones, whose outcomes are looked at."""

CHANGES: Final = (
    (("created", Side.WORK), say("work items added")),
    (("linked", None), say("tasks linked to existing items")),
    (("confirmed", Side.CRM), say("values brought to the CRM")),
    (("confirmed", Side.WORK), say("values brought to Work")),
    (("unlinked", None), say("pairs unlinked")),
    (("conflict", None), say("conflicts decided")),
    (("refused", None), say("writes refused by a server")),
    (("halted", None), say("halts")),
)
"""What the digest counts: kinds of journal entries, on one side or on any, and their names."""


def last_due(now: datetime, at: str) -> date:
    """The day of the latest digest that is due at `now`, which comes at `at` (HH:MM in Asia/Ho_Chi_Minh)."""
    here = now.astimezone(ZONE)
    return here.date() if here.time() >= time.fromisoformat(at) else here.date() - timedelta(days=1)


def begun(state: StateReader, now: datetime, due: date) -> dict[str, Any]:
    """What to remember of a digest that covers everything up to now: where the next one begins."""
    last = next(iter(state.cycles(limit=1)), None)
    return {
        "day": due.isoformat(),
        "at": now.isoformat(),
        "cycle": last.id if last else 0,
        "entry": state.extent().entries,
    }


def digest(connection: str, state: StateReader, now: datetime, since: Mapping[str, Any]) -> Notice:
    """The digest of what happened after `since`, as `begun` gave it."""
    extent = state.extent(after=since["entry"])
    rows = [row for row in state.cycles(limit=LOOKED_AT) if row.id > since["cycle"]]
    cycles = rows[0].id - since["cycle"] if rows else 0
    outcomes = Counter(row.outcome for row in rows)
    waiting = Counter(entry.code for entry in state.attention() if entry.acked is None)
    counts = {name: _count(extent, *what) for what, name in CHANGES}
    halted = state.fact("halted")
    lines = [
        say("from {since} to {now}: {cycles} cycles", since=local(_at(since)), now=local(now), cycles=cycles),
        joined([_counted(word(outcome), count) for outcome, count in sorted(outcomes.items())], ", "),
        joined([_counted(name, count) for name, count in counts.items() if count], ", ") or say("nothing was changed"),
        say("halted now: a person must look first") if halted else say("not halted"),
        *(
            say("{code}: {count}, for the {fixer}", code=code.value, count=count, fixer=word(fixer(code)))
            for code, count in waiting.most_common()
        ),
    ]
    anchor = say("journal: {entries} entries, head {head}", entries=extent.entries, head=extent.head)
    return Notice(
        topic="digest",
        connection=connection,
        at=now,
        subject=say("daily digest: {count} matters need a person", count=waiting.total())
        if waiting
        else say("daily digest: nobody is needed"),
        lines=(*filter(None, lines), anchor),
        data={
            "since": since["at"],
            "cycles": cycles,
            "outcomes": dict(outcomes),
            "changes": _kinds(extent),
            "attention": {code.value: count for code, count in waiting.items()},
            "halted": halted is not None,
            "entries": extent.entries,
            "head": extent.head,
        },
    )


def _at(since: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(since["at"])


def _counted(name: str, count: int) -> str:
    return say("{name} {count}", name=name, count=count)


def _count(extent: Extent, kind: str, side: Side | None) -> int:
    return sum(count for (one, where), count in extent.kinds.items() if one == kind and (side is None or where is side))


def _kinds(extent: Extent) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for (kind, side), count in extent.kinds.items():
        counted[f"{kind}_{side.value}" if side else kind] += count
    return dict(counted)
