"""Poll: read what changed on both sides since their watermarks, and what is known to need another look.

Takes the state and the two readers, gives `News`: an overlay over the state that a real cycle records in one
transaction with the watermarks, and that a dry run throws away. Nothing is written here, to anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.connection import Connection
from reconciler.core import text
from reconciler.core.model import (
    Attention,
    Claim,
    Code,
    Entry,
    Field,
    Half,
    Link,
    Presence,
    Reading,
    Record,
    Sending,
    Side,
    Tombstone,
    Wanted,
)
from reconciler.core.observe import absorb_late, observe, our_author, sightings, with_half
from reconciler.core.pair import absent
from reconciler.core.policy import Policy
from reconciler.core.route import target_of
from reconciler.core.watermark import bound
from reconciler.errors import SideClosed, SideDown, SideError
from reconciler.message import say
from reconciler.ports import SideReader, StateReader

GRACE = timedelta(seconds=60)

LOOK_BACK = 2_000
"""Cycles among which the last one is looked for that reached both sides: more than a day of them."""

LATE_WRITE = timedelta(seconds=120)
"""How long a field waits at most after a write of ours whose effect is unknown."""


LOST = frozenset({Presence.DELETED, Presence.MISSING, Presence.GONE})


@dataclass(slots=True)
class News:
    """What one cycle has learned so far. `links` are keyed by CRM id and shadow the state's.

    `tasks` are unlinked CRM rows that ask for a work item (`declined`: that do not, or no longer), `items` unlinked
    Work rows that carry a marker, `buried` the tombstones met on the way. `suspects` are ids of linked records whose
    listed row looks older than what was seen before: they are read by id. `statuses` are words met on the way.

    `finished` is when the last cycle ended, in each server's time; `rewound` are pairs of which an older state does not
    know the truth, out of the `ours_since` rows that our account edited since then.

    `met` are ids of linked records that this cycle was shown or has asked for.

    A sweep fills in besides: `archived` projects, `places` (a digest of Work's projects).
    `pilot` is what the names of the pilot's projects were found to mean, where that was looked up.
    """

    now: datetime
    readings: dict[Side, Reading] = field(default_factory=dict)
    suspects: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    down: dict[Side, SideError] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    tasks: dict[str, Record] = field(default_factory=dict)
    declined: set[str] = field(default_factory=set)
    items: dict[str, Record] = field(default_factory=dict)
    buried: dict[str, Tombstone] = field(default_factory=dict)
    met: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    statuses: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    archived: tuple[str, ...] | None = None
    places: str | None = None
    pilot: dict[str, list[str]] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    finished: Mapping[Side, datetime] = field(default_factory=dict)
    ours_since: int = 0
    rewound: set[str] = field(default_factory=set)
    resolved: list[Sending] = field(default_factory=list)
    raised: list[Attention] = field(default_factory=list)
    cleared: list[Attention] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def learn(self, link: Link) -> None:
        """Shadow a link of the state by its newer form."""
        self.links[link.crm.id] = link

    def current(self, link: Link) -> Link:
        return self.links.get(link.crm.id, link)

    @property
    def complete(self) -> bool:
        return len(self.readings) == len(Side) and all(reading.complete for reading in self.readings.values())


def watermark(state: StateReader, side: Side) -> datetime | None:
    """How far a side has been read, in its server's time; None before the first complete reading."""
    stored = state.fact(f"watermark.{side}")
    return None if stored is None else datetime.fromisoformat(stored)


def last_finished(state: StateReader) -> datetime | None:
    """When the last cycle ended that did end: one that was killed has no end, and says nothing."""
    return next((row.finished_at for row in state.cycles() if row.finished_at is not None), None)


def last_reached(state: StateReader) -> datetime | None:
    """When the last cycle ended in which no side failed: what happened since is news of a side."""
    ended = (row for row in state.cycles(limit=LOOK_BACK) if row.finished_at is not None)
    return next((row.finished_at for row in ended if row.outcome != "unavailable"), None)


def authors(state: StateReader) -> dict[Side, str | None]:
    """The author that API writes leave on each side, as far as it is known."""
    return {side: our_author(state.fact(f"authors.{side}")) for side in Side}


def connected_at(state: StateReader) -> datetime | None:
    """CRM server time when the first cycle with two complete readings began to read."""
    stored = state.fact("connected_at")
    return None if stored is None else datetime.fromisoformat(stored)


async def poll(
    connection: Connection,
    state: StateReader,
    *,
    sides: Collection[Side] = tuple(Side),
    barred: Mapping[Side, SideError],
    everything: bool = False,
    first: bool = True,
) -> News:
    """Read `sides`, both at once; a side in `barred` is left alone. A side that fails is in `News.down`.

    `everything` reads from the beginning instead of from the watermark; `first` says that this is the first cycle after
    a start, in which an old backup can show itself.
    """
    news = News(now=connection.clock.now(), down=dict(barred))
    finished = last_reached(state) if first else None
    await asyncio.gather(
        *(_read(connection, state, side, news, everything, finished) for side in sides if side not in barred)
    )
    await _look_again(connection, state, news)
    ours = authors(state)
    for link in [*news.links.values(), *(news.current(link) for link in state.dirty_links())]:
        settled = absorb_late(link, connection.policy.lenses, ours)
        open_wants = tuple(want for want in settled.wanted if want.expires > news.now or _unseen(settled, want, news))
        if settled is not link or open_wants != link.wanted:
            news.learn(replace(settled, wanted=open_wants))
    return news


def _unseen(link: Link, want: Wanted, news: News) -> bool:
    """Whether nobody could look yet whether a late write of ours has arrived."""
    target = link.half(want.side)
    return want.side in news.down or target.presence is not Presence.PRESENT or target.missing_since is not None


async def _read(
    connection: Connection,
    state: StateReader,
    side: Side,
    news: News,
    everything: bool,
    finished: datetime | None,
) -> None:
    floors = [intent.floor - connection.policy.overlap for intent in state.intents()] if side is Side.WORK else []
    since = bound(watermark(state, side), connection.policy.overlap, *floors)
    if everything or (side is Side.WORK and not state.fact("listed")):
        since = None
    reader = connection.readers[side]
    page = _Page(connection.policy, state, side, news, everything, reader, finished)
    try:
        reading = await reader.changes(since, page.visit)
    except (SideDown, SideClosed) as error:
        news.down[side] = error
        return
    news.readings[side] = reading
    unproven = Attention(
        side=side,
        id="",
        code=Code.READ_UNPROVEN,
        message=say("the listing of {side} could not be proven complete: {note}", side=side, note=reading.note),
        since=connection.clock.now(),
    )
    (news.cleared if reading.complete else news.raised).append(unproven)


@dataclass(slots=True)
class _Page:
    """Takes each page as it arrives and keeps only the rows that matter, so memory stays bounded by the news."""

    policy: Policy
    state: StateReader
    side: Side
    news: News
    sweeping: bool
    reader: SideReader
    finished: datetime | None
    ours: str | None = None
    since: datetime | None = None
    polled: datetime | None = None

    def __post_init__(self) -> None:
        self.ours = authors(self.state)[self.side]
        self.since = connected_at(self.state)
        self.polled = bound(watermark(self.state, self.side), self.policy.overlap)

    def visit(self, rows: Sequence[Record]) -> None:
        if self.finished is not None and self.side not in self.news.finished:
            offset = self.reader.offset()
            self.news.finished = {**self.news.finished, self.side: self.finished + (offset.value or timedelta(0))}
        fresh = {row.id: row for row in rows}
        links = self.state.links_by(self.side, fresh.keys())
        self.news.met[self.side].update(links)
        strangers = [row for row in fresh.values() if row.id not in links]
        for identifier, link in links.items():
            row, half = fresh[identifier], self.news.current(link).half(self.side)
            if self.sweeping:
                self._count_unseen(half, row)
            if row.modified is not None and half.modified is not None and row.modified < half.modified:
                self.news.suspects[self.side].add(identifier)
            else:
                look(link, row, self.news, self.policy, self.ours)
        self._bury(strangers)
        self._let_go(strangers)
        for row in strangers:
            self._meet(row)

    def _count_unseen(self, half: Half, row: Record) -> None:
        """A sweep counts what polling could not see: edits that left the stamp alone, and rows that it missed."""
        lenses = self.policy.lenses
        changed = any(
            not lenses[name].same(self.side, half.seen.get(name), value) for name, value in row.values.items()
        )
        if changed and row.modified is not None and self.polled is not None and row.modified < self.polled:
            self.news.counts["unstamped" if row.modified == half.modified else "missed"] += 1

    def _meet(self, row: Record) -> None:
        """Keep an unlinked row if it asks for a counterpart, or carries the marker of one."""
        if self.side is Side.WORK:
            if row.marker is not None:
                self.news.items[row.id] = row
            return
        wanted = target_of(row, self.policy.routes, self.since, self.policy.people)
        if wanted is not None:
            self.news.tasks[row.id] = row
            self.news.declined.discard(row.id)
        else:
            self.news.tasks.pop(row.id, None)
            self.news.declined.add(row.id)

    def _let_go(self, rows: Sequence[Record]) -> None:
        """What survived its counterpart is deleted too: nobody has to decide about it any more."""
        gone = {row.id for row in rows if row.presence is Presence.DELETED}
        waiting = self.state.attention() if gone else ()
        self.news.cleared += [
            one for one in waiting if one.code is Code.DELETED_ELSEWHERE and one.side is self.side and one.id in gone
        ]

    def _bury(self, rows: Sequence[Record]) -> None:
        """Remember the tombstones of records that are seen, if theirs was the record that had been lost."""
        ids = [row.id for row in rows if row.presence is not Presence.DELETED]
        names = {"crm_ids": ids} if self.side is Side.CRM else {"work_ids": ids}
        for tombstone in self.state.tombstones(**names) if ids else ():
            if tombstone.link is None or tombstone.link.half(self.side).presence in LOST:
                self.news.buried[tombstone.crm_id] = tombstone


def look(link: Link, row: Record, news: News, policy: Policy, ours: str | None) -> Link:
    """Observe a row of a linked record; the news keep the link if that told anything."""
    link = news.current(link)
    half = link.half(row.side)
    word = row.values.get(Field.STATUS)
    if isinstance(word, str) and word.strip():
        news.statuses[row.side].add(text.word(word))
    newer = observe(half, row, policy.lenses, ours)
    _remember_rewound(link, row, news, policy, ours)
    if newer == half:
        return link
    news.entries += sightings(link, row.side, newer, news.now)
    link = replace(with_half(link, row.side, newer), generation=link.generation + 1)
    news.learn(link)
    _notice(link, half, newer, row, news)
    return link


def _remember_rewound(link: Link, row: Record, news: News, policy: Policy, ours: str | None) -> None:
    """An old backup shows itself: our account gave the record values after the state's last cycle of which this state
    does not know. An interrupted write explains that, also one of a marker, of which no intent tells; a minute of grace
    spares other programs on the same account."""
    half, finished = link.half(row.side), news.finished.get(row.side)
    if finished is None or ours is None or row.author != ours or row.modified is None or row.modified <= finished:
        return
    news.ours_since += 1
    told = any(not policy.lenses[name].same(row.side, half.seen.get(name), now) for name, now in row.values.items())
    marked = half.marker != row.marker == link.half(row.side.other).id
    explained = not told or marked or bool(link.wanted)
    if half.own_stamp is not None and row.modified >= half.own_stamp + GRACE and not explained:
        news.rewound.add(link.crm.id)


def _notice(link: Link, before: Half, after: Half, row: Record, news: News) -> None:
    if row.side is not Side.CRM or not (after.project and after.group):
        return
    if (before.project, before.group) == (after.project, after.group):
        return
    if (after.project, after.group) == (link.work.project, link.work.group):
        return
    news.raised.append(
        Attention(
            side=Side.CRM,
            id=link.crm.id,
            code=Code.TARGET_CHANGED,
            message=(
                say(
                    "the target fields now say «{project}» / «{group}», but work item {id} exists already "
                    "and is not moved; move it in AMIS Công việc, or unlink the task and link it again",
                    project=after.project,
                    group=after.group,
                    id=link.work.id,
                )
            ),
            title=link.title,
            since=news.now,
            content=f"{after.project}|{after.group}",
        )
    )


async def _look_again(connection: Connection, state: StateReader, news: News) -> None:
    """Read by id what an interrupted write was to change, what a late write is given up on, and what was missing when
    last asked for."""
    policy = connection.policy
    wanted = {side: set(ids) for side, ids in news.suspects.items()}
    dirty = {link.key: news.current(link) for link in state.dirty_links()}
    for sending in state.sendings():
        link = dirty.get(sending.link)
        news.resolved.append(sending)
        if link is not None:
            link = interrupted(link, sending, policy.resolve_after)
            dirty[sending.link] = link
            news.learn(link)
            wanted[sending.side].add(link.half(sending.side).id)
    for link in {**dirty, **{link.key: link for link in news.links.values()}}.values():
        for want in link.wanted:
            if want.expires <= news.now:
                wanted[want.side].add(link.half(want.side).id)
    for link in dirty.values():
        for side in Side:
            half = link.half(side)
            confirmable = half.missing_since is not None and news.now >= half.missing_since + policy.confirm_after
            if half.presence is Presence.MISSING and confirmable:
                wanted[side].add(half.id)
    for side, ids in wanted.items():
        if ids and side not in news.down:
            await reread(connection, state, side, ids, news)


def interrupted(link: Link, sending: Sending, patience: timedelta) -> Link:
    """The link after a write whose effect nobody has seen: what it was to bring is remembered until it must have shown.

    It may arrive for as long as `patience` after it was sent, and at least one look at its target follows then.
    """
    wants = tuple(
        Wanted(
            field=name,
            side=sending.side,
            value=value,
            source=sending.source.get(name),
            sent=sending.sent,
            hold=sending.sent + min(LATE_WRITE, patience),
            expires=sending.sent + patience,
        )
        for name, value in sending.values.items()
    )
    return replace(link, wanted=(*link.wanted, *wants), dirty_since=link.dirty_since or sending.sent)


async def sweep(connection: Connection, state: StateReader, news: News) -> None:
    """Ask by id for every linked record that the full listings did not show: only that proves absence."""
    after = 0
    while page := state.links(after=after):
        after = page[-1].key
        for side in Side:
            ids = [link.half(side).id for link in page if link.half(side).id not in news.met[side]]
            if ids and side in news.readings and side not in news.down:
                await reread(connection, state, side, ids, news)


async def reread(
    connection: Connection, state: StateReader, side: Side, ids: Collection[str], news: News
) -> dict[str, Record]:
    """Read linked records by id and observe the answers; an id that is missing from the answer is a sighting too.

    A late write of ours that shows is absorbed, because this may be read after everything else. A side that fails goes
    to `News.down`, and nothing is concluded.
    """
    try:
        rows = await connection.readers[side].by_id(sorted(ids))
    except (SideDown, SideClosed) as error:
        news.down[side] = error
        return {}
    links = state.links_by(side, ids)
    news.met[side].update(links)
    ours = authors(state)
    for identifier in ids:
        link = news.current(links[identifier]) if identifier in links else None
        if link is None:
            continue
        row = rows.get(identifier)
        if row is not None:
            seen = look(link, row, news, connection.policy, ours[side])
            settled = absorb_late(seen, connection.policy.lenses, ours)
            if settled is not seen:
                news.learn(settled)
        else:
            half = link.half(side)
            first = half.missing_since
            confirm = first is not None and first < news.now and first + connection.policy.confirm_after <= news.now
            gone = absent(half, news.now, confirm)
            news.learn(replace(with_half(link, side, gone), dirty_since=link.dirty_since or news.now))
    return rows


def claim_of(row: Record) -> Claim:
    """What an unlinked Work row with a marker claims."""
    assert row.marker is not None
    return Claim(work_id=row.id, crm_id=row.marker, created=row.created, deleted=row.presence is Presence.DELETED)
