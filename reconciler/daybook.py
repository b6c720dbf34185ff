"""Writes the daybook: today's line waits in the state, and goes to the journal once its day is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from reconciler.core.daybook import Day, counted, day_in, day_of, day_out
from reconciler.core.model import Entry
from reconciler.ports import Transaction

FACT: Final = "today"


def count_cycle(tx: Transaction, *, started: datetime, finished: datetime, outcome: str, interval: timedelta) -> None:
    """Count a cycle that has just finished; `interval` is the time between two polls."""
    stored = tx.fact(FACT)
    today = day_in(stored["line"]) if stored else Day(day=day_of(finished))
    last = datetime.fromisoformat(stored["last"]) if stored else None
    if today.day != day_of(finished):
        tx.append([Entry(kind="day", at=finished, detail=day_out(today))])
        today = Day(day=day_of(finished))
    today = counted(today, started=started, last=last, outcome=outcome, interval=interval)
    tx.set_fact(FACT, {"line": day_out(today), "last": finished.isoformat()})
