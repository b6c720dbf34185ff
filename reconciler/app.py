"""The composition root: the only place that builds clients, opens the state and knows the settings.

Everything below takes what it needs as arguments. A dry run is built from readers alone.
"""

from __future__ import annotations

import functools
import os
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol, TypeVar

import httpx

from reconciler import minisign
from reconciler.audit.checkpoint import renew
from reconciler.audit.erasing import retire
from reconciler.clock import SystemClock
from reconciler.configured import record_config
from reconciler.connection import Connection, Writers
from reconciler.core import text
from reconciler.core.lenses import OwnerLens, lenses
from reconciler.core.model import Direction, Field, Side, Target
from reconciler.core.pilot import pilot
from reconciler.core.policy import Limits, Policy
from reconciler.core.route import Route
from reconciler.core.status import StatusMaps
from reconciler.cycle import Result, observe_cycle, run_cycle
from reconciler.errors import ConfigError, Halted, Problem, UsageError
from reconciler.message import say
from reconciler.notify.courier import Way
from reconciler.ports import Clock, StateReader, Store
from reconciler.settings import Route as RouteSettings
from reconciler.settings import Settings
from reconciler.settings import load as load_settings
from reconciler.settings.lines import lines_of
from reconciler.sides.crm import CrmReader, CrmWriter
from reconciler.sides.http import Access, HttpLimits, network_of
from reconciler.sides.profile import CrmProfile, WorkProfile
from reconciler.sides.work import WorkReader, WorkWriter
from reconciler.store import database_path, hold, open_reader, open_store
from reconciler.words import translator


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What differs between production and a test: time, chance, ids and the way to the two servers.

    `watch` may put an observer into the way of a connection to a side.
    """

    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.SystemRandom)
    random_bytes: Callable[[int], bytes] = os.urandom
    new_id: Callable[[], uuid.UUID] = uuid.uuid4
    transports: Mapping[Side, httpx.AsyncBaseTransport] = field(default_factory=dict)
    watch: Callable[[str, Side, httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None


class Cycle(Protocol):
    """One cycle on a state, see `cycle.run_cycle`; `guard` is called before every write, if there are any."""

    async def __call__(
        self,
        store: Store,
        *,
        guard: Callable[[], None] = ...,
        sweeping: bool = False,
        patient: bool = False,
        first: bool = True,
    ) -> Result: ...


C = TypeVar("C", bound=CrmReader)
W = TypeVar("W", bound=WorkReader)

REAL: Final = World()


def load(given: str | None, env: Mapping[str, str]) -> Settings:
    """The settings of a command, with the status maps proven. Raises `ConfigError` with file, line and key."""
    path = default_config(given)
    settings = load_settings(path, env)
    maps = status_maps(settings)
    faults = maps.broken_laws()
    if faults:
        lines = lines_of(path.read_text(encoding="utf-8-sig"))
        line = lines.get(("status", "to_crm"), lines.get(("status", "to_work"), 0))
        raise ConfigError(
            *(
                Problem(
                    where=str(path),
                    line=line,
                    key="status",
                    message=say("{fault}; change [status.to_work] or [status.to_crm]", fault=fault),
                )
                for fault in faults
            )
        )
    return settings


def status_maps(settings: Settings) -> StatusMaps:
    """The two status tables of the config."""
    return StatusMaps(dict(settings.status.to_work), dict(settings.status.to_crm))


def policy(settings: Settings) -> Policy:
    """The settings as the pure stages need them."""
    people = OwnerLens(dict(settings.people))
    limits = settings.safety
    crm, work = _profiles(settings)
    marks = {Side.WORK} | ({Side.CRM} if settings.crm.link_field else set())
    return Policy(
        lenses=lenses(
            maps=status_maps(settings),
            start_hour=settings.times.start,
            due_hour=settings.times.due,
            people=dict(settings.people),
        ),
        people=people,
        directions={name: Direction(getattr(settings.fields, name)) for name in Field},
        tolerance=settings.conflict.tolerance,
        tie=Side(settings.conflict.tie),
        overlap=settings.watermark.overlap,
        settle=settings.watermark.settle,
        resolve_after=settings.limits.resolve_after,
        confirm_after=settings.deletes.confirm_after,
        retry_for=settings.limits.retry_for,
        back_off=settings.schedule.poll,
        routes=tuple(_route(route) for route in settings.routes),
        propagate_deletes=settings.deletes.policy == "propagate",
        revert_window=max(timedelta(hours=1), 10 * settings.schedule.poll),
        limits=Limits(
            max_update_percent=limits.max_update_percent,
            min_updates=limits.min_updates,
            max_updates=limits.max_updates,
            max_delete_percent=limits.max_delete_percent,
            min_deletes=limits.min_deletes,
            max_deletes=limits.max_deletes,
            max_creates=limits.max_creates,
        ),
        lengths={Side.CRM: crm.lengths, Side.WORK: work.lengths},
        marks=frozenset(marks),
        tells=bool(settings.crm.result_field),
        pilot=pilot(settings.pilot.projects, settings.pilot.people),
        config=settings.fingerprint(),
    )


def _route(given: RouteSettings) -> Route:
    conditions = tuple(
        (key.removeprefix("not_"), frozenset(text.word(word) for word in words), key.startswith("not_"))
        for key, words in given.when
        if words
    )
    return Route(target=Target(project=str(given.project), group=str(given.group)), when=conditions)


def _profiles(settings: Settings) -> tuple[CrmProfile, WorkProfile]:
    crm = CrmProfile().with_overrides(dict(settings.wire.crm))
    return crm, WorkProfile().with_overrides(dict(settings.wire.work))


@asynccontextmanager
async def connect(settings: Settings, world: World = REAL) -> AsyncIterator[Connection]:
    """A connection that can only read. Its clients are closed when the block ends."""
    async with _sides(settings, world, CrmReader, WorkReader) as (crm, work):
        yield _connection(settings, world, crm, work)


@asynccontextmanager
async def connect_writing(settings: Settings, world: World = REAL) -> AsyncIterator[tuple[Connection, Writers]]:
    """A connection and the writers beside it. Its clients are closed when the block ends.

    Raises `UsageError` for a connection that only observes: for that one no writer is built at all.
    """
    if settings.connection.mode == "observe":
        raise UsageError(
            say('this connection only observes and writes to neither system; set mode = "sync" in [connection] first')
        )
    async with _sides(settings, world, CrmWriter, WorkWriter) as (crm, work):
        yield _connection(settings, world, crm, work), Writers(crm=crm, work=work)


@asynccontextmanager
async def connect_cycle(settings: Settings, world: World = REAL) -> AsyncIterator[Cycle]:
    """The cycle of a connection, ready to run on its state: one that writes, or one built of readers that observes."""
    if settings.connection.mode == "observe":
        async with connect(settings, world) as connection:
            yield functools.partial(observe_cycle, connection)
    else:
        async with connect_writing(settings, world) as (connection, writers):
            yield functools.partial(run_cycle, connection, writers)


def _connection(settings: Settings, world: World, crm: CrmReader, work: WorkReader) -> Connection:
    return Connection(
        name=settings.connection.name,
        policy=policy(settings),
        readers={Side.CRM: crm, Side.WORK: work},
        catalogue=work,
        clock=world.clock,
        pages=pages(settings),
    )


def pages(settings: Settings) -> dict[Side, str]:
    """The addresses of records in a browser, with {id}, of the sides for which the config names one."""
    crm, work = _profiles(settings)
    return {side: page for side, page in ((Side.CRM, crm.page), (Side.WORK, work.page)) if page}


@asynccontextmanager
async def _sides(settings: Settings, world: World, crm_type: type[C], work_type: type[W]) -> AsyncIterator[tuple[C, W]]:
    limits = HttpLimits(
        requests_per_second=settings.limits.requests_per_second,
        concurrency=settings.limits.concurrency,
        timeout=settings.limits.timeout,
        retry_for=settings.limits.retry_for,
        proxy=settings.http.proxy.get_secret_value(),
        ca_file=settings.http.ca_file,
    )
    crm_profile, work_profile = _profiles(settings)
    crm = crm_type(
        Access(settings.crm.base_url, settings.crm.client_id, settings.crm.client_secret.get_secret_value()),
        limits,
        clock=world.clock,
        rng=world.rng,
        profile=crm_profile,
        target_project_field=settings.crm.target_project_field or None,
        target_group_field=settings.crm.target_group_field or None,
        link_field=settings.crm.link_field or None,
        result_field=settings.crm.result_field or None,
        transport=_way(settings, world, limits, Side.CRM),
    )
    work = work_type(
        Access(settings.work.base_url, settings.work.client_id, settings.work.secret_key.get_secret_value()),
        limits,
        clock=world.clock,
        rng=world.rng,
        new_id=world.new_id,
        profile=work_profile,
        transport=_way(settings, world, limits, Side.WORK),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(crm.close)
        stack.push_async_callback(work.close)
        yield crm, work


def _way(settings: Settings, world: World, limits: HttpLimits, side: Side) -> httpx.AsyncBaseTransport | None:
    way = world.transports.get(side)
    if world.watch is None:
        return way
    return world.watch(settings.connection.name, side, way or network_of(limits))


def ways(settings: Settings) -> list[Way]:
    """The ways by which notices leave this machine."""
    from reconciler.notify.mail import Mail  # neither is needed by a command that only reads the state
    from reconciler.notify.webhook import Webhook

    notify, translate = settings.notify, translator(settings.connection.language)
    found: list[Way] = []
    if notify.smtp:
        found.append(
            Mail(
                server=notify.server,
                security=notify.smtp_security,
                user=notify.smtp_user,
                password=notify.smtp_password.get_secret_value(),
                sender=notify.sender,
                to=notify.to,
                translate=translate,
                ca_file=settings.http.ca_file,
            )
        )
    if url := notify.webhook.get_secret_value():
        found.append(
            Webhook(
                url=url,
                token=notify.webhook_token.get_secret_value(),
                key=notify.webhook_key.get_secret_value(),
                translate=translate,
                proxy=settings.http.proxy.get_secret_value(),
                ca_file=settings.http.ca_file,
            )
        )
    return found


@contextmanager
def writing_state(settings: Settings, world: World = REAL) -> Iterator[Store]:
    """The state for the one writer of this connection. Errors: `LeaseHeld`, `StateError`, `Halted` (another tenant)."""
    with any_state(settings, world) as store:
        _prove_identity(settings, store)
        record_config(settings, store, world.clock.now())
        yield store


@contextmanager
def any_state(settings: Settings, world: World = REAL) -> Iterator[Store]:
    """The state for its one writer, whichever connection it belongs to. Errors: `LeaseHeld`, `StateError`."""
    url = settings.state.url.get_secret_value()
    with hold(url, world.clock) as generation:
        store = open_store(url, random_bytes=world.random_bytes, generation=generation)
        try:
            yield store
        finally:
            store.close()


def upkeep(settings: Settings, store: Store, world: World = REAL) -> None:
    """What is due for the journal after a cycle: values past their retention go, and a checkpoint is made."""
    now, secret = world.clock.now(), settings.journal.signing_key.get_secret_value()
    retire(store, now, settings.journal.retention)
    if secret:
        renew(store, settings.connection.name, minisign.secret_key(secret), now)


def state_path(settings: Settings) -> Path | None:
    """The absolute path of the state's file; None if it is not a file."""
    return database_path(settings.state.url.get_secret_value())


@contextmanager
def reading_state(settings: Settings) -> Iterator[StateReader]:
    """A consistent, read-only view of the state; an empty one if there is none yet. Creates nothing."""
    state = open_reader(settings.state.url.get_secret_value())
    try:
        yield state
    finally:
        state.close()


def identity(settings: Settings) -> dict[str, str]:
    """Which connection a state belongs to: both addresses and client ids, no secret."""
    return {
        "crm": f"{settings.crm.base_url} {settings.crm.client_id}",
        "work": f"{settings.work.base_url} {settings.work.client_id}",
    }


def _prove_identity(settings: Settings, store: Store) -> None:
    if store.fact("identity") is None:
        with store.transaction() as tx:
            tx.set_fact("identity", identity(settings))
    check_identity(settings, store)


def check_identity(settings: Settings, state: StateReader) -> None:
    """Raise `Halted` if the state was made for another connection: its ids mean other records here."""
    mine, known = identity(settings), state.fact("identity")
    if known is not None and known != mine:
        changed = ", ".join(side for side in mine if mine[side] != known.get(side))
        raise Halted(
            "other_tenant",
            say(
                "this state belongs to another connection (address or client id of {changed} differs); "
                "nothing is read or written. Use the state of this connection, put the old values back, or, if it is "
                "the same company, run `reconciler resume --reason ..`, which proves the pairs first",
                changed=changed,
            ),
        )


def operator(env: Mapping[str, str] | None = None) -> str:
    """Who runs a command: the person behind sudo, else the login name."""
    known = os.environ if env is None else env
    return known.get("SUDO_USER") or known.get("LOGNAME") or known.get("USER") or f"uid {os.getuid()}"


def default_config(given: str | None) -> Path:
    """The config file of a command: as given, else the installed one, else the one of a checkout."""
    if given:
        return Path(given)
    installed = Path("/etc/reconciler/reconciler.toml")
    return installed if installed.exists() else Path("config/reconciler.toml")
