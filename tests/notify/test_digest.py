"""The daily digest: when it is due, and that its figures are the journal's."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest

from reconciler.core.model import Code, CycleRow, Entry, Side
from reconciler.notify.digest import begun, digest, last_due
from reconciler.ports import Store
from reconciler.store import open_store, verify
from tests.notify.test_watching import CANARY, START, entry


@pytest.mark.parametrize(
    ("now", "at", "due"),
    [
        ("2026-03-02T00:29:59+00:00", "07:30", "2026-03-01"),
        ("2026-03-02T00:30:00+00:00", "07:30", "2026-03-02"),
        ("2026-03-02T16:59:00+00:00", "07:30", "2026-03-02"),
        ("2026-03-02T17:00:00+00:00", "07:30", "2026-03-02"),  # midnight in Hà Nội: the third has begun
        ("2026-03-02T17:00:00+00:00", "00:00", "2026-03-03"),
        ("2026-03-02T16:59:00+00:00", "23:59", "2026-03-02"),
    ],
)
def test_it_is_due_at_its_hour_in_vietnam(now: str, at: str, due: str) -> None:
    assert last_due(datetime.fromisoformat(now), at) == date.fromisoformat(due)


@pytest.fixture
def store() -> Store:
    return open_store("sqlite://", random_bytes=lambda count: b"x" * count)


def cycles(store: Store, count: int, outcome: str = "ok") -> None:
    with store.transaction() as tx:
        for _ in range(count):
            tx.save_cycle(CycleRow(started_at=START, outcome=outcome))


def journal(store: Store, *entries: tuple[str, Side | None]) -> None:
    with store.transaction() as tx:
        tx.append([Entry(kind=kind, at=START, side=side, old=CANARY, new=CANARY) for kind, side in entries])


def test_its_figures_are_those_since_the_last_one(store: Store) -> None:
    cycles(store, 5, "failed")
    journal(store, ("created", Side.WORK), ("halted", None))
    since = begun(store, START, date(2026, 3, 2))
    cycles(store, 7)
    cycles(store, 2, "unavailable")
    journal(store, ("created", Side.WORK), ("confirmed", Side.CRM), ("confirmed", Side.WORK), ("confirmed", Side.WORK))
    journal(store, ("conflict", Side.WORK), ("halted", None), ("intent", Side.CRM))
    with store.transaction() as tx:
        tx.raise_attention([entry("1"), entry("2"), entry("3", Code.FORBIDDEN), entry("4", acked="lan")])
    later = START + timedelta(days=1)
    told = digest("an-phat", store, later, json.loads(json.dumps(since)))
    assert told.subject == "daily digest: 3 matters need a person"
    head = list(store.journal())[-1].hash
    assert told.lines == (
        "from 02/03/2026 09:00 to 03/03/2026 09:00: 9 cycles",
        "ok 7, unavailable 2",
        "work items added 1, values brought to the CRM 1, values brought to Work 2, conflicts decided 1, halts 1",
        "not halted",
        "target_not_found: 2, for the salesperson",
        "forbidden: 1, for the administrator",
        f"journal: 9 entries, head {head}",
    )
    assert told.data["entries"] == 9
    assert told.data["head"] == head
    assert told.data["changes"]["intent_crm"] == 1
    assert told.data["outcomes"] == {"ok": 7, "unavailable": 2}
    assert CANARY not in told.text(str)
    assert verify(store) is None


def test_an_empty_day_says_so_and_still_anchors(store: Store) -> None:
    journal(store, ("created", Side.WORK))
    since = begun(store, START, date(2026, 3, 2))
    told = digest("an-phat", store, START + timedelta(days=1), since)
    assert told.subject == "daily digest: nobody is needed"
    assert "nothing was changed" in told.lines
    assert told.data["head"] == list(store.journal())[-1].hash
    assert told.data["cycles"] == 0


def test_the_cycles_are_all_counted_though_the_state_keeps_only_the_last_ones(store: Store) -> None:
    since = begun(store, START, date(2026, 3, 2))
    cycles(store, 1440)
    told = digest("an-phat", store, START + timedelta(days=1), since)
    assert told.data["cycles"] == 1440
    assert told.data["outcomes"] == {"ok": 1000}


def test_a_halt_that_stands_is_in_it(store: Store) -> None:
    since = begun(store, START, date(2026, 3, 2))
    with store.transaction() as tx:
        tx.set_fact("halted", {"reason": "limit"})
    told = digest("an-phat", store, START + timedelta(days=1), since)
    assert told.data["halted"] is True
    assert "halted now: a person must look first" in told.lines
