"""Faults on order: what networks, proxies, servers and users do to a client at the wrong moment."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reconciler.sandbox.calls import Answer, Request, json_answer

FaultKind = Literal[
    "status",
    "drop_before",
    "drop_after",
    "html",
    "truncate",
    "element",
    "success_false",
    "empty401",
    "hook_before",
    "hook_after",
    "late",
]
Match = str | Callable[[Request], bool]

_ARGUMENTS: Final[dict[str, frozenset[str]]] = {
    "status": frozenset({"status", "body", "headers", "after"}),
    "drop_before": frozenset(),
    "drop_after": frozenset(),
    "html": frozenset({"after"}),
    "truncate": frozenset(),
    "element": frozenset({"predicate", "code", "message", "field_name"}),
    "success_false": frozenset({"code", "message", "after"}),
    "empty401": frozenset({"after"}),
    "hook_before": frozenset({"hook"}),
    "hook_after": frozenset({"hook"}),
    "late": frozenset(),
}
_LOGIN_PAGE: Final = "<!doctype html><html><body>Đăng nhập</body></html>".encode()


@dataclass
class Fault:
    """One standing order. The first `skip` matches pass, then every `every`-th is hit, at most `times` times."""

    match: Match
    kind: FaultKind
    times: int | None
    skip: int
    every: int | None
    probability: float | None
    args: Mapping[str, Any]
    seen: int = field(default=0)
    fired: int = field(default=0)

    def fires(self, request: Request, rng: random.Random) -> bool:
        """Whether this order hits the request; counts it."""
        if self.times is not None and self.fired >= self.times:
            return False
        if not self._matches(request):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.every and (self.seen - self.skip) % self.every):
            return False
        if self.probability is not None and rng.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def _matches(self, request: Request) -> bool:
        if callable(self.match):
            matched = self.match(request)
        elif self.match == "any":
            matched = True
        else:
            matched = self.match in (request.verb, request.kind)
        if matched and self.kind == "element":
            return any(self.hits_element(element) for element in request.elements())
        return matched

    def hits_element(self, element: Any) -> bool:
        """Whether this order refuses that record (or id, in a delete)."""
        predicate = self.args.get("predicate")
        return predicate is None or bool(predicate(element))

    def answer(self, request: Request) -> Answer | None:
        """The answer this order puts in place of the system's own, if it is of that sort."""
        if self.kind == "html":
            return Answer(200, _LOGIN_PAGE, {"content-type": "text/html; charset=utf-8"})
        if self.kind == "empty401":
            return Answer(401, b"")
        if self.kind == "success_false":
            code, message = self.args.get("code", "Error"), self.args.get("message", "Có lỗi xảy ra")
            if request.side == "crm":
                return json_answer(200, {"success": False, "code": code, "error_message": message, "user_msg": message})
            return json_answer(200, _work_error(500, code, message))
        if self.kind != "status":
            return None
        status, body, headers = self.args.get("status", 503), self.args.get("body"), self.args.get("headers") or {}
        if isinstance(body, bytes):
            return Answer(status, body, headers)
        if isinstance(body, str):
            return Answer(status, body.encode(), {"content-type": "text/plain; charset=utf-8", **headers})
        if body is None:
            message = "Hệ thống đang bận"
            if request.side == "crm":
                body = {"ErrorCode": "Exception", "DevMsg": "ordered", "UserMsg": message, "TraceId": "ordered"}
            else:
                body = _work_error(status, "RateLimited" if status == 429 else "Exception", message)
        return json_answer(status, body, headers)


class Faults:
    """The orders of one system, tried in the order they were given."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._orders: list[Fault] = []

    def order(
        self,
        match: Match,
        kind: FaultKind,
        *,
        times: int | None = 1,
        skip: int = 0,
        every: int | None = None,
        probability: float | None = None,
        **args: Any,
    ) -> Fault:
        """Order a fault; `times=None` keeps it until `clear()`. A misspelt argument is refused."""
        if kind not in _ARGUMENTS:
            raise ValueError(f"no such fault: {kind}")
        unknown = set(args) - _ARGUMENTS[kind]
        if unknown:
            raise ValueError(f"fault {kind} takes no {sorted(unknown)}")
        fault = Fault(match, kind, times, skip, every, probability, args)
        self._orders.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    def firing(self, request: Request) -> list[Fault]:
        """The orders that hit this request."""
        return [fault for fault in list(self._orders) if fault.fires(request, self._rng)]


def _work_error(status: int, code: Any, message: str) -> dict[str, Any]:
    return {
        "Success": False,
        "Code": status,
        "SubCode": 1,
        "ErrorCode": code,
        "UserMessage": message,
        "SystemMessage": message,
        "Data": None,
    }
