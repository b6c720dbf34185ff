"""The notices of one connection: what its ticks mean for the outside, kept in the state until it has left.

Memory and outbox are facts of the state, written together: a restart neither repeats nor forgets. Without a state (it
cannot be opened) both are the process's own. Nothing here waits, and nothing in here reaches a cycle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final

from reconciler import app
from reconciler.daemon.happening import Asked, Ended, Happening
from reconciler.daemon.log import logger
from reconciler.errors import ReconcilerError
from reconciler.notify.courier import QUEUED, Courier
from reconciler.notify.digest import begun, digest, last_due
from reconciler.notify.notice import Notice, packed, unpacked
from reconciler.notify.situation import Situation, situation
from reconciler.notify.watching import Memory, look, recalled, remembered
from reconciler.ports import Clock, Store
from reconciler.settings import Settings

TOLD: Final = "notices_told"
"""The fact with what was told."""

OUTBOX: Final = "notices_outbox"
"""The fact with the notices that have not left yet, each with the ways it still has to go."""

DIGESTED: Final = "notices_digested"
"""The fact that says where the last digest ended."""

Count = Callable[[str, str, str], None]
"""Counts a notice: connection, way, and sent or dropped."""


class Herald:
    """Listens to a keeper's ticks. `count` is told of every notice that left or was dropped."""

    def __init__(self, clock: Clock, count: Count) -> None:
        self._clock = clock
        self._count = count
        self._couriers: dict[str, Courier] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._settings: Settings | None = None
        self._store: Store | None = None
        self._facts: dict[str, Any] = {}

    def hear(self, happening: Happening, settings: Settings, store: Store | None) -> None:
        """Tell what is new after a tick; `settings` and `store` are the connection's as they are now."""
        if isinstance(happening, Asked) or happening.outcome == "stopped":
            return
        self._use(settings, store)
        if self._couriers:
            self._tell(happening, settings)

    async def close(self) -> None:
        """Stop at once; what has not left waits in the state for the next start."""
        self._dismiss()
        await asyncio.gather(*self._closing)
        self._store = None

    def _use(self, settings: Settings, store: Store | None) -> None:
        if store is not self._store:
            self._store = store
            if store is not None:
                self._adopt(store)
        if settings != self._settings:
            self._settings = settings
            self._dismiss()
            couriers = [Courier(way, self._clock, self._left(way.name)) for way in app.ways(settings)]
            self._couriers = {courier.way.name: courier for courier in couriers}
            self._resume()

    def _adopt(self, store: Store) -> None:
        """Take up what the state remembers, with what happened before it was open."""
        stored, own = recalled(store.fact(TOLD)), recalled(self._facts.get(TOLD))
        memory = Memory(told={**stored.told, **own.told}, known=stored.known | own.known)
        outbox = {**(store.fact(OUTBOX) or {}), **self._facts.get(OUTBOX, {})}
        self._facts = {TOLD: remembered(memory), OUTBOX: outbox, DIGESTED: store.fact(DIGESTED)}

    def _dismiss(self) -> None:
        for courier in self._couriers.values():
            task = asyncio.create_task(courier.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._couriers = {}

    def _resume(self) -> None:
        """Carry what still lies in the outbox; what has no way any more is forgotten."""
        outbox = self._outbox()
        for waiting in outbox.values():
            waiting["ways"] = [name for name in waiting["ways"] if name in self._couriers]
        self._keep({OUTBOX: {mark: waiting for mark, waiting in outbox.items() if waiting["ways"]}})
        for waiting in outbox.values():
            self._carry(unpacked(waiting["notice"]), waiting["ways"])

    def _tell(self, ended: Ended, settings: Settings) -> None:
        now, name, notify = self._clock.now(), settings.connection.name, settings.notify
        seen = self._seen(name, ended.error, now)
        notices, memory = look(seen, recalled(self._facts.get(TOLD)), personal=notify.personal)
        facts: dict[str, Any] = {TOLD: remembered(memory)}
        if notify.digest and self._store is not None:
            due, last = last_due(now, notify.digest), self._facts.get(DIGESTED)
            if last is not None and date.fromisoformat(last["day"]) < due:
                notices.append(digest(name, self._store, now, last))
            if last is None or date.fromisoformat(last["day"]) < due:
                facts[DIGESTED] = begun(self._store, now, due)
        outbox = self._outbox()
        for notice in notices:
            outbox[notice.id] = {"notice": packed(notice), "ways": list(self._couriers)}
        for mark in list(outbox)[:-QUEUED]:
            for way in outbox.pop(mark)["ways"]:
                self._dropped(way, "outbox", "Full")
        self._keep(facts | {OUTBOX: outbox})
        for notice in notices:
            self._carry(notice, self._couriers)

    def _seen(self, name: str, error: Exception | None, now: datetime) -> Situation:
        try:
            return situation(name, self._store, error, now)
        except ReconcilerError as unreadable:  # the state itself is what fails
            return situation(name, None, error or unreadable, now)

    def _carry(self, notice: Notice, ways: Iterable[str]) -> None:
        for name in ways:
            self._couriers[name].carry(notice)

    def _left(self, way: str) -> Callable[[Notice, Exception | None], None]:
        def left(notice: Notice, error: Exception | None) -> None:
            if error is None:
                self._count(notice.connection, way, "sent")
                logger(connection=notice.connection).info("notice.sent", kind=notice.topic, way=way)
            else:
                self._dropped(way, notice.topic, type(error).__name__)
            outbox = self._outbox()
            if waiting := outbox.get(notice.id):
                waiting["ways"].remove(way)
                self._keep({OUTBOX: {mark: one for mark, one in outbox.items() if one["ways"]}})

        return left

    def _dropped(self, way: str, kind: str, reason: str) -> None:
        name = self._settings.connection.name if self._settings else ""
        self._count(name, way, "dropped")
        logger(connection=name).warning("notice.dropped", kind=kind, way=way, reason=reason)

    def _outbox(self) -> dict[str, Any]:
        """A copy that may be changed."""
        return {mark: {**one, "ways": list(one["ways"])} for mark, one in (self._facts.get(OUTBOX) or {}).items()}

    def _keep(self, facts: dict[str, Any]) -> None:
        """Remember facts, in the state where it is open; only what has changed is written."""
        changed = {name: value for name, value in facts.items() if value != self._facts.get(name)}
        self._facts |= changed
        if changed and self._store is not None:
            with suppress(ReconcilerError), self._store.transaction() as tx:  # the state may be what fails
                for name, value in changed.items():
                    tx.set_fact(name, value or None)
