"""What is told, and when: each rule as a history of minutes in which this or that was so."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from reconciler.core.model import Attention, Code, Side
from reconciler.errors import Halted, StateError
from reconciler.notify.notice import Notice
from reconciler.notify.situation import situation
from reconciler.notify.watching import Memory, look, recalled, remembered
from reconciler.ports import StateReader
from reconciler.store import open_store

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
CANARY = "Nguyễn Thị Bí Mật"


def entry(identifier: str, code: Code = Code.TARGET_NOT_FOUND, **rest: Any) -> Attention:
    return Attention(
        **{"side": Side.CRM, "id": identifier, "code": code, "message": f"«{CANARY}»", "since": START, **rest}
    )


@dataclass
class Watch:
    """A watcher with a real state in memory; each `minutes` is a tick a minute, with what stands in the state then."""

    personal: bool = False
    minute: int = 0
    notices: list[tuple[int, Notice]] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.state = open_store("sqlite://", random_bytes=lambda count: b"x" * count)

    @property
    def now(self) -> datetime:
        return START + timedelta(minutes=self.minute)

    def side(self, side: str, kind: str | None) -> None:
        """The side fails in this way from now on, or answers."""
        health = {"since": self.now.isoformat(), "kind": kind, "reason": f"HTTP 503: {CANARY}"} if kind else None
        with self.state.transaction() as tx:
            tx.set_fact(f"side.{side}", health)

    def halt(self, reason: str | None) -> None:
        fact = {"since": self.now.isoformat(), "reason": reason, "message": "80 updates", "count": 80}
        with self.state.transaction() as tx:
            tx.set_fact("halted", fact | {"fingerprint": "sha256:1"} if reason else None)

    def wait_for(self, entries: Iterable[Attention]) -> None:
        """Exactly these entries wait for a person from now on."""
        with self.state.transaction() as tx:
            tx.clear_attention(self.state.attention())
            tx.raise_attention(entries)

    def minutes(self, count: int, *, error: Exception | None = None, blind: bool = False) -> None:
        for _ in range(count):
            state: StateReader | None = None if blind else self.state
            seen = situation("an-phat", state, error, self.now)
            found, self.memory = look(seen, self.memory, personal=self.personal)
            self.notices += [(self.minute, notice) for notice in found]
            self.restart()
            self.minute += 1

    def restart(self) -> None:
        """The process ends; what it remembers is what the state kept."""
        self.memory = recalled(json.loads(json.dumps(remembered(self.memory))))

    @property
    def told(self) -> list[tuple[int, str]]:
        return [(minute, notice.topic) for minute, notice in self.notices]

    def last(self) -> Notice:
        return self.notices[-1][1]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_a_quiet_day_is_silent(watch: Watch) -> None:
    watch.minutes(24 * 60)
    assert watch.told == []


def test_a_side_that_is_down_is_told_after_fifteen_minutes_and_when_it_is_back_for_good(watch: Watch) -> None:
    watch.side("work", "SideDown")
    watch.minutes(60)
    assert watch.told == [(15, "down")]
    assert watch.last().subject == "work does not answer"
    watch.side("work", None)
    watch.minutes(60)
    assert watch.told[1:] == [(75, "clear")]
    assert watch.last().subject == "all clear"
    assert watch.last().lines == ("work answers again",)


def test_a_restart_of_a_server_is_no_news(watch: Watch) -> None:
    for _ in range(10):
        watch.side("work", "SideDown")
        watch.minutes(14)
        watch.side("work", None)
        watch.minutes(30)
    assert watch.told == []


def test_a_flapping_side_is_one_notice_and_one_all_clear(watch: Watch) -> None:
    for _ in range(12):
        watch.side("work", "SideDown")
        watch.minutes(20)
        watch.side("work", None)
        watch.minutes(10)
    watch.minutes(60)
    assert watch.told == [(15, "down"), (12 * 30 - 10 + 15, "clear")]


def test_one_that_flaps_slowly_is_no_storm_either(watch: Watch) -> None:
    for _ in range(12):
        watch.side("work", "SideDown")
        watch.minutes(16)
        watch.side("work", None)
        watch.minutes(16)
    downs = [minute for minute, topic in watch.told if topic == "down"]
    assert all(later - earlier >= 60 for earlier, later in pairwise(downs))
    assert watch.told.count((downs[0], "down")) == 1
    assert len(watch.told) <= 2 * 12 * 32 / 60 + 1


def test_an_outage_that_comes_again_within_the_hour_is_told_when_the_hour_is_over(watch: Watch) -> None:
    watch.side("crm", "SideDown")
    watch.minutes(16)
    watch.side("crm", None)
    watch.minutes(20)
    watch.side("crm", "SideDown")
    watch.minutes(120)
    assert watch.told == [(15, "down"), (31, "clear"), (75, "down")]


def test_refused_credentials_are_told_at_once_without_the_servers_words(watch: Watch) -> None:
    watch.side("crm", "SideClosed")
    watch.minutes(30)
    assert watch.told == [(0, "refused")]
    assert CANARY not in watch.last().text(str)


def test_a_halt_is_told_at_once_with_what_to_do_and_another_reason_is_another_matter(watch: Watch) -> None:
    watch.halt("limit")
    watch.minutes(30)
    assert watch.told == [(0, "halted")]
    assert "sha256:1" in watch.last().text(str)
    assert "reconciler resume" in watch.last().text(str)
    watch.halt("emptied_side")
    watch.minutes(5)
    assert watch.told == [(0, "halted"), (30, "halted")]
    watch.halt(None)
    watch.minutes(60)
    assert watch.told[2:] == [(45, "clear"), (50, "clear")]
    assert watch.last().subject == "all clear"


def test_what_keeps_the_state_shut_is_told_too(watch: Watch) -> None:
    watch.minutes(3, error=Halted("other_tenant", "another connection"), blind=True)
    watch.minutes(3, error=StateError("the disk is full"), blind=True)
    watch.minutes(3, error=ValueError(CANARY))
    assert watch.told == [(0, "halted"), (3, "failed"), (6, "failed")]
    assert CANARY not in watch.last().text(str)
    watch.minutes(30)
    assert {topic for _, topic in watch.told[3:]} == {"clear"}


def test_a_state_that_cannot_be_read_makes_nothing_over_and_nothing_new(watch: Watch) -> None:
    watch.halt("limit")
    watch.wait_for([entry("1")])
    watch.minutes(1)
    before = len(watch.told)
    watch.minutes(120, error=StateError("the disk is full"), blind=True)
    watch.minutes(120)
    after = [topic for _, topic in watch.told[before:]]
    assert after == ["failed", "clear"]


def test_new_matters_are_one_notice_grouped_by_cause_with_who_can_help(watch: Watch) -> None:
    watch.wait_for([*(entry(str(number)) for number in range(12)), entry("7", Code.TARGET_FORBIDDEN, side=Side.WORK)])
    watch.minutes(90)
    assert watch.told == [(0, "attention")]
    assert watch.last().subject == "13 new matters need a person"
    lines = watch.last().lines
    assert "target_not_found: 12 (crm 0, crm 1, crm 10" in lines[0]
    assert lines[0].endswith(", ..), for the salesperson")
    assert lines[1] == "target_forbidden: 1 (work 7), for the project_lead"
    assert len(watch.last().data["causes"]["target_not_found"]) == 12
    assert CANARY not in watch.last().text(str)


def test_one_cause_is_told_once_an_hour_with_everything_that_came_meanwhile(watch: Watch) -> None:
    entries = []
    for number in range(90):
        entries.append(entry(str(number)))
        watch.wait_for(entries)
        watch.minutes(1)
    assert watch.told == [(0, "attention"), (60, "attention")]
    assert watch.last().subject == "60 new matters need a person"
    watch.wait_for([*entries, entry("7", Code.FORBIDDEN)])
    watch.minutes(1)
    assert watch.told[2:] == [(90, "attention")], "another cause does not wait for that"
    assert "target_not_found" not in watch.last().text(str)


def test_an_entry_that_was_dealt_with_and_comes_back_is_new(watch: Watch) -> None:
    watch.wait_for([entry("1"), entry("2")])
    watch.minutes(70)
    watch.wait_for([entry("2")])
    watch.minutes(10)
    watch.wait_for([entry("1"), entry("2")])
    watch.minutes(10)
    assert watch.told == [(0, "attention"), (80, "attention")]
    assert watch.last().subject == "1 new matters need a person"


def test_acknowledged_entries_are_no_matter(watch: Watch) -> None:
    watch.wait_for([entry("1", acked="lan")])
    watch.minutes(10)
    assert watch.told == []
    watch.wait_for([entry("2")])
    watch.minutes(1)
    watch.wait_for([entry("2", acked="lan")])
    watch.minutes(60)
    assert watch.told == [(10, "attention"), (26, "clear")]


def test_an_end_says_whether_all_is_clear(watch: Watch) -> None:
    watch.halt("limit")
    watch.wait_for([entry("1")])
    watch.minutes(10)
    watch.halt(None)
    watch.minutes(30)
    assert watch.told == [(0, "halted"), (0, "attention"), (25, "clear")]
    assert (watch.last().subject, watch.last().data) == ("over, but not all is clear", {"all": False})
    watch.wait_for([])
    watch.minutes(30)
    assert (watch.last().subject, watch.last().data) == ("all clear", {"all": True})


def test_records_are_quoted_only_on_request_and_never_in_a_subject() -> None:
    watch = Watch(personal=True)
    watch.side("crm", "SideClosed")
    watch.wait_for([entry("1", title=CANARY)])
    watch.minutes(1)
    assert [topic for _, topic in watch.told] == ["refused", "attention"]
    for _, notice in watch.notices:
        assert CANARY in notice.text(str)
        assert CANARY not in notice.title(str)


def test_what_is_remembered_does_not_grow(watch: Watch) -> None:
    sizes = []
    for day in range(4):
        for number in range(48):
            watch.wait_for([entry(f"{day} {number}")])
            watch.side("crm", "SideDown" if number % 2 else None)
            watch.halt("limit" if number % 3 else None)
            watch.minutes(30)
        sizes.append(len(json.dumps(remembered(watch.memory))))
    assert max(sizes) - min(sizes) < 100


def test_a_memory_is_recalled_as_it_was(watch: Watch) -> None:
    watch.halt("limit")
    watch.wait_for([entry("1")])
    watch.minutes(3)
    watch.halt(None)
    watch.minutes(2)
    assert recalled(json.loads(json.dumps(remembered(watch.memory)))) == watch.memory
    assert replace(watch.memory, known=frozenset()) != watch.memory
