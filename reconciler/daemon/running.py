"""The daemon itself: starts the connections, reloads their configs, tells systemd how it goes, and stops.

Connections are strangers to each other: one that is halted, fails or cannot even be opened has no effect on the rest.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from reconciler import __version__, app
from reconciler.daemon.configs import Configs
from reconciler.daemon.happening import Happening
from reconciler.daemon.herald import Herald
from reconciler.daemon.keeper import Keeper
from reconciler.daemon.log import logger
from reconciler.daemon.metrics import Metrics
from reconciler.daemon.narrator import Narrator
from reconciler.daemon.notify_socket import Notifier
from reconciler.daemon.scheduler import Timetable
from reconciler.errors import ConfigError, Problem, ReconcilerError
from reconciler.message import say
from reconciler.settings import Settings

PULSE: Final = 5.0
"""Seconds between looks at the daemon's own health."""

READY_AFTER: Final = 30.0
"""Seconds after which systemd is told that the daemon runs, though a first cycle (a large listing) is not over yet."""

DRAIN: Final = 75.0
"""Seconds that what is under way has to end when the daemon stops: a batch of writes and its read-back. Less than
TimeoutStopSec of the units."""

LAST: Final = 5.0
"""Seconds more for giving back leases, states and connections."""

JOBS: Final = ("poll", "sweep")

ORDER: Final = (2, 7, 1, 5, 6)
"""Which failure counts when nothing can be started."""


class Daemon:
    """`given` are config files, and folders whose `.toml` files are configs, each of one connection.

    `started` is set once their schedule runs; `page` is the address of the status page, empty while there is none.
    """

    def __init__(
        self,
        given: Sequence[Path],
        env: Mapping[str, str],
        *,
        world: app.World = app.REAL,
        notifier: Notifier | None = None,
    ) -> None:
        self.keepers: dict[Path, Keeper] = {}
        self.heralds: dict[Path, Herald] = {}
        self.refused: dict[Path, ReconcilerError] = {}
        self.timetable = Timetable(world.clock, self._broken)
        self.metrics = Metrics(world.clock, self._kept)
        self._configs = Configs(given, env)
        self._world = replace(world, watch=self.metrics.watch)
        self._notifier = notifier or Notifier(env)
        self.pulse = min(PULSE, (self._notifier.watchdog or 3 * PULSE) / 3)
        self._log = logger()
        self.started = asyncio.Event()
        self.page = ""
        self._ending = asyncio.Event()
        self._reload = asyncio.Event()
        self._reloaded = asyncio.Event()
        self._bug: BaseException | None = None
        self._ready = False
        self._status = ""
        self._seen = ""
        self._stalled: list[str] = []
        self._started = world.clock.monotonic()

    async def run(self) -> int:
        """Run until a signal says to stop; returns the exit code.

        Raises `ConfigError`, `LeaseHeld`, `StateError` or `Halted` if no connection at all can be started.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        self._seen = self._configs.digest()
        await self._start()
        self._log.info("daemon.started", version=__version__, connections=len(self.keepers))
        self.started.set()
        works = (self._pulse(), self._reloads(), self._watch(), self._serve())
        tasks = [asyncio.create_task(self._guarded(work)) for work in works]
        try:
            await self._ending.wait()
        finally:
            await self._stop(tasks)
        if self._bug is not None:
            self._log.critical("daemon.broken", exc_info=self._bug)
        self._log.info("daemon.stopped")
        return 1 if self._bug is not None else 0

    @property
    def stopping(self) -> bool:
        """Whether a signal, a bug or `stop` has asked it to end."""
        return self._ending.is_set()

    def stop(self) -> None:
        """Ask it to stop in good order, as a signal does."""
        self._ending.set()

    async def _start(self) -> None:
        failures: list[Exception] = []
        for path in self._configs.files():
            try:
                settings = self._load(path)
            except ReconcilerError as error:
                failures.append(error)
                self._refuse(path, error)
                continue
            failures += await self._begin(path, settings)
        if not any(keeper.store is not None for keeper in self.keepers.values()):
            raise min(failures, key=_urgency, default=self._configs.none())
        self.timetable.start()
        for path in self.keepers:
            self._schedule(path)

    async def _begin(self, path: Path, settings: Settings) -> list[Exception]:
        """Open a connection; one that cannot be opened is tried again at each of its ticks."""
        narrator = Narrator()
        herald = self.heralds[path] = Herald(self._world.clock, self.metrics.notice)

        def hear(happening: Happening) -> None:
            try:
                narrator(happening)
                self.metrics.hear(keeper, happening)
                self._announce()
                herald.hear(happening, keeper.settings, keeper.store)
            except Exception as error:  # a bug; what happened has happened all the same
                self._log.error("telling.failed", connection=keeper.name, exc_info=error)

        keeper = self.keepers[path] = Keeper(settings, self._world, hear)
        try:
            await keeper.open()
        except ReconcilerError as error:
            self._log.error("connection.failed", connection=keeper.name, reason=str(error))
            return [error]
        except Exception as error:  # a bug; it is this connection's alone
            self._log.error("connection.failed", connection=keeper.name, exc_info=error)
            return [error]
        return []

    def _schedule(self, path: Path) -> None:
        keeper, now = self.keepers[path], self._world.clock.now()
        schedule = keeper.settings.schedule
        self.timetable.put(f"{path} poll", schedule.poll, keeper.poll, first=now)
        self.timetable.put(f"{path} sweep", schedule.sweep, keeper.sweep, first=keeper.sweep_due())

    # The config files

    def _load(self, path: Path) -> Settings:
        """The settings of a file, checked as far as that is possible without the servers. Raises `ConfigError`."""
        others = {other: keeper.settings for other, keeper in self.keepers.items() if other != path}
        keeper = self.keepers.get(path)
        return self._configs.load(path, others, keeper.settings if keeper and keeper.store else None)

    def _refuse(self, path: Path, error: ReconcilerError) -> None:
        """Go on as before; say why in the log and, if that connection runs, in its state for `status`."""
        self.refused[path] = error
        self._log.error("config.refused", file=str(path), reason=str(error))
        if path in self.keepers:
            self.keepers[path].refuse(error)

    async def _reloads(self) -> None:
        """Read the config again, whenever that is asked for."""
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._notifier.say(reloading=1, monotonic_usec=int(self._world.clock.monotonic() * 1e6))
            self._seen = self._configs.digest()
            files = self._configs.files()
            for path in [path for path in self.keepers if path not in files]:
                await self._retire(path)
            for path in [path for path in self.refused if path not in files]:
                del self.refused[path]
            await asyncio.gather(*(self._again(path) for path in files))
            self._reloaded.set()
            self._notifier.say(ready=1, status=self._status)
            self._announce()

    async def _again(self, path: Path) -> None:
        """Use a config file as it is now, or say why not."""
        try:
            settings = self._load(path)
            if path not in self.keepers:
                await self._begin(path, settings)
            else:
                changed = await self.keepers[path].change(settings)
                if changed is not None:
                    self._log.info("config.changed", connection=self.keepers[path].name, keys=changed)
        except ReconcilerError as error:
            self._refuse(path, error)
            return
        except Exception as error:  # a bug; the settings that run are good
            words = say("cannot be used ({kind}); the log says more", kind=type(error).__name__)
            self._log.error("config.failed", file=str(path), exc_info=error)
            self._refuse(path, ConfigError(Problem(where=str(path), message=words)))
            return
        self.refused.pop(path, None)
        self._schedule(path)

    async def _retire(self, path: Path) -> None:
        """Its config file is gone: the connection ends; its state stays."""
        for job in JOBS:
            self.timetable.drop(f"{path} {job}")
        keeper = self.keepers.pop(path)
        keeper.stop.ask()
        await self.heralds.pop(path).close()
        await keeper.close()
        self._log.info("connection.removed", connection=keeper.name)

    async def _watch(self) -> None:
        """Ask for a reload when a config file has changed. Folders are watched: a file that is replaced is another."""
        import watchfiles

        try:
            async for _ in watchfiles.awatch(
                *self._configs.folders(), watch_filter=None, recursive=False, debounce=500
            ):
                if self._configs.digest() != self._seen:
                    self._reload.set()
        except OSError as error:
            self._log.warning("config.unwatched", reason=str(error.strerror))

    # How it goes

    def conditions(self) -> dict[str, str]:
        """How each connection goes, in a few words."""
        return {keeper.name: keeper.condition() for keeper in self.keepers.values()}

    def stalled(self) -> list[str]:
        """The connections that made no progress when last looked at."""
        return self._stalled

    def idle(self) -> list[str]:
        """The connections whose last cycle did not keep both sides in step."""
        good = ("ok", "attention")
        return [one.name for one in self.keepers.values() if one.last is None or one.last.outcome not in good]

    def _kept(self) -> list[tuple[Keeper, int, int]]:
        counts = self.timetable
        return [
            (
                keeper,
                keeper.skipped + sum(counts.skipped[f"{path} {job}"] for job in JOBS),
                sum(counts.missed[f"{path} {job}"] for job in JOBS),
            )
            for path, keeper in self.keepers.items()
        ]

    async def _serve(self) -> None:
        """Metrics, health and the page, at the address of the first connection, wherever that is after a reload."""
        while True:
            address = self._address()
            serving = asyncio.create_task(self._guarded(self._serve_at(address)))
            try:
                while self._address() == address:
                    self._reloaded.clear()
                    await self._reloaded.wait()
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    def _address(self) -> tuple[str, int] | None:
        """Where to listen; None without any connection."""
        return next((keeper.settings.web.address for keeper in self.keepers.values()), None)

    async def _serve_at(self, address: tuple[str, int] | None) -> None:
        from reconciler.daemon.web import routes, serve
        from reconciler.page.routes import page

        if address is None:
            return
        host, port = address

        def listening(port: int) -> None:
            self.page = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
            self._log.info("web.listening", host=host, port=port)

        try:
            shown = page(self._shown, self._world)
            await serve([*routes(self, self.metrics), shown], (host, port), listening)
        except OSError as error:
            self._log.warning("web.failed", host=host, port=port, reason=str(error.strerror))
        finally:
            self.page = ""

    def _shown(self) -> list[Settings]:
        """The connections of the status page, as they are now."""
        return [keeper.settings for keeper in self.keepers.values()]

    def _announce(self) -> None:
        """Tell systemd in words how it goes, if that changed; and once that the daemon is ready."""
        words = [f"{name}: {condition}" for name, condition in self.conditions().items()]
        words += [f"{path.name}: the config is not used" for path in self.refused]
        status = "; ".join(words)
        settled = all(keeper.last is not None or keeper.store is None for keeper in self.keepers.values())
        late = self._world.clock.monotonic() - self._started > READY_AFTER
        if not self._ready and (settled or late):
            self._ready = True
            self._notifier.say(ready=1, status=status)
        elif status != self._status:
            self._notifier.say(status=status)
        self._status = status

    async def _pulse(self) -> None:
        clock = self._world.clock
        while True:
            before = clock.monotonic()
            await clock.sleep(self.pulse)
            self.beat(lag=clock.monotonic() - before - self.pulse)

    def beat(self, lag: float) -> None:
        """Look after the schedule, and tell the watchdog while there is progress.

        `lag` are the seconds by which the event loop was late: whatever blocked it also kept the connections waiting.
        """
        self.timetable.rearm()
        self.metrics.loop_lag.set(max(lag, 0.0))
        stalled = [keeper.name for keeper in self.keepers.values() if keeper.stalled()]
        for name in sorted(set(stalled) - set(self._stalled)):
            self._log.error("connection.stalled", connection=name)
        self._stalled = stalled
        if lag > self.pulse:
            self._log.warning("loop.lagged", seconds=round(lag, 1))
        elif not stalled and self._notifier.watchdog is not None:
            self._notifier.say(watchdog=1)
        self._announce()

    # The end

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._broken(error)

    def _broken(self, error: BaseException) -> None:
        """Something ended that never should: stop in good order, and let systemd start again."""
        self._bug = self._bug or error
        self._ending.set()

    async def _stop(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        self._log.info("daemon.stopping")
        self._notifier.say(stopping=1, status="stopping: what is under way is finished")
        for keeper in self.keepers.values():
            keeper.stop.ask()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(herald.close() for herald in self.heralds.values()), return_exceptions=True)
        closing = [asyncio.ensure_future(keeper.close()) for keeper in self.keepers.values()]
        drained = await self.timetable.stop(within=DRAIN)
        _, late = await asyncio.wait(closing, timeout=LAST) if closing else ((), ())
        if late or not drained:
            self._log.error("daemon.interrupted")


def _urgency(error: Exception) -> int:
    return ORDER.index(error.exit_code) if isinstance(error, ReconcilerError) else ORDER.index(1)
