"""The change of one field of a pair: what the planner looks at, and what goes over, waits or is known to be refused."""

from __future__ import annotations

from reconciler.core.bounds import Bounds, bounds
from reconciler.core.evidence import Evidence
from reconciler.core.lenses import Lens, Unmapped
from reconciler.core.merge import Triple
from reconciler.core.model import Aside, Field, Link, Side, Value
from reconciler.core.moment import Moment
from reconciler.core.operations import FieldChange
from reconciler.core.policy import Policy
from reconciler.core.route import Places


def triple(link: Link, name: Field) -> Triple | None:
    """The field seen from both sides with both bases; None while a side has never shown it."""
    crm, work = link.crm, link.work
    if name not in crm.seen or name not in work.seen:
        return None
    return Triple(
        crm_base=crm.base.get(name),
        crm=crm.seen[name],
        work_base=work.base.get(name),
        work=work.seen[name],
        based=name in crm.base and name in work.base,
    )


def witnessed(link: Link, name: Field, seen: Triple, policy: Policy, moment: Moment) -> Evidence:
    """What a verdict over the field is made from."""
    return Evidence(
        triple=seen,
        direction=policy.directions[name],
        config=policy.config,
        crm_stamp=link.crm.stamps.get(name),
        work_stamp=link.work.stamps.get(name),
        clocks=moment.clocks,
    )


def bounds_of(link: Link, name: Field, lens: Lens, giver: Side, seen: Triple, policy: Policy, places: Places) -> Bounds:
    """The bounds of the record that the giver's value goes to."""
    into, project = giver.other, link.work.project
    return bounds(name, lens, into, seen.now(giver), seen.now(into), project, policy, places)


def change(
    link: Link, name: Field, lens: Lens, giver: Side, evidence: Evidence, reason: str, policy: Policy, moment: Moment
) -> FieldChange | Aside | None:
    """The change that brings the giver's value over; an aside if it is known to be refused; None while one blocks."""
    target, source = giver.other, evidence.triple.now(giver)
    known = link.aside.get(name)
    if known is not None and known.side is target and _blocks(known, lens, source, policy, moment):
        return None
    after = evidence.carried(lens, giver)
    if isinstance(after, Unmapped):
        return set_aside(target, after, source, policy, moment)
    return FieldChange(
        field=name,
        before=evidence.triple.now(target),
        after=after,
        source=source,
        reason=reason,
        rule=f"{name}.to_{target}",
        evidence=evidence,
    )


def set_aside(target: Side, fault: Unmapped, source: Value, policy: Policy, moment: Moment) -> Aside:
    """The field waits until the giver's value or the config is another one."""
    return Aside(side=target, code=fault.code, words=fault.words, value=source, since=moment.now, config=policy.config)


def tells_more(aside: Aside, known: Aside | None) -> bool:
    """Whether an aside is another one than before, and not the same one found again under another config."""
    return known is None or (aside.side, aside.code, aside.value) != (known.side, known.code, known.value)


def _blocks(aside: Aside, lens: Lens, source: Value, policy: Policy, moment: Moment) -> bool:
    if aside.config != policy.config or not lens.same(aside.side.other, aside.value, source):
        return False
    return aside.until is None or moment.now < aside.until
