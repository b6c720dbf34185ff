"""What happened, as log lines: one when an outage begins and one when it ends, one for a cycle that did something.

A quiet day is a handful of lines: a poll that found nothing is told at debug only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from reconciler.daemon.happening import Asked, Ended, Happening
from reconciler.daemon.log import logger
from reconciler.errors import ReconcilerError, SideError

TOLD: Final = frozenset(
    {"bases_voided", "conflict", "created", "linked", "not_applied", "refused", "unclear", "unlinked"}
)
"""Kinds of journal entries that are told one by one, by ids; the journal has the values."""

STANDING: Final = ("would_", "left_out")
"""Counts of what is due and not done; it is counted again at every cycle."""


class Narrator:
    """Tells the log of one connection; remembers what was told, so that nothing that lasts is told twice."""

    def __init__(self) -> None:
        self._down: dict[str, datetime] = {}
        self._halt = ""
        self._failing = ""
        self._needing = False
        self._standing: Mapping[str, int] = {}

    def __call__(self, happening: Happening) -> None:
        match happening:
            case Ended():
                self._ended(happening)
            case Asked():
                self._asked(happening)

    def _ended(self, ended: Ended) -> None:
        log = logger(connection=ended.connection, cycle=ended.cycle)
        if ended.outcome != "stopped" and ended.error is None:
            self._sides(ended)
        self._failure(ended)
        self._halted(ended)
        for entry in ended.entries:
            if entry.kind in TOLD:
                log.info(
                    f"pair.{entry.kind}",
                    entry=entry.id,
                    crm_id=entry.crm_id,
                    work_id=entry.work_id,
                    side=entry.side and entry.side.value,
                    field=entry.field and entry.field.value,
                    rule=entry.rule or entry.reason,
                )
        if ended.error is None:
            self._cycle(ended)

    def _cycle(self, ended: Ended) -> None:
        """What the cycle did. What is only due and stays so (observing, a pilot) is told when it changes."""
        log = logger(connection=ended.connection, cycle=ended.cycle)
        counts = {name: count for name, count in ended.counts.items() if count and name != "operations"}
        standing = {name: count for name, count in counts.items() if name.startswith(STANDING)}
        needing = ended.outcome == "attention"
        worth = len(counts) > len(standing) or ended.sweeping or (standing, needing) != (self._standing, self._needing)
        self._standing, self._needing = standing, needing
        tell = log.info if worth else log.debug
        event = "sweep.finished" if ended.sweeping else "cycle.finished"
        tell(event, outcome=ended.outcome, seconds=round(ended.took.total_seconds(), 3), **counts)

    def _sides(self, ended: Ended) -> None:
        log = logger(connection=ended.connection)
        for side in ended.down.keys() - self._down.keys():
            self._down[side] = ended.started
            error = ended.down[side]
            log.warning("side.down", side=side, kind=type(error).__name__, reason=_without_words(error))
            log.debug("side.words", side=side, reason=str(error))
        for side in self._down.keys() - ended.down.keys():
            lasted = ended.started - self._down.pop(side)
            log.info("side.up", side=side, seconds=round(lasted.total_seconds()))

    def _failure(self, ended: Ended) -> None:
        log = logger(connection=ended.connection, cycle=ended.cycle)
        error = ended.error
        kind = "" if error is None else f"{type(error).__name__} {_place(error)}"
        if kind == self._failing or ended.outcome == "stopped":
            return
        if error is None:
            log.info("cycle.recovered")
        elif isinstance(error, ReconcilerError):
            log.error("cycle.halted" if ended.outcome == "halted" else "cycle.failed", reason=str(error))
        else:
            log.error("cycle.failed", exc_info=error)
        self._failing = kind

    def _halted(self, ended: Ended) -> None:
        if ended.error is not None or ended.outcome == "stopped":
            return
        halt, log = ended.halt, logger(connection=ended.connection, cycle=ended.cycle)
        mark = halt.fingerprint if halt is not None else ""
        if ended.outcome != "halted" and self._halt:
            log.info("plan.released")
            self._halt = ""
        elif halt is not None and mark != self._halt:
            log.warning("plan.halted", reason=halt.reason, count=len(halt.held), fingerprint=mark)
            self._halt = mark

    def _asked(self, asked: Asked) -> None:
        log = logger(connection=asked.connection)
        if asked.error is not None:
            log.error("request.failed", command=asked.command, exc_info=asked.error)
        else:
            log.info("request.done", command=asked.command, exit_code=asked.exit_code)


def _without_words(error: ReconcilerError) -> str:
    """An error without the server's own words, which may quote a record."""
    words = error.words if isinstance(error, SideError) else ""
    return str(error).replace(words, "..") if words else str(error)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace is not None else ""
