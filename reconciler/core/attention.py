"""Entries of the attention list: which record, what happened, in a person's words and the server's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from reconciler.core import text
from reconciler.core.model import Aside, Attention, Candidate, Code, Field, Link, Side
from reconciler.message import joined, say

NAMED_AT_MOST: Final = 10
"""Tasks that a common entry names; the rest are counted."""


SALESPERSON: Final = frozenset(
    {
        Code.TARGET_IS_DEPARTMENT,
        Code.TARGET_NOT_FOUND,
        Code.TARGET_ARCHIVED,
        Code.TARGET_AMBIGUOUS,
        Code.TARGET_CHANGED,
        Code.GROUP_NOT_IN_PROJECT,
        Code.FIELD_TOO_LONG,
        Code.INVALID_VALUE,
        Code.NO_BASE,
        Code.DELETED_ELSEWHERE,
    }
)
PROJECT_LEAD: Final = frozenset({Code.TARGET_FORBIDDEN, Code.WAITING_APPROVAL, Code.DUPLICATE_MARKER, Code.UNCONFIRMED})


def fixer(code: Code) -> str:
    """Who can fix it: the salesperson in the CRM, the project lead in Work, or the administrator of the connection."""
    if code in SALESPERSON:
        return "salesperson"
    return "project_lead" if code in PROJECT_LEAD else "administrator"


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


def lost_sight(link: Link, now: datetime) -> Attention:
    """The attention entry of a work item that is hidden together with its project."""
    return Attention(
        side=Side.WORK,
        id=link.work.id,
        code=Code.LOST_SIGHT,
        message=say(
            "work item {id} and its whole project {project} can no longer be seen: the connection's user lost its "
            "right there. Nothing is unlinked; give the right back, or `reconciler unlink {task}`",
            id=link.work.id,
            project=link.work.project or "",
            task=link.crm.id,
        ),
        title=link.title,
        since=now,
    )


def grouped(entries: Sequence[Attention]) -> list[Attention]:
    """The entries as a person reads them: an unknown person is one matter, however many tasks name them.

    A common entry stands where its first one stood and has its id. It counts as acknowledged if one of them is: the
    person was dismissed, and stays so when further tasks name them.
    """
    matters: dict[object, list[Attention]] = {}
    for entry in entries:
        matters.setdefault(_matter(entry), []).append(entry)
    return [_common(person, found) if (person := unknown_person(found[0])) else found[0] for found in matters.values()]


def same_matter(entry: Attention, entries: Iterable[Attention]) -> list[Attention]:
    """The entries, this one among them, that are shown to a person as one."""
    return [other for other in entries if _matter(other) == _matter(entry)]


def unknown_person(entry: Attention) -> str | None:
    """The person whom an entry is about, as the giving side spells them; None if it is about something else."""
    if entry.code is not Code.PERSON_UNKNOWN or not entry.content:
        return None
    _, value = json.loads(entry.content)
    spelled = value[0] if isinstance(value, list) and value else value
    return spelled if isinstance(spelled, str) else None


def _matter(entry: Attention) -> object:
    person = unknown_person(entry)
    if person is None:
        return entry.side, entry.id, entry.code, entry.field
    return entry.side, text.word(person)


def _common(person: str, entries: Sequence[Attention]) -> Attention:
    ids = [entry.id for entry in entries]
    tasks = ", ".join(ids[:NAMED_AT_MOST]) + (", .." if len(ids) > NAMED_AT_MOST else "")
    why = joined(list(dict.fromkeys(entry.words for entry in entries if entry.words))[:NAMED_AT_MOST])
    return replace(
        entries[0],
        message=say(
            "«{person}» is not known: {why}; {count} tasks wait to be given to them: {tasks}",
            person=person,
            why=why,
            count=len(ids),
            tasks=tasks,
        ),
        acked=next((entry.acked for entry in entries if entry.acked is not None), None),
    )
