"""How a process dies: a count of the moments at which it can, and wrappers that pass each of them.

The moments are every exchange with a server, before and after it, every commit, before and after it, and every sleep.
Nothing of the product is patched: the transports, the clock and the store that it is given are these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.ports import Store, Transaction


class Died(BaseException):
    """The process ends here. No handler of the product may catch this."""


class Fate:
    """Ends the process at moment number `dies_at` (1 is the first), or never; a dead process passes no moment."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.dies_at = dies_at
        self.passed = 0
        self.dead = False
        self.last = ""

    def __call__(self, moment: str) -> None:
        if not self.dead:
            self.passed += 1
            self.last = moment
            self.dead = self.passed == self.dies_at
        if self.dead:
            raise Died(self.last)


class MortalStore:
    """The real store; its process can die before and after every commit. `committed` is called in between."""

    def __init__(self, store: Store, fate: Fate, committed: Callable[[], None]) -> None:
        self._store, self._fate, self._committed = store, fate, committed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._store.transaction() as tx:
            yield tx
            self._fate("before a commit")
        self._committed()
        self._fate("after a commit")
