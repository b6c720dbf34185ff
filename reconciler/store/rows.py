"""The smaller types to columns and back; `codec` has links and values. Pure; the round trip gives an equal value."""

from __future__ import annotations

from typing import Any

from reconciler.core.model import (
    Attention,
    Candidate,
    Claim,
    Code,
    CycleRow,
    Field,
    Intent,
    Sending,
    Side,
    Target,
    Tombstone,
)
from reconciler.store.codec import clean, from_values, pack_link, to_values, unpack_link

Columns = dict[str, Any]


def to_candidate(candidate: Candidate) -> Columns:
    return {
        "crm_id": candidate.crm_id,
        "project": clean(candidate.target.project),
        "task_group": clean(candidate.target.group),
        "since": candidate.since,
        "title": clean(candidate.title),
        "on_request": candidate.on_request,
        "refused": None if candidate.refused is None else candidate.refused.value,
        "words": clean(candidate.words),
        "config": candidate.config,
        "not_before": candidate.not_before,
        "tries": candidate.tries,
    }


def from_candidate(row: Any) -> Candidate:
    return Candidate(
        crm_id=row.crm_id,
        target=Target(project=row.project, group=row.task_group),
        since=row.since,
        title=row.title,
        on_request=row.on_request,
        refused=None if row.refused is None else Code(row.refused),
        words=row.words,
        config=row.config,
        not_before=row.not_before,
        tries=row.tries,
    )


def to_intent(intent: Intent) -> Columns:
    return {
        "crm_id": intent.crm_id,
        "project": clean(intent.target.project),
        "task_group": clean(intent.target.group),
        "payload": to_values(intent.values),
        "source": to_values(intent.source),
        "sent": intent.sent,
        "floor": intent.floor,
        "title": clean(intent.title),
        "searches": intent.searches,
    }


def from_intent(row: Any) -> Intent:
    return Intent(
        crm_id=row.crm_id,
        target=Target(project=row.project, group=row.task_group),
        values=from_values(row.payload),
        source=from_values(row.source),
        sent=row.sent,
        floor=row.floor,
        title=row.title,
        searches=row.searches,
    )


def to_sending(sending: Sending) -> Columns:
    return {
        "link": sending.link,
        "side": sending.side.value,
        "payload": to_values(sending.values),
        "source": to_values(sending.source),
        "sent": sending.sent,
    }


def from_sending(row: Any) -> Sending:
    return Sending(
        link=row.link,
        side=Side(row.side),
        values=from_values(row.payload),
        source=from_values(row.source),
        sent=row.sent,
    )


def to_claim(claim: Claim) -> Columns:
    return {
        "work_id": claim.work_id,
        "crm_id": claim.crm_id,
        "created": claim.created,
        "deleted": claim.deleted,
        "reported": claim.reported,
    }


def from_claim(row: Any) -> Claim:
    return Claim(
        work_id=row.work_id, crm_id=row.crm_id, created=row.created, deleted=row.deleted, reported=row.reported
    )


def to_tombstone(tombstone: Tombstone) -> Columns:
    return {
        "crm_id": tombstone.crm_id,
        "work_id": tombstone.work_id,
        "reason": clean(tombstone.reason),
        "manual": tombstone.manual,
        "at": tombstone.at,
        "link": None if tombstone.link is None else pack_link(tombstone.link),
    }


def from_tombstone(row: Any) -> Tombstone:
    return Tombstone(
        crm_id=row.crm_id,
        work_id=row.work_id,
        reason=row.reason,
        manual=row.manual,
        at=row.at,
        link=None if row.link is None else unpack_link(row.link),
    )


def attention_key(entry: Attention) -> Columns:
    return {
        "side": entry.side.value,
        "id": entry.id,
        "code": entry.code.value,
        "field": "" if entry.field is None else entry.field.value,
    }


def to_attention(entry: Attention) -> Columns:
    return attention_key(entry) | {
        "message": clean(entry.message),
        "since": entry.since,
        "title": clean(entry.title),
        "words": clean(entry.words),
        "content": clean(entry.content),
        "acked": None if entry.acked is None else clean(entry.acked),
    }


def from_attention(row: Any) -> Attention:
    return Attention(
        side=Side(row.side),
        id=row.id,
        code=Code(row.code),
        field=Field(row.field) if row.field else None,
        message=row.message,
        since=row.since,
        title=row.title,
        words=row.words,
        content=row.content,
        acked=row.acked,
    )


def to_cycle(cycle: CycleRow) -> Columns:
    return {
        "started_at": cycle.started_at,
        "finished_at": cycle.finished_at,
        "outcome": cycle.outcome,
        "counts": dict(cycle.counts),
        "note": clean(cycle.note),
    }


def from_cycle(row: Any) -> CycleRow:
    return CycleRow(
        id=row.id,
        started_at=row.started_at,
        finished_at=row.finished_at,
        outcome=row.outcome,
        counts=row.counts,
        note=row.note,
    )
