"""What one more answer about a record tells: present values, field stamps, and whose write it shows.

Every fresh read goes through `observe`, whatever it was made for. The base never moves here, with one exception: a
value that one of our own unclear writes was to bring is our write arriving late, not a user's edit (`absorb_late`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from reconciler.core import text
from reconciler.core.lenses import Lens, Lenses, empty
from reconciler.core.model import Entry, Field, Half, Link, Record, Side, Value, Wanted


def first_sight(record: Record) -> Half:
    """A half that has seen this record and agreed on nothing yet."""
    return Half(
        id=record.id,
        seen=dict(record.values),
        stamps=dict.fromkeys(record.values, record.modified),
        modified=record.modified,
        author=record.author,
        presence=record.presence,
        project=record.project,
        group=record.group,
        marker=record.marker,
    )


def observe(half: Half, record: Record, lenses: Lenses, ours: str | None) -> Half:
    """The half after this answer. A field that the record does not show keeps what was seen before.

    A changed value gets the record's stamp as evidence of when, unless the stamp did not move or is the one that our
    own write left (`ours` is the author that API writes leave): then there is no evidence.
    """
    seen, stamps = dict(half.seen), dict(half.stamps)
    for field, value in record.values.items():
        known = field in seen
        if not known or not lenses[field].same(record.side, seen[field], value):
            stamps[field] = _evidence(half, record, ours) if known else record.modified
        seen[field] = value
    return replace(
        half,
        seen=seen,
        stamps=stamps,
        modified=record.modified,
        author=record.author,
        presence=record.presence,
        missing_since=None,
        project=record.project,
        group=record.group,
        marker=record.marker,
    )


def sightings(link: Link, side: Side, after: Half, now: datetime) -> list[Entry]:
    """Every value on `side` of a pair that is another one than before, for the journal: an edit as it was observed.

    Whose edit it was is what the record says: `changed_by` is its last editor.
    """
    before = link.half(side)
    return [
        Entry(
            kind="observed",
            at=now,
            crm_id=link.crm.id,
            work_id=link.work.id,
            side=side,
            field=name,
            old=before.seen[name],
            new=value,
            changed_by=after.author,
            crm_modified=after.modified if side is Side.CRM else None,
            work_modified=after.modified if side is Side.WORK else None,
        )
        for name, value in after.seen.items()
        if name in before.seen and before.seen[name] != value
    ]


def _evidence(half: Half, record: Record, ours: str | None) -> datetime | None:
    own = record.modified == half.own_stamp and ours is not None and record.author == ours
    return None if record.modified == half.modified or own else record.modified


def edited(half: Half) -> bool:
    """Whether somebody edited the record, in any field, since the pair was last seen agreeing."""
    if half.modified is None or half.modified == half.own_stamp:
        return False
    return half.agreed is None or half.modified > half.agreed


def with_half(link: Link, side: Side, half: Half) -> Link:
    return replace(link, crm=half) if side is Side.CRM else replace(link, work=half)


def absorb_late(link: Link, lenses: Lenses, ours: Mapping[Side, str | None]) -> Link:
    """Move the bases for every value that an unclear write of ours was to bring and that now shows.

    `ours` are the authors that API writes leave. A value that a person must have typed is no write of ours, and is none
    as long as it shows, whoever writes to the record next. The stamp that our write left is remembered as if it had
    been read back.
    """
    for want in link.wanted:
        target, source = link.half(want.side), link.half(want.side.other)
        lens, value = lenses[want.field], target.seen.get(want.field)
        shows = lens.same(want.side, value, want.value) and not lens.same(want.side, value, target.base.get(want.field))
        typed = shows and (want.typed or _typed(target, want, link.wanted, lenses, ours[want.side]))
        if typed is not want.typed:
            told = replace(want, typed=typed)
            link = replace(link, wanted=tuple(told if other is want else other for other in link.wanted))
        if typed or not shows:
            continue
        mine = ours[want.side] is not None and target.author == ours[want.side]
        own = target.modified if mine else target.own_stamp
        target = replace(target, base={**target.base, want.field: value}, own_stamp=own)
        link = with_half(link, want.side, target)
        link = with_half(link, want.side.other, replace(source, base={**source.base, want.field: want.source}))
        link = replace(link, wanted=tuple(other for other in link.wanted if other is not want))
    return link


FEW: Final = (Field.STATUS, Field.OWNER)
"""Fields of few values: by chance a person may choose what our write was to bring. Elsewhere only clearing is so."""


def _typed(half: Half, want: Wanted, wanted: Iterable[Wanted], lenses: Lenses, ours: str | None) -> bool:
    """Whether a person was the record's last editor, and nothing but this field can be what that person changed.

    Another field can be only if it changed with the record's present stamp, to a value that is not ours.
    """
    chance = want.field in FEW or empty(want.value)
    if not chance or ours is None or half.author is None or half.author == ours:
        return False
    known = {name: [half.base.get(name)] for name in lenses if name is not want.field}
    for other in wanted:
        if other.side is want.side and other.field in known:
            known[other.field].append(other.value)
    return all(
        half.stamps.get(name) != half.modified
        or any(lenses[name].same(want.side, half.seen.get(name), value) for value in values)
        for name, values in known.items()
    )


class Landed(StrEnum):
    """What the read-back says about a field that was sent."""

    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    SERVER_ANSWER = "server_answer"
    USER_EDIT = "user_edit"


def judge(
    lens: Lens, field: Field, side: Side, *, sent: Value, before: Value, read: Value, by_us: bool | None
) -> Landed:
    """Compare what was read back with what was sent and what was there before. `by_us` is None if unknown.

    Confirmed includes what the server is known to do to any text (trim, NFC, newlines); the lens knows that.
    """
    if lens.same(side, sent, read):
        return Landed.CONFIRMED
    if lens.same(side, before, read):
        return Landed.UNCONFIRMED
    if by_us is not None:
        return Landed.SERVER_ANSWER if by_us else Landed.USER_EDIT
    rewritten = isinstance(sent, str) and isinstance(read, str) and text.shrunk(sent, read)
    known = rewritten or field in (Field.START, Field.DUE, Field.STATUS)
    return Landed.SERVER_ANSWER if known else Landed.USER_EDIT


def by_us(record: Record, ours: str | None) -> bool | None:
    """Whether our account made the last edit; None where that cannot be known."""
    return None if ours is None or record.author is None else record.author == ours


def learn_author(counts: Mapping[str, int], author: str | None, enough: int = 9) -> Mapping[str, int]:
    """Count one clean read-back in favour of `author`; stops counting when the leader is beyond doubt."""
    if not author or counts.get(author, 0) >= enough:
        return counts
    return {**counts, author: counts.get(author, 0) + 1}


def our_author(counts: Mapping[str, int] | None) -> str | None:
    """The author that API writes leave, as far as clean read-backs have shown."""
    return max(counts, key=lambda name: counts[name]) if counts else None
