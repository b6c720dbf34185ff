"""What a connection's state says now: troubles that last, and what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.model import ZONE, Attention, Side
from reconciler.errors import Halted, ReconcilerError
from reconciler.message import say, unpack
from reconciler.ports import StateReader

PATIENCE: Final = timedelta(minutes=15)
"""A side that does not answer is no news before this; servers are restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that lasts. It is worth telling once it is `patience` old; `over` says so when it has ended.

    `lines` say what to do; `personal` may quote a record.
    """

    topic: str
    since: datetime
    subject: str
    over: str
    lines: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    patience: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How it stands at `now`: troubles by cause, and what waits for a person and was not acknowledged.

    `blind` where the state could not be read: then nothing is known to be over.
    """

    connection: str
    now: datetime
    troubles: Mapping[str, Trouble]
    attention: tuple[Attention, ...] = ()
    blind: bool = False


def situation(connection: str, state: StateReader | None, error: Exception | None, now: datetime) -> Situation:
    """The situation after a tick that `error` ended, if one did. `state` is None where it could not be opened."""
    troubles: dict[str, Trouble] = {}
    if state is not None:
        troubles |= _halt(state) | _sides(state)
    if error is not None:
        troubles |= _failure(error, now)
    attention = [] if state is None else [entry for entry in state.attention() if entry.acked is None]
    return Situation(connection=connection, now=now, troubles=troubles, attention=tuple(attention), blind=state is None)


def local(moment: datetime) -> str:
    """A moment as a person in Vietnam reads it."""
    return f"{moment.astimezone(ZONE):%d/%m/%Y %H:%M}"


def _halt(state: StateReader) -> dict[str, Trouble]:
    halted = state.fact("halted")
    if halted is None:
        return {}
    lines = (
        unpack(halted["message"]),
        say("{count} operations are held: {fingerprint}", count=halted["count"], fingerprint=halted["fingerprint"]),
        say("look at them with `reconciler report`, then `reconciler resume --reason .. [--approve FINGERPRINT]`"),
    )
    return {f"halted {halted['reason']}": _halted(datetime.fromisoformat(halted["since"]), lines)}


def _halted(since: datetime, lines: tuple[str, ...]) -> Trouble:
    return Trouble(
        topic="halted",
        since=since,
        subject=say("halted: a person must look first"),
        over=say("the halt is over"),
        lines=lines,
    )


def _sides(state: StateReader) -> dict[str, Trouble]:
    found: dict[str, Trouble] = {}
    for side in Side:
        health = state.fact(f"side.{side}")
        if health is None:
            continue
        since, reason = datetime.fromisoformat(health["since"]), (unpack(health["reason"]),)
        if health["kind"] == "SideClosed":
            found[f"refused {side}"] = Trouble(
                topic="refused",
                since=since,
                subject=say("{side} refuses the connection", side=side),
                over=say("{side} lets the connection in again", side=side),
                lines=(say("credentials, rights or an administrator's decision: see `reconciler check`"),),
                personal=reason,
            )
        else:
            found[f"down {side}"] = Trouble(
                topic="down",
                since=since,
                subject=say("{side} does not answer", side=side),
                over=say("{side} answers again", side=side),
                lines=(say("edits wait and flow when it is back; nothing is lost"),),
                personal=reason,
                patience=PATIENCE,
            )
    return found


def _failure(error: Exception, now: datetime) -> dict[str, Trouble]:
    if isinstance(error, Halted):
        return {f"halted {error.reason}": _halted(now, (error.message,))}
    if isinstance(error, ReconcilerError):
        line = error.message
    else:
        line = say("unexpected failure ({kind}); the log says more", kind=type(error).__name__)
    return {
        f"failed {type(error).__name__}": Trouble(
            topic="failed",
            since=now,
            subject=say("the cycles fail"),
            over=say("the cycles work again"),
            lines=(line,),
        )
    }
