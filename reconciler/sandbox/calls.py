"""What arrives at a sandbox system, what it answers, and what it remembers of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

Kind = Literal["read", "write", "token"]
Headers = Mapping[str, str | tuple[str, ...]]

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class Dropped(Exception):
    """The connection ends without an answer."""


class TimedOut(Dropped):
    """No answer comes, and the connection stays open until the client gives up."""


class _NotJson:
    """The body of a request that cannot be parsed."""

    def __repr__(self) -> str:
        return "NOT_JSON"


NOT_JSON: Final = _NotJson()


@dataclass(frozen=True)
class Arrival:
    """A request as the HTTP layer hands it over; `path` is below the base address, header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, tuple[str, ...]]
    content: bytes

    def body(self) -> Any:
        """The parsed JSON, None if there is no body, NOT_JSON if it is not JSON in UTF-8 by the letter of RFC 8259.

        So NaN, a byte order mark, a key given twice and half a surrogate pair are refused too.
        """
        if not self.content:
            return None
        try:
            parsed = json.loads(self.content.decode(), parse_constant=_refuse, object_pairs_hook=_unique)
            if _SURROGATE.search(self.content):
                json.dumps(parsed, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return NOT_JSON
        return parsed


@dataclass(frozen=True)
class Request:
    """An arrival that the system has understood: which verb, which kind, which body."""

    side: str
    verb: str
    kind: Kind
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, tuple[str, ...]]
    body: Any

    def elements(self) -> list[Any]:
        """The records or ids of a write."""
        body = self.body
        if isinstance(body, dict):
            body = body.get("Tasks", body.get("TaskIDs"))
        return body if isinstance(body, list) else []


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status, finished bytes, headers (a tuple sends a header several times).

    It is sent `delay` seconds late. `missing` bytes are announced but never sent: the connection ends before them, in
    the middle of a chunked body if `chunked`.
    """

    status: int
    content: bytes
    headers: Headers = field(default_factory=dict)
    delay: float = 0
    missing: int = 0
    chunked: bool = False


@dataclass(frozen=True)
class Element:
    """What one element of a write call did: `changed` names what really changed, `before` holds the old values."""

    id: int | None
    fields: Mapping[str, Any]
    changed: frozenset[str]
    ok: bool
    error: str | None = None
    before: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a verb did: the answer, and for a write what became of every element."""

    answer: Answer
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True)
class Call:
    """One call in the log. `status` is what the client saw (None: no answer); `late` marks a delayed effect."""

    side: str
    verb: str
    kind: Kind
    body: Any
    status: int | None
    elements: tuple[Element, ...]
    at: datetime
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    late: bool = False


def json_answer(status: int, body: object, headers: Headers | None = None) -> Answer:
    """An answer whose body is JSON."""
    content = json.dumps(body, ensure_ascii=False).encode(errors="replace")
    return Answer(status, content, {"content-type": "application/json; charset=utf-8", **(headers or {})})


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found
