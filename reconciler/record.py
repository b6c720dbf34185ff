"""Record: what a cycle learned becomes durable in one transaction, the watermarks with it.

Before this nothing is stored, after it nothing that was read can be lost: pairs with news are saved or dirty, and the
watermark covers no more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.core import verdict
from reconciler.core.attention import candidate_entry
from reconciler.core.model import Candidate, Code, CycleRow, Entry, Link, Side
from reconciler.core.operations import Create, Operation, fingerprint, outline
from reconciler.core.plan import Plan
from reconciler.core.policy import Policy
from reconciler.core.resolve import Clocks
from reconciler.core.watermark import advance
from reconciler.pair import Pairing
from reconciler.poll import News, watermark
from reconciler.ports import Store, Transaction
from reconciler.prospect import Prospect


def record(
    store: Store, policy: Policy, prospect: Prospect, started: datetime, due: Sequence[Operation] = ()
) -> tuple[int, dict[str, Link]]:
    """Store the news, the pairing and everything of the plan that needs no write; and what is about to be written.

    Returns the cycle's id and the links that the plan concerns, by CRM id, with their keys.
    """
    news, pairing, plan = prospect.news, prospect.pairing, prospect.plan
    known = {link.crm.id: link for link in store.dirty_links()}
    planned = {**news.links, **plan.links}
    changed = [link for crm_id, link in planned.items() if crm_id in news.links or link != known.get(crm_id)]
    with store.transaction() as tx:
        cycle = tx.save_cycle(CycleRow(started_at=started))
        saved = {link.crm.id: link for link in tx.save_links(changed)}
        tx.drop_sendings(news.resolved)
        tx.append(
            [
                *(replace(entry, cycle=cycle) for entry in news.entries),
                *(ruling.entry(news.now, cycle) for ruling in plan.rulings),
            ]
        )
        if due:
            detail = {"operations": outline(due), "fingerprint": fingerprint(due)}
            tx.append([Entry(kind="plan", at=news.now, cycle=cycle, detail=detail)])
        _record_pairing(tx, store, news, pairing, plan, tells=policy.tells)
        tx.clear_attention([*news.cleared, *plan.cleared])
        tx.raise_attention([*news.raised, *plan.raised])
        _record_readings(tx, store, policy, news, cycle, prospect.circumstances)
        _record_offsets(tx, store, prospect.moment.clocks)
    return cycle, {**planned, **saved}


def _record_pairing(tx: Transaction, store: Store, news: News, pairing: Pairing, plan: Plan, *, tells: bool) -> None:
    tx.drop_intents(pairing.settled_intents)
    refused = {candidate.crm_id: candidate for candidate in plan.refused}
    before = {candidate.crm_id: candidate for candidate in store.candidates()}
    usable = {
        one.crm_id: replace(one.candidate, refused=None, words="") for one in plan.operations if isinstance(one, Create)
    }
    after = {**pairing.candidates, **usable, **refused}
    for crm_id in pairing.settled_candidates:
        after.pop(crm_id, None)
    over = _outdated(before, after)
    tx.clear_attention(candidate_entry(candidate, news.now) for candidate in over)
    if tells:
        told = [candidate for candidate in plan.refused if candidate.refused is not Code.OUTSIDE_PILOT]
        left_out = {candidate.crm_id for candidate in plan.refused} - {candidate.crm_id for candidate in told}
        tx.save_verdicts(verdict.withdrawn(one.crm_id for one in over if one.crm_id not in left_out))
        tx.save_verdicts([*verdict.refused(told), *pairing.verdicts])
    tx.drop_candidates(before.keys() & pairing.settled_candidates)
    tx.save_candidates(candidate for crm_id, candidate in after.items() if candidate != before.get(crm_id))
    tx.drop_claims(pairing.spent_claims)
    known = {claim.work_id: claim for claim in store.claims()}
    tx.save_claims(
        claim
        for work_id, claim in pairing.claims.items()
        if work_id not in pairing.spent_claims and claim != known.get(work_id)
    )
    tx.drop_tombstones(pairing.lifted)
    tx.save_tombstones(pairing.tombstones)


def _outdated(before: dict[str, Candidate], after: dict[str, Candidate]) -> list[Candidate]:
    """Tasks as they were refused, whose refusal is over: linked, no longer asking, or asking for something else."""
    return [
        candidate
        for crm_id, candidate in before.items()
        if candidate.refused not in (None, Code.OUTSIDE_PILOT)
        and (crm_id not in after or after[crm_id].refused is not candidate.refused)
    ]


def _record_readings(
    tx: Transaction, store: Store, policy: Policy, news: News, cycle: int, circumstances: str | None
) -> None:
    for side, reading in news.readings.items():
        moved = advance(watermark(store, side), reading, policy.overlap)
        if moved is not None:
            tx.set_fact(f"watermark.{side}", moved.isoformat())
    for side, words in news.statuses.items():
        known = store.fact(f"statuses.{side}") or []
        if words - set(known):
            tx.set_fact(f"statuses.{side}", sorted(words | set(known)))
    for name, value in (
        ("circumstances", circumstances),
        ("places", news.places),
        ("pilot", news.pilot),
        ("archived", news.archived and list(news.archived)),
    ):
        if value is not None and value != store.fact(name):
            tx.set_fact(name, value)
    work = news.readings.get(Side.WORK)
    if work is not None and work.complete and work.full and not store.fact("listed"):
        tx.set_fact("listed", True)
    if news.complete and not news.down and store.fact("connected_at") is None:
        since = news.readings[Side.CRM].started
        tx.set_fact("connected_at", since.isoformat())
        tx.append([Entry(kind="connected", at=news.now, cycle=cycle, crm_modified=since)])


def _record_offsets(tx: Transaction, store: Store, clocks: Clocks) -> None:
    """Each server's clock against ours in whole seconds, for people to see; written only when it has changed."""
    for side, offset in ((Side.CRM, clocks.crm), (Side.WORK, clocks.work)):
        seconds = None if offset.value is None else round(offset.value.total_seconds())
        if seconds is not None and seconds != store.fact(f"offset.{side}"):
            tx.set_fact(f"offset.{side}", seconds)
