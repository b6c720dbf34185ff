"""From pairs and candidates to a plan: what would be written, why, and what waits.

`plan` is the one planner: the dry run prints its result, a real cycle applies it. It moves the bases of every change
that needs no write, so that an old change inside a status class never undoes a later completion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from reconciler.core import text
from reconciler.core.attention import aside_entry, candidate_entry, lost_sight
from reconciler.core.change import bounds_of, change, set_aside, tells_more, triple, witnessed
from reconciler.core.creation import Request, request
from reconciler.core.evidence import Evidence, Grounds, Ruling
from reconciler.core.loss import Loss, loss
from reconciler.core.merge import Accepted, Conflict, Flow, Settled, Triple, merge
from reconciler.core.model import (
    Aside,
    Attention,
    Candidate,
    Code,
    Difference,
    Field,
    Half,
    Link,
    Presence,
    Record,
    Side,
)
from reconciler.core.moment import Moment
from reconciler.core.observe import with_half
from reconciler.core.operations import (
    ConflictLine,
    Create,
    Delete,
    FieldChange,
    Operation,
    Unlink,
    Update,
    order,
)
from reconciler.core.policy import Policy
from reconciler.core.resolve import Decision
from reconciler.core.route import Places, Unusable
from reconciler.core.suspicion import count_revert, suspicion

T = TypeVar("T")

COMPLETED: Final = "Đã hoàn thành"
SETTLE_AT_MOST: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What there is to plan: pairs with news or waiting work, tasks to be created with their present rows."""

    links: Sequence[Link] = ()
    candidates: Sequence[tuple[Candidate, Record]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A pair with work that is due, or a task that asks for an item (`work_id` is None), which the pilot leaves out."""

    crm_id: str
    work_id: str | None
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`links` are the pairs after everything that needs no write, `rulings` the decisions that wrote nothing and told
    something new; `refused` the candidates that wait.

    They wait for a person, or, if `outside` names them, for the pilot to take them in.
    """

    operations: tuple[Operation, ...] = ()
    conflicts: tuple[ConflictLine, ...] = ()
    links: Mapping[str, Link] = field(default_factory=dict)
    rulings: tuple[Ruling, ...] = ()
    refused: tuple[Candidate, ...] = ()
    outside: tuple[Outside, ...] = ()
    raised: tuple[Attention, ...] = ()
    cleared: tuple[Attention, ...] = ()


@dataclass(slots=True)
class _Draft:
    """A plan while it is being made."""

    operations: list[Operation] = field(default_factory=list)
    conflicts: list[ConflictLine] = field(default_factory=list)
    links: dict[str, Link] = field(default_factory=dict)
    rulings: list[Ruling] = field(default_factory=list)
    refused: list[Candidate] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)
    raised: list[Attention] = field(default_factory=list)
    cleared: list[Attention] = field(default_factory=list)


def plan(work: Workload, policy: Policy, moment: Moment, places: Places) -> Plan:
    """Plan everything in `work`. `places` holds what `needs` asked for; the order of the result is that of the ids."""
    draft = _Draft()
    for link in sorted(work.links, key=lambda link: order(link.crm.id)):
        _plan_pair(link, policy, moment, places, draft)
    for candidate, task in sorted(work.candidates, key=lambda pair: order(pair[0].crm_id)):
        _plan_create(candidate, task, policy, moment, places, draft)
    return Plan(
        operations=tuple(draft.operations),
        conflicts=tuple(draft.conflicts),
        links=draft.links,
        rulings=tuple(draft.rulings),
        refused=tuple(draft.refused),
        outside=tuple(draft.outside),
        raised=tuple(draft.raised),
        cleared=tuple(draft.cleared),
    )


# --- pairs ------------------------------------------------------------------------------------------------------------


def _plan_pair(link: Link, policy: Policy, moment: Moment, places: Places, draft: _Draft) -> None:
    outside = not policy.pilot.admits(link, policy.people)
    lost = loss(link, policy, moment.clocks)
    if lost is not None and outside:
        _leave_out(link, moment, draft)
        return
    if lost is not None and lost.side is Side.WORK and _out_of_sight(link, places):
        draft.raised.append(lost_sight(link, moment.now))
        draft.links[link.crm.id] = replace(link, frozen=True, dirty_since=None)
        return
    if lost is not None:
        _plan_loss(link, lost, moment, draft)
        return
    changes: dict[Side, list[FieldChange]] = {Side.CRM: [], Side.WORK: []}
    conflicts: list[ConflictLine] = []
    waiting = False
    for name, lens in policy.lenses.items():
        seen = triple(link, name)
        if seen is None:
            continue
        verdict = merge(lens, policy.directions[name], seen)
        evidence = witnessed(link, name, seen, policy, moment)
        match verdict:
            case Settled():
                if seen.moves:
                    _rule(link, name, evidence, draft, kind="settled")
                link = _released(_rebased(link, name, seen), name, draft)
                link = replace(link, differences=_without(link.differences, name))
                continue
            case Accepted(reason):
                known = link.differences.get(name)
                if seen.moves:
                    _rule(link, name, evidence, draft, kind="accepted", reason=reason)
                difference = known or Difference(reason=reason, since=moment.now)
                link = _released(_rebased(link, name, seen), name, draft)
                link = replace(link, differences={**link.differences, name: difference})
                continue
            case Flow() | Conflict() if outside:
                waiting = True
                continue
            case Flow(giver):
                reason = f"changed_on_{giver}"
                link = count_revert(link, name, lens, giver, policy, moment)
            case _:  # a conflict
                decision = evidence.decision()
                conflicts.append(_conflict_line(link, name, seen, decision))
                giver, reason = decision.winner, "conflict"
        suspect = suspicion(link, name, giver, evidence, policy, moment)
        doubt = suspect.aside(policy.config)
        if doubt is not None and name not in link.aside:
            _rule(link, name, evidence, draft, kind="set_aside", reason=doubt.code, side=doubt.side, grounds=suspect)
            link = replace(link, aside={**link.aside, name: doubt})
            draft.raised.append(aside_entry(link, name, doubt))
        if name in link.aside and link.aside[name].code is Code.PING_PONG:
            continue
        if any(want.field is name and want.hold > moment.now for want in link.wanted):
            waiting = True
            continue
        evidence = replace(evidence, bounds=bounds_of(link, name, lens, giver, seen, policy, places))
        match change(link, name, lens, giver, evidence, reason, policy, moment):
            case FieldChange() as made:
                changes[giver.other].append(made)
            case Aside() as aside:
                if tells_more(aside, link.aside.get(name)):
                    _rule(link, name, evidence, draft, kind="set_aside", reason=aside.code, side=aside.side)
                link = replace(link, aside={**link.aside, name: aside})
                draft.raised.append(aside_entry(link, name, aside))
            case _:  # blocked
                waiting = waiting or _waits_for_time(link.aside.get(name), moment)
    if link.frozen:
        draft.cleared.append(lost_sight(link, moment.now))
    frozen = _frozen(link, moment)
    link = replace(link, frozen=frozen, completed=_completed(link, policy))
    if outside and (waiting or lacking(link, policy)):
        _leave_out(link, moment, draft)
        return
    missing = any(link.half(side).presence is Presence.MISSING for side in Side)
    due = any(changes.values())
    if due and (frozen or missing or not _quiet(link, policy, moment)):
        changes, conflicts, waiting = {}, [], not frozen
    draft.conflicts += [line for line in conflicts if any(_concerns(change, line) for change in _all(changes))]
    for side, listed in changes.items():
        if listed:
            draft.operations.append(
                Update(side=side, crm_id=link.crm.id, work_id=link.work.id, title=link.title, changes=tuple(listed))
            )
    if not (due or waiting or link.aside):
        link = _agreeing(link)
    dirty = (due and not frozen) or waiting or missing or unmarked(link, policy) != ()
    since = (link.dirty_since or moment.now) if dirty else None
    draft.links[link.crm.id] = replace(link, dirty_since=since)


def _rule(
    link: Link,
    name: Field,
    evidence: Evidence,
    draft: _Draft,
    *,
    kind: str,
    reason: str = "",
    side: Side | None = None,
    grounds: Grounds | None = None,
) -> None:
    draft.rulings.append(
        Ruling(
            crm_id=link.crm.id,
            work_id=link.work.id,
            side=side,
            field=name,
            kind=kind,
            reason=reason,
            crm_stamp=evidence.crm_stamp,
            work_stamp=evidence.work_stamp,
            evidence=grounds or evidence,
        )
    )


def _leave_out(link: Link, moment: Moment, draft: _Draft) -> None:
    """What is due for a pair waits, durably, until the pilot takes it in."""
    draft.outside.append(Outside(crm_id=link.crm.id, work_id=link.work.id, title=link.title))
    draft.links[link.crm.id] = replace(link, dirty_since=link.dirty_since or moment.now)


def _frozen(link: Link, moment: Moment) -> bool:
    archived = any(link.half(side).presence is Presence.ARCHIVED for side in Side)
    return archived or (link.work.project is not None and link.work.project in moment.archived)


def _out_of_sight(link: Link, places: Places) -> bool:
    """Whether a work item is gone together with its whole project: a right was taken away, nothing was deleted."""
    gone, project = link.work.presence is Presence.GONE, link.work.project
    return gone and project is not None and all(shown.id != project for shown in places.projects)


def _completed(link: Link, policy: Policy) -> bool:
    crm, work = link.crm.seen.get(Field.STATUS), link.work.seen.get(Field.STATUS)
    done = isinstance(work, str) and text.word(work) == text.word(COMPLETED)
    return done and policy.lenses[Field.STATUS].agree(crm, work)


def unmarked(link: Link, policy: Policy) -> tuple[Side, ...]:
    """The sides on which the counterpart's id is to be written."""
    return lacking(link, policy) if policy.pilot.admits(link, policy.people) else ()


def lacking(link: Link, policy: Policy) -> tuple[Side, ...]:
    """The sides on which the record does not carry the counterpart's id although it should."""
    return tuple(
        side
        for side in Side
        if side in policy.marks
        and link.half(side).marker != link.half(side.other).id
        and not link.half(side).marker_refused
    )


def _all(changes: Mapping[Side, list[FieldChange]]) -> list[FieldChange]:
    return [change for listed in changes.values() for change in listed]


def _concerns(change: FieldChange, line: ConflictLine) -> bool:
    return change.field is line.field


def _waits_for_time(aside: Aside | None, moment: Moment) -> bool:
    return aside is not None and aside.until is not None


def _quiet(link: Link, policy: Policy, moment: Moment) -> bool:
    """Whether the pair may be acted on: no back-off runs, and both records have been quiet for the settle time.

    Settling delays a pair at most a minute after it first became dirty; a future stamp or our own counts as quiet.
    """
    if link.not_before is not None and moment.now < link.not_before:
        return False
    if link.dirty_since is not None and moment.now - link.dirty_since >= SETTLE_AT_MOST:
        return True
    return all(_settled(link.half(side), moment.server(side), policy.settle) for side in Side)


def _settled(half: Half, server_now: datetime, settle: timedelta) -> bool:
    stamp = half.modified
    return stamp is None or stamp == half.own_stamp or stamp > server_now or server_now - stamp >= settle


def _rebased(link: Link, name: Field, seen: Triple) -> Link:
    for side in Side:
        half = link.half(side)
        if half.base.get(name) != seen.now(side) or name not in half.base:
            link = with_half(link, side, replace(half, base={**half.base, name: seen.now(side)}))
    return link


def _released(link: Link, name: Field, draft: _Draft) -> Link:
    aside = link.aside.get(name)
    if aside is None:
        return link
    if aside.code is Code.PING_PONG:
        link = replace(link, reverts=_without(link.reverts, name))
    draft.cleared.append(aside_entry(link, name, aside))
    return replace(link, aside=_without(link.aside, name))


def _agreeing(link: Link) -> Link:
    for side in Side:
        half = link.half(side)
        if half.agreed != half.modified:
            link = with_half(link, side, replace(half, agreed=half.modified))
    return replace(link, tries=0, drops=0, not_before=None)


def _without(mapping: Mapping[Field, T], key: Field) -> Mapping[Field, T]:
    return {other: value for other, value in mapping.items() if other != key}


def _conflict_line(link: Link, name: Field, seen: Triple, decision: Decision) -> ConflictLine:
    return ConflictLine(
        crm_id=link.crm.id,
        work_id=link.work.id,
        field=name,
        base=seen.base(decision.winner.other),
        crm=seen.crm,
        work=seen.work,
        decision=decision,
    )


def _plan_loss(link: Link, lost: Loss, moment: Moment, draft: _Draft) -> None:
    ids = {"crm_id": link.crm.id, "work_id": link.work.id, "title": link.title}
    match lost.verdict():
        case "delete", side, _:
            draft.operations.append(Delete(side=side, evidence=lost, **ids))
        case "unlink", side, reason:
            draft.operations.append(Unlink(side=side, reason=reason, evidence=lost, **ids))
    draft.links[link.crm.id] = replace(link, dirty_since=link.dirty_since or moment.now)


# --- creates ----------------------------------------------------------------------------------------------------------


def _plan_create(
    candidate: Candidate, task: Record, policy: Policy, moment: Moment, places: Places, draft: _Draft
) -> None:
    asked = request(task, candidate.target, policy, places)
    owner = task.values.get(Field.OWNER)
    if not policy.pilot.admits_new(candidate.target.project, places.projects, owner, policy.people):
        _refuse(candidate, replace(candidate, refused=Code.OUTSIDE_PILOT, words=""), task, asked, draft)
        draft.outside.append(Outside(crm_id=candidate.crm_id, work_id=None, title=candidate.title))
        return
    place = asked.place()
    if isinstance(place, Unusable):
        refused = replace(candidate, refused=place.code, words=place.message)
        _refuse(candidate, refused, task, asked, draft)
        draft.raised.append(candidate_entry(refused, moment.now))
        return
    project, group = place
    values, left_out = asked.payload(policy.lenses)
    omitted = {
        name: set_aside(Side.WORK, fault, asked.source[name], policy, moment) for name, fault in left_out.items()
    }
    draft.operations.append(
        Create(
            crm_id=candidate.crm_id,
            title=candidate.title,
            candidate=candidate,
            project=project.id,
            group=group.id,
            values=values,
            source=asked.source,
            omitted=omitted,
            evidence=asked,
        )
    )


def _refuse(candidate: Candidate, refused: Candidate, task: Record, asked: Request, draft: _Draft) -> None:
    """The task waits until its target or the config is another one; it is told once why."""
    draft.refused.append(replace(refused, config=asked.config))
    if (candidate.refused, candidate.words) == (refused.refused, refused.words):
        return
    draft.rulings.append(
        Ruling(
            crm_id=candidate.crm_id,
            side=Side.WORK,
            kind="set_aside",
            reason=str(refused.refused),
            crm_stamp=task.modified,
            evidence=asked,
        )
    )
