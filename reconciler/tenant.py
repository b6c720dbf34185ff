"""Another address or client id: proof that the same company is behind it, pair by pair, before anything else is done.

Ids such as 1042 exist in every company's systems, so an id alone proves nothing. A pair survives if its Work record
carries our marker of its CRM task, and what both sides show is what they last agreed on, or can be taken on without a
decision (`core.seed`). Nothing is written to either system.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from reconciler.connection import Connection
from reconciler.core.lenses import Lenses
from reconciler.core.model import Attention, Claim, Code, Entry, Half, Link, Presence, Record, Side, Tombstone
from reconciler.core.observe import observe, with_half
from reconciler.core.seed import person_givers, seed
from reconciler.errors import Halted
from reconciler.message import say
from reconciler.poll import authors
from reconciler.ports import Store

SURVIVORS: Final = 0.95
"""The share of the pairs that must be proven; below it the address is taken for another company's."""

BATCH: Final = 100


async def prove(
    connection: Connection, store: Store, identity: Mapping[str, str], *, reason: str, operator: str
) -> tuple[int, int]:
    """Take the state over to the connection of `identity`. Returns how many pairs were proven, and out of how many.

    The pairs that were not are unlinked and reported; both sides are read from the beginning at the next cycle.
    Errors: `Halted` (too few are proven; nothing has changed), `SideDown`, `SideClosed`.
    """
    proven: list[Link] = []
    strange: list[Link] = []
    known, after = authors(store), 0
    while page := store.links(after=after, limit=BATCH):
        after = page[-1].key
        shown = {side: await connection.readers[side].by_id([link.half(side).id for link in page]) for side in Side}
        for link in page:
            rows = {side: shown[side].get(link.half(side).id) for side in Side}
            survivor = survive(link, rows, connection.policy.lenses, known, connection.clock.now())
            (strange if survivor is None else proven).append(survivor or link)
    count = len(proven) + len(strange)
    if len(proven) < SURVIVORS * count:
        raise Halted(
            "other_tenant",
            say(
                "only {proven} of {count} linked pairs are found behind the new address; it is taken for another "
                "company's. Nothing was changed: put the old address and client id back, or start with a new state",
                proven=len(proven),
                count=count,
            ),
            count - len(proven),
        )
    now = connection.clock.now()
    detail = {"proven": len(proven), "pairs": count, "identity": dict(identity)}
    proof = Entry(kind="tenant_proven", at=now, operator=operator, detail=detail).because(reason)
    with store.transaction() as tx:
        tx.set_fact("identity", dict(identity))
        for side in Side:
            tx.set_fact(f"watermark.{side}", None)
            tx.set_fact(f"side.{side}", None)
        tx.save_links(replace(link, dirty_since=link.dirty_since or now) for link in proven)
        tx.drop_links([link.key for link in strange])
        tx.save_tombstones(_grave(link, now) for link in strange)
        tx.save_claims(_claim(link) for link in strange)
        tx.raise_attention(_lost(link, now) for link in strange)
        tx.append([proof, *(_unlinked(link, now, operator) for link in strange)])
    return len(proven), count


def survive(
    link: Link,
    rows: Mapping[Side, Record | None],
    lenses: Lenses,
    known: Mapping[Side, str | None],
    now: datetime,
) -> Link | None:
    """The pair as these records show it, if they prove that it is still the same pair; None if they do not."""
    agreed = True
    for side in Side:
        row = rows[side]
        if row is None or row.presence is Presence.DELETED:
            return None
        if side is Side.WORK and row.marker != link.crm.id:
            return None
        half = observe(link.half(side), row, lenses, known[side])
        agreed = agreed and _as_agreed(half, side, lenses)
        link = with_half(link, side, half)
    if agreed:
        return link
    giver = person_givers(link.crm, link.work, known)
    seeded = seed(link, lenses, dict.fromkeys(lenses, giver), now)
    return None if seeded.accepted else seeded.link


def _as_agreed(half: Half, side: Side, lenses: Lenses) -> bool:
    return all(lenses[name].same(side, base, half.seen.get(name)) for name, base in half.base.items() if name in lenses)


def _grave(link: Link, now: datetime) -> Tombstone:
    """Only `link` lifts it: the ids alone must never bring the pair back."""
    return Tombstone(crm_id=link.crm.id, work_id=link.work.id, reason="other_tenant", manual=True, at=now, link=link)


def _claim(link: Link) -> Claim:
    return Claim(work_id=link.work.id, crm_id=link.crm.id, created=None, reported=True)


def _lost(link: Link, now: datetime) -> Attention:
    return Attention(
        side=Side.CRM,
        id=link.crm.id,
        code=Code.LOST_SIGHT,
        message=say(
            "behind the new address task {crm_id} and work item {work_id} could not be proven to be the same pair; "
            "they are unlinked. If they are, run `reconciler link {crm_id} --item {work_id}`",
            crm_id=link.crm.id,
            work_id=link.work.id,
        ),
        title=link.title,
        since=now,
    )


def _unlinked(link: Link, now: datetime, operator: str) -> Entry:
    return Entry(
        kind="unlinked", at=now, crm_id=link.crm.id, work_id=link.work.id, reason="other_tenant", operator=operator
    )
