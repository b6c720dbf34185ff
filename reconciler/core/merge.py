"""The three-way merge of one field: what changed since the two sides last agreed, and what follows from it.

Level, not edge: only the net difference from the base counts. A verdict says nothing about stamps; who is later is
the next stage's question (`resolve`).
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.lenses import Lens, empty
from reconciler.core.model import Direction, Side, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Triple:
    """One field of a pair: the two bases and the two present values. `based` is False where no base exists yet."""

    crm_base: Value
    crm: Value
    work_base: Value
    work: Value
    based: bool = True

    def base(self, side: Side) -> Value:
        return self.crm_base if side is Side.CRM else self.work_base

    def now(self, side: Side) -> Value:
        return self.crm if side is Side.CRM else self.work

    @property
    def moves(self) -> bool:
        """Whether a base that becomes what its side shows now is another one then."""
        return not self.based or any(self.base(side) != self.now(side) for side in Side)


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing to write: the sides agree. The present values become the bases."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Nothing to write although the sides differ: the present values become the bases."""

    reason: str


@dataclass(frozen=True, slots=True)
class Flow:
    """The value of `giver` goes to the other side."""

    giver: Side


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides changed and disagree."""


Verdict = Settled | Accepted | Flow | Conflict


def merge(lens: Lens, direction: Direction, triple: Triple) -> Verdict:
    """The verdict over one field.

    A value that is none (a missing status) neither changes anything nor competes. On a field that flows one way only,
    the receiving value never competes. Without a base an empty value never replaces another one.
    """
    if lens.agree(triple.crm, triple.work):
        return Settled()
    if direction is Direction.OFF:
        return Accepted("off")
    if not triple.based:
        return _without_base(direction, triple)
    changed = {side: _changed(lens, triple, side) for side in Side}
    givers = [side for side in Side if changed[side] and direction.gives(side)]
    match givers:
        case [Side.CRM, Side.WORK]:
            return Conflict()
        case [giver]:
            return Flow(giver)
    return Accepted("one_directional" if any(changed.values()) else "unchanged")


def _changed(lens: Lens, triple: Triple, side: Side) -> bool:
    value = triple.now(side)
    return lens.is_value(side, value, triple.now(side.other)) and lens.moved(side, triple.base(side), value)


def _without_base(direction: Direction, triple: Triple) -> Verdict:
    for giver in Side:
        if empty(triple.now(giver.other)) and not empty(triple.now(giver)) and direction.gives(giver):
            return Flow(giver)
    return Accepted("no_base")
