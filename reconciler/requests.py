"""What a person asks of a connection: as values, so that whoever holds its lease can carry them out.

Run alone, a command performs its request itself; beside a daemon the same value travels to the daemon and the same
function performs it there. That is why both print the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final, get_args, get_type_hints

from reconciler import linking, undoing
from reconciler.audit.erasing import Subject, erase
from reconciler.connection import Connection, Writers
from reconciler.core.model import Target, aware
from reconciler.cycle import Result, run_cycle
from reconciler.errors import ReconcilerError, UsageError
from reconciler.halting import pause, resume
from reconciler.message import joined, pack, say, unpack, word
from reconciler.ports import Clock, Store
from reconciler.report.render import foreseen
from reconciler.tenant import prove

Sides = Callable[[], AbstractAsyncContextManager[tuple[Connection, Writers]]]
"""Opens the way to both systems; not called by requests that only concern the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Link a CRM task to a new item in `project` and `group`, or to the existing `item`."""

    task: str
    project: str | None = None
    group: str | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlink:
    """Forget the pair of a CRM task."""

    task: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Release one pair or task from the attention list and its back-off; all of them if neither is named."""

    task: str | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Dismiss the attention entries of one record until their content changes."""

    task: str | None = None
    item: str | None = None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Bring back the value that a journal entry overwrote."""

    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert:
    """Bring back what a cycle overwrote and nobody changed since."""

    cycle: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Let writes wait, until a moment (ISO 8601 with a zone) or until `Resume`."""

    reason: str
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """End a pause or a halt; `approve` names the held operations to apply."""

    reason: str
    approve: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    """Destroy the personal values of one task, one item or one person, except what linked pairs need."""

    task: str | None = None
    item: str | None = None
    person: str | None = None
    reason: str


Request = Link | Unlink | Retry | Ack | Restore | Revert | Pause | Resume | Erase
KINDS: Final = {kind.__name__.lower(): kind for kind in get_args(Request)}


@dataclass(frozen=True, slots=True)
class Said:
    """What a request came to: lines for the person, those in `err` for the error output, and the exit code."""

    out: tuple[str, ...] = ()
    err: tuple[str, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What it takes to carry out a request. `identity` says which connection `sides` leads to, `people` are the other
    spellings of people in the config; `guard` is called before every batch of writes and raises to prevent it."""

    store: Store
    clock: Clock
    sides: Sides
    identity: Mapping[str, str]
    people: Mapping[str, str]
    guard: Callable[[], None] = lambda: None


async def perform(request: Request, operator: str, means: Means) -> Said:
    """Carry out one request in the name of `operator`; the caller holds the lease. What it refuses is in the answer."""
    try:
        return await _perform(request, operator, means)
    except ReconcilerError as error:
        return refusal(error)


def refusal(error: ReconcilerError) -> Said:
    """An error as the command line words it."""
    words = tuple(say("reconciler: {words}", words=words) for words in error.sentences)
    return Said(err=words, exit_code=error.exit_code)


async def _perform(request: Request, operator: str, means: Means) -> Said:
    store, now = means.store, means.clock.now()
    match request:
        case Unlink():
            return _done(linking.unlink(store, now, request.task, request.reason, operator))
        case Retry():
            return _done(linking.retry(store, now, operator, task=request.task, item=request.item))
        case Ack():
            return _done(linking.ack(store, now, operator, request.reason, task=request.task, item=request.item))
        case Pause():
            pause(store, now, request.reason, _moment(request.until), operator)
            return Said(out=(say("paused; `reconciler resume --reason ..` goes on"),))
        case Resume():
            return await _resume(request, operator, means)
        case Erase():
            subject = Subject(task=request.task, item=request.item, person=request.person, people=means.people)
            return Said(out=tuple(erase(store, subject, reason=request.reason, operator=operator, now=now)))
        case Link():
            return _done(await _link(request, operator, means))
        case Restore() | Revert():
            return await _undo(request, operator, means)


async def _undo(request: Restore | Revert, operator: str, means: Means) -> Said:
    store, guard = means.store, means.guard
    async with means.sides() as (connection, writers):
        if isinstance(request, Restore):
            undone = await undoing.restore(connection, writers, store, request.entry, operator=operator, guard=guard)
        else:
            undone = await undoing.revert(
                connection, writers, store, request.cycle, reason=request.reason, operator=operator, guard=guard
            )
    return Said(out=undone.said, err=undone.left, exit_code=undone.exit_code)


def _done(done: linking.Done) -> Said:
    return Said(err=(done.message,), exit_code=done.exit_code) if done.exit_code else Said(out=(done.message,))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        aware(moment)
    except ValueError:
        raise UsageError(say("{text} is no moment with a time zone", text=text)) from None
    return moment


async def _link(request: Link, operator: str, means: Means) -> linking.Done:
    store, guard = means.store, means.guard
    async with means.sides() as (connection, writers):
        if request.item is not None:
            return await linking.link_to_item(
                connection, writers, store, request.task, request.item, operator=operator, guard=guard
            )
        target = Target(project=(request.project or "").strip(), group=(request.group or "").strip())
        return await linking.link_to_target(
            connection, writers, store, request.task, target, operator=operator, guard=guard
        )


async def _resume(request: Resume, operator: str, means: Means) -> Said:
    store = means.store
    proven = () if store.fact("identity") in (None, means.identity) else (await _prove(request, operator, means),)
    said = resume(store, means.clock.now(), request.reason, operator, request.approve)
    if request.approve is None:
        return Said(out=(*proven, said))
    wanted = set(store.fact("approved") or ())
    async with means.sides() as (connection, writers):
        result = await run_cycle(connection, writers, store, guard=means.guard)
    skipped = sorted(wanted - {one.canonical for one in result.prospect.checked.operations})
    return Said(
        out=(*proven, said, sentence(result)),
        err=tuple(say("skipped, changed meanwhile: {missing}", missing=one) for one in skipped),
        exit_code=4 if skipped and result.exit_code == 0 else result.exit_code,
    )


async def _prove(request: Resume, operator: str, means: Means) -> str:
    async with means.sides() as (connection, _):
        proven, count = await prove(connection, means.store, means.identity, reason=request.reason, operator=operator)
    return say("{proven} of {count} linked pairs are proven behind the new address", proven=proven, count=count)


def sentence(result: Result) -> str:
    """What a cycle did, on one line."""
    counts = result.counts
    if "would_create" in counts:
        return _observed(result)
    parts: list[str] = [
        say("{count} created", count=counts.get("created", 0)),
        say("{count} work items updated", count=counts.get("updated_work", 0)),
        say("{count} CRM tasks updated", count=counts.get("updated_crm", 0)),
    ]
    extra = {
        "left_out": say("{count} left out by [pilot]", count=counts.get("left_out", 0)),
        "unlinked": say("{count} unlinked", count=counts.get("unlinked", 0)),
        "refused": say("{count} refused", count=counts.get("refused", 0)),
        "dropped": say("{count} dropped", count=counts.get("dropped", 0)),
    }
    parts += [words for name, words in extra.items() if counts.get(name)]
    if missed := counts.get("missed", 0):
        parts.append(
            say("{count} edits that polling had missed: [watermark] overlap is too small for this server", count=missed)
        )
    if unstamped := counts.get("unstamped", 0):
        parts.append(say("{count} edits without a new stamp, which only a sweep can see", count=unstamped))
    down = [say("{side} unavailable: {error}", side=side, error=error) for side, error in result.down.items()]
    done = say("{outcome}: {parts}", outcome=word(result.outcome), parts=joined(parts, ", "))
    return joined([done, *down])


def _observed(result: Result) -> str:
    due = foreseen({name.removeprefix("would_"): n for name, n in result.counts.items() if name.startswith("would_")})
    return joined(
        [
            say(
                "{outcome}: only observing, nothing was written; due now: {due}", outcome=word(result.outcome), due=due
            ),
            *(say("{side} unavailable: {error}", side=side, error=error) for side, error in result.down.items()),
        ]
    )


# The two values as JSON, one line each


def request_line(request: Request, operator: str) -> str:
    """A request as it travels."""
    body = {"command": type(request).__name__.lower(), "operator": operator, **asdict(request)}
    return json.dumps(body, ensure_ascii=True)


def parse_request(line: str) -> tuple[Request, str]:
    """The request of a line and its operator. Raises `UsageError` for anything that is not exactly one."""
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(say("the request is not one line of JSON")) from None
    if not isinstance(body, dict):
        raise UsageError(say("the request is not a JSON object"))
    kind = KINDS.get(body.pop("command", None)) if isinstance(body.get("command"), str) else None
    if kind is None:
        raise UsageError(say("the request names no command; it is one of {commands}", commands=", ".join(KINDS)))
    operator = body.pop("operator", None)
    if not isinstance(operator, str) or not operator:
        raise UsageError(say("the request does not say who asks (operator)"))
    types = get_type_hints(kind)
    if set(body) != {field.name for field in fields(kind)} or not all(_fits(body[name], types[name]) for name in types):
        raise UsageError(say("the request takes exactly: {keys}", keys=", ".join(types)))
    return kind(**body), operator


def _fits(value: Any, expected: Any) -> bool:
    return isinstance(value, expected) and not isinstance(value, bool)


def said_line(said: Said) -> str:
    """An answer as it travels; its sentences keep what they are translated by."""
    body = {"out": [pack(one) for one in said.out], "err": [pack(one) for one in said.err], "code": said.exit_code}
    return json.dumps(body, ensure_ascii=True)


def parse_said(line: str) -> Said:
    """The answer of a line. Raises `ValueError` if it is none."""
    body = json.loads(line)
    try:
        out, err = (tuple(unpack(str(one)) for one in body[name]) for name in ("out", "err"))
        return Said(out=out, err=err, exit_code=int(body["code"]))
    except (KeyError, TypeError) as error:
        raise ValueError("not an answer") from error
