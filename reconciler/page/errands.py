"""What takes too long for a request: run beside it, each at most once at a time, the outcome kept for a minute."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from reconciler.errors import ReconcilerError
from reconciler.message import joined, say

KEPT: Final = 60.0
"""Seconds for which an outcome is shown, and for which asking again gives the same one."""

Work = Callable[[], Any]
Spawn = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Errand:
    """How an errand goes. `outcome` is what it found; `failure` says in a sentence why it found nothing."""

    running: bool = False
    outcome: Any = None
    failure: str = ""
    ended: float = 0.0


def thread(work: Callable[[], None]) -> None:
    """Run in a thread of its own, which does not keep the process from ending: it only reads."""
    threading.Thread(target=work, name="page-errand", daemon=True).start()


class Errands:
    """Errands by key. For several threads at once; `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float], spawn: Spawn = thread) -> None:
        self._monotonic = monotonic
        self._spawn = spawn
        self._lock = threading.Lock()
        self._known: dict[object, Errand] = {}

    def look(self, key: object) -> Errand | None:
        """The errand of that key: under way, or ended less than a minute ago."""
        with self._lock:
            return self._fresh(key)

    def ask(self, key: object, work: Work) -> Errand:
        """The same; where there is none, `work` begins."""
        with self._lock:
            if found := self._fresh(key):
                return found
            begun = self._known[key] = Errand(running=True)
        self._spawn(lambda: self._run(key, work))
        return self.look(key) or begun

    def _fresh(self, key: object) -> Errand | None:
        now = self._monotonic()
        self._known = {name: one for name, one in self._known.items() if one.running or now - one.ended < KEPT}
        return self._known.get(key)

    def _run(self, key: object, work: Work) -> None:
        try:
            ended = Errand(outcome=work(), ended=self._monotonic())
        except ReconcilerError as error:
            ended = Errand(failure=joined(error.sentences), ended=self._monotonic())
        except Exception as error:  # a bug; the page says so and the daemon goes on
            logging.getLogger(__name__).error("an errand of the page failed", exc_info=True)
            words = say("unexpected failure ({kind}); the log says more", kind=type(error).__name__)
            ended = Errand(failure=words, ended=self._monotonic())
        with self._lock:
            self._known[key] = ended
