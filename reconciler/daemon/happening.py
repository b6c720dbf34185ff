"""What the keepers of the daemon tell: frozen values, to whoever listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.core.model import Entry, Field
from reconciler.core.safety import Halt
from reconciler.errors import ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one tick ended. `outcome` is that of the cycle, or failed, or stopped.

    `down` are the sides that did not answer and why; `error` is what kept the cycle from ending by itself; `entries`
    are the journal's lines of this cycle, `reasons` why each conflict was decided as it was, by CRM id and field.
    """

    connection: str
    sweeping: bool
    started: datetime
    took: timedelta = timedelta(0)
    outcome: str = "failed"
    cycle: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    down: Mapping[str, ReconcilerError] = field(default_factory=dict)
    halt: Halt | None = None
    error: Exception | None = None
    entries: tuple[Entry, ...] = ()
    reasons: Mapping[tuple[str | None, Field | None], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A person's request was dealt with; `error` is a bug that it met."""

    connection: str
    command: str
    exit_code: int
    error: Exception | None = None


Happening = Ended | Asked
