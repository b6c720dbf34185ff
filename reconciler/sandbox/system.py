"""What both sandbox systems have in common: clock, lock, log, faults and the way of one call through them."""

import copy
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar

from reconciler.sandbox.calls import Answer, Arrival, Call, Dropped, Kind, Outcome, Request, TimedOut, json_answer
from reconciler.sandbox.clock import SandboxClock, second
from reconciler.sandbox.company import EMPLOYEES, HANOI, Row
from reconciler.sandbox.fault_answers import rewritten, truncated
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.history import History


@dataclass(frozen=True)
class Accepted:
    """A call that has arrived, with the faults that hit it; its work begins after `delay` seconds."""

    request: Request
    refusal: Answer | None
    faults: Sequence[Fault]
    delay: float


@dataclass(frozen=True)
class _Held:
    """A write whose effect comes later: at `due` (true time), or when told."""

    request: Request
    due: datetime | None


class System(ABC):
    """A pure model of one server: no wall time, no sockets; every call is a method call under one lock."""

    side: str
    verbs: ClassVar[Mapping[str, Kind]]
    """The calls that can be made here, by name."""

    def __init__(self, *, now: SandboxClock, rng: random.Random) -> None:
        self._now = now
        self.rng = rng
        self.offset = timedelta(0)
        self.date_header = True
        self.lock = threading.RLock()
        self.faults = Faults(rng)
        self.log: list[Call] = []
        self.violations: list[str] = []
        self.employees: dict[str, str] = dict(EMPLOYEES)
        self.rows: dict[int, Row] = {}
        self.hidden: set[int] = set()
        self._late: list[_Held] = []
        self._moment: datetime | None = None
        self._history = History()
        self._shown: Mapping[int, Row] | None = None
        self._element_faults: Sequence[Fault] = ()

    # the server's clock

    def time(self) -> datetime:
        """What this server's clock shows, in UTC."""
        return self._true_time() + self.offset

    def stamp(self) -> datetime:
        """A change stamp: one-second resolution."""
        return second(self.time())

    def _true_time(self) -> datetime:
        return self._moment or self._now().astimezone(UTC)

    def iso(self, moment: datetime) -> str:
        """ISO 8601, +07:00, whole seconds."""
        return moment.astimezone(HANOI).strftime("%Y-%m-%dT%H:%M:%S") + "+07:00"

    # control

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Nobody else changes anything meanwhile; late effects that are due have happened."""
        with self.lock:
            self._settle()
            yield

    def hide(self, id: int) -> None:
        """The row is no longer returned, though it exists (a permission taken away, a late commit)."""
        with self.lock:
            self.hidden.add(id)

    def reveal(self, id: int) -> None:
        """The row is returned again."""
        with self.lock:
            self.hidden.discard(id)

    def purge(self, id: int) -> None:
        """The row is gone for good."""
        with self.entered():
            if id not in self.rows:
                raise KeyError(id)
            self._remember(id)
            del self.rows[id]

    def snapshot(self) -> list[Row]:
        """Copies of all stored rows, hidden ones too."""
        with self.entered():
            return copy.deepcopy(list(self.rows.values()))

    def visible(self, id: object) -> Row | None:
        """The row of that id as a caller may see it."""
        rows = self.rows if self._shown is None else self._shown
        return rows.get(id) if type(id) is int and id not in self.hidden else None

    def listed(self) -> list[Row]:
        """The rows that a caller may see, in no order that means anything."""
        rows = self.rows if self._shown is None else self._shown
        return [row for id_, row in rows.items() if id_ not in self.hidden]

    def mark(self) -> int:
        """A place in the log, for `writes(since)` and `reads(since)`."""
        with self.entered():
            return len(self.log)

    def writes(self, since: int = 0) -> list[Call]:
        """The write calls from that place on."""
        with self.entered():
            return [call for call in self.log[since:] if call.kind == "write"]

    def reads(self, since: int = 0) -> list[Call]:
        """The read calls from that place on."""
        with self.entered():
            return [call for call in self.log[since:] if call.kind == "read"]

    def run_late(self) -> int:
        """Apply now what `late` faults still hold back, in order; says how many calls."""
        with self.entered():
            held, self._late = self._late, []
            for one in held:
                self._apply_late(one)
            return len(held)

    def _settle(self) -> None:
        """Apply the late effects that are due, each with the time at which it was."""
        while self._moment is None:
            now = self._true_time()
            due = [(one.due, number) for number, one in enumerate(self._late) if one.due and one.due <= now]
            if not due:
                return
            moment, number = min(due)
            self._moment = moment
            try:
                self._apply_late(self._late.pop(number))
            finally:
                self._moment = None

    def _apply_late(self, held: _Held) -> None:
        self._record(held.request, None, self._dispatch(held.request), late=True)

    def _remember(self, id: int) -> None:
        """Keep the present form of a row that is about to change."""
        self._history.note(id, self.rows.get(id), self._true_time())

    def breach(self, text: str) -> None:
        """Note that the client broke the contract."""
        self.violations.append(f"{self.side}: {text}")

    # one call

    def handle(self, arrival: Arrival) -> Answer:
        """Answer a request, or raise `Dropped`; ordered delays are left to the caller (`Answer.delay`)."""
        return self.complete(self.accept(arrival))

    def accept(self, arrival: Arrival) -> Accepted:
        """The first half of `handle`: who calls, what is wanted, which faults hit it."""
        with self.entered():
            request = self._understand(arrival)
            refusal = self._authorise(request)
            faults = self.faults.firing(request)
            return Accepted(request, refusal, faults, _pause(faults, after=False))

    def complete(self, accepted: Accepted) -> Answer:
        """The second half of `handle`: the work and the answer, or `Dropped`."""
        with self.entered():
            faults = accepted.faults
            age = max((fault.args["seconds"] for fault in faults if fault.kind == "stale"), default=0)
            age = age if accepted.request.kind == "read" else 0
            answer = self._serve(accepted.request, accepted.refusal, faults)
            headers = {"age": str(age), **answer.headers} if age else answer.headers
            if self.date_header:
                date = format_datetime(self.time() - timedelta(seconds=age), usegmt=True)
                headers = {"date": date, **headers}
            return replace(answer, headers=headers, delay=_pause(faults, after=True))

    def _serve(self, request: Request, refusal: Answer | None, faults: Sequence[Fault]) -> Answer:
        for fault in faults:
            if fault.kind == "hook_before":
                fault.args["hook"]()
        for fault in faults:
            instead = self._instead(fault, request, refusal)
            if instead is not None:
                self._record(request, instead.status)
                return instead
        outcome = Outcome(refusal) if refusal is not None else self._dispatch(request, faults)
        answer = outcome.answer
        for fault in faults:
            if fault.kind == "hook_after":
                fault.args["hook"]()
        for fault in faults:
            if fault.kind == "drop_after" or (fault.kind == "timeout" and fault.after_effect):
                self._record(request, None, outcome)
                raise _ending(fault, request)
            if fault.kind == "truncate":
                answer = truncated(answer, fault.args.get("framing", "json"))
            elif fault.kind == "rewrite":
                answer = rewritten(answer, fault.args)
            elif fault.after_effect:
                answer = fault.answer(request, self.time()) or answer
        self._record(request, answer.status, outcome)
        return answer

    def _instead(self, fault: Fault, request: Request, refusal: Answer | None) -> Answer | None:
        """The answer of a fault that keeps the call from doing its work, if it is one."""
        if fault.kind == "late":
            if refusal is None and request.kind == "write":
                wait = fault.args.get("seconds")
                due = None if wait is None else self._true_time() + timedelta(seconds=wait)
                self._late.append(_Held(request, due))
            if "status" in fault.args:
                return json_answer(fault.args["status"], {})
        elif fault.kind != "drop_before" and (fault.kind != "timeout" or fault.after_effect):
            return None if fault.after_effect else fault.answer(request, self.time())
        self._record(request, None)
        raise _ending(fault, request)

    def _dispatch(self, request: Request, faults: Sequence[Fault] = ()) -> Outcome:
        self._element_faults = [fault for fault in faults if fault.kind == "element"]
        old = [fault.args["seconds"] for fault in faults if fault.kind in ("lag", "stale")]
        if old and request.kind == "read":
            self._shown = self._history.at(self.rows, self._true_time() - timedelta(seconds=max(old)))
        try:
            return self._perform(request)
        finally:
            self._element_faults = ()
            self._shown = None

    def _ordered_refusal(self, element: Any) -> Fault | None:
        """The element fault that hits this element, if any."""
        return next((fault for fault in self._element_faults if fault.hits_element(element)), None)

    def _record(
        self, request: Request, status: int | None, outcome: Outcome | None = None, *, late: bool = False
    ) -> None:
        elements = outcome.elements if outcome else ()
        self.log.append(
            Call(
                request.side, request.verb, request.kind, request.body, status, elements, self.time(),
                request.query, late,
            )
        )  # fmt: skip

    @abstractmethod
    def _understand(self, arrival: Arrival) -> Request: ...

    @abstractmethod
    def _authorise(self, request: Request) -> Answer | None: ...

    @abstractmethod
    def _perform(self, request: Request) -> Outcome: ...


def _pause(faults: Sequence[Fault], *, after: bool) -> float:
    return float(
        sum(fault.args["seconds"] for fault in faults if fault.kind == "delay" and fault.after_effect is after)
    )


def _ending(fault: Fault, request: Request) -> Dropped:
    text = f"{request.side} {request.verb}: {fault.kind}"
    return TimedOut(text) if fault.kind == "timeout" else Dropped(text)
