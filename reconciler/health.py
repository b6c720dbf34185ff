"""The health of a side as the state remembers it: since when it fails, how often, and when it is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.connection import Connection
from reconciler.core.model import Side
from reconciler.errors import SideDown, SideError
from reconciler.message import pack, say, unpack
from reconciler.ports import StateReader, Store

BACK_OFF_AT_MOST: Final = timedelta(minutes=15)
WAITING: Final = "waiting"
"""The code of the error that stands for a side which is not asked yet."""


def barred(connection: Connection, state: StateReader, *, patient: bool) -> dict[Side, SideError]:
    """The sides that must not be asked yet: the server named a time, or (`patient`) our own back-off runs."""
    held: dict[Side, SideError] = {}
    for side in Side:
        health = state.fact(f"side.{side}")
        if health is None or not (patient or health["asked"]):
            continue
        if connection.clock.now() < datetime.fromisoformat(health["not_before"]):
            held[side] = SideDown(
                side,
                say(
                    "{reason}; asked again after {not_before}",
                    reason=unpack(health["reason"]),
                    not_before=health["not_before"],
                ),
                code=WAITING,
            )
    return held


def remember(store: Store, down: Mapping[Side, SideError], now: datetime, first: timedelta) -> None:
    """Write down how the sides are, if that changed. `first` is the first back-off; it doubles up to 15 minutes."""
    for side in Side:
        before = store.fact(f"side.{side}")
        after = _health(before, down.get(side), now, first)
        if after != before:
            with store.transaction() as tx:
                tx.set_fact(f"side.{side}", after)


def _health(
    before: dict[str, Any] | None, error: SideError | None, now: datetime, first: timedelta
) -> dict[str, Any] | None:
    if error is None or error.code == WAITING:
        return before if error is not None else None
    failures = before["failures"] + 1 if before else 1
    wait = min(error.retry_after or first * (1 << min(failures - 1, 10)), BACK_OFF_AT_MOST)
    return {
        "since": before["since"] if before else now.isoformat(),
        "failures": failures,
        "not_before": (now + wait).isoformat(),
        "asked": error.retry_after is not None,
        "reason": pack(error.message),
        "kind": type(error).__name__,
    }
