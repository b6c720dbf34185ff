"""Couriers: a few repeats, then one word about it; nobody waits, and the queue has an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest_asyncio

from reconciler.notify.courier import GRACE, QUEUED, WAITS, Courier, Full, Refused
from reconciler.notify.notice import Notice
from tests.world import MORNING, TestClock

NOTICE = Notice(topic="test", connection="an-phat", at=MORNING, subject="a test")


@dataclass
class Line:
    """A way that fails as told; `shut` lets it hang."""

    failures: list[Exception] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    tried: int = 0
    shut: asyncio.Event | None = None
    name: str = "line"

    async def send(self, notice: Notice) -> None:
        self.tried += 1
        if self.shut is not None:
            await self.shut.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(notice.subject)


class Office:
    def __init__(self) -> None:
        self.line, self.clock = Line(), TestClock()
        self.ended: list[tuple[str, str]] = []
        self.courier = Courier(self.line, self.clock, self.hear)

    def hear(self, notice: Notice, error: Exception | None) -> None:
        self.ended.append((notice.subject, type(error).__name__ if error else "sent"))

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("it does not come to this")


@pytest_asyncio.fixture
async def office() -> AsyncIterator[Office]:
    made = Office()
    yield made
    await made.courier.close()


async def test_it_is_tried_again_after_ten_seconds_a_minute_and_five(office: Office) -> None:
    office.line.failures = [OSError(), OSError(), OSError()]
    office.courier.carry(NOTICE)
    await office.until(lambda: bool(office.ended))
    assert (office.ended, office.line.sent) == ([("a test", "sent")], ["a test"])
    assert office.clock.slept == [10, 60, 300] == list(WAITS)


async def test_after_four_attempts_it_is_dropped_once_and_the_next_one_goes(office: Office) -> None:
    office.line.failures = [OSError()] * 4
    office.courier.carry(NOTICE)
    office.courier.carry(replace(NOTICE, subject="another"))
    await office.until(lambda: len(office.ended) == 2)
    assert office.ended == [("a test", "OSError"), ("another", "sent")]
    assert office.line.tried == 5


async def test_what_was_taken_in_part_is_not_sent_again(office: Office) -> None:
    office.line.failures = [Refused("1 of 2")]
    office.courier.carry(NOTICE)
    await office.until(lambda: bool(office.ended))
    assert (office.ended, office.clock.slept) == ([("a test", "Refused")], [])


async def test_the_queue_is_bounded_and_giving_never_waits(office: Office) -> None:
    office.line.shut = asyncio.Event()
    office.courier.carry(replace(NOTICE, subject="first"))
    await office.until(lambda: office.line.tried == 1)
    for number in range(QUEUED + 3):
        office.courier.carry(replace(NOTICE, subject=str(number)))
    assert office.ended == [(str(QUEUED + number), Full.__name__) for number in range(3)]
    office.line.shut.set()
    await office.until(lambda: len(office.ended) == QUEUED + 4)
    assert office.line.sent == ["first", *map(str, range(QUEUED))]


async def test_one_that_hangs_ends_at_once_when_the_daemon_does(office: Office) -> None:
    office.line.shut = asyncio.Event()
    office.courier.carry(NOTICE)
    await office.until(lambda: office.line.tried == 1)
    async with asyncio.timeout(GRACE + 5):
        await office.courier.close()
    assert office.ended == []
