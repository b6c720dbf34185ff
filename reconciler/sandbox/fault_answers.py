"""The answers that faults put in place of a system's own."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from reconciler.sandbox.calls import Answer, json_answer
from reconciler.sandbox.work_answers import error

_LOGIN_PAGE: Final = "<!doctype html><html><body>Đăng nhập</body></html>".encode()
_BUSY: Final = "Hệ thống đang bận"


def login_page(args: Mapping[str, Any]) -> Answer:
    """What a proxy or an ended session sends: a page, mostly with 200."""
    return Answer(args.get("status", 200), _LOGIN_PAGE, {"content-type": "text/html; charset=utf-8"})


def failure_under_200(side: str, args: Mapping[str, Any]) -> Answer:
    """HTTP 200, and the body says that nothing worked."""
    code, message = args.get("code", "Error"), args.get("message", "Có lỗi xảy ra")
    return _flag(200, code, message) if side == "crm" else error(500, code, message, http=200)


def status(side: str, args: Mapping[str, Any]) -> Answer:
    """Any HTTP status; `body` as bytes, text or JSON, else in the system's own form of errors.

    `shape` picks another form of the CRM: "b" is `success: false`, "empty" no body at all.
    """
    number, body, headers = args.get("status", 503), args.get("body"), args.get("headers") or {}
    if args.get("shape") == "empty":
        body = b""
    if isinstance(body, bytes):
        return Answer(number, body, headers)
    if isinstance(body, str):
        return Answer(number, body.encode(), {"content-type": "text/plain; charset=utf-8", **headers})
    if body is not None:
        return json_answer(number, body, headers)
    message = args.get("message", _BUSY)
    if side == "work":
        own = error(number, args.get("error_code", "RateLimited" if number == 429 else "Exception"), message)
    elif args.get("shape") == "b":
        own = _flag(number, args.get("error_code", number), message)
    else:
        code = args.get("error_code", "Exception")
        own = json_answer(number, {"ErrorCode": code, "DevMsg": "ordered", "UserMsg": message, "TraceId": "ordered"})
    return Answer(number, own.content, {**own.headers, **headers})


def retry_after(side: str, args: Mapping[str, Any], now: datetime) -> Answer:
    """429 (or `status`) with `Retry-After`: `seconds`, as a number or as the HTTP date that far from `now`.

    `form` is "seconds", or one of the three date forms "imf", "rfc850", "asctime"; `raw` is sent as it is, a tuple as
    several headers; with neither there is no header.
    """
    raw = args.get("raw")
    if raw is None and args.get("seconds") is not None:
        then = now + timedelta(seconds=args["seconds"])
        match args.get("form", "seconds"):
            case "seconds":
                raw = str(args["seconds"])
            case "imf":
                raw = format_datetime(then, usegmt=True)
            case "rfc850":
                raw = then.strftime("%A, %d-%b-%y %H:%M:%S GMT")
            case "asctime":
                raw = then.strftime("%a %b ") + f"{then.day:2d}" + then.strftime(" %H:%M:%S %Y")
            case form:
                raise ValueError(f"Retry-After has no form {form}")
    headers = {} if raw is None else {"retry-after": raw}
    return status(side, {"status": args.get("status", 429), "headers": headers})


def truncated(answer: Answer, framing: str) -> Answer:
    """The first half of an answer. `framing` says how that shows.

    "json": the HTTP message is whole, only its content ends early (a broken proxy); "content-length": fewer bytes come
    than announced; "chunked": the last chunk never comes.
    """
    half = len(answer.content) // 2
    missing = 0 if framing == "json" else max(1, len(answer.content) - half)
    return Answer(
        answer.status, answer.content[:half], answer.headers, answer.delay, missing, chunked=framing == "chunked"
    )


def rewritten(answer: Answer, args: Mapping[str, Any]) -> Answer:
    """A successful answer as `hook` wants it: it takes the parsed body and gives JSON, or the very bytes to send."""
    if answer.status >= 300:
        return answer
    new = args["hook"](json.loads(answer.content))
    content = new if isinstance(new, bytes) else json.dumps(new, ensure_ascii=False).encode()
    return Answer(answer.status, content, {**answer.headers, **(args.get("headers") or {})}, answer.delay)


def _flag(number: int, code: Any, message: str) -> Answer:
    return json_answer(number, {"success": False, "code": code, "error_message": message, "user_msg": message})
