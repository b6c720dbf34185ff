"""Every error the program raises on purpose, sorted by what the caller should do.

    ReconcilerError
    |-- ConfigError        mend the config file or the command line, then start again        exit 2
    |-- UsageError         the request itself makes no sense here                            exit 2
    |-- StateError         the state cannot be opened by this version, or is damaged         exit 2
    |-- LeaseHeld          somebody else is at work on this connection                       exit 7
    |-- Halted             a person must look before anything is written                     exit 5
    `-- SideError          one of the two systems; the other goes on                         exit 6
        |-- SideDown       try again later: network, 5xx, rate limit, an unreadable answer
        |-- SideClosed     credentials, permission, a cut connection: waits for a person
        |-- NotApplied     a write that surely did not happen: read again, send once more
        `-- Unclear        a write that may have happened: read back, never send again blindly

Anything else that escapes is a bug (exit 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from reconciler.message import joined


class ReconcilerError(Exception):
    """Base of the tree; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1

    @property
    def message(self) -> str:
        """What to tell a person; `str` of an error would forget how to say it in another language."""
        return self.args[0] if self.args else ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell a person, a line each."""
        return (self.message,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault of a config: where it is, what is wrong and what to do. `line` counts from 1; 0 is unknown."""

    where: str
    line: int = 0
    key: str = ""
    message: str

    @property
    def sentence(self) -> str:
        """All of it, for a person."""
        place = f"{self.where}:{self.line}" if self.line else self.where
        return joined([place, self.key, self.message] if self.key else [place, self.message], ": ")

    def __str__(self) -> str:
        return str(self.sentence)


class ConfigError(ReconcilerError):
    """The settings cannot be used. Holds every fault found, never a secret value."""

    exit_code = 2

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @property
    def sentences(self) -> tuple[str, ...]:
        """Where each fault is, and what is wrong there."""
        return tuple(problem.sentence for problem in self.problems)


class UsageError(ReconcilerError):
    """The request is understood and impossible: an unknown task, an id that is linked elsewhere."""

    exit_code = 2


class StateError(ReconcilerError):
    """The state has another schema version than this program, or is damaged."""

    exit_code = 2


class LeaseHeld(ReconcilerError):
    """Another process holds the lease of this connection."""

    exit_code = 7


class Halted(ReconcilerError):
    """Nothing was written because something looks wrong on a large scale. `count` is how much of it."""

    exit_code = 5

    def __init__(self, reason: str, message: str, count: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.count = count


class SideError(ReconcilerError):
    """A failure of one system. `side` is "crm" or "work"; `words` are the server's own, if it said any."""

    exit_code = 6

    def __init__(
        self, side: str, message: str, *, words: str = "", retry_after: timedelta | None = None, code: str = ""
    ) -> None:
        super().__init__(message)
        self.side = side
        self.words = words
        self.retry_after = retry_after
        self.code = code


class SideDown(SideError):
    """Transient: the next cycle tries again, not before `retry_after` if the server named one."""


class SideClosed(SideError):
    """Credentials, permission or an administrator's decision: only a person can open this side again."""


class NotApplied(SideError):
    """A write that surely changed nothing (401, 429, refused connection)."""


class Unclear(SideError):
    """A write whose effect is unknown (timeout after sending, 5xx, cut connection, unreadable answer)."""
