"""The log: structured, quiet, and no place for secrets, personal values or forged lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from reconciler.core.model import Entry, Field, Side
from reconciler.core.operations import Unlink
from reconciler.core.safety import Halt
from reconciler.daemon.happening import Asked, Ended
from reconciler.daemon.log import configure, logger
from reconciler.daemon.narrator import Narrator
from reconciler.errors import Halted, SideDown

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
CANARY = "Nguyễn Thị Bí Mật"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def logging_to(stream: io.StringIO, *, verbose: bool = False, **env: str) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure(env, verbose=verbose, stream=stream)
    try:
        yield stream
    finally:
        structlog.reset_defaults()
        root.handlers[:], root.level = before


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    with logging_to(io.StringIO()) as stream:
        yield stream


def told(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def ended(**rest: Any) -> Ended:
    return Ended(**{"connection": "an-phat", "sweeping": False, "started": NOON, "outcome": "ok", **rest})


def test_a_line_is_json_with_time_level_event_and_what_is_bound(lines: io.StringIO) -> None:
    logger(connection="an-phat").info("cycle.finished", cycle=7, outcome="ok")
    [line] = told(lines)
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
    assert line == {
        "connection": "an-phat", "cycle": 7, "outcome": "ok", "event": "cycle.finished", "level": "info",
    }  # fmt: skip


def test_on_a_terminal_it_is_for_eyes() -> None:
    with logging_to(Terminal(), NO_COLOR="1") as stream:
        logger(connection="an-phat").warning("side.down", side="crm")
    assert "side.down" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    with pytest.raises(ValueError):
        json.loads(stream.getvalue())


def test_the_journal_of_systemd_learns_the_priority() -> None:
    with logging_to(Terminal(), JOURNAL_STREAM="8:1") as stream:
        logger().error("x")
        logger().info("y")
    first, second = stream.getvalue().splitlines()
    assert (first[:4], second[:4]) == ("<3>{", "<6>{")


@pytest.mark.parametrize("forged", ["a\nb", "a\r<3>b", "\x1b[31mred", "\u202egnp.exe", "a\u2028b", "\x00", "\ud800"])
@pytest.mark.parametrize("terminal", [False, True])
def test_no_value_can_forge_a_line_or_its_look(forged: str, terminal: bool) -> None:
    with logging_to(Terminal() if terminal else io.StringIO(), NO_COLOR="1") as stream:
        logger(connection=forged).info("x", value=forged)
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert text.rstrip("\n").isprintable()


def test_an_exception_shows_its_type_and_place_but_not_its_words(lines: io.StringIO) -> None:
    try:
        raise KeyError(CANARY)
    except KeyError as error:
        logger().error("cycle.failed", exc_info=error)
    [line] = told(lines)
    assert line["error"] == "KeyError"
    assert "test_log.py" in line["trace"]
    assert CANARY not in lines.getvalue()


def test_libraries_speak_without_the_values_they_fill_in(lines: io.StringIO) -> None:
    logging.getLogger("asyncio").error("Task exception was never retrieved\n%s", CANARY)
    logging.getLogger("some.library").warning("cannot read %s", CANARY)
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("httpx").warning("HTTP Request: GET /x?token=%s", CANARY)
    assert [(line["library"], line["words"]) for line in told(lines)] == [
        ("asyncio", "Task exception was never retrieved"),
        ("some.library", "cannot read %s"),
    ]


def test_a_quiet_day_is_a_handful_of_lines(lines: io.StringIO) -> None:
    tell = Narrator()
    for minute in range(24 * 60):
        sweeping = minute % 360 == 0
        tell(ended(started=NOON + timedelta(minutes=minute), sweeping=sweeping, counts={"operations": 0}))
    assert [line["event"] for line in told(lines)] == ["sweep.finished"] * 4


def test_what_stays_due_is_told_when_it_changes_not_at_every_cycle(lines: io.StringIO) -> None:
    tell = Narrator()
    for due in (3, 3, 3, 4, 4, 0, 0):
        tell(ended(counts={"would_create": due, "left_out": due}))
    assert [line.get("would_create", 0) for line in told(lines)] == [3, 4, 0]


def test_an_outage_is_one_line_when_it_begins_and_one_when_it_ends(lines: io.StringIO) -> None:
    tell = Narrator()
    down = {"crm": SideDown("crm", f"crm list: HTTP 503: {CANARY} is busy", words=f"{CANARY} is busy")}
    waiting = {"crm": SideDown("crm", "asked again later", code="waiting")}
    for minute, now in enumerate([{}, down, waiting, down, waiting, {}, {}]):
        outcome = "unavailable" if now else "ok"
        tell(ended(started=NOON + timedelta(minutes=minute), down=now, outcome=outcome))
    begin, end = told(lines)
    assert (begin["event"], begin["side"], begin["kind"]) == ("side.down", "crm", "SideDown")
    assert begin["reason"] == "crm list: HTTP 503: .."
    assert (end["event"], end["seconds"]) == ("side.up", 240)


def test_a_failure_that_lasts_is_told_once_and_another_one_again(lines: io.StringIO) -> None:
    tell = Narrator()
    lost = Halted("new_state", "markers; run `rebuild`")

    def bug() -> Exception:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            return error

    for error in (lost, lost, bug(), bug(), None, None):
        tell(ended(error=error, outcome="ok" if error is None else "halted" if error is lost else "failed"))
    assert [line["event"] for line in told(lines)] == ["cycle.halted", "cycle.failed", "cycle.recovered"]
    assert CANARY not in lines.getvalue()


def test_a_halt_is_told_once_until_it_holds_something_else_or_is_over(lines: io.StringIO) -> None:
    tell = Narrator()

    def halt(task: str) -> Halt:
        held = (Unlink(crm_id=task, work_id="1", title=CANARY, side=Side.CRM, reason="gone"),)
        return Halt(reason="max_deletes", message="x", held=held, kinds=("unlink",))

    for task in ("1", "1", "2", "2", ""):
        tell(ended(halt=halt(task) if task else None, outcome="halted" if task else "ok"))
    assert [(line["event"], line.get("fingerprint")) for line in told(lines)] == [
        ("plan.halted", halt("1").fingerprint),
        ("plan.halted", halt("2").fingerprint),
        ("plan.released", None),
    ]
    assert CANARY not in lines.getvalue()


def test_what_happened_to_a_pair_is_told_by_ids_never_by_values(lines: io.StringIO) -> None:
    entry = Entry(
        kind="conflict", at=NOON, id=44, cycle=7, crm_id="1042", work_id="7001", side=Side.WORK, field=Field.TITLE,
        old=CANARY, new=CANARY, rule="title.to_work", changed_by=CANARY, operator=CANARY,
    )  # fmt: skip
    Narrator()(ended(cycle=7, counts={"updated_work": 1}, entries=(entry,)))
    pair, cycle = told(lines)
    assert (pair["event"], pair["cycle"], pair["entry"]) == ("pair.conflict", 7, 44)
    assert (pair["crm_id"], pair["work_id"], pair["side"], pair["field"]) == ("1042", "7001", "work", "title")
    assert (cycle["event"], cycle["updated_work"]) == ("cycle.finished", 1)
    assert CANARY not in lines.getvalue()


def test_a_request_is_told_with_its_exit_code_and_its_bug(lines: io.StringIO) -> None:
    tell = Narrator()
    tell(Asked(connection="an-phat", command="link", exit_code=4))
    tell(Asked(connection="an-phat", command="link", exit_code=1, error=ValueError(CANARY)))
    assert [(line["event"], line["level"]) for line in told(lines)] == [
        ("request.done", "info"), ("request.failed", "error"),
    ]  # fmt: skip
    assert CANARY not in lines.getvalue()


def test_verbose_tells_more() -> None:
    with logging_to(io.StringIO(), verbose=True) as stream:
        Narrator()(ended())
    assert [line["event"] for line in told(stream)] == ["cycle.finished"]
