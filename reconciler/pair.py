"""Pair: find out which of the polled records belong together, and which tasks still need a counterpart.

Takes the news of the poll and what the state still holds (creates without an outcome, markers, tombstones, waiting
candidates), reads single records by id where needed, and gives the workload for the planner. Still writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.connection import Connection
from reconciler.core import verdict
from reconciler.core.attention import aside_entry
from reconciler.core.model import (
    Attention,
    Candidate,
    Claim,
    Code,
    Entry,
    Field,
    Intent,
    Link,
    Presence,
    Record,
    Side,
    Target,
    Tombstone,
    Verdict,
)
from reconciler.core.observe import absorb_late, observe, with_half
from reconciler.core.operations import order
from reconciler.core.pair import adopt_intent, adopt_marker, answers_to_create, earliest, points_back
from reconciler.core.plan import Workload
from reconciler.core.policy import Policy
from reconciler.core.route import target_of
from reconciler.errors import Halted, SideClosed, SideDown
from reconciler.message import say
from reconciler.poll import News, authors, claim_of, connected_at
from reconciler.ports import StateReader


@dataclass(slots=True)
class Pairing:
    """What pairing changed in the state's books, to be recorded with the news."""

    adopted: dict[str, Link] = field(default_factory=dict)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    settled_intents: set[str] = field(default_factory=set)
    settled_candidates: set[str] = field(default_factory=set)
    claims: dict[str, Claim] = field(default_factory=dict)
    spent_claims: set[str] = field(default_factory=set)
    tombstones: list[Tombstone] = field(default_factory=list)
    lifted: set[str] = field(default_factory=set)
    verdicts: list[Verdict] = field(default_factory=list)
    work: Workload = field(default_factory=Workload)


async def pair(
    connection: Connection,
    state: StateReader,
    news: News,
    requested: Sequence[Candidate] | None = None,
    *,
    rebuilding: bool = False,
) -> Pairing:
    """Match what is unlinked, then gather everything that the planner has to look at.

    With `requested` (tasks that a person named) the workload is those tasks alone. Raises `Halted` where a new state
    meets our markers, unless the person is `rebuilding` it from just those.
    """
    stage = _Stage(connection, state, news, requested, rebuilding)
    known = {claim.work_id: claim for claim in state.claims()} if news.items else {}
    for row in news.items.values():
        claim = claim_of(row)
        before = known.get(row.id)
        reported = before is not None and before.reported and replace(before, reported=False) == claim
        stage.result.claims[row.id] = replace(claim, reported=reported)
    await stage.settle_intents()
    await stage.lift_tombstones()
    await stage.match_markers()
    if requested is not None:
        named = {candidate.crm_id for candidate in requested}
        await stage.adopt_requested(named)
        ready = [(candidate, row) for candidate, row in await stage.gather_candidates() if candidate.crm_id in named]
        mine = [news.links[crm_id] for crm_id in sorted(named & stage.result.adopted.keys())]
        stage.result.work = Workload(links=tuple(mine), candidates=tuple(ready))
        return stage.result
    candidates = await stage.gather_candidates()
    links = {link.crm.id: news.current(link) for link in state.dirty_links()} | news.links
    stage.result.work = Workload(links=tuple(links.values()), candidates=tuple(candidates))
    return stage.result


@dataclass(slots=True)
class _Stage:
    connection: Connection
    state: StateReader
    news: News
    requested: Sequence[Candidate] | None = None
    rebuilding: bool = False
    result: Pairing = field(default_factory=Pairing)

    @property
    def searched(self) -> bool:
        """Whether this cycle has read all of Work's news, which is what a marker search needs."""
        reading = self.news.readings.get(Side.WORK)
        return reading is not None and reading.complete and (reading.full or bool(self.state.fact("listed")))

    async def fetch(self, side: Side, ids: Iterable[str]) -> dict[str, Record] | None:
        """Records by id, or None when the side does not answer; then nothing may be concluded."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        if side in self.news.down:
            return None
        try:
            return await self.connection.readers[side].by_id(wanted)
        except (SideDown, SideClosed) as error:
            self.news.down[side] = error
            return None

    def adopt(self, link: Link, claims: Iterable[Claim], rule: str) -> None:
        """Make a pair; everything else known about its two records as strangers is settled with it."""
        self.result.adopted[link.crm.id] = link
        self.news.learn(link)
        if self.connection.policy.tells and not self.rebuilding:
            self.result.verdicts += verdict.linked([link.crm.id], self.news.now)
        self.news.tasks.pop(link.crm.id, None)
        self.news.items.pop(link.work.id, None)
        self.result.settled_intents.add(link.crm.id)
        self.result.settled_candidates.add(link.crm.id)
        for claim in claims:
            self.result.claims.pop(claim.work_id, None)
            self.result.spent_claims.add(claim.work_id)
        self.news.entries.append(
            Entry(
                kind="linked",
                at=self.news.now,
                crm_id=link.crm.id,
                work_id=link.work.id,
                rule=rule,
                crm_modified=link.crm.modified,
                work_modified=link.work.modified,
            )
        )

    def claims_for(self, crm_ids: Iterable[str]) -> dict[str, list[Claim]]:
        """Markers for these tasks, of the state and of this cycle's poll."""
        wanted = set(crm_ids)
        known = {claim.work_id: claim for claim in self.state.claims(wanted)} if wanted else {}
        known |= {claim.work_id: claim for claim in self.result.claims.values() if claim.crm_id in wanted}
        found: dict[str, list[Claim]] = {}
        for claim in known.values():
            if claim.work_id not in self.result.spent_claims:
                found.setdefault(claim.crm_id, []).append(claim)
        return found

    async def settle_intents(self) -> None:
        """Look for the items of creates whose outcome is unknown; only a complete search says that there is none."""
        intents = {intent.crm_id: intent for intent in self.state.intents()}
        claims = self.claims_for(intents)
        tasks = await self.fetch(Side.CRM, claims)
        items = await self.fetch(Side.WORK, (claim.work_id for found in claims.values() for claim in found))
        if tasks is None or items is None:
            return
        ours = authors(self.state)[Side.WORK]
        for crm_id, intent in intents.items():
            found = claims.get(crm_id, [])
            first = earliest(claim for claim in found if claim.work_id in items)
            if first is not None and items[first.work_id].presence is Presence.DELETED:
                first = None
            if first is not None and crm_id in tasks:
                link = adopt_intent(
                    intent, tasks[crm_id], items[first.work_id], self.connection.policy, ours, self.news.now
                )
                self.adopt(link, [first], "marker_of_intent")
                self.news.entries += answers_to_create(link, intent.values, self.news.now)
            elif first is None and found:
                task, item = tasks.get(crm_id), items.get(found[0].work_id)
                link = None
                if task is not None and item is not None:
                    link = adopt_intent(intent, task, item, self.connection.policy, ours, self.news.now)
                self._bury(intent, found[0], link)
            elif not found and self.searched and self._waited(intent):
                self.result.settled_intents.add(crm_id)
                self.result.candidates[crm_id] = _again(intent)

    def _waited(self, intent: Intent) -> bool:
        return self.news.now >= intent.sent + self.connection.policy.resolve_after

    def _bury(self, intent: Intent, claim: Claim, link: Link | None) -> None:
        """The record of an unclear create was found deleted: it was created, then deleted; no second one is sent."""
        self.result.settled_intents.add(intent.crm_id)
        self.result.settled_candidates.add(intent.crm_id)
        self.news.tasks.pop(intent.crm_id, None)
        self.result.tombstones.append(
            Tombstone(
                crm_id=intent.crm_id,
                work_id=claim.work_id,
                reason="created_then_deleted",
                manual=False,
                at=self.news.now,
                link=link,
            )
        )

    async def lift_tombstones(self) -> None:
        """Attach again the two records of an automatic tombstone when both are present.

        What had been refused is tried again: nobody may know of it any more.
        """
        graves = [grave for grave in self.news.buried.values() if not grave.manual]
        tasks = await self.fetch(Side.CRM, (grave.crm_id for grave in graves))
        items = await self.fetch(Side.WORK, (grave.work_id for grave in graves))
        if tasks is None or items is None:
            return
        taken = self.state.links_by(Side.CRM, [grave.crm_id for grave in graves])
        taken_items = self.state.links_by(Side.WORK, [grave.work_id for grave in graves])
        for grave in graves:
            task, item = tasks.get(grave.crm_id), items.get(grave.work_id)
            if task is None or item is None or grave.crm_id in taken or grave.work_id in taken_items:
                continue
            if Presence.DELETED in (task.presence, item.presence):
                continue
            link = grave.link or self._joined(task, item)
            for row in (task, item):
                half = observe(link.half(row.side), row, self.connection.policy.lenses, authors(self.state)[row.side])
                link = with_half(link, row.side, replace(half, marker_refused=False))
            link = absorb_late(link, self.connection.policy.lenses, authors(self.state))
            claims = self.claims_for([grave.crm_id]).get(grave.crm_id, [])
            same = [claim for claim in claims if claim.work_id == grave.work_id]
            self.result.lifted.add(grave.crm_id)
            self.news.buried.pop(grave.crm_id)
            self.news.cleared += [aside_entry(link, name, aside) for name, aside in link.aside.items()]
            fresh = replace(link, key=0, aside={}, not_before=None, dirty_since=self.news.now)
            self.adopt(fresh, same, "restored_record")

    async def match_markers(self) -> None:
        """Link unlinked items that carry a marker, if the task they name points back; copies are only reported.

        What was judged is put aside until the item changes, or until its task asks for a counterpart.
        """
        if not self.searched:
            return
        open_claims = {claim.work_id: claim for claim in self.state.claims() if not claim.reported}
        open_claims |= {claim.work_id: claim for claim in self.result.claims.values() if not claim.reported}
        claims = [claim for claim in open_claims.values() if claim.work_id not in self.result.spent_claims]
        intents = {intent.crm_id for intent in self.state.intents()} - self.result.settled_intents
        fresh = {claim.crm_id for claim in claims}
        asking = self.claims_for({*self.news.tasks, *(candidate.crm_id for candidate in self.state.candidates())})
        graves = self.state.tombstones(crm_ids=sorted(fresh | asking.keys()))
        buried = {grave.crm_id: grave.work_id for grave in graves if grave.crm_id not in self.result.lifted}
        named = (fresh | (asking.keys() - buried.keys())) - intents
        tasks = await self.fetch(Side.CRM, named)
        if tasks is None:
            return
        if tasks and not self.rebuilding and not self.state.fact("listed"):
            raise Halted(
                "new_state",
                say(
                    "this state is new, but {count} work items carry markers of existing CRM tasks; run "
                    "`reconciler rebuild` so that nothing is created twice",
                    count=len(tasks),
                ),
                len(tasks),
            )
        linked = self.state.links_by(Side.CRM, named)
        by_task = self.claims_for(named)
        for crm_id in sorted(named, key=lambda name: (len(name), name)):
            task, judged = tasks.get(crm_id), by_task.get(crm_id, [])
            taken = crm_id in linked or crm_id in buried or crm_id in self.result.adopted
            first = None
            if task is not None and task.presence is not Presence.DELETED and not taken:
                first = earliest(judged)
                if first is not None and points_back(task, first.work_id) and not await self._adopt_marked(task, first):
                    return  # Work does not answer: nothing more can be concluded
            judged = [claim for claim in judged if claim.work_id not in self.result.spent_claims]
            if first is not None or taken:
                own = buried.get(crm_id)
                self._report([claim for claim in judged if not claim.deleted and claim.work_id != own], crm_id)
            self._shelve(judged)

    async def _adopt_marked(self, task: Record, claim: Claim) -> bool:
        """Link the two if the item is alive. False if Work does not answer."""
        items = await self.fetch(Side.WORK, [claim.work_id])
        if items is None:
            return False
        item = items.get(claim.work_id)
        if item is not None and item.presence is not Presence.DELETED:
            self.news.tasks.pop(task.id, None)
            self.adopt(self._joined(task, item), [claim], "marker")
        return True

    def _joined(self, task: Record, item: Record) -> Link:
        """Two records without a common past as a pair; where they differ, a person is told."""
        seeded = adopt_marker(task, item, self.connection.policy, authors(self.state), self.news.now)
        self.news.raised += [no_base(seeded.link, name, self.news.now) for name in seeded.accepted]
        return seeded.link

    async def adopt_requested(self, named: Collection[str]) -> None:
        """A living unlinked item that carries the task's marker is the one that the person means, even if reported."""
        if not self.searched:
            return
        found = {crm_id: earliest(claims) for crm_id, claims in self.claims_for(named).items()}
        wanted = {crm_id: claim for crm_id, claim in found.items() if claim and crm_id not in self.result.adopted}
        tasks = await self.fetch(Side.CRM, wanted)
        for crm_id, claim in wanted.items():
            if tasks and crm_id in tasks:
                await self._adopt_marked(tasks[crm_id], claim)

    def _shelve(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            self.result.claims[claim.work_id] = replace(claim, reported=True)

    def _report(self, claims: Iterable[Claim], crm_id: str) -> None:
        for claim in claims:
            if claim.reported:
                continue
            self._shelve([claim])
            self.news.raised.append(
                Attention(
                    side=Side.WORK,
                    id=claim.work_id,
                    code=Code.DUPLICATE_MARKER,
                    message=(
                        say(
                            "work item {work_id} carries the marker of CRM task {crm_id}, which belongs to another "
                            "item; it is not linked. If it is a copy, clear its custom field crm_task_id",
                            work_id=claim.work_id,
                            crm_id=crm_id,
                        )
                    ),
                    since=self.news.now,
                    content=crm_id,
                )
            )

    async def gather_candidates(self) -> list[tuple[Candidate, Record]]:
        """Unlinked tasks that ask for a work item, with the row to plan from; needs a complete search of Work."""
        policy, now = self.connection.policy, self.news.now
        waiting = {c.crm_id: c for c in self.state.candidates()} | self.result.candidates
        self.result.settled_candidates |= {
            crm_id for crm_id in self.news.declined & waiting.keys() if not waiting[crm_id].on_request
        }
        for crm_id in self.result.settled_candidates:
            waiting.pop(crm_id, None)
        since = connected_at(self.state)
        if since is None and Side.CRM in self.news.readings:
            since = self.news.readings[Side.CRM].started
        for crm_id, task in self.news.tasks.items():
            target = target_of(task, policy.routes, since, policy.people)
            if target is not None:
                waiting[crm_id] = _renewed(waiting.get(crm_id), task, target, policy, now)
        for candidate in self.requested or ():
            if candidate.crm_id not in self.result.settled_candidates:
                waiting[candidate.crm_id] = candidate
        linked = self.state.links_by(Side.CRM, waiting.keys())
        buried = {grave.crm_id for grave in self.state.tombstones(crm_ids=sorted(waiting))} - self.result.lifted
        unclear = {intent.crm_id for intent in self.state.intents()} - self.result.settled_intents
        for crm_id in {*linked, *buried, *unclear}:
            if waiting.pop(crm_id, None) is not None and crm_id not in unclear:
                self.result.settled_candidates.add(crm_id)
        self.result.candidates = waiting
        if not self.searched or Side.CRM in self.news.down:
            return []
        due = [c for c in waiting.values() if _due(c, policy.config, now)]
        rows = await self.fetch(Side.CRM, (c.crm_id for c in due if c.crm_id not in self.news.tasks))
        if rows is None:
            return []
        rows = {**rows, **self.news.tasks}
        ready = []
        for candidate in due:
            row = rows.get(candidate.crm_id)
            if row is None or row.presence is not Presence.PRESENT or not self._still_asks(candidate, row, since):
                self.result.settled_candidates.add(candidate.crm_id)
                self.result.candidates.pop(candidate.crm_id)
            else:
                ready.append((candidate, row))
        return await self._adopt_named(ready)

    async def _adopt_named(self, ready: list[tuple[Candidate, Record]]) -> list[tuple[Candidate, Record]]:
        """Link a task to the unmarked item that it names itself: the pair was forgotten, and the item's marker cleared.

        Gives the tasks that name none. An item that carries another task's marker was not made for this one; of copies
        of a task the oldest is meant.
        """
        named = {task.marker for _, task in ready if task.marker is not None and task.marker.isdecimal()}
        items = await self.fetch(Side.WORK, named)
        if items is None:
            return []
        taken = {*self.state.links_by(Side.WORK, named), *(link.work.id for link in self.result.adopted.values())}
        taken |= {grave.work_id for grave in self.state.tombstones(work_ids=sorted(named))} if named else set()
        rest = []
        for candidate, task in sorted(ready, key=lambda one: order(one[1].id)):
            item = items.get(task.marker or "")
            if item is None or item.marker is not None or item.presence is Presence.DELETED or item.id in taken:
                rest.append((candidate, task))
                continue
            taken.add(item.id)
            self.result.candidates.pop(task.id)
            self.adopt(self._joined(task, item), [], "marker")
        return rest

    def _still_asks(self, candidate: Candidate, row: Record, since: datetime | None) -> bool:
        """A task that a person named on the command line needs no target of its own; others must still have theirs."""
        policy = self.connection.policy
        target = target_of(row, policy.routes, since, policy.people)
        return candidate.on_request or target == candidate.target


def _due(candidate: Candidate, config: str, now: datetime) -> bool:
    if candidate.not_before is not None and now < candidate.not_before:
        return False
    return candidate.refused is None or candidate.config != config


def _again(intent: Intent) -> Candidate:
    return Candidate(
        crm_id=intent.crm_id,
        target=intent.target,
        since=intent.sent,
        title=intent.title,
        on_request=intent.on_request,
    )


def _renewed(known: Candidate | None, task: Record, target: Target, policy: Policy, now: datetime) -> Candidate:
    """The candidate after this row; a refusal stays as long as the target and the title that it was refused for.

    A task that the pilot left out is judged again when its owner takes part.
    """
    title = task.values.get(Field.TITLE)
    text = title if isinstance(title, str) else ""
    if known is not None and known.target == target:
        owner = task.values.get(Field.OWNER)
        if (
            known.refused is Code.OUTSIDE_PILOT
            and policy.pilot.people
            and policy.pilot.admits_owner(owner, policy.people)
        ):
            return replace(known, title=text, refused=None)
        if known.refused is None or known.refused is Code.OUTSIDE_PILOT or known.title == text:
            return replace(known, title=text)
    return Candidate(crm_id=task.id, target=target, since=known.since if known else now, title=text)


def no_base(link: Link, name: Field, now: datetime) -> Attention:
    """Two records were joined without a common past and differ in a field; both values were left as they are."""
    return Attention(
        side=Side.CRM,
        id=link.crm.id,
        code=Code.NO_BASE,
        field=name,
        title=link.title,
        message=(
            say(
                "{name} differs between CRM task {id} and work item {id2}, and nothing says which is "
                "later; both were left as they are. Edit either side, and the edit flows to the other",
                name=name,
                id=link.crm.id,
                id2=link.work.id,
            )
        ),
        since=now,
    )
