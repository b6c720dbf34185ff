"""The smaller types to rows and back; `codec` has values and links, and says what a row is."""

from __future__ import annotations

from reconciler.core.model import (
    Attention,
    Candidate,
    Claim,
    Code,
    CycleRow,
    Entry,
    Field,
    Intent,
    Sending,
    Side,
    Target,
    Tombstone,
    Verdict,
)
from reconciler.core.text import clean
from reconciler.message import pack, unpack
from reconciler.store.codec import (
    Loaded,
    Row,
    clean_or_none,
    link_from_json,
    link_json,
    value_in,
    values_in,
    values_out,
)


def candidate_row(candidate: Candidate) -> Row:
    return {
        "crm_id": candidate.crm_id,
        "project": candidate.target.project,
        "group": candidate.target.group,
        "since": candidate.since,
        "title": clean(candidate.title),
        "on_request": candidate.on_request,
        "refused": candidate.refused.value if candidate.refused else None,
        "words": clean(pack(candidate.words)),
        "config": candidate.config,
        "not_before": candidate.not_before,
        "tries": candidate.tries,
    }


def candidate_load(row: Loaded) -> Candidate:
    return Candidate(
        crm_id=row["crm_id"],
        target=Target(project=row["project"], group=row["group"]),
        since=row["since"],
        title=row["title"],
        on_request=row["on_request"],
        refused=Code(row["refused"]) if row["refused"] else None,
        words=unpack(row["words"]),
        config=row["config"],
        not_before=row["not_before"],
        tries=row["tries"],
    )


def intent_row(intent: Intent) -> Row:
    return {
        "crm_id": intent.crm_id,
        "project": intent.target.project,
        "group": intent.target.group,
        "values": values_out(intent.values),
        "source": values_out(intent.source),
        "sent": intent.sent,
        "floor": intent.floor,
        "title": clean(intent.title),
        "searches": intent.searches,
        "on_request": intent.on_request,
    }


def intent_load(row: Loaded) -> Intent:
    return Intent(
        crm_id=row["crm_id"],
        target=Target(project=row["project"], group=row["group"]),
        values=values_in(row["values"]),
        source=values_in(row["source"]),
        sent=row["sent"],
        floor=row["floor"],
        title=row["title"],
        searches=row["searches"],
        on_request=row["on_request"],
    )


def sending_row(sending: Sending) -> Row:
    return {
        "link": sending.link,
        "side": sending.side.value,
        "values": values_out(sending.values),
        "source": values_out(sending.source),
        "sent": sending.sent,
    }


def sending_load(row: Loaded) -> Sending:
    return Sending(
        link=row["link"],
        side=Side(row["side"]),
        values=values_in(row["values"]),
        source=values_in(row["source"]),
        sent=row["sent"],
    )


def claim_row(claim: Claim) -> Row:
    return {
        "work_id": claim.work_id,
        "crm_id": claim.crm_id,
        "created": claim.created,
        "deleted": claim.deleted,
        "reported": claim.reported,
    }


def claim_load(row: Loaded) -> Claim:
    return Claim(
        work_id=row["work_id"],
        crm_id=row["crm_id"],
        created=row["created"],
        deleted=row["deleted"],
        reported=row["reported"],
    )


def tombstone_row(tombstone: Tombstone) -> Row:
    return {
        "crm_id": tombstone.crm_id,
        "work_id": tombstone.work_id,
        "reason": tombstone.reason,
        "manual": tombstone.manual,
        "at": tombstone.at,
        "link": link_json(tombstone.link),
    }


def tombstone_load(row: Loaded) -> Tombstone:
    return Tombstone(
        crm_id=row["crm_id"],
        work_id=row["work_id"],
        reason=row["reason"],
        manual=row["manual"],
        at=row["at"],
        link=link_from_json(row["link"]),
    )


def verdict_row(verdict: Verdict) -> Row:
    return {"crm_id": verdict.crm_id, "words": clean(verdict.words), "refused": verdict.refused}


def verdict_load(row: Loaded) -> Verdict:
    return Verdict(crm_id=row["crm_id"], words=row["words"], refused=row["refused"])


def attention_row(entry: Attention) -> Row:
    return {
        "side": entry.side.value,
        "id": entry.id,
        "code": entry.code.value,
        "field": entry.field.value if entry.field else "",
        "message": clean(pack(entry.message)),
        "since": entry.since,
        "title": clean(entry.title),
        "words": clean(pack(entry.words)),
        "content": clean(entry.content),
        "acked": clean_or_none(entry.acked),
    }


def attention_load(row: Loaded) -> Attention:
    return Attention(
        side=Side(row["side"]),
        id=row["id"],
        code=Code(row["code"]),
        field=Field(row["field"]) if row["field"] else None,
        message=unpack(row["message"]),
        since=row["since"],
        title=row["title"],
        words=unpack(row["words"]),
        content=row["content"],
        acked=row["acked"],
    )


def cycle_row(row: CycleRow) -> Row:
    """Every column but the id."""
    return {
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "outcome": row.outcome,
        "counts": dict(row.counts) or None,
        "note": clean(row.note),
    }


def cycle_load(row: Loaded) -> CycleRow:
    return CycleRow(
        id=row["id"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        outcome=row["outcome"],
        counts=row["counts"] or {},
        note=row["note"],
    )


def entry_load(row: Loaded) -> Entry:
    """A journal entry as people read it; erased values are None. The other way is `journal.chain`."""
    return Entry(
        id=row["id"],
        kind=row["kind"],
        at=row["at"],
        cycle=row["cycle"],
        crm_id=row["crm_id"],
        work_id=row["work_id"],
        side=Side(row["side"]) if row["side"] else None,
        field=Field(row["field"]) if row["field"] else None,
        old=value_in(row["old"]),
        new=value_in(row["new"]),
        rule=row["rule"],
        reason=row["reason"],
        changed_by=row["changed_by"],
        operator=row["operator"],
        crm_modified=row["crm_modified"],
        work_modified=row["work_modified"],
        detail=row["detail"],
        inputs=row["inputs"] or {},
        erased=row["secret"] is None,
        previous=row["previous"],
        hash=row["hash"],
    )
