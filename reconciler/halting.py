"""Halts and pauses: what the state holds back, and how a person lets it go on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.core.model import Entry
from reconciler.core.safety import Halt
from reconciler.errors import UsageError
from reconciler.message import pack, say
from reconciler.ports import StateReader, Store
from reconciler.prospect import Prospect


def halt_fact(halt: Halt, since: str) -> dict[str, Any]:
    """A halt as the state and the reports hold it."""
    return {
        "reason": halt.reason,
        "message": pack(halt.message),
        "count": len(halt.held),
        "fingerprint": halt.fingerprint,
        "kinds": list(halt.kinds),
        "operations": [one.canonical for one in halt.held],
        "since": since,
    }


def settle_halt(store: Store, prospect: Prospect, now: datetime, cycle: int) -> bool:
    """Store or renew the halt that this cycle found, or keep the one that still waits. Returns whether one stands."""
    before: Mapping[str, Any] | None = store.fact("halted")
    halt = prospect.halt
    if store.fact("approved") is not None and not prospect.news.down and not _interrupted(prospect):
        with store.transaction() as tx:
            tx.set_fact("approved", None)
    if store.fact("resumed"):
        with store.transaction() as tx:
            tx.set_fact("resumed", None)
    if halt is None:
        return before is not None
    fact = halt_fact(halt, before["since"] if before else now.isoformat())
    if before is None or fact != before:
        if before is not None:
            fact |= {"reason": before["reason"], "message": before["message"]} if halt.reason == "still_held" else {}
        with store.transaction() as tx:
            tx.set_fact("halted", fact)
            if before is None:
                tx.append(
                    [
                        Entry(
                            kind="halted",
                            at=now,
                            cycle=cycle,
                            reason=halt.reason,
                            detail={
                                "count": len(halt.held),
                                "fingerprint": halt.fingerprint,
                                "kinds": list(halt.kinds),
                            },
                        )
                    ]
                )
    return True


def _interrupted(prospect: Prospect) -> bool:
    """Whether a write that the last process died in is still being waited for: what was approved goes on after it."""
    return bool(prospect.news.resolved) or any(link.wanted for link in prospect.plan.links.values())


def pausing(state: StateReader, now: datetime) -> bool:
    """Whether a person has asked for writes to wait, and that time has not passed."""
    paused = state.fact("paused")
    if paused is None:
        return False
    return paused["until"] is None or now < datetime.fromisoformat(paused["until"])


def pause(store: Store, now: datetime, reason: str, until: datetime | None, operator: str) -> None:
    """Writes wait until `resume` or `until`; reads go on."""
    with store.transaction() as tx:
        tx.set_fact(
            "paused",
            {
                "reason": reason,
                "since": now.isoformat(),
                "until": until.isoformat() if until else None,
                "operator": operator,
            },
        )
        ends = {"until": until.isoformat()} if until else {}
        tx.append([Entry(kind="paused", at=now, operator=operator, detail=ends).because(reason)])


def resume(store: Store, now: datetime, reason: str, operator: str, approve: str | None) -> str:
    """End a pause and a halt; with `approve` the held operations of that fingerprint pass the next cycle's limits.

    Raises `UsageError` if no halt holds that fingerprint.
    """
    halted = store.fact("halted")
    if approve is not None and (halted is None or halted["fingerprint"] != approve):
        known = (
            say("; held is {fingerprint}", fingerprint=halted["fingerprint"]) if halted else say("; nothing is held")
        )
        raise UsageError(say("no held operations have the fingerprint {approve}{known}", approve=approve, known=known))
    with store.transaction() as tx:
        tx.set_fact("paused", None)
        tx.set_fact("halted", None)
        tx.set_fact("resumed", True)
        if approve is not None and halted is not None:
            tx.set_fact("approved", halted["operations"])
        tx.append(
            [
                Entry(
                    kind="approved" if approve else "resumed",
                    at=now,
                    operator=operator,
                    detail={"fingerprint": approve} if approve else {},
                ).because(reason)
            ]
        )
    if approve is not None and halted is not None:
        return say("{count} held operations are approved", count=halted["count"])
    return say("resumed; the next cycle plans again")
