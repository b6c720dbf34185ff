"""What a new work item gets from its CRM task, and what a side is known to refuse before it is asked."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.lenses import Unmapped, empty, put
from reconciler.core.model import Aside, Code, Direction, Field, Record, Side, Value, Values
from reconciler.core.moment import Moment
from reconciler.core.policy import Policy
from reconciler.core.route import Places
from reconciler.message import say


def wanted(source: Values, policy: Policy) -> frozenset[Field]:
    """The fields that a task with these values wants on its item."""
    return frozenset(
        name
        for name, lens in policy.lenses.items()
        if policy.directions[name] is not Direction.OFF
        and not empty(source.get(name))
        and lens.is_value(Side.CRM, source.get(name), None)
    )


def payload(
    task: Record, project: str, policy: Policy, moment: Moment, places: Places
) -> tuple[Values, Values, Mapping[Field, Aside]]:
    """What a new work item gets from a CRM task: values to send, the CRM values behind them, fields left out."""
    asked = wanted(task.values, policy)
    values: dict[Field, Value] = {}
    omitted: dict[Field, Aside] = {}
    for name, lens in policy.lenses.items():
        if name not in asked:
            continue
        source = task.values.get(name)
        value = put(lens, Side.WORK, source, None)
        fault = value if isinstance(value, Unmapped) else refusal(name, Side.WORK, value, project, policy, places)
        if fault is not None:
            omitted[name] = Aside(
                side=Side.WORK, code=fault.code, words=fault.words, value=source, since=moment.now, config=policy.config
            )
        else:
            assert not isinstance(value, Unmapped)
            values[name] = value
    return values, dict(task.values), omitted


def refusal(
    name: Field, target: Side, value: Value, project: str | None, policy: Policy, places: Places
) -> Unmapped | None:
    """What the target is known to refuse before it is asked: a text over its limit, a doer who is no member."""
    limit = policy.lengths[target].get(name)
    if limit is not None and isinstance(value, str) and len(value) > limit:
        return Unmapped(
            Code.FIELD_TOO_LONG,
            say("{count} characters; at most {limit} are accepted there", count=len(value), limit=limit),
        )
    if name is Field.OWNER and target is Side.WORK and isinstance(value, tuple) and value and project is not None:
        members = places.members.get(project)
        if members is not None and value[0] not in members:
            return Unmapped(
                Code.PERSON_UNKNOWN, say("{value} is no member of project {project}", value=value[0], project=project)
            )
    return None
