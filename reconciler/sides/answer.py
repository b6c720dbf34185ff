"""What an answer's body says: hardened JSON, keys found whatever their casing, and the parts of an error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn

from reconciler.message import say

HANOI: Final = timezone(timedelta(hours=7))
"""Both wire formats mean this fixed offset; the tz database has others for Vietnam before 1975."""

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
RETRY_AT_MOST: Final = timedelta(minutes=15)
WORDS_AT_MOST: Final = 500


class Unreadable(Exception):
    """The body is not what an answer must be; the text says why, and never shows the body."""


def parse(content: bytes) -> dict[str, Any]:
    """The JSON object in a body; a byte order mark is tolerated.

    Raises `Unreadable` for everything else: HTML, NaN and numbers beyond every bound, a key twice in one object, lone
    surrogates, a nest too deep to follow.
    """
    try:
        text = content.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        kind = "HTML" if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" else say("no valid JSON")
        raise Unreadable(say("the answer is {kind}", kind=kind)) from error
    if not isinstance(value, dict):
        raise Unreadable(say("the answer is no JSON object"))
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key twice")
    return made


def fold(key: str) -> str:
    return key.replace("_", "").casefold()


def pick(row: Mapping[str, Any], *names: str, default: Any = None) -> Any:
    """The value of the first name that the row has, whatever its casing and underscores."""
    for name in names:
        if name in row:
            return row[name]
    folded = {fold(key): value for key, value in row.items()}
    return next((folded[fold(name)] for name in names if fold(name) in folded), default)


def count(value: Any) -> int | None:
    """A number of rows; None if the server did not say one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@dataclass(frozen=True, slots=True)
class Trouble:
    """The error parts of an answer: the server's code, its words for people, and the number in its envelope (or 0)."""

    code: str
    words: str
    number: int


def trouble(body: Mapping[str, Any]) -> Trouble | None:
    """What an envelope, or one element of a write's answer, complains about; None if it claims success.

    Success is: `success` true or absent, `code` absent, 0 or 200, and no error code beside them.
    """
    success, given, error = pick(body, "success"), pick(body, "code"), pick(body, "ErrorCode", "error_code")
    number = _whole(given)
    named = next((str(one) for one in (error, given) if isinstance(one, str | int) and _whole(one) is None), "")
    erring = error not in (None, "") and _whole(error) not in (0, 200)
    if success in (None, True) and number in (0, 200) and not named and not erring:
        return None
    return Trouble(named or (str(error) if erring else ""), words_of(body), number or 0)


def _whole(value: Any) -> int | None:
    """A code that is a number, also as digits; nothing at all counts as 0, a word is None."""
    if value is None or value == "":
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10 else None


def words_of(body: Mapping[str, Any]) -> str:
    """What an answer says to people, on one line and not too long; empty if it says nothing."""
    names = ("user_msg", "UserMessage", "error_message", "DevMsg", "SystemMessage")
    found = (pick(body, name) for name in names)
    return next((clipped for one in found if isinstance(one, str) and (clipped := clip(one))), "")


def clip(words: str) -> str:
    """Foreign words as one printable line of at most 500 characters."""
    line = " ".join("".join(one if one.isprintable() else " " for one in words[: 2 * WORDS_AT_MOST]).split())
    return line if len(line) <= WORDS_AT_MOST else line[: WORDS_AT_MOST - 1] + "…"


def moment(value: Any) -> datetime | None:
    """An ISO 8601 time as an aware datetime in UTC; without a zone it is +07:00. None if it is none.

    What cannot be shown at +07:00 (the ends of the calendar) is none either.
    """
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        local = (parsed if parsed.tzinfo else parsed.replace(tzinfo=HANOI)).astimezone(HANOI)
        return local.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def http_date(value: str | None) -> datetime | None:
    """An HTTP date header (any of its three forms) as an aware datetime; None if it is none."""
    if not value or not value.isascii():
        return None
    try:
        parsed = parsedate_to_datetime(value)
        aware = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return aware if 1970 <= aware.year < 9000 else None  # so that sums with it stay within the calendar


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """How long a `Retry-After` header asks to wait: seconds in ASCII digits, or a date against server time `now`.

    At most 15 minutes; a date in the past is no wait; of several numbers the largest counts; None if it says nothing.
    """
    if value is None:
        return None
    numbers = [part.strip() for part in value.split(",")]
    if all(one.isascii() and one.isdigit() for one in numbers):
        seconds = max(int(one.lstrip("0")[:9] or "0") for one in numbers)
        return min(timedelta(seconds=seconds), RETRY_AT_MOST)
    date = http_date(value.strip())
    return None if date is None else min(max(date - now, timedelta(0)), RETRY_AT_MOST)
