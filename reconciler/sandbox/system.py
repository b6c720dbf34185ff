"""What both sandbox systems have in common: clock, lock, log, faults and the way of one call through them."""

import copy
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from reconciler.sandbox.calls import Answer, Arrival, Call, Dropped, Outcome, Request
from reconciler.sandbox.company import EMPLOYEES, HANOI, Row
from reconciler.sandbox.faults import Fault, Faults


class System(ABC):
    """A pure model of one server: no wall time, no sockets; every call is a method call under one lock."""

    side: str

    def __init__(self, *, now: Callable[[], datetime], rng: random.Random) -> None:
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
        self._late: list[Request] = []
        self._element_faults: Sequence[Fault] = ()

    # the server's clock

    def time(self) -> datetime:
        """What this server's clock shows, in UTC."""
        return self._now().astimezone(UTC) + self.offset

    def stamp(self) -> datetime:
        """A change stamp: one-second resolution."""
        return self.time().replace(microsecond=0)

    def iso(self, moment: datetime) -> str:
        """ISO 8601, +07:00, whole seconds."""
        return moment.astimezone(HANOI).strftime("%Y-%m-%dT%H:%M:%S") + "+07:00"

    # control

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
        with self.lock:
            del self.rows[id]

    def snapshot(self) -> list[Row]:
        """Copies of all stored rows, hidden ones too."""
        with self.lock:
            return copy.deepcopy(list(self.rows.values()))

    def visible(self, id: object) -> Row | None:
        """The row of that id as a caller may see it."""
        return self.rows.get(id) if type(id) is int and id not in self.hidden else None

    def mark(self) -> int:
        """A place in the log, for `writes(since)` and `reads(since)`."""
        with self.lock:
            return len(self.log)

    def writes(self, since: int = 0) -> list[Call]:
        """The write calls from that place on."""
        with self.lock:
            return [call for call in self.log[since:] if call.kind == "write"]

    def reads(self, since: int = 0) -> list[Call]:
        """The read calls from that place on."""
        with self.lock:
            return [call for call in self.log[since:] if call.kind == "read"]

    def run_late(self) -> int:
        """Apply what `late` faults held back, in order; says how many calls."""
        with self.lock:
            held, self._late = self._late, []
            for request in held:
                outcome = self._dispatch(request)
                self._record(request, None, outcome, late=True)
            return len(held)

    def breach(self, text: str) -> None:
        """Note that the client broke the contract."""
        self.violations.append(f"{self.side}: {text}")

    # one call

    def handle(self, arrival: Arrival) -> Answer:
        """Answer a request, or raise `Dropped`."""
        with self.lock:
            request = self._understand(arrival)
            refusal = self._authorise(request)
            answer = self._serve(request, refusal, self.faults.firing(request))
            if not self.date_header:
                return answer
            date = format_datetime(self.time(), usegmt=True)
            return Answer(answer.status, answer.content, {"date": date, **answer.headers})

    def _serve(self, request: Request, refusal: Answer | None, faults: Sequence[Fault]) -> Answer:
        for fault in faults:
            if fault.kind == "hook_before":
                fault.args["hook"]()
        for fault in faults:
            if fault.kind in ("drop_before", "late"):
                self._record(request, None)
                if fault.kind == "late" and refusal is None:
                    self._late.append(request)
                raise Dropped(f"{self.side} {request.verb}: {fault.kind}")
            instead = None if fault.args.get("after") else fault.answer(request)
            if instead is not None:
                self._record(request, instead.status)
                return instead
        outcome = Outcome(refusal) if refusal is not None else self._dispatch(request, faults)
        answer = outcome.answer
        for fault in faults:
            if fault.kind == "hook_after":
                fault.args["hook"]()
        for fault in faults:
            if fault.kind == "drop_after":
                self._record(request, None, outcome)
                raise Dropped(f"{self.side} {request.verb}: {fault.kind}")
            if fault.kind == "truncate":
                answer = Answer(answer.status, answer.content[: len(answer.content) // 2], answer.headers)
            elif fault.args.get("after"):
                answer = fault.answer(request) or answer
        self._record(request, answer.status, outcome)
        return answer

    def _dispatch(self, request: Request, faults: Sequence[Fault] = ()) -> Outcome:
        self._element_faults = [fault for fault in faults if fault.kind == "element"]
        try:
            return self._perform(request)
        finally:
            self._element_faults = ()

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
