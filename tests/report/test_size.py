"""Long reports take the memory of short ones: rows are written as they are read."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.model import Entry, Field, Side
from reconciler.ports import Store
from reconciler.report.columns import AFTER, BEFORE, DIRECTION, PAIR
from reconciler.report.data import Json
from reconciler.report.formats import FORMATS
from reconciler.report.period import Period
from reconciler.report.period_document import Question, answer, period_document
from reconciler.store import open_store
from reconciler.words import translator
from tests.report.test_formats import document

START = datetime(2026, 3, 1, tzinfo=UTC)
PERIOD = Period(since=START, until=START + timedelta(days=30))
ALLOWANCE = 150_000
"""Bytes by which more rows may differ: growing with them would be megabytes."""


def peak(work: Callable[[], int]) -> int:
    """The most memory in bytes that some work took at once; what it imports and caches is warm by then."""
    work()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def planned(number: int) -> Iterator[Json]:
    for one in range(number):
        row = {"direction": "crm_to_work", "crm_id": str(one), "field": "title"}
        yield {**row, "before": f"cũ {one}", "after": "x" * 99}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_report_of_four_times_the_rows_takes_the_same_memory(kind: str) -> None:
    def writing(number: int) -> Callable[[], int]:
        def work() -> int:
            made = document(planned(number), DIRECTION, *PAIR, BEFORE, AFTER)
            return sum(len(piece) for piece in FORMATS[kind](made, translator("vi")))

        return work

    assert peak(writing(2000)) - peak(writing(500)) < ALLOWANCE


def journal(number: int) -> Store:
    """A state whose journal says that so many fields were written, one a cycle."""
    store = open_store("sqlite://", random_bytes=random.Random(1).randbytes)
    entries = (
        Entry(
            kind=kind, at=START + timedelta(seconds=60 * one), cycle=one, crm_id=str(one), work_id=str(one),
            side=Side.WORK, field=Field.TITLE, old=f"cũ {one}", new="mới" * 20, reason="changed_on_crm",
        )
        for one in range(number)
        for kind in ("intent", "confirmed")
    )  # fmt: skip
    with store.transaction() as tx:
        tx.append(entries)
    return store


def test_a_period_of_a_longer_journal_takes_the_same_memory() -> None:
    def reporting(store: Store) -> Callable[[], int]:
        def asked() -> Iterator[str]:
            question = Question(period=PERIOD, sample=25, seed=1)
            made = answer(store, question, name="x", config="c", generated_at=PERIOD.until, pages={})
            yield from (piece.decode() for piece in FORMATS["html"](period_document(made), translator("vi")))

        return lambda: sum(len(piece) for piece in asked())

    short, long = journal(1000), journal(2500)
    assert peak(reporting(long)) - peak(reporting(short)) < ALLOWANCE
    short.close()
    long.close()
