"""How right inputs are spoilt: bytes, characters and JSON values, by a random number generator that a test seeds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

WORDS = (
    "", " ", "\x00", "\ufeff", "\u202e", "\r\n", "ế", "e\u0301", "\U0001f600", "٣", "²", "-1", "-0", "1e400", "NaN",
    "Infinity", "null", "true", "{}", "[]", '"', "'", "\\", "\\ud800", "\\u0000", "=", ",", ":", "[", "]", "{", "}",
    "#", "%", "9" * 30, "9" * 400, "9" * 5000, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30",
    "24:00:00", "+07:00", "Z", "GMT", "-0000", "Feb", "1.5", "0x10", "1_000", "[" * 3000, "Ａ",
)  # fmt: skip
"""What is put between other things."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 200, 401, 403, 404, 429, 500, 2**31, 2**63, 2**64, 10**400, 0.5, 1e308, "", " ",
    "7", "x", "\x00", "\u202e", "ế" * 700, "ExpiredToken", "RateLimited", "InvalidSignature", "NoPermission",
    "TaskNotFound",
    "AppIDDisconnect", "2026-03-02T09:00:00+07:00", "0001-01-01", "9999-12-31T23:59:59Z", "2026-02-30", [], {}, [[]],
    [None], {"": None}, ["x"] * 50, {"id": 7}, {"Tasks": []}, "45s", "0s", "http://", "https://a.b/c?d",
)  # fmt: skip
"""What stands in place of another value."""


def choose(rng: random.Random, *ways: Callable[[], Any]) -> Any:
    return rng.choice(ways)()


def spoilt_text(rng: random.Random, text: str) -> str:
    """The text after a few accidents."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        start, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        end = min(end, start + rng.choice((0, 1, 1, 2, 5, 40)))
        match rng.randrange(6):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:start] + rng.choice(WORDS) + text[end:]
            case 2:
                text = text[:end] + text[start:]
            case 3:
                text = text[:start] + chr(rng.choice((rng.randrange(128), rng.randrange(0xD800)))) + text[end:]
            case 4:
                text = text[:start] + text[start:end].swapcase() + text[end:]
            case _:
                text = (
                    text[: max(start, 1)] if rng.random() < 0.2 else text[:start] + text[start:end][::-1] + text[end:]
                )
    return text


def spoilt_bytes(rng: random.Random, content: bytes) -> bytes:
    """The bytes after a few accidents; mostly they are still UTF-8."""
    if rng.random() < 0.6:
        return spoilt_text(rng, content.decode()).encode("utf-8", "surrogatepass")
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(changed) + 1)
        changed[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(changed)


def spoilt_value(rng: random.Random, value: Any) -> Any:
    """A copy of a JSON value in which something is missing, double, renamed, or something else."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        rest = {name: one for name, one in value.items() if name != key}
        return choose(
            rng,
            lambda: rest,
            lambda: {**value, key: rng.choice(VALUES)},
            lambda: {**value, key: spoilt_value(rng, value[key])},
            lambda: {**value, key: spoilt_value(rng, value[key])},
            lambda: {**rest, rng.choice((key.swapcase(), key.replace("_", ""), key + "_")): value[key]},
            lambda: {**value, key.swapcase(): rng.choice(VALUES)},
        )
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        changed = spoilt_value(rng, value[place])
        return choose(
            rng,
            lambda: value[:place] + value[place + 1 :],
            lambda: [*value, value[place]],
            lambda: [*value[:place], changed, *value[place + 1 :]],
            lambda: [*value[:place], rng.choice(VALUES), *value[place + 1 :]],
        )
    return rng.choice(VALUES)


def as_json(rng: random.Random, value: Any) -> bytes:
    """The value as a body, in one of the ways in which servers write JSON."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, 1)))
    return rng.choice((b"", b"", b"", b"\xef\xbb\xbf", b" \r\n")) + text.encode("utf-8", "surrogatepass")
