"""What takes long runs beside the request: one at a time, kept for a minute, and its failure is a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.errors import StateError
from reconciler.message import say
from reconciler.page.errands import KEPT, Errand, Errands, thread


class Desk:
    """A clock, and a spawn that only notes what was asked; `begin` runs it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.noted: list[Callable[[], None]] = []
        self.done: list[str] = []

    @property
    def errands(self) -> Errands:
        return Errands(lambda: self.now, self.noted.append, patience=0)

    def work(self, name: str) -> Callable[[], str]:
        def run() -> str:
            self.done.append(name)
            return name

        return run


def test_one_at_a_time_and_whoever_asks_meanwhile_is_told_so() -> None:
    desk = Desk()
    errands = desk.errands
    assert errands.look("dry run") is None
    assert errands.ask("dry run", 1, desk.work("a")).running
    assert errands.ask("dry run", 1, desk.work("b")).running
    assert errands.ask("dry run", 2, desk.work("c")).running
    assert errands.ask("another lane", 1, desk.work("d")).running
    assert len(desk.noted) == 2
    for one in desk.noted:
        one()
    assert desk.done == ["a", "d"]
    found = errands.look("dry run")
    assert found is not None
    assert (found.running, found.outcome) == (False, "a")


def test_an_outcome_is_kept_for_a_minute_and_asking_again_gives_the_same() -> None:
    desk = Desk()
    errands = desk.errands
    errands.ask("lane", 1, desk.work("a"))
    desk.noted.pop()()
    desk.now = KEPT - 0.1
    assert errands.ask("lane", 1, desk.work("b")).outcome == "a"
    assert desk.noted == []
    desk.now = KEPT
    assert errands.look("lane") is None
    assert errands.ask("lane", 1, desk.work("b")).running


def test_another_question_does_not_wait_for_the_minute() -> None:
    desk = Desk()
    errands = desk.errands
    errands.ask("lane", 1, desk.work("a"))
    desk.noted.pop()()
    assert errands.ask("lane", 2, desk.work("b")).running
    desk.noted.pop()()
    found = errands.look("lane")
    assert found is not None
    assert found.outcome == "b"


def test_a_failure_is_said_and_the_next_one_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    def refused() -> None:
        raise StateError(say("the disk reports an error"))

    def broken() -> None:
        raise KeyError("secret")

    desk = Desk()
    errands = desk.errands
    for work, words in ((refused, "the disk reports an error"), (broken, "unexpected failure (KeyError)")):
        errands.ask("lane", words, work)
        desk.noted.pop()()
        found = errands.look("lane")
        assert found is not None
        assert found.failure.startswith(words)
        assert "secret" not in found.failure
    assert [record.name for record in caplog.records] == ["reconciler.page.errands"]


def test_a_thread_of_its_own_does_the_work() -> None:
    import threading

    seen: list[str] = []
    errand = Errand("x")

    def work() -> None:
        seen.append(threading.current_thread().name)
        errand.done.set()

    thread(work)
    assert errand.done.wait(30)
    assert seen == ["page-errand"]
