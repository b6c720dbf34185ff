"""What may take too long for a request: run beside it, one at a time in its lane, the outcome kept for a minute."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.errors import ReconcilerError
from reconciler.message import joined, say

KEPT: Final = 60.0
"""Seconds for which an outcome is shown, and for which asking again gives the same one."""

PATIENCE: Final = 1.0
"""Seconds that the asker waits, because most errands are short."""

Work = Callable[[], Any]
Spawn = Callable[[Callable[[], None]], None]


@dataclass(slots=True)
class Errand:
    """How an errand goes: under way until `done`; then `outcome` is what it found, or `failure` says why nothing."""

    key: Hashable
    done: threading.Event = field(default_factory=threading.Event)
    outcome: Any = None
    failure: str = ""
    ended: float = 0.0

    @property
    def running(self) -> bool:
        return not self.done.is_set()


def thread(work: Callable[[], None]) -> None:
    """Run in a thread of its own, which does not keep the process from ending: it only reads."""
    threading.Thread(target=work, name="page-errand", daemon=True).start()


class Errands:
    """The last errand of each lane. For several threads at once; `monotonic` and `patience` are in seconds."""

    def __init__(self, monotonic: Callable[[], float], spawn: Spawn = thread, patience: float = PATIENCE) -> None:
        self._monotonic = monotonic
        self._spawn = spawn
        self._patience = patience
        self._lock = threading.Lock()
        self._lanes: dict[Hashable, Errand] = {}

    def look(self, lane: Hashable) -> Errand | None:
        """The errand of that lane: under way, or ended less than a minute ago."""
        with self._lock:
            found = self._lanes.get(lane)
            if found is not None and not found.running and self._monotonic() - found.ended >= KEPT:
                del self._lanes[lane]
                return None
            return found

    def ask(self, lane: Hashable, key: Hashable, work: Work) -> Errand:
        """The outcome of `key`, as far as it is there: fresh, or after a moment of waiting for `work`, which begins
        unless the lane is busy; then the errand that is under way, which may be another one."""
        found = self.look(lane)
        if found is None or (found.key != key and not found.running):
            found = self._begin(lane, Errand(key), work)
        found.done.wait(self._patience)
        return found

    def _begin(self, lane: Hashable, errand: Errand, work: Work) -> Errand:
        with self._lock:
            other = self._lanes.get(lane)
            if other is not None and other.running:
                return other
            self._lanes[lane] = errand
        self._spawn(lambda: self._run(errand, work))
        return errand

    def _run(self, errand: Errand, work: Work) -> None:
        try:
            errand.outcome = work()
        except ReconcilerError as error:
            errand.failure = joined(error.sentences)
        except Exception as error:  # a bug; the page says so and the daemon goes on
            logging.getLogger(__name__).error("an errand of the page failed", exc_info=True)
            errand.failure = say("unexpected failure ({kind}); the log says more", kind=type(error).__name__)
        errand.ended = self._monotonic()
        errand.done.set()
