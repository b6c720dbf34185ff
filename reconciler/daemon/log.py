"""The daemon's log: structured lines, JSON for machines, readable ones on a terminal.

Nothing personal and no secret is above debug: events are fixed words, fields are ids, counts and words of ours. An
exception is shown by its type and place, its text only at debug, because a text can hold anything.
"""

from __future__ import annotations

import logging
import sys
import traceback
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""What the journal of systemd calls our levels."""

QUIET: Final = ("httpx", "httpcore", "aiohttp", "uvicorn", "watchfiles", "apscheduler")
"""Libraries whose talk may hold addresses or names; only their errors are passed on."""


def configure(env: Mapping[str, str], *, verbose: bool = False, stream: TextIO = sys.stderr) -> None:
    """Set up logging for this process; `verbose` adds debug."""
    terminal = stream.isatty() and "JOURNAL_STREAM" not in env
    level = logging.DEBUG if verbose else logging.INFO
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in env, pad_event_to=24)
        if terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=not terminal),
            _Errors(texts=verbose),
            one_line,
            renderer,
            *([_prefixed] if "JOURNAL_STREAM" in env else []),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Libraries()]
    root.setLevel(logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def logger(**bound: object) -> FilteringBoundLogger:
    """A logger with these fields on every line."""
    made: FilteringBoundLogger = structlog.get_logger(**bound)
    return made


class _Errors:
    """Replaces an exception by its type and the places it came through."""

    def __init__(self, texts: bool) -> None:
        self._texts = texts

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        error = event.pop("exc_info", None)
        if isinstance(error, BaseException):
            frames = traceback.extract_tb(error.__traceback__)
            event["error"] = type(error).__name__
            event["trace"] = " < ".join(f"{frame.name} {frame.filename}:{frame.lineno}" for frame in reversed(frames))
            if self._texts:
                event["error_text"] = str(error)
        return event


def one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Make control characters and direction marks visible, so that no value can forge a line or its look."""
    return {name: _visible(value) if isinstance(value, str) else value for name, value in event.items()}


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    hidden = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one) in hidden else one for one in text
    )


def _prefixed(_: WrappedLogger, level: str, line: Any) -> str:
    return f"<{PRIORITIES.get(level, 6)}>{line}"


class _Libraries(logging.Handler):
    """What libraries log, in our form: who and the first words, without the values that were filled in."""

    def emit(self, record: logging.LogRecord) -> None:
        words = str(record.msg).splitlines() or [""]
        error = record.exc_info[1] if record.exc_info else None
        told = logger().error if record.levelno >= logging.ERROR else logger().warning
        told("library.said", library=record.name, words=words[0][:200], exc_info=error)
