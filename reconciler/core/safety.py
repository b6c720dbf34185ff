"""Safety limits: what would change or delete unusually much is held before its first write, for a person to look at.

Limits hold the operations of one kind and direction; everything else flows. The functions are the same in a dry run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.lenses import empty
from reconciler.core.model import Presence, Side
from reconciler.core.operations import Create, FieldChange, Operation, Update, fingerprint
from reconciler.core.policy import Limits
from reconciler.message import joined, say

EVERYTHING: Final = "everything"
EMPTIED_FROM: Final = 3
SCALE_AT_MOST: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """What is held and why. `kinds` are the held kinds and directions; they stay held until a person resumes."""

    reason: str
    message: str
    kinds: tuple[str, ...]
    held: tuple[Operation, ...]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The operations that may go on, and the halt that holds the others, if any."""

    operations: tuple[Operation, ...]
    halt: Halt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the limits are measured against.

    `open_pairs` are not completed on both sides. `lost` counts by side the linked records that a complete look found
    absent, `linked` all pairs. `still_held` are kinds that an earlier halt holds, `approved` the canonical forms of
    operations that a person has approved. `down_for` is the time since the last finished cycle.
    """

    linked: int
    open_pairs: int
    lost: Mapping[Side, int]
    still_held: Collection[str] = ()
    approved: frozenset[str] = frozenset()
    down_for: timedelta = timedelta(0)


def kind_of(operation: Operation) -> str:
    """The kind and direction by which an operation is counted. Clearing a field counts as deleting."""
    if isinstance(operation, Create):
        return "create"
    if isinstance(operation, Update) and not any(_clears(change) for change in operation.changes):
        return f"update_{operation.side}"
    return f"delete_{operation.side}"


def _clears(change: FieldChange) -> bool:
    return empty(change.after) and not empty(change.before)


def check(operations: Sequence[Operation], limits: Limits, around: Circumstances) -> Checked:
    """Sort the operations into those that may go on and those that are held."""
    for side, lost in around.lost.items():
        if not around.approved and lost >= EMPTIED_FROM and lost >= around.linked:
            message = say(
                "none of the {lost} linked records of {side} can be seen any more; nothing is written",
                lost=lost,
                side=side,
            )
            halt = Halt(reason="emptied_side", message=message, kinds=(EVERYTHING,), held=tuple(operations))
            return Checked(operations=(), halt=halt)
    counted: dict[str, list[Operation]] = {}
    for operation in operations:
        if operation.canonical not in around.approved:
            counted.setdefault(kind_of(operation), []).append(operation)
    tripped = {name: over for name, found in counted.items() if (over := _over(name, len(found), limits, around))}
    kinds = tuple(sorted({*tripped, *(name for name in counted if held(name, around.still_held))}))
    if not kinds:
        return Checked(operations=tuple(operations))
    holding = tuple(one for name in kinds for one in counted[name])
    reason = "limit" if tripped else "still_held"
    why = joined(tripped.values()) or say("held since an earlier halt; look at it, then `reconciler resume`")
    halt = Halt(reason=reason, message=why, kinds=kinds, held=holding)
    chosen = {id(one) for one in holding}
    return Checked(operations=tuple(one for one in operations if id(one) not in chosen), halt=halt)


def held(name: str, still_held: Collection[str]) -> bool:
    """Whether operations of this kind are held by an earlier halt."""
    return name in still_held or EVERYTHING in still_held


def _over(name: str, count: int, limits: Limits, around: Circumstances) -> str | None:
    if name == "create":
        return (
            say("{count} creates, at most {max_creates} a cycle", count=count, max_creates=limits.max_creates)
            if count > limits.max_creates
            else None
        )
    if name.startswith("delete"):
        share = limits.max_delete_percent / 100 * around.linked
        most = say("{count} deletions or unlinks ({name})", count=count, name=name)
        if count > limits.max_deletes:
            return say("{most}, at most {max_deletes} a cycle", most=most, max_deletes=limits.max_deletes)
        if count >= limits.min_deletes and count > share:
            return say(
                "{most}, more than {max_delete_percent} % of {linked} pairs",
                most=most,
                max_delete_percent=f"{limits.max_delete_percent:g}",
                linked=around.linked,
            )
        return None
    scale = min(SCALE_AT_MOST, 1 + around.down_for.days)
    share = limits.max_update_percent / 100 * around.open_pairs * scale
    if count > limits.max_updates * scale:
        return say(
            "{count} updates ({name}), at most {value} a cycle",
            count=count,
            name=name,
            value=limits.max_updates * scale,
        )
    if count >= limits.min_updates and count > share:
        return say(
            "{count} updates ({name}), more than {max_update_percent} % of {open_pairs} open pairs",
            count=count,
            name=name,
            max_update_percent=f"{limits.max_update_percent:g}",
            open_pairs=around.open_pairs,
        )
    return None


def absent(presence: Presence) -> bool:
    """Whether the last complete answer by id did not hold the record."""
    return presence in (Presence.MISSING, Presence.GONE)


def down_for(last_finished: datetime | None, now: datetime) -> timedelta:
    """How long no cycle has finished."""
    return timedelta(0) if last_finished is None else max(now - last_finished, timedelta(0))
