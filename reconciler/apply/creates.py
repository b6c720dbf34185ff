"""Creates: new work items for CRM tasks, never two for one.

An intent is durable before the call; after an unclear answer, or a crash, the item is searched by its marker before
anything is sent again (see `pair`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reconciler.apply.ledger import Ledger
from reconciler.core import verdict
from reconciler.core.attention import aside_entry, candidate_entry
from reconciler.core.creation import Request
from reconciler.core.model import (
    Accepted,
    Answer,
    Aside,
    Attention,
    Candidate,
    Code,
    Draft,
    Entry,
    Field,
    Intent,
    Link,
    Presence,
    Record,
    Refused,
    Side,
)
from reconciler.core.observe import by_us
from reconciler.core.operations import Create
from reconciler.core.pair import adopt_intent, answers_to_create, newborn
from reconciler.errors import NotApplied, SideClosed, SideDown, Unclear

OPTIONAL: Final = frozenset({Field.DESCRIPTION, Field.START, Field.DUE, Field.OWNER, Field.STATUS})
"""What a work item can do without; the title it cannot."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One create with the CRM row it was planned from, read again just before."""

    create: Create
    task: Record
    intent: Intent


async def apply_creates(ledger: Ledger, creates: Sequence[Create]) -> None:
    """Create one batch. What is refused for an optional field is sent again without it, in the same cycle.

    It ends: whatever comes back lacks at least one optional field more.
    """
    waiting = creates
    while waiting:
        waiting = await ledger.once_more(functools.partial(_attempt, ledger, waiting))


async def _attempt(ledger: Ledger, creates: Sequence[Create]) -> list[Create]:
    jobs = await _prepare(ledger, creates)
    if not jobs:
        return []
    drafts = [
        Draft(values=job.create.values, project=job.create.project, group=job.create.group, marker=job.create.crm_id)
        for job in jobs
    ]
    try:
        answers = await ledger.writers.work.create(drafts)
    except (NotApplied, SideClosed):
        _withdraw(ledger, jobs)
        raise
    except Unclear as unclear:
        if not await _search(ledger, jobs):
            raise SideDown(Side.WORK, str(unclear), words=unclear.words) from unclear
        return []
    return await _conclude(ledger, jobs, answers)


async def _prepare(ledger: Ledger, creates: Sequence[Create]) -> list[_Job]:
    """Read the CRM tasks again and write the intents down. A task that changed waits for the next plan."""
    rows = await ledger.writers.crm.by_id([one.crm_id for one in creates])
    sent, floor = ledger.now, ledger.server_floor(Side.WORK)
    jobs: list[_Job] = []
    entries: list[Entry] = []
    for one in creates:
        row = rows.get(one.crm_id)
        if row is None or row.presence is not Presence.PRESENT or not _as_planned(ledger, one, row):
            entries.append(_entry(ledger, "dropped", one, reason="changed_meanwhile"))
            ledger.counts["dropped"] += 1
            continue
        intent = Intent(
            crm_id=one.crm_id,
            target=one.candidate.target,
            values=one.values,
            source=one.source,
            sent=sent,
            floor=floor,
            title=one.title,
            on_request=one.candidate.on_request,
        )
        jobs.append(_Job(one, row, intent))
        if one.evidence is not None:
            entries.append(_drafted(ledger, one, one.evidence))
        entries += [
            replace(_entry(ledger, "intent", one, rule=f"{name}.to_work"), field=name, new=value)
            for name, value in one.values.items()
        ]
    ledger.guard()
    with ledger.store.transaction() as tx:
        tx.save_intents(job.intent for job in jobs)
        tx.append(entries)
    return jobs


def _as_planned(ledger: Ledger, create: Create, row: Record) -> bool:
    lenses = ledger.connection.policy.lenses
    return all(
        name not in row.values or lenses[name].same(Side.CRM, row.values[name], value)
        for name, value in create.source.items()
    )


def _entry(ledger: Ledger, kind: str, create: Create, *, rule: str = "", reason: str = "created") -> Entry:
    return Entry(
        kind=kind,
        at=ledger.now,
        cycle=ledger.cycle,
        crm_id=create.crm_id,
        side=Side.WORK,
        rule=rule,
        reason=reason,
        detail={"project": create.project, "group": create.group},
    )


def _drafted(ledger: Ledger, create: Create, evidence: Request) -> Entry:
    """The decision that stands before the intents: what they were made from, and what was left out."""
    entry = _entry(ledger, "drafted", create)
    left_out = {name.value: aside.code.value for name, aside in create.omitted.items()}
    return replace(entry, inputs=evidence.inputs, detail={**entry.detail, **evidence.detail, "left_out": left_out})


def _withdraw(ledger: Ledger, jobs: Sequence[_Job]) -> None:
    with ledger.store.transaction() as tx:
        tx.drop_intents([job.create.crm_id for job in jobs])
        tx.append([_entry(ledger, "not_applied", job.create) for job in jobs])


async def _search(ledger: Ledger, jobs: Sequence[_Job]) -> bool:
    """The answer was unclear: look for our markers at once. What is not found stays an intent.

    Returns whether every item was found, so that the write took effect after all.
    """
    wanted = {job.create.crm_id: job for job in jobs}
    found: dict[str, Record] = {}

    def visit(rows: Sequence[Record]) -> None:
        for row in rows:
            if row.marker in wanted and row.presence is not Presence.DELETED:
                found.setdefault(row.marker, row)

    since = min(job.intent.floor for job in jobs) - ledger.connection.policy.overlap
    try:
        await ledger.writers.work.changes(since, visit)
    except (SideDown, SideClosed):
        return False
    ours = ledger.ours(Side.WORK)
    links = [
        adopt_intent(wanted[crm_id].intent, wanted[crm_id].task, item, ledger.connection.policy, ours, ledger.now)
        for crm_id, item in found.items()
    ]
    with ledger.store.transaction() as tx:
        ledger.save(tx, links)
        tx.drop_intents(list(found))
        tx.drop_candidates(list(found))
        ledger.tell(tx, verdict.linked(found, ledger.now))
        tx.append([ledger.entry("linked", link, Side.WORK, rule="marker_of_intent") for link in links])
        for link in links:
            tx.append(answers_to_create(link, wanted[link.crm.id].intent.values, ledger.now))
    ledger.counts["created"] += len(links)
    return len(links) == len(jobs)


async def _conclude(ledger: Ledger, jobs: Sequence[_Job], answers: Sequence[Answer]) -> list[Create]:
    """Link what was created, by what is read back; sort out what was refused."""
    made = {answer.id: job for job, answer in zip(jobs, answers, strict=True) if isinstance(answer, Accepted)}
    rows = await ledger.writers.work.by_id(list(made)) if made else {}
    again: list[Create] = []
    refused: list[Candidate] = []
    entries: list[Entry] = []
    raised: list[Attention] = []
    links: list[Link] = []
    settled = [job.create.crm_id for job, answer in zip(jobs, answers, strict=True) if isinstance(answer, Refused)]
    with ledger.store.transaction() as tx:
        for identifier, job in made.items():
            row = rows.get(identifier)
            if row is None:
                continue  # created and not visible yet: the intent stays, the next cycle searches
            link = _link(ledger, job, row)
            if _clean(ledger, job, row):
                ledger.learn(tx, Side.WORK, row.author)
            links.append(link)
            entries += answers_to_create(link, job.create.values, ledger.now)
            raised += [aside_entry(link, name, aside) for name, aside in link.aside.items()]
        for job, answer in zip(jobs, answers, strict=True):
            if not isinstance(answer, Refused):
                continue
            ledger.counts["refused"] += 1
            entries.append(_entry(ledger, "refused", job.create, reason=answer.code))
            smaller = _without_culprit(ledger, job.create, answer)
            if smaller is not None:
                again.append(smaller)
            else:
                candidate = replace(
                    job.create.candidate,
                    refused=answer.code,
                    words=answer.words or answer.code.value,
                    config=ledger.circumstances,
                )
                refused.append(candidate)
                raised.append(candidate_entry(candidate, ledger.now))
        ledger.save(tx, links)
        created = [link.crm.id for link in links]
        tx.drop_intents([*created, *settled])
        tx.drop_candidates(created)
        tx.save_candidates(refused)
        ledger.tell(tx, [*verdict.linked(created, ledger.now), *verdict.refused(refused)])
        tx.append([*entries, *(ledger.entry("created", link, Side.WORK, reason="created") for link in links)])
        tx.raise_attention(raised)
    ledger.counts["created"] += len(links)
    return again


def _link(ledger: Ledger, job: _Job, item: Record) -> Link:
    mine = by_us(item, ledger.ours(Side.WORK))
    link = newborn(
        job.task,
        item,
        sent=job.create.values,
        source=job.create.source,
        omitted=job.create.omitted,
        by_us=lambda _: mine,
        lenses=ledger.connection.policy.lenses,
        now=ledger.now,
    )
    return replace(link, aside=job.create.omitted)


def _clean(ledger: Ledger, job: _Job, item: Record) -> bool:
    """Whether the item shows what was sent and nothing more: then nobody but us has written it."""
    lenses = ledger.connection.policy.lenses
    return all(
        lens.same(Side.WORK, job.create.values.get(name), item.values.get(name)) for name, lens in lenses.items()
    )


def _without_culprit(ledger: Ledger, create: Create, answer: Refused) -> Create | None:
    """The create without the optional field that was refused; without all of them if the server named none."""
    sent = OPTIONAL & create.values.keys()
    culprits = {answer.field} & sent if answer.field is not None else _blamable(answer) & sent
    if not culprits:
        return None
    omitted: Mapping[Field, Aside] = {
        name: Aside(
            side=Side.WORK,
            code=answer.code,
            words=answer.words or answer.code.value,
            value=create.source.get(name),
            since=ledger.now,
            config=ledger.circumstances if answer.field is not None else "",
        )
        for name in culprits
    }
    values = {name: value for name, value in create.values.items() if name not in culprits}
    return replace(create, values=values, omitted={**create.omitted, **omitted}, evidence=None)


def _blamable(answer: Refused) -> frozenset[Field]:
    """A refusal about the place or the right to add is no field's fault."""
    return OPTIONAL if answer.code in (Code.INVALID_VALUE, Code.FIELD_TOO_LONG) else frozenset()
