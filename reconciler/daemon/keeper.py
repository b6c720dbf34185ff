"""One connection of the daemon: holds its lease, its state and its clients, and does one thing at a time.

Cycles, sweeps, what people ask and changes of the config take turns. Whatever fails in here stays in here: it is told
to `hear`, noted in the state for `status`, and tried again at the next tick.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from reconciler import app
from reconciler.configured import record_config
from reconciler.connection import Connection, Writers
from reconciler.core.model import Offset, Side
from reconciler.cycle import Result, observe_cycle, run_cycle
from reconciler.daemon.configs import changed_keys
from reconciler.daemon.happening import Asked, Ended, Happening
from reconciler.daemon.stopping import Stop, Stopped, stoppable, watched
from reconciler.errors import Halted, LeaseHeld, ReconcilerError, UsageError
from reconciler.halting import pausing
from reconciler.handing import listening
from reconciler.message import joined, pack, say
from reconciler.ports import Store
from reconciler.requests import Means, Request, Said, parse_request, perform, refusal, said_line
from reconciler.settings import Settings

STALLED: Final = timedelta(minutes=3)
"""Without any progress for this long, beyond what one call may take, something hangs that no deadline ends."""

SWEPT: Final = "swept_at"
"""The fact that says when the last sweep ended, so that restarts do not postpone the next one for ever."""

TROUBLE: Final = "trouble"
"""The fact that says what keeps the daemon's cycles from ending by themselves, for `status`."""

REFUSED: Final = "config_refused"
"""The fact that says why a changed config is not used, for `status`."""


@dataclass(frozen=True, slots=True)
class _Wires:
    """The clients of both systems, ready for a cycle; no writers for a connection that only observes."""

    connection: Connection
    cycle: app.Cycle
    writers: Writers | None


class Keeper:
    """Keeps a connection in step. `last` is how its last tick ended; `skipped` counts ticks that met another cycle."""

    def __init__(self, settings: Settings, world: app.World, hear: Callable[[Happening], None]) -> None:
        self.settings = settings
        self.stop = Stop(world.clock.monotonic)
        self.last: Ended | None = None
        self.skipped = 0
        self._world = world
        self._hear = hear
        self._turn = asyncio.Lock()
        self._cycles = 0
        self._answered = False
        self._ticked = world.clock.monotonic()
        self._held = AsyncExitStack()
        self._wired = AsyncExitStack()
        self._store: Store | None = None
        self._wires: _Wires | None = None

    @property
    def name(self) -> str:
        return self.settings.connection.name

    @property
    def store(self) -> Store | None:
        """The state, while it is open: the keeper then holds the lease."""
        return self._store

    @property
    def offsets(self) -> dict[Side, Offset]:
        """The servers' clocks against ours, as far as measured."""
        readers = self._wires.connection.readers if self._wires is not None else {}
        return {side: reader.offset() for side, reader in readers.items()}

    # Opening, changing, closing

    async def open(self) -> None:
        """Take the lease, open the state and listen for requests.

        Raises `LeaseHeld`, `StateError`, or `Halted` if the state belongs to another connection.
        """
        async with AsyncExitStack() as held:
            store = held.enter_context(app.writing_state(self.settings, self._world))
            self._wired, wires = await self._wire(self.settings)
            held.push_async_callback(self._unwire)
            database = app.state_path(self.settings)
            if database is not None:
                await held.enter_async_context(listening(database, self._answer, _refusal))
            _note(store, TROUBLE, None)
            _note(store, REFUSED, None)
            if store.fact(SWEPT) is None:
                _note(store, SWEPT, self._world.clock.now().isoformat())
            self._store, self._wires = store, wires
            self._held = held.pop_all()

    async def close(self) -> None:
        """Give everything back, once what has the turn is over; `stop` was asked for, so nothing takes it again."""
        async with self._turn:
            self._store = self._wires = None
        await self._held.aclose()

    async def change(self, settings: Settings) -> list[str] | None:
        """Go on with other settings from the next cycle on; the state must be the same one.

        Returns the keys that changed, secrets by name too, or None if nothing did. Raises what is wrong with the
        settings; then the old ones stay.
        """
        if settings == self.settings:
            if self._store is not None:
                _note(self._store, REFUSED, None)
            return None
        async with self._turn:
            changed = changed_keys(self.settings, settings)
            if self._store is not None:
                app.check_identity(settings, self._store)
                wired, wires = await self._wire(settings)
                await self._unwire()
                self._wired, self._wires = wired, wires
                record_config(settings, self._store, self._world.clock.now())
                _note(self._store, REFUSED, None)
            self.settings = settings
            return changed

    def refuse(self, error: ReconcilerError) -> None:
        """Note for `status` that a changed config is not used."""
        if self._store is not None:
            at = self._world.clock.now().isoformat()
            _note(self._store, REFUSED, {"at": at, "message": pack(joined(error.sentences))})

    async def _wire(self, settings: Settings) -> tuple[AsyncExitStack, _Wires]:
        """New clients of both systems; nobody who only observes is given a writer."""
        async with AsyncExitStack() as stack:
            if settings.connection.mode == "observe":
                read_only = await stack.enter_async_context(app.connect(settings, self._world))
                connection = stoppable(read_only, self.stop)
                return stack.pop_all(), _Wires(connection, functools.partial(observe_cycle, connection), None)
            open_to_write = await stack.enter_async_context(app.connect_writing(settings, self._world))
            connection, writers = stoppable(open_to_write[0], self.stop), watched(open_to_write[1], self.stop)
            return stack.pop_all(), _Wires(connection, functools.partial(run_cycle, connection, writers), writers)

    async def _unwire(self) -> None:
        await self._wired.aclose()

    # Ticks

    def sweep_due(self) -> datetime:
        """When the next sweep is due, as the state remembers the last one."""
        swept = self._store.fact(SWEPT) if self._store is not None else None
        last = datetime.fromisoformat(swept) if swept else self._world.clock.now()
        return last + self.settings.schedule.sweep

    async def poll(self) -> None:
        """One tick of polling; skipped while another cycle runs or waits."""
        if self._cycles:
            self.skipped += 1
            self._ticked = self._world.clock.monotonic()
            return
        await self._tick(sweeping=False)

    async def sweep(self) -> None:
        """One tick of sweeping; waits for a cycle that runs."""
        await self._tick(sweeping=True)

    async def _tick(self, *, sweeping: bool) -> None:
        self._cycles += 1
        try:
            if self.last is not None:
                await self._jitter()
            async with self._turn:
                self.stop.check()
                self.stop.moved()
                self.last = await self._cycle(sweeping)
                self._hear(self.last)
        except Stopped:
            pass
        finally:
            self._cycles -= 1
            self._ticked = self._world.clock.monotonic()

    async def _jitter(self) -> None:
        """Wait a little, within the tick: the schedule itself does not drift."""
        schedule = self.settings.schedule
        longest = min(schedule.jitter, schedule.poll / 2)
        await self.stop.delayed(self._world.clock.sleep(self._world.rng.uniform(0, longest.total_seconds())))

    async def _cycle(self, sweeping: bool) -> Ended:
        clock = self._world.clock
        ended, begun = Ended(connection=self.name, sweeping=sweeping, started=clock.now()), clock.monotonic()
        try:
            if self._store is None:
                await self.open()
            result = await self._run(sweeping)
            ended = replace(
                ended,
                outcome=result.outcome,
                counts=result.counts,
                down={side.value: error for side, error in result.down.items()},
                halt=result.prospect.halt,
                reasons={(one.crm_id, one.field): one.decision.reason for one in result.prospect.plan.conflicts},
            )
        except Stopped:
            await self.stop.idle()
            ended = replace(ended, outcome="stopped")
        except Halted as halted:
            ended = replace(ended, outcome="halted", error=halted)
        except LeaseHeld as held:  # somebody else's now; the next tick asks for it again
            self._store = self._wires = None
            await self._held.aclose()
            ended = replace(ended, error=held)
        except Exception as error:  # a bug, or a state that cannot be used: this connection alone is concerned
            ended = replace(ended, error=error)
        ended = replace(ended, took=timedelta(seconds=clock.monotonic() - begun))
        with suppress(ReconcilerError):  # the state itself may be what failed
            ended = self._book(ended)
        return ended

    async def _run(self, sweeping: bool) -> Result:
        assert self._store is not None and self._wires is not None
        result = await self._wires.cycle(
            self._store,
            guard=self.stop.check,
            sweeping=sweeping,
            patient=True,
            first=not self._answered,
        )
        app.upkeep(self.settings, self._store, self._world)
        self._answered = self._answered or not result.down
        if sweeping and result.prospect.news.complete:
            _note(self._store, SWEPT, self._world.clock.now().isoformat())
        return result

    def _book(self, ended: Ended) -> Ended:
        """Write down for `status` what the cycle could not write itself, and look up what it has journalled."""
        if self._store is None:
            return ended
        row = next(iter(self._store.cycles(limit=1)), None)
        if row is not None and row.started_at >= ended.started:
            ended = replace(ended, cycle=row.id)
            if row.outcome == "running":
                outcome = "ok" if ended.outcome == "stopped" else ended.outcome
                row = replace(row, finished_at=self._world.clock.now(), outcome=outcome, note=ended.outcome)
                with self._store.transaction() as tx:
                    tx.save_cycle(row)
            if any(ended.counts.values()):
                lines = self._store.journal(since=ended.started)
                ended = replace(ended, entries=tuple(entry for entry in lines if entry.cycle == ended.cycle))
        if ended.outcome != "stopped":
            _note(self._store, TROUBLE, _trouble(ended, self._store.fact(TROUBLE)))
        return ended

    def condition(self) -> str:
        """How it goes, in a few words for a person."""
        if self._store is None:
            return "cannot be opened, see the log"
        if self.last is None:
            return "the first cycle is running"
        if pausing(self._store, self._world.clock.now()):
            return "paused"
        down = " and ".join(sorted(self.last.down))
        words = {
            "ok": "in step",
            "attention": "in step; some tasks need a person, see `reconciler status`",
            "halted": "halted until a person looks, see `reconciler status`",
            "unavailable": f"{down} cannot be reached",
            "failed": "the last cycle failed, see the log",
        }
        return words.get(self.last.outcome, self.last.outcome)

    def stalled(self) -> bool:
        """Whether nothing moves that should: a tick is overdue, or one under way makes no progress."""
        now, limits, schedule = self._world.clock.monotonic(), self.settings.limits, self.settings.schedule
        patience = (STALLED + limits.timeout + limits.retry_for).total_seconds()
        if self._turn.locked():
            return now - self.stop.progress > patience
        return not self._cycles and now - self._ticked > schedule.poll.total_seconds() + patience

    # What people ask

    async def _answer(self, line: str, waiting: Callable[[], bool]) -> str:
        try:
            request, operator = parse_request(line)
        except ReconcilerError as error:
            return _refusal(error)
        command = type(request).__name__.lower()
        async with self._turn:
            if not waiting():
                return _refusal(UsageError(say("nobody waits for the answer")))
            self.stop.moved()
            try:
                self.stop.check()
                said = await self._perform(request, operator)
            except Stopped:
                await self.stop.idle()
                words = say("the daemon is stopping; what was not done yet is not done. Run it again")
                return _refusal(LeaseHeld(words))
            except Exception as error:  # a bug; the daemon and the connection go on
                self._hear(Asked(connection=self.name, command=command, exit_code=1, error=error))
                return _refusal(ReconcilerError(say("unexpected failure; nothing is lost, the daemon's log says more")))
            self._hear(Asked(connection=self.name, command=command, exit_code=said.exit_code))
            return said_line(said)

    async def _perform(self, request: Request, operator: str) -> Said:
        if self._store is None:
            raise Stopped
        clock = self._world.clock
        means = Means(
            store=self._store,
            clock=clock,
            sides=self._open_sides,
            identity=app.identity(self.settings),
            people=self.settings.people,
            guard=self.stop.check,
        )
        return await perform(request, operator, means)

    @asynccontextmanager
    async def _open_sides(self) -> AsyncIterator[tuple[Connection, Writers]]:
        wires = self._wires
        if wires is not None and wires.writers is not None:
            yield wires.connection, wires.writers
            return
        async with app.connect_writing(self.settings, self._world) as sides:  # says that this connection only observes
            yield sides


def _refusal(error: ReconcilerError) -> str:
    return said_line(refusal(error))


def _trouble(ended: Ended, before: Mapping[str, str] | None) -> Mapping[str, str] | None:
    if ended.error is None:
        return None
    words = say("unexpected failure ({kind}); the log says more", kind=type(ended.error).__name__)
    message = pack(ended.error.message if isinstance(ended.error, ReconcilerError) else words)
    since = before["since"] if before and before["message"] == message else ended.started.isoformat()
    return {"outcome": ended.outcome, "message": message, "since": since}


def _note(store: Store, name: str, value: object) -> None:
    if store.fact(name) != value:
        with store.transaction() as tx:
            tx.set_fact(name, value)
