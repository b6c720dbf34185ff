"""What becomes of a value on its way to the other side: what the map says, unless it is known to be refused there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core.lenses import Lens, Unmapped, put
from reconciler.core.model import Code, Field, Side, Value
from reconciler.core.policy import Policy
from reconciler.core.route import Places
from reconciler.message import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a side is known to refuse of a value before it is asked: a text of more than `limit` characters; a first
    doer who is no member of the project `foreign`."""

    limit: int | None = None
    foreign: str | None = None

    @property
    def plain(self) -> Mapping[str, Any]:
        """The bounds that there are, as the journal keeps them: `Bounds(**plain)` are these again."""
        return {name: value for name, value in (("limit", self.limit), ("foreign", self.foreign)) if value is not None}


UNBOUND = Bounds()


def bounds(
    name: Field, lens: Lens, into: Side, value: Value, old: Value, project: str | None, policy: Policy, places: Places
) -> Bounds:
    """The bounds of one field of a record on `into` for `value`; `project` is where the work item is or goes."""
    foreign = None
    if name is Field.OWNER and into is Side.WORK and project is not None:
        doers, members = put(lens, into, value, old), places.members.get(project)
        if members is not None and isinstance(doers, tuple) and doers and doers[0] not in members:
            foreign = project
    return Bounds(limit=policy.lengths[into].get(name), foreign=foreign)


def carried(lens: Lens, into: Side, value: Value, old: Value, bounds: Bounds) -> Value | Unmapped:
    """What `value` of the other side is on `into`, where `old` is now; or why it cannot be brought there."""
    after = put(lens, into, value, old)
    return after if isinstance(after, Unmapped) else refusal(after, bounds) or after


def refusal(value: Value, bounds: Bounds) -> Unmapped | None:
    """What the target is known to refuse before it is asked: a text over its limit, a doer who is no member."""
    if bounds.limit is not None and isinstance(value, str) and len(value) > bounds.limit:
        return Unmapped(
            Code.FIELD_TOO_LONG,
            say("{count} characters; at most {limit} are accepted there", count=len(value), limit=bounds.limit),
        )
    if bounds.foreign is not None and isinstance(value, tuple) and value:
        return Unmapped(
            Code.PERSON_UNKNOWN,
            say("{value} is no member of project {project}", value=value[0], project=bounds.foreign),
        )
    return None
