"""When things run: APScheduler, with a trigger that stays on its grid whatever the clock does.

A tick that was missed (the host slept, the loop was busy) runs once, late; one that meets its own predecessor is
skipped; both are counted. A clock that is set forward makes no storm, one that is set back no stall.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from reconciler.ports import Clock

Work = Callable[[], Awaitable[None]]
"""What a job does. It must not raise: whoever wants to know of a failure catches it there."""


class Every(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Every `interval` from `start` on.

    APScheduler's own interval trigger lists every missed time before it runs one: after a month of sleep that blocks
    the loop for seconds. This one leaps to the first time after now, on the same grid.
    """

    def __init__(self, interval: timedelta, start: datetime) -> None:
        if interval <= timedelta(0):
            raise ValueError(f"an interval of {interval}")
        self.interval = interval
        self.start = start

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The first time of the grid after `previous` and after `now`."""
        if previous is None:
            return max(self.start, now)
        return previous + (max(now - previous, timedelta(0)) // self.interval + 1) * self.interval


class Timetable:
    """Named jobs at fixed intervals, each at most once at a time.

    `skipped` counts, by name, the ticks that met the one before; `missed` those that a late one stands for. `broken`
    is told of what a job let escape, even an exit or a cancellation: APScheduler would swallow it.
    """

    def __init__(self, clock: Clock, broken: Callable[[BaseException], None]) -> None:
        for name in ("apscheduler.scheduler", "apscheduler.executors.default"):
            logging.getLogger(name).setLevel(logging.ERROR)  # what they warn of is counted here
        self.skipped: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self._clock = clock
        self._broken = broken
        self._stopping = False
        self._last: dict[str, datetime] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._scheduler.add_listener(self._count, EVENT_JOB_SUBMITTED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begin; called once, inside the event loop."""
        self._scheduler.start()

    def put(self, name: str, interval: timedelta, work: Work, *, first: datetime) -> None:
        """Add a job, or give the job of that name another interval; one whose interval stays is left alone.

        A new job runs at `first`. A changed one runs one new interval after its last tick, or now if that is past: a
        schedule that is changed again and again still runs.
        """
        now = self._clock.now()
        job = self._scheduler.get_job(name)
        if job is None:
            trigger = Every(interval, min(first, now + interval))
            self._scheduler.add_job(self._run, trigger, args=(work,), id=name, replace_existing=True)
        elif job.trigger.interval != interval:
            last = self._last.get(name, job.next_run_time - job.trigger.interval)
            start = min(max(now, last + interval), now + interval)
            self._scheduler.reschedule_job(name, trigger=Every(interval, start))

    def drop(self, name: str) -> None:
        """Forget a job; a tick under way goes on."""
        if self._scheduler.get_job(name) is not None:
            self._scheduler.remove_job(name)
        self._last.pop(name, None)

    def rearm(self) -> None:
        """Bring forward what would run later than one interval from now: then the clock was set back.

        APScheduler waits for wall-clock times, so without this a clock set back by an hour stops it for an hour.
        """
        now = self._clock.now()
        for job in self._scheduler.get_jobs():
            if job.next_run_time > now + job.trigger.interval:
                self._scheduler.modify_job(job.id, next_run_time=now)

    def due(self, name: str) -> datetime | None:
        """When a job runs next."""
        job = self._scheduler.get_job(name)
        return None if job is None else job.next_run_time

    async def stop(self, within: float) -> bool:
        """Start no tick any more and wait for those under way, at most `within` seconds; then cancel them.

        Returns whether all ended by themselves. APScheduler's own shutdown would cancel them at once.
        """
        if self._stopping or not self._scheduler.running:
            return True
        self._scheduler.pause()
        self._stopping = True
        if self._running:
            await asyncio.wait(self._running, timeout=within)
        late = {task for task in self._running if not task.done()}
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        self._scheduler.shutdown(wait=False)
        await asyncio.sleep(0)  # the shutdown itself is deferred to the loop
        return not late

    async def _run(self, work: Work) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await work()
        except BaseException as error:
            if self._stopping:
                raise
            self._broken(error)
        finally:
            self._running.discard(task)

    def _count(self, event: Any) -> None:
        if event.code == EVENT_JOB_MAX_INSTANCES:
            self.skipped[event.job_id] += 1
        [scheduled] = event.scheduled_run_times
        job = self._scheduler.get_job(event.job_id)
        if job is not None:
            self.missed[event.job_id] += max(self._clock.now() - scheduled, timedelta(0)) // job.trigger.interval
            self._last[event.job_id] = self._clock.now()
