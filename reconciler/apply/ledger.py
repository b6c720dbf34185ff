"""The book of one applying cycle: the present form of every link, and what happened so far."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from reconciler.connection import Connection, Writers
from reconciler.core import text
from reconciler.core.model import Entry, Field, Link, Presence, Record, Side, Verdict
from reconciler.core.observe import absorb_late, by_us, learn_author, observe, our_author, sightings, with_half
from reconciler.core.pair import absent
from reconciler.core.plan import unmarked
from reconciler.errors import NotApplied, SideError
from reconciler.ports import Store, Transaction

T = TypeVar("T")


@dataclass(slots=True)
class Ledger:
    """`links` are keyed by CRM id. `circumstances` is what a refusal depends on: the config and Work's projects.

    `guard` is called before every batch and just before its write; it raises if nothing may be written any more.
    """

    connection: Connection
    writers: Writers
    store: Store
    cycle: int
    links: dict[str, Link]
    circumstances: str
    guard: Callable[[], None] = lambda: None
    down: dict[Side, SideError] = field(default_factory=dict)
    authors: dict[Side, Mapping[str, int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    seen: list[Entry] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.connection.clock.now()

    def ours(self, side: Side) -> str | None:
        """The author that API writes leave on `side`, as far as it is known."""
        return our_author(self._authors(side))

    def _authors(self, side: Side) -> Mapping[str, int]:
        """Clean read-backs counted by author; asked of the state once, because every row needs it."""
        if side not in self.authors:
            self.authors[side] = self.store.fact(f"authors.{side}") or {}
        return self.authors[side]

    def fail(self, error: SideError) -> None:
        self.down[Side(error.side)] = error

    def unmarked(self, side: Side) -> list[Link]:
        """Links whose record on `side` should carry the counterpart's id and does not."""
        policy = self.connection.policy
        return [
            link
            for link in self.links.values()
            if link.key
            and side in unmarked(link, policy)
            and all(link.half(each).presence is Presence.PRESENT for each in Side)
        ]

    def server_floor(self, side: Side) -> datetime:
        """The server time of `side` before which nothing that happens from now on can be stamped."""
        offset = self.connection.readers[side].offset()
        return self.now + (offset.value or timedelta(0)) - offset.uncertainty

    async def read_again(self, ids: Mapping[Side, Collection[str]]) -> dict[Side, dict[str, Record]]:
        """Both sides by id, at once."""
        sides = list(ids)
        answers = await asyncio.gather(*(self.writers[side].by_id(sorted(ids[side])) for side in sides))
        return dict(zip(sides, answers, strict=True))

    def observe(self, link: Link, side: Side, row: Record | None) -> Link:
        """The link after a fresh answer by id; None means that the record was not in it."""
        half, lenses = link.half(side), self.connection.policy.lenses
        newer = absent(half, self.now, confirm=False) if row is None else observe(half, row, lenses, self.ours(side))
        if newer == half:
            return link
        self.seen += sightings(link, side, newer, self.now)
        link = replace(with_half(link, side, newer), generation=link.generation + 1)
        return absorb_late(link, lenses, {each: self.ours(each) for each in Side})

    def learn(self, tx: Transaction, side: Side, author: str | None) -> None:
        """Count a clean read-back in favour of the author it names."""
        learned = learn_author(self._authors(side), author)
        if learned != self._authors(side):
            self.authors[side] = learned
            tx.set_fact(f"authors.{side}", dict(learned))

    def hear(self, tx: Transaction, side: Side, before: Record, row: Record) -> None:
        """A status word that came up between two reads around a write of ours was chosen by a person: it is no rename.

        The stamp cannot say so, because it is that of our write.
        """
        word = row.values.get(Field.STATUS)
        if not isinstance(word, str) or not word.strip() or word == before.values.get(Field.STATUS):
            return
        name = f"statuses.{side}"
        known = set(tx.fact(name) or ())
        if text.word(word) not in known:
            tx.set_fact(name, sorted({text.word(word), *known}))

    def inscribed(self, tx: Transaction, link: Link, side: Side, row: Record) -> Link:
        """The link after a text of ours was written on its record and read back as `row`: no edit, only a stamp."""
        half, ours, lenses = link.half(side), self.ours(side), self.connection.policy.lenses
        own = row.modified if by_us(row, ours) is not False else half.own_stamp
        if all(lenses[name].same(side, half.seen.get(name), value) for name, value in row.values.items()):
            self.learn(tx, side, row.author)  # otherwise somebody else was here
        return with_half(link, side, observe(replace(half, own_stamp=own), row, lenses, ours))

    def tell(self, tx: Transaction, verdicts: Iterable[Verdict]) -> None:
        """Remember what CRM tasks are to be told, if there is a field for it."""
        if self.connection.policy.tells:
            tx.save_verdicts(verdicts)

    def save(self, tx: Transaction, links: Collection[Link]) -> None:
        """Store links and keep their present form; what was seen anew is journalled with them."""
        tx.append(replace(entry, cycle=self.cycle) for entry in self.seen)
        self.seen.clear()
        for link in tx.save_links(links):
            self.links[link.crm.id] = link

    async def once_more(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` returns. If its write was surely not applied, it is made once more, from fresh reads.

        Before that comes the wait that the server asked for, if it is bearable within a cycle.
        """
        try:
            return await attempt()
        except NotApplied as refused:
            wait = refused.retry_after or timedelta(0)
            if wait > self.connection.policy.retry_for:
                raise
        if wait:
            await self.connection.clock.sleep(wait.total_seconds())
        return await attempt()

    def offsets(self) -> dict[str, float | None]:
        """The seconds by which each server's clock is ahead of ours, as measured by now; None where it is not known."""
        measured = {side: self.connection.readers[side].offset().value for side in Side}
        return {side.value: None if one is None else round(one.total_seconds(), 3) for side, one in measured.items()}

    def entry(self, kind: str, link: Link, side: Side, name: Field | None = None, **rest: object) -> Entry:
        """A journal entry about a link; stamps and ids come from it."""
        blank = Entry(
            kind=kind,
            at=self.now,
            cycle=self.cycle,
            crm_id=link.crm.id,
            work_id=link.work.id,
            side=side,
            field=name,
            crm_modified=link.crm.stamps.get(name) if name else link.crm.modified,
            work_modified=link.work.stamps.get(name) if name else link.work.modified,
        )
        return replace(blank, **rest)  # type: ignore[arg-type]  # keyword names are Entry's own
