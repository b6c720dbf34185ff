"""Faults on order: what networks, proxies, servers and users do to a client at the wrong moment."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from reconciler.sandbox import fault_answers
from reconciler.sandbox.calls import Answer, Request

FaultKind = Literal[
    "status",
    "retry_after",
    "html",
    "success_false",
    "empty401",
    "truncate",
    "rewrite",
    "drop_before",
    "drop_after",
    "timeout",
    "delay",
    "late",
    "element",
    "lag",
    "stale",
    "hook_before",
    "hook_after",
]
Match = str | Callable[[Request], bool]

_REPLACING: Final = frozenset({"status", "retry_after", "html", "success_false", "empty401"})
TWO_SIDED: Final = _REPLACING | {"timeout", "delay"}
"""The kinds that can come before or after a call has taken effect."""
ARGUMENTS: Final[Mapping[str, frozenset[str]]] = {
    "status": frozenset({"status", "body", "headers", "error_code", "message", "shape"}),
    "retry_after": frozenset({"seconds", "form", "raw", "status"}),
    "html": frozenset({"status"}),
    "success_false": frozenset({"code", "message"}),
    "empty401": frozenset(),
    "truncate": frozenset({"framing"}),
    "rewrite": frozenset({"hook", "headers"}),
    "drop_before": frozenset(),
    "drop_after": frozenset(),
    "timeout": frozenset(),
    "delay": frozenset({"seconds"}),
    "late": frozenset({"seconds", "status"}),
    "element": frozenset({"predicate", "code", "message", "field_name"}),
    "lag": frozenset({"seconds"}),
    "stale": frozenset({"seconds"}),
    "hook_before": frozenset({"hook"}),
    "hook_after": frozenset({"hook"}),
}
"""What can be said about each kind of fault, beside when it happens."""
NEEDED: Final[Mapping[str, str]] = {"delay": "seconds", "lag": "seconds", "stale": "seconds", "rewrite": "hook"} | {
    "hook_before": "hook",
    "hook_after": "hook",
}
"""What must be said about it."""
CHOICES: Final[Mapping[str, frozenset[str]]] = {
    "shape": frozenset({"a", "b", "empty"}),
    "framing": frozenset({"json", "content-length", "chunked"}),
    "form": frozenset({"seconds", "imf", "rfc850", "asctime"}),
}
"""The words that may stand for some of it."""


@dataclass
class Fault:
    """One standing order. The first `skip` matches pass, then every `every`-th is hit, at most `times` times."""

    match: Match
    kind: FaultKind
    times: int | None
    skip: int
    every: int | None
    probability: float | None
    after_effect: bool
    rng: random.Random
    args: Mapping[str, Any]
    seen: int = field(default=0)
    fired: int = field(default=0)

    def fires(self, request: Request) -> bool:
        """Whether this order hits the request; counts it."""
        if self.times is not None and self.fired >= self.times:
            return False
        if not self._matches(request):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.every and (self.seen - self.skip) % self.every):
            return False
        if self.probability is not None and self.rng.random() >= self.probability:
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

    def answer(self, request: Request, now: datetime) -> Answer | None:
        """The answer this order puts in place of the system's own, if it is of that sort; `now` is the server's."""
        match self.kind:
            case "html":
                return fault_answers.login_page(self.args)
            case "empty401":
                return Answer(401, b"")
            case "success_false":
                return fault_answers.failure_under_200(request.side, self.args)
            case "retry_after":
                return fault_answers.retry_after(request.side, self.args, now)
            case "status":
                return fault_answers.status(request.side, self.args)
            case _:
                return None


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
        seed: int | None = None,
        after_effect: bool = False,
        after: bool = False,
        **args: Any,
    ) -> Fault:
        """Order a fault on a verb, "read", "write", "token", "any" or a predicate; a misspelt order is a ValueError.

        `times=None` keeps it until `clear()`. `probability` draws from the system's random, with `seed` from its own.
        `after_effect` (in short `after`) lets the call do its work before the fault; without it the call does nothing.

        - Another answer: "status" (`status`, `body`, `headers`, `error_code`, `message`, `shape`), "retry_after"
          (`seconds`, `form`, `raw`, `status`), "html" (`status`), "success_false" (`code`, `message`), "empty401".
        - The system's own answer, spoilt: "truncate" (`framing`), "rewrite" (`hook`, `headers`).
        - No answer: "drop_before", "drop_after", "timeout", and "late": the work is done `seconds` of model time
          later, or by `run_late()`; with `status` that is answered at once.
        - Slow: "delay" (`seconds`, slept by the HTTP layer).
        - Refused elements: "element" (`predicate`, `code`, `message`, `field_name`).
        - Old news: "lag", a read shows the rows as they were `seconds` ago; "stale", so does a cache, with the `Date`
          and the `Age` that belong to it. Both look back an hour at most.
        - Something else happens meanwhile: "hook_before", "hook_after" (`hook`).
        """
        after = after or after_effect
        if kind not in ARGUMENTS:
            raise ValueError(f"no such fault: {kind}")
        unknown = set(args) - ARGUMENTS[kind] | ({"after_effect"} if after and kind not in TWO_SIDED else set())
        if unknown:
            raise ValueError(f"fault {kind} takes no {sorted(unknown)}")
        if kind in NEEDED and NEEDED[kind] not in args:
            raise ValueError(f"fault {kind} needs {NEEDED[kind]}")
        for name, choices in CHOICES.items():
            if name in args and args[name] not in choices:
                raise ValueError(f"{name} is one of {sorted(choices)}")
        rng = self._rng if seed is None else random.Random(seed)
        fault = Fault(match, kind, times, skip, every, probability, after, rng, args)
        self._orders.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    def firing(self, request: Request) -> list[Fault]:
        """The orders that hit this request."""
        return [fault for fault in list(self._orders) if fault.fires(request)]
