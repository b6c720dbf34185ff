"""Entries of the attention list: which record, what happened, in a person's words and the server's."""

from __future__ import annotations

import json
from datetime import datetime

from reconciler.core.model import Aside, Attention, Candidate, Field, Link, Side
from reconciler.message import say


def aside_entry(link: Link, name: Field, aside: Aside) -> Attention:
    """The attention entry of a field that is set aside; it names the record whose value should change."""
    giver = aside.side.other
    return Attention(
        side=giver,
        id=link.half(giver).id,
        code=aside.code,
        field=name,
        message=say(
            "{name} was not written to {side} {id}: {words}",
            name=name,
            side=aside.side,
            id=link.half(aside.side).id,
            words=aside.words,
        ),
        words=aside.words,
        title=link.title,
        since=aside.since,
        content=json.dumps([name, aside.value], ensure_ascii=False),
    )


def candidate_entry(candidate: Candidate, now: datetime) -> Attention:
    """The attention entry of a task that gets no work item."""
    assert candidate.refused is not None
    return Attention(
        side=Side.CRM,
        id=candidate.crm_id,
        code=candidate.refused,
        message=candidate.words,
        title=candidate.title,
        since=now,
        content=json.dumps([candidate.target.project, candidate.target.group, candidate.words], ensure_ascii=False),
    )
