"""The moment of a plan: our time, both servers' clocks, and what the state knew before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.core.model import Side
from reconciler.core.resolve import Clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a plan is made: our time, each server's clock against it, and what the state knew before.

    `statuses` are the status words (comparable form) that each side has ever shown, `archived` the ids of projects that
    are in an archive.
    """

    now: datetime
    clocks: Clocks
    statuses: Mapping[Side, frozenset[str]] = field(default_factory=dict)
    archived: frozenset[str] = frozenset()

    def server(self, side: Side) -> datetime:
        offset = self.clocks.crm if side is Side.CRM else self.clocks.work
        return self.now + (offset.value or timedelta(0))
