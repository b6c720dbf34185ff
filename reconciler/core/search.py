"""What a person looks for: a task by its id or by words of its title, and entries of the journal by their marks."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from reconciler.core.model import ZONE
from reconciler.message import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Titled:
    """A title and the records that have it; an id is None where there is no such record."""

    crm_id: str | None = None
    work_id: str | None = None
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retitled:
    """What a journal entry says about a CRM task's title: it was `old` before and `new` then; "" where it is silent."""

    entry: int
    crm_id: str
    old: str = ""
    new: str = ""


def title_at(known: Iterable[Retitled], entry: int) -> str:
    """The title of a task at a journal entry, by what the journal says of it, oldest first; "" if that is nothing.

    It is what the last one before left; without one, what the next one found, or what it gave to a new record.
    """
    left = ""
    for one in known:
        if one.entry >= entry and (left or one.old or one.new):
            return left or one.old or one.new
        left = one.new or left
    return left


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which journal entries are wanted; None asks for all. `until` is exclusive.

    `crm_id` or `work_id` matches either way; `person` is part of who edited or who ran the command; `project` is the
    id of the project in which the pair's work item is now; `after` is an entry's id.
    """

    crm_id: str | None = None
    work_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    entry: int | None = None
    after: int | None = None
    cycle: int | None = None
    kind: str | None = None
    side: str | None = None
    field: str | None = None
    person: str | None = None
    operator: str | None = None
    project: str | None = None


def fold(text: str) -> str:
    """A text without case and accents, as people type it in a hurry: «Gọi Đức» is "goi duc"."""
    bare = unicodedata.normalize("NFD", text.casefold())
    return "".join(one for one in bare if not unicodedata.combining(one)).replace("đ", "d")


def fits(query: str, one: Titled) -> bool:
    """Whether the query is one of the ids, or each of its words is somewhere in the title."""
    wanted = query.strip()
    if wanted in (one.crm_id, one.work_id):
        return True
    title = fold(one.title)
    words = fold(wanted).split()
    return bool(words) and all(word in title for word in words)


def moment_of(given: str, *, end: bool) -> datetime:
    """A day or a moment as a person types it, in Asia/Ho_Chi_Minh unless it names a zone.

    A day as an end means the whole day. Raises ValueError with a sentence.
    """
    try:
        if len(given) <= 10:
            day = date.fromisoformat(given) + timedelta(days=1 if end else 0)
            return datetime.combine(day, time(), tzinfo=ZONE)
        moment = datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        raise ValueError(say("{given} is no date; write 2026-03-02 or 2026-03-02T09:00", given=repr(given))) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)
