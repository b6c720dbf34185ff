"""The journal: an append-only chain of hashes over entries that a person can read.

    hash = SHA-256(0x00 || previous hash || canonical JSON of the columns that are not personal, and of the commitments)
    commitment of a personal value = HMAC-SHA-256(the entry's random key, canonical JSON of [column, value])

So the readable values and the key can be erased later, as the law on personal data wants, and the chain still proves
the rest. What it proves: no entry was altered, removed from the middle, inserted or moved. What it cannot prove alone:
that the end was not cut off, or the whole rebuilt by somebody who may write the file; for that, note `head` elsewhere
and hand it to `verify`.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa

from reconciler.core.model import Entry, Field, Side
from reconciler.store.codec import clean, from_value, to_moment, to_value
from reconciler.store.tables import JOURNAL

GENESIS: Final = "0" * 64
"""What stands for the hash before the first entry."""

PERSONAL: Final = ("old", "new", "changed_by", "operator")
HASHED: Final = (
    "id",
    "at",
    "cycle",
    "kind",
    "crm_id",
    "work_id",
    "side",
    "field",
    "rule",
    "reason",
    "crm_modified",
    "work_modified",
    "detail",
    "commitments",
)
PAGE: Final = 500
KEY_BYTES: Final = 32

RandomBytes = Callable[[int], bytes]
"""A source of that many unpredictable bytes (`secrets.token_bytes`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How long the journal is and what its last hash is: enough to notice later that its end was cut off."""

    id: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first entry that does not hold, and why."""

    entry: int
    reason: str

    def __str__(self) -> str:
        return f"journal entry {self.entry}: {self.reason}"


def _json(value: object) -> str:
    """One text for one value: sorted keys, no spaces, ASCII, moments in UTC."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return to_moment(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"the journal cannot hold a {type(value).__name__}")


def _digest(row: Mapping[str, Any]) -> str:
    canonical = _json({name: row[name] for name in HASHED})
    return sha256(b"\0" + bytes.fromhex(row["previous"]) + canonical.encode()).hexdigest()


def _commitment(key: str, name: str, value: object) -> str:
    return hmac.digest(bytes.fromhex(key), _json([name, value]).encode(), "sha256").hex()


def seal(entry: Entry, identifier: int, previous: str, random_bytes: RandomBytes) -> dict[str, Any]:
    """The columns of an entry as the `identifier`th link of the chain behind `previous`."""
    personal = {
        "old": to_value(entry.old),
        "new": to_value(entry.new),
        "changed_by": None if entry.changed_by is None else clean(entry.changed_by),
        "operator": None if entry.operator is None else clean(entry.operator),
    }
    told = {name: value for name, value in personal.items() if value is not None}
    key = random_bytes(KEY_BYTES).hex() if told else None
    row: dict[str, Any] = {
        "id": identifier,
        "at": entry.at,
        "cycle": entry.cycle,
        "kind": entry.kind,
        "crm_id": entry.crm_id,
        "work_id": entry.work_id,
        "side": None if entry.side is None else entry.side.value,
        "field": None if entry.field is None else entry.field.value,
        "rule": clean(entry.rule),
        "reason": clean(entry.reason),
        "crm_modified": entry.crm_modified,
        "work_modified": entry.work_modified,
        "detail": json.loads(_json(entry.detail)),
        "commitments": None if key is None else {name: _commitment(key, name, told[name]) for name in told},
        "key": key,
        "previous": previous,
    }
    return row | personal | {"hash": _digest(row)}


def head(connection: sa.Connection) -> Head:
    """The end of the chain; `Head()` when nothing has been written yet."""
    last = connection.execute(sa.select(JOURNAL.c.id, JOURNAL.c.hash).order_by(JOURNAL.c.id.desc()).limit(1)).first()
    return Head() if last is None else Head(id=last.id, hash=last.hash)


def append(connection: sa.Connection, entries: Iterable[Entry], random_bytes: RandomBytes) -> list[int]:
    """Add entries in their order, inside the caller's transaction; two statements, however many they are."""
    waiting = list(entries)
    if not waiting:
        return []
    end = head(connection)
    previous, rows = end.hash, []
    for identifier, entry in enumerate(waiting, end.id + 1):
        row = seal(entry, identifier, previous, random_bytes)
        previous = row["hash"]
        rows.append(row)
    connection.execute(sa.insert(JOURNAL), rows)
    return [row["id"] for row in rows]


def entry_of(row: Any) -> Entry:
    return Entry(
        id=row.id,
        at=row.at,
        cycle=row.cycle,
        kind=row.kind,
        crm_id=row.crm_id,
        work_id=row.work_id,
        side=None if row.side is None else Side(row.side),
        field=None if row.field is None else Field(row.field),
        old=from_value(row.old),
        new=from_value(row.new),
        rule=row.rule,
        reason=row.reason,
        changed_by=row.changed_by,
        operator=row.operator,
        crm_modified=row.crm_modified,
        work_modified=row.work_modified,
        detail=row.detail,
        previous=row.previous,
        hash=row.hash,
    )


def walk(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> Iterator[Any]:
    """Rows that fulfil all conditions, in the order of the chain, a page at a time; entries added meanwhile count."""
    last = 0
    while True:
        query = sa.select(JOURNAL).where(JOURNAL.c.id > last, *conditions).order_by(JOURNAL.c.id).limit(PAGE)
        rows = connection.execute(query).all()
        yield from rows
        if len(rows) < PAGE:
            return
        last = rows[-1].id


def read(
    connection: sa.Connection,
    *,
    crm_id: str | None,
    work_id: str | None,
    since: datetime | None,
    until: datetime | None,
    entry: int | None,
) -> Iterator[Entry]:
    """As `StateReader.journal`. Entries are not sorted by time: the clock of a machine can be set back."""
    journal = JOURNAL.c
    conditions: list[sa.ColumnElement[bool]] = []
    if entry is not None:
        conditions.append(journal.id == entry)
    either = [
        column == wanted for column, wanted in ((journal.crm_id, crm_id), (journal.work_id, work_id)) if wanted is not None
    ]
    if either:
        conditions.append(sa.or_(*either))
    period = []
    if since is not None:
        period.append(journal.at >= since)
    if until is not None:
        period.append(journal.at < until)
    if period and not conditions:
        # The index on the time finds the span of ids; walking all ids of a long journal for one day would not.
        span = connection.execute(sa.select(sa.func.min(journal.id), sa.func.max(journal.id)).where(*period)).one()
        if span[0] is None:
            return
        conditions.append(journal.id.between(span[0], span[1]))
    for row in walk(connection, *conditions, *period):
        yield entry_of(row)


def first_fault(connection: sa.Connection, anchor: Head | None = None) -> Fault | None:
    """Walk the whole chain; the first entry that does not hold, or None. `anchor` is a head noted down earlier."""
    end = Head()
    met = anchor is None or anchor.id == 0
    for row in _rows_to_check(connection):
        if isinstance(row, Fault):
            return row
        wrong = _wrong(row, end)
        if wrong:
            return Fault(entry=row["id"], reason=wrong)
        end = Head(id=row["id"], hash=row["hash"])
        if anchor is not None and anchor.id == end.id:
            if anchor.hash != end.hash:
                return Fault(entry=end.id, reason="its hash is not the one that was noted down")
            met = True
    if not met and anchor is not None:
        return Fault(entry=end.id + 1, reason=f"missing: the journal once reached entry {anchor.id}")
    return None


def _rows_to_check(connection: sa.Connection) -> Iterator[Mapping[str, Any] | Fault]:
    """All rows in order. A row that cannot even be read is a fault, found by asking for its page row by row."""
    last = 0
    while True:
        ids = sa.select(JOURNAL.c.id).where(JOURNAL.c.id > last).order_by(JOURNAL.c.id).limit(PAGE)
        numbers = connection.execute(ids).scalars().all()
        if not numbers:
            return
        page = sa.select(JOURNAL).where(JOURNAL.c.id.between(numbers[0], numbers[-1])).order_by(JOURNAL.c.id)
        try:
            yield from connection.execute(page).mappings().all()
        except (ValueError, TypeError):
            for number in numbers:
                try:
                    yield connection.execute(sa.select(JOURNAL).where(JOURNAL.c.id == number)).mappings().one()
                except (ValueError, TypeError):
                    yield Fault(entry=number, reason="altered: it cannot be read any more")
                    return
        last = numbers[-1]


def _wrong(row: Mapping[str, Any], end: Head) -> str:
    """What is wrong with a row that should follow `end`, or nothing."""
    if row["id"] != end.id + 1:
        return f"the entry before it is missing, the last one that holds is {end.id}"
    if row["previous"] != end.hash:
        return "it does not follow from the entry before it: one of them was inserted, moved or replaced"
    try:
        if row["hash"] != _digest(row):
            return "altered: its content does not match its hash"
        return _unkept(row)
    except (ValueError, TypeError):
        return "altered: its content cannot be read any more"


def _unkept(row: Mapping[str, Any]) -> str:
    """Whether a readable value is not the one that was committed to; erased ones (no key, no values) are fine."""
    commitments: Mapping[str, str] = row["commitments"] or {}
    for name in PERSONAL:
        value, key = row[name], row["key"]
        if value is None:
            if name in commitments and key is not None:
                return f"altered: its value of {name} was removed"
        elif name not in commitments or key is None or _commitment(key, name, value) != commitments[name]:
            return f"altered: its value of {name} is not the one that was recorded"
    return ""
