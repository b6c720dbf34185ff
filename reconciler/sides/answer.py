"""What an answer's body says: hardened JSON, keys found whatever their casing, and the parts of an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn

from reconciler.core.model import ZONE

MISSING: Final = object()
RETRY_AT_MOST: Final = timedelta(minutes=15)


class Unreadable(Exception):
    """The body is not what an answer must be; the text says why, and never shows the body."""


def parse(content: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises `Unreadable` for everything else: HTML, NaN, lone surrogates, a deep nest."""
    try:
        text = content.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        kind = "HTML" if content.lstrip()[:1] == b"<" else "no valid JSON"
        raise Unreadable(f"the answer is {kind}") from error
    if not isinstance(value, dict):
        raise Unreadable("the answer is no JSON object")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable("the answer holds text that is not Unicode") from error
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def fold(key: str) -> str:
    return key.replace("_", "").casefold()


def pick(row: Mapping[str, Any], *names: str, default: Any = None) -> Any:
    """The value of the first name that the row has, whatever its casing and underscores."""
    for name in names:
        if name in row:
            return row[name]
    folded = {fold(key): value for key, value in row.items()}
    return next((folded[fold(name)] for name in names if fold(name) in folded), default)


@dataclass(frozen=True, slots=True)
class Trouble:
    """The error parts of an answer: the server's code, and its words for people."""

    code: str
    words: str
    number: int


def trouble(body: Mapping[str, Any]) -> Trouble | None:
    """What the envelope complains about; None if it says that the call succeeded."""
    success, number = pick(body, "success"), pick(body, "code")
    number = number if isinstance(number, int) and not isinstance(number, bool) else 0
    code = pick(body, "ErrorCode", "error_code")
    if success is not False and number in (0, 200) and code is None:
        return None
    words = pick(body, "user_msg", "UserMessage", "error_message", "DevMsg", "SystemMessage")
    textual = code if isinstance(code, str) else str(pick(body, "code", default=""))
    return Trouble(textual, words if isinstance(words, str) else "", number)


def moment(value: Any) -> datetime | None:
    """An ISO 8601 time as an aware datetime; without a zone it is Asia/Ho_Chi_Minh. None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=ZONE)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def http_date(value: str | None) -> datetime | None:
    """An HTTP date header as an aware datetime."""
    if not value:
        return None
    try:
        parsed = parsedate_to_datetime(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """How long a `Retry-After` header (seconds or an HTTP date) asks to wait, at most 15 minutes; past is no wait."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), RETRY_AT_MOST)
    date = http_date(text)
    return None if date is None else min(max(date - now, timedelta(0)), RETRY_AT_MOST)
