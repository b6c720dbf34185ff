"""Who is later: last writer wins on the stamps of the field, corrected by the measured clock of each server.

The stamp of a field is the record's stamp at the first observation that showed the field's present value. Where there
is no evidence (no stamp, no clock, or a difference that the clocks cannot tell) the configured side wins and the
decision is marked as a tie.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.model import Offset, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The measured offset of each server's clock, and what the config says about ties."""

    crm: Offset
    work: Offset
    tolerance: timedelta
    tie: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict over a conflict. `reason` is newer, tie, no_clock or no_base; the stamps are the servers' own."""

    winner: Side
    reason: str
    crm_modified: datetime | None
    work_modified: datetime | None


def resolve(crm: datetime | None, work: datetime | None, clocks: Clocks) -> Decision:
    """Decide between the two sides by the stamps of the field; both in their own server's time."""

    def decided(winner: Side, reason: str) -> Decision:
        return Decision(winner=winner, reason=reason, crm_modified=crm, work_modified=work)

    if crm is None or work is None:
        return decided(clocks.tie, "tie")
    if clocks.crm.value is None or clocks.work.value is None:
        return decided(clocks.tie, "no_clock")
    later_by = (crm - clocks.crm.value) - (work - clocks.work.value)
    unsure = max(clocks.tolerance, clocks.crm.uncertainty + clocks.work.uncertainty)
    if abs(later_by) <= unsure:
        return decided(clocks.tie, "tie")
    return decided(Side.CRM if later_by > timedelta(0) else Side.WORK, "newer")
