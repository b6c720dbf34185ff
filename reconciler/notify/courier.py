"""Carries notices one way: in the background, with a few repeats, and never at anybody's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from reconciler.notify.notice import Notice
from reconciler.ports import Clock

QUEUED: Final = 50
"""Notices that wait at most; what comes on top is dropped, for the newest of a storm says the least."""

WAITS: Final = (10.0, 60.0, 300.0)
"""Seconds between one attempt and the next; after the last one the notice is dropped."""

DEADLINE: Final = 60.0
"""Seconds that one attempt may take in all."""

GRACE: Final = 2.0
"""Seconds that an attempt under way has to end when the program stops."""


class Way(Protocol):
    """A way out of the machine. `send` raises whatever went wrong; it may be called again with the same notice."""

    @property
    def name(self) -> str: ...

    async def send(self, notice: Notice) -> None: ...


class Refused(Exception):
    """A notice that was taken in part, or never will be: sending it again would do harm."""


class Full(Exception):
    """Too many notices wait already."""


Ended = Callable[[Notice, "Exception | None"], None]
"""Told of each notice that has left, or why it was dropped."""


class Courier:
    """One way with its queue. `carry` never waits and never raises; the rest happens in a task of its own."""

    def __init__(self, way: Way, clock: Clock, ended: Ended) -> None:
        self.way = way
        self._clock = clock
        self._ended = ended
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(QUEUED)
        self._attempt: asyncio.Task[Exception | None] | None = None
        self._task = asyncio.create_task(self._run())

    def carry(self, notice: Notice) -> None:
        try:
            self._queue.put_nowait(notice)
        except asyncio.QueueFull:
            self._ended(notice, Full())

    async def close(self) -> None:
        """Stop; what has not left stays where its giver keeps it.

        An attempt under way gets `GRACE` seconds: cut off, it might arrive, and be sent again all the same.
        """
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._attempt is not None:
            await asyncio.wait({self._attempt}, timeout=GRACE)
            self._attempt.cancel()
            await asyncio.gather(self._attempt, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            notice = await self._queue.get()
            error = await self._tried(notice)
            for wait in WAITS:
                if error is None:
                    break
                await self._clock.sleep(wait)
                error = await self._tried(notice)
            if error is not None:
                self._ended(notice, error)

    async def _tried(self, notice: Notice) -> Exception | None:
        """One attempt, which outlives a cancellation; the failure if another one makes sense."""
        self._attempt = asyncio.create_task(self._attempted(notice))
        return await asyncio.shield(self._attempt)

    async def _attempted(self, notice: Notice) -> Exception | None:
        error = await once(self.way, notice)
        if error is not None and not isinstance(error, Refused):
            return error
        self._ended(notice, error)
        return None


async def once(way: Way, notice: Notice) -> Exception | None:
    """One attempt within the deadline; None if the notice has left, else what went wrong."""
    try:
        async with asyncio.timeout(DEADLINE):
            await way.send(notice)
    except Exception as error:
        return error
    return None
