"""The table of faults: how each is ordered from the sandbox, and what a read or a write must make of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from reconciler.core.model import Code, Side


class Read(Enum):
    """What a fault means for a read."""

    FINE = "no fault at all"
    REPEATED = "asked again while that can help, then the side is down"
    LEFT = "the side is down at once; asking again would not help"
    RENEWED = "a new proof, once; refused again, a person is needed"
    CLOSED = "a person is needed at once"


class Write(Enum):
    """What a fault means for a write. No write is ever sent twice by an adapter."""

    FINE = "no fault at all"
    NOT_APPLIED = "it surely changed nothing"
    UNCLEAR = "it may have changed something"
    REFUSED = "every record was refused, in the server's words"
    CLOSED = "a person is needed; it changed nothing"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`effects`: whether a write takes effect before the fault, where both happen in the world, both are tried."""

    name: str
    kind: str = "status"
    args: Mapping[str, Any] = field(default_factory=dict)
    read: Read
    write: Write
    token: Read | None = None
    effects: tuple[bool, ...] = (False,)
    only: Side | None = None
    waits: float = 0
    """So long a read must wait before it asks again (seconds)."""
    says: float | None = None
    """The error must carry this wait (seconds), because it is longer than a read may take."""
    code: Code = Code.INVALID_VALUE
    hasty: bool = False

    def __str__(self) -> str:
        return self.name

    def order(self, effect: bool) -> dict[str, Any]:
        """What to order from the sandbox."""
        natural = self.kind in ("drop_after", "truncate", "rewrite", "drop_before", "late")
        return {"kind": self.kind, **self.args, **({} if natural or not effect else {"after_effect": True})}


BOTH = (False, True)


def wrong(status: int) -> Fault:
    token = Read.CLOSED if status in (400, 401, 403) else None
    return Fault(name=f"{status}", args={"status": status}, read=Read.LEFT, write=Write.REFUSED, token=token)


def vague(status: int) -> Fault:
    """An answer that says neither that the write was done nor that it was not."""
    return Fault(name=f"{status}", args={"status": status}, read=Read.LEFT, write=Write.UNCLEAR, effects=BOTH)


def busy(status: int) -> Fault:
    return Fault(name=f"{status}", args={"status": status}, read=Read.REPEATED, write=Write.UNCLEAR, effects=BOTH)


def redirect(status: int) -> Fault:
    args = {"status": status, "body": b"", "headers": {"location": "/elsewhere"}}
    return Fault(name=f"{status} elsewhere", args=args, read=Read.LEFT, write=Write.UNCLEAR, effects=BOTH)


def slow_down(name: str, *, waits: float = 0, says: float | None = None, **args: Any) -> Fault:
    read = Read.REPEATED if says is None else Read.LEFT
    return Fault(
        name=f"429 {name}", kind="retry_after", args=args, read=read, write=Write.NOT_APPLIED, waits=waits, says=says
    )


def body(name: str, content: bytes | Mapping[str, Any], read: Read = Read.REPEATED, **more: Any) -> Fault:
    """An answer with status 200 and this body."""
    given = {"write": Write.UNCLEAR, "effects": BOTH, **more}
    sent = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Fault(name=f"200 {name}", args={"status": 200, "body": sent}, read=read, **given)


def refused(status: int, name: str, side: Side, code: str, read: Read, write: Write, token: Read | None) -> Fault:
    args = {"status": status, "error_code": code}
    return Fault(name=name, args=args, read=read, write=write, token=token, only=side)


def restyled(answer: Any) -> Any:
    """The same answer in another casing, which means the same."""
    if isinstance(answer, dict):
        return {key.replace("_", "").upper(): restyled(value) for key, value in answer.items()} | {"zzUnknown": [1]}
    return [restyled(one) for one in answer] if isinstance(answer, list) else answer


FAULTS: tuple[Fault, ...] = (
    *map(wrong, (400, 405, 413, 414, 415, 422)),
    Fault(
        name="403", args={"status": 403}, read=Read.CLOSED, write=Write.REFUSED, token=Read.CLOSED, code=Code.FORBIDDEN
    ),
    Fault(name="404", args={"status": 404}, read=Read.CLOSED, write=Write.CLOSED),
    Fault(name="404 page", kind="html", args={"status": 404}, read=Read.CLOSED, write=Write.CLOSED),
    *map(vague, (409, 410, 412, 423, 428)),
    *map(busy, (408, 425, 500, 501, 502, 503, 504, 507, 520, 522, 524)),
    *map(redirect, (301, 302, 303, 307, 308)),
    # proofs
    Fault(
        name="401 bare", kind="empty401", read=Read.RENEWED, write=Write.NOT_APPLIED, token=Read.CLOSED, only=Side.CRM
    ),
    refused(401, "401 expired", Side.CRM, "ExpiredToken", Read.RENEWED, Write.NOT_APPLIED, Read.CLOSED),
    refused(401, "401 invalid", Side.CRM, "InvalidAccessToken", Read.RENEWED, Write.NOT_APPLIED, Read.CLOSED),
    body(
        "and an expired token",
        {"success": False, "code": "ExpiredToken"},
        Read.RENEWED,
        write=Write.NOT_APPLIED,
        token=Read.LEFT,
        only=Side.CRM,
        effects=(False,),
    ),
    refused(403, "cut by an administrator", Side.CRM, "AppIDDisconnect", Read.CLOSED, Write.CLOSED, Read.CLOSED),
    Fault(name="401 bare", kind="empty401", read=Read.CLOSED, write=Write.CLOSED, only=Side.WORK),
    refused(401, "401 signature", Side.WORK, "InvalidSignature", Read.CLOSED, Write.CLOSED, None),
    refused(401, "401 transaction", Side.WORK, "DuplicateTransaction", Read.CLOSED, Write.CLOSED, None),
    # asked to slow down
    slow_down("for 3 s", seconds=3, waits=3),
    slow_down("until a date", seconds=4, form="imf", waits=3),
    slow_down("until an old form of a date", seconds=4, form="rfc850", waits=3),
    slow_down("until the oldest form of a date", seconds=4, form="asctime", waits=3),
    slow_down("until a date in the past", seconds=-86_400, form="imf"),
    slow_down("for 0 s", seconds=0),
    slow_down("without a time", raw=None),
    slow_down("for a negative time", raw="-5"),
    slow_down("for a word", raw="soon"),
    slow_down("in Arabic digits", raw="٣"),
    slow_down("twice", raw=("2", "3"), waits=3),
    slow_down("for a minute", seconds=60, says=60),
    slow_down("for years", raw="9" * 30, says=900),
    Fault(
        name="503 for 3 s",
        kind="retry_after",
        args={"seconds": 3, "status": 503},
        read=Read.REPEATED,
        write=Write.UNCLEAR,
        effects=BOTH,
        waits=3,
    ),
    # bodies that are no answer
    Fault(name="login page", kind="html", read=Read.REPEATED, write=Write.UNCLEAR, effects=BOTH),
    Fault(
        name="502 page", kind="html", args={"status": 502}, read=Read.REPEATED, write=Write.UNCLEAR, effects=BOTH
    ),
    body("and nothing", b""),
    body("and a list", b"[]"),
    body("and null", b"null"),
    body("and a number", b"7"),
    body("and half a text", b'{"success": true, "data": "a'),
    body("and NaN", b'{"success": true, "data": NaN}'),
    body("and Infinity", b'{"success": true, "data": -Infinity}'),
    body("and 1e400", b'{"success": true, "data": 1e400}'),
    body("and a key twice", b'{"success": false, "success": true, "data": []}'),
    body("and half a surrogate", b'{"success": true, "data": "\\ud800"}'),
    body("and 5,000 digits", b'{"success": true, "data": ' + b"7" * 5000 + b"}"),
    body("and a bottomless nest", b'{"data": ' + b"[" * 100_000),
    body("in UTF-16", json.dumps({"success": True, "data": []}).encode("utf-16")),
    body("in Latin-1", '{"success": true, "data": "é"}'.encode("latin-1")),
    body("and eleven mebibytes", b'{"success": true, "data": [' + b" " * (11 << 20) + b"]}", effects=(False,)),
    Fault(
        name="200 gzip that is none",
        args={"status": 200, "body": b"{}", "headers": {"content-encoding": "gzip"}},
        read=Read.REPEATED,
        write=Write.UNCLEAR,
        effects=BOTH,
    ),
    Fault(
        name="200 and a flood of headers",
        args={"status": 200, "body": b"{}", "headers": {"x-flood": "x" * 60_000}},
        read=Read.REPEATED,
        write=Write.UNCLEAR,
        effects=BOTH,
    ),
    Fault(
        name="204", args={"status": 204, "body": b""}, read=Read.REPEATED, write=Write.UNCLEAR, effects=BOTH
    ),
    # answers that say something else than they should
    body("and {}", {}, Read.LEFT),
    body("and no data", {"success": True, "code": 200, "data": None}, Read.LEFT),
    body("and failure", {"success": False}, Read.LEFT),
    body("and success in words", {"success": "true", "data": []}, Read.LEFT),
    body("and an unknown code", {"success": False, "code": "Nobody knows"}, Read.LEFT),
    body("and an error beside success", {"success": True, "ErrorCode": "Fault", "data": []}, Read.LEFT),
    body("and code 500", {"success": True, "code": 500, "data": []}),
    body("and code 429", {"success": False, "code": 429}, write=Write.NOT_APPLIED, effects=(False,)),
    body(
        "and code 403",
        {"success": False, "code": 403},
        Read.CLOSED,
        write=Write.REFUSED,
        effects=(False,),
        code=Code.FORBIDDEN,
    ),
    body(
        "and code 400",
        {"success": False, "code": 400},
        Read.LEFT,
        write=Write.REFUSED,
        effects=(False,),
        token=Read.CLOSED,
    ),
    Fault(
        name="201 and no id",
        args={"status": 201, "body": {"success": True}},
        read=Read.LEFT,
        write=Write.UNCLEAR,
        effects=BOTH,
    ),
    Fault(
        name="202 and no id",
        args={"status": 202, "body": {"success": True, "code": 0}},
        read=Read.LEFT,
        write=Write.UNCLEAR,
        effects=BOTH,
    ),
    # broken off
    *(
        Fault(
            name=f"cut short ({framing})",
            kind="truncate",
            args={"framing": framing},
            read=Read.REPEATED,
            write=Write.UNCLEAR,
            effects=(True,),
        )
        for framing in ("json", "content-length", "chunked")
    ),
    Fault(name="reset before", kind="drop_before", read=Read.REPEATED, write=Write.UNCLEAR),
    Fault(name="reset after", kind="drop_after", read=Read.REPEATED, write=Write.UNCLEAR, effects=(True,)),
    Fault(name="silence", kind="timeout", read=Read.REPEATED, write=Write.UNCLEAR, effects=BOTH, hasty=True),
    # oddities that are none
    Fault(
        name="a byte order mark",
        kind="rewrite",
        args={"hook": lambda answer: b"\xef\xbb\xbf" + json.dumps(answer).encode()},
        read=Read.FINE,
        write=Write.FINE,
        effects=(True,),
    ),
    Fault(
        name="other casing",
        kind="rewrite",
        args={"hook": restyled},
        read=Read.FINE,
        write=Write.FINE,
        effects=(True,),
    ),
    Fault(
        name="plain text",
        kind="rewrite",
        args={"hook": lambda answer: answer, "headers": {"content-type": "text/plain; charset=latin-1"}},
        read=Read.FINE,
        write=Write.FINE,
        effects=(True,),
    ),
)  # fmt: skip
