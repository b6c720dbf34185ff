"""Everything that can be asked of the state, on one connection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Executable, Select, func, or_, select

from reconciler.core.condition import EQUAL
from reconciler.core.model import (
    Attention,
    Candidate,
    Checkpoint,
    Claim,
    CycleRow,
    Entry,
    Extent,
    Field,
    Intent,
    Link,
    Sending,
    Side,
    Tally,
    Tombstone,
    Verdict,
)
from reconciler.core.search import Retitled, Selection, Titled
from reconciler.store import codec, rows
from reconciler.store.database import Opened
from reconciler.store.faults import translated
from reconciler.store.journal import GENESIS
from reconciler.store.sql import chunks, json_word
from reconciler.store.tables import (
    ATTENTION,
    CANDIDATE,
    CHECKPOINT,
    CLAIM,
    CYCLE,
    FACT,
    INTENT,
    JOURNAL,
    LINK,
    SENDING,
    TOMBSTONE,
    VERDICT,
)

PAGE: Final = 500
"""Rows of the journal that are in memory at a time."""


def _nothing() -> None:
    """What closing does the second time."""


class SqlReader:
    """A `StateReader`. Not for two threads at once. StateError where the database itself fails."""

    def __init__(self, opened: Opened) -> None:
        self._connection: Connection = opened.connection
        self._close: Callable[[], None] = opened.close
        self._facts: dict[str, Any] | None = None

    def _rows(self, statement: Executable) -> list[codec.Row]:
        """All rows of a statement. Every read goes through here."""
        with translated():
            result = self._connection.execute(statement)
            names = list(result.keys())
            return [dict(zip(names, row, strict=True)) for row in result.all()]

    def _in(self, statement: Select[Any], column: Any, ids: Collection[Any]) -> Iterator[codec.Row]:
        for some in chunks(ids):
            yield from self._rows(statement.where(column.in_(some)))

    def close(self) -> None:
        self._close()
        self._close = _nothing

    def fact(self, name: str) -> Any:
        """As the port says. Facts are few and asked for all the time: all are read at once, and kept until a write."""
        if self._facts is None:
            self._facts = {row["name"]: row["value"] for row in self._rows(select(FACT))}
        return self._facts.get(name)

    def links_by(self, side: Side, ids: Collection[str]) -> dict[str, Link]:
        name = f"{side.value}_id"
        return {row[name]: codec.link_load(row) for row in self._in(select(LINK), LINK.c[name], ids)}

    def links(self, *, after: int = 0, limit: int = 1000) -> list[Link]:
        statement = select(LINK).where(LINK.c.key > after).order_by(LINK.c.key).limit(limit)
        return [codec.link_load(row) for row in self._rows(statement)]

    def dirty_links(self) -> list[Link]:
        statement = select(LINK).where(LINK.c.dirty_since.is_not(None)).order_by(LINK.c.dirty_since, LINK.c.key)
        return [codec.link_load(row) for row in self._rows(statement)]

    def unequal_links(self, *, after: int = 0, limit: int = 1000) -> list[Link]:
        unequal = select(LINK).where(LINK.c.condition != EQUAL, LINK.c.key > after)
        return [codec.link_load(row) for row in self._rows(unequal.order_by(LINK.c.key).limit(limit))]

    def crm_statuses(self) -> dict[str, int]:
        last = func.coalesce(LINK.c.crm_seen, LINK.c.crm_base)
        word = json_word(self._connection, last, Field.STATUS.value).label("word")
        counted = select(word, func.count().label("tasks")).group_by(word).order_by(word)
        return {row["word"]: row["tasks"] for row in self._rows(counted) if row["word"]}

    def candidates(self) -> list[Candidate]:
        statement = select(CANDIDATE).order_by(CANDIDATE.c.since, CANDIDATE.c.crm_id)
        return [rows.candidate_load(row) for row in self._rows(statement)]

    def intents(self) -> list[Intent]:
        statement = select(INTENT).order_by(INTENT.c.sent, INTENT.c.crm_id)
        return [rows.intent_load(row) for row in self._rows(statement)]

    def sendings(self) -> list[Sending]:
        statement = select(SENDING).order_by(SENDING.c.sent, SENDING.c.link, SENDING.c.side)
        return [rows.sending_load(row) for row in self._rows(statement)]

    def claims(self, crm_ids: Collection[str] | None = None) -> list[Claim]:
        found = self._rows(select(CLAIM)) if crm_ids is None else list(self._in(select(CLAIM), CLAIM.c.crm_id, crm_ids))
        return [rows.claim_load(row) for row in sorted(found, key=lambda row: (row["crm_id"], row["work_id"]))]

    def tombstones(self, *, crm_ids: Collection[str] = (), work_ids: Collection[str] = ()) -> list[Tombstone]:
        found = {
            (row["crm_id"], row["work_id"]): row
            for column, ids in ((TOMBSTONE.c.crm_id, crm_ids), (TOMBSTONE.c.work_id, work_ids))
            for row in self._in(select(TOMBSTONE), column, ids)
        }
        return [rows.tombstone_load(found[key]) for key in sorted(found)]

    def verdicts(self) -> list[Verdict]:
        return [rows.verdict_load(row) for row in self._rows(select(VERDICT).order_by(VERDICT.c.crm_id))]

    def attention(self) -> list[Attention]:
        statement = select(ATTENTION).order_by(ATTENTION.c.since, *ATTENTION.primary_key)
        return [rows.attention_load(row) for row in self._rows(statement)]

    def tally(self) -> Tally:
        counts = {
            row["condition"]: row["pairs"]
            for row in self._rows(select(LINK.c.condition, func.count().label("pairs")).group_by(LINK.c.condition))
        }
        [others] = self._rows(
            select(
                select(func.count()).select_from(TOMBSTONE).scalar_subquery().label("tombstones"),
                select(func.count()).select_from(CANDIDATE).scalar_subquery().label("candidates"),
                select(func.count())
                .select_from(LINK)
                .where(LINK.c.completed.is_(False), LINK.c.frozen.is_(False))
                .scalar_subquery()
                .label("open"),
            )
        )
        return Tally(linked=sum(counts.values()), **counts, **others)

    def cycles(self, limit: int = 20) -> list[CycleRow]:
        statement = select(CYCLE).order_by(CYCLE.c.id.desc()).limit(limit)
        return [rows.cycle_load(row) for row in self._rows(statement)]

    def journal(
        self,
        *,
        crm_id: str | None = None,
        work_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        entry: int | None = None,
    ) -> Iterator[Entry]:
        wanted = Selection(crm_id=crm_id, work_id=work_id, since=since, until=until, entry=entry)
        return self.entries(wanted)

    def entries(self, wanted: Selection, *, limit: int | None = None) -> Iterator[Entry]:
        statement = select(JOURNAL).where(*_conditions(wanted))
        if limit is not None:
            last = statement.with_only_columns(JOURNAL.c.id).order_by(JOURNAL.c.id.desc()).limit(limit)
            oldest = min((row["id"] for row in self._rows(last)), default=0)
            statement = statement.where(JOURNAL.c.id >= oldest)
        return (rows.entry_load(row) for row in self._pages(statement))

    def recent(self, wanted: Selection, *, before: int | None = None) -> Iterator[Entry]:
        statement = select(JOURNAL).where(*_conditions(wanted)).order_by(JOURNAL.c.id.desc()).limit(PAGE)
        while found := self._rows(statement if before is None else statement.where(JOURNAL.c.id < before)):
            yield from (rows.entry_load(row) for row in found)
            before = found[-1]["id"]

    def titled(self) -> Iterator[Titled]:
        # Taken from the JSON here, because no database can take half an emoji out of it.
        values = (LINK.c.crm_seen, LINK.c.crm_base, LINK.c.work_seen, LINK.c.work_base)
        links = select(LINK.c.key, LINK.c.crm_id, LINK.c.work_id, *values).order_by(LINK.c.key).limit(PAGE)
        last = 0
        while found := self._rows(links.where(LINK.c.key > last)):
            for row in found:
                for title in dict.fromkeys((_title(row, "crm"), _title(row, "work"))):
                    yield Titled(crm_id=row["crm_id"], work_id=row["work_id"], title=title)
            last = found[-1]["key"]
        for candidate in self.candidates():
            yield Titled(crm_id=candidate.crm_id, title=candidate.title)
        for entry in self.attention():
            side = "crm_id" if entry.side is Side.CRM else "work_id"
            yield Titled(**{side: entry.id}, title=entry.title)

    def retitled(self, crm_ids: Collection[str]) -> Iterator[Retitled]:
        columns = (JOURNAL.c.id, JOURNAL.c.crm_id, JOURNAL.c.old, JOURNAL.c.new)
        titles = select(*columns).where(JOURNAL.c.field == Field.TITLE.value).order_by(JOURNAL.c.id)
        for row in self._in(titles, JOURNAL.c.crm_id, crm_ids):
            yield Retitled(entry=row["id"], crm_id=row["crm_id"], old=row["old"] or "", new=row["new"] or "")

    def extent(self, after: int = 0) -> Extent:
        entries, head = self.head()
        counted = select(JOURNAL.c.kind, JOURNAL.c.side, func.count().label("entries")).where(JOURNAL.c.id > after)
        found = self._rows(counted.group_by(JOURNAL.c.kind, JOURNAL.c.side))
        return Extent(
            entries=entries,
            head=head,
            kinds={(row["kind"], Side(row["side"]) if row["side"] else None): row["entries"] for row in found},
        )

    def chain(self, first: int = 1, last: int | None = None) -> Iterator[codec.Row]:
        ids = select(JOURNAL.c.id).order_by(JOURNAL.c.id).limit(PAGE)
        if last is not None:
            ids = ids.where(JOURNAL.c.id <= last)
        if first > 1:
            ids = ids.where(JOURNAL.c.id >= first)
        behind: int | None = None
        while True:
            numbers = [row["id"] for row in self._rows(ids if behind is None else ids.where(JOURNAL.c.id > behind))]
            if not numbers:
                return
            page = select(JOURNAL).where(JOURNAL.c.id.between(numbers[0], numbers[-1])).order_by(JOURNAL.c.id)
            try:
                yield from self._rows(page)
            except (ValueError, TypeError):
                for number in numbers:
                    yield self._readable(number)
            behind = numbers[-1]

    def span(self, since: datetime | None, until: datetime | None) -> tuple[int, int]:
        inside = _conditions(Selection(since=since, until=until))
        [found] = self._rows(
            select(func.min(JOURNAL.c.id).label("first"), func.max(JOURNAL.c.id).label("last")).where(*inside)
        )
        return found["first"] or 1, found["last"] or 0

    def head(self) -> tuple[int, str]:
        last = self._rows(select(JOURNAL.c.id, JOURNAL.c.hash).order_by(JOURNAL.c.id.desc()).limit(1))
        return (last[0]["id"], last[0]["hash"]) if last else (0, GENESIS)

    def last_checkpoint(self) -> Checkpoint | None:
        found = self._rows(select(CHECKPOINT).order_by(CHECKPOINT.c.entry.desc()).limit(1))
        return Checkpoint(**found[0]) if found else None

    def checkpoints(self) -> list[Checkpoint]:
        return [Checkpoint(**row) for row in self._rows(select(CHECKPOINT).order_by(CHECKPOINT.c.entry))]

    def _readable(self, number: int) -> codec.Row:
        try:
            return self._rows(select(JOURNAL).where(JOURNAL.c.id == number))[0]
        except (ValueError, TypeError):
            return {"id": number}

    def _pages(self, statement: Select[Any]) -> Iterator[codec.Row]:
        """Page by page in the order of ids, so that no cursor stays open between two rows."""
        statement = statement.order_by(JOURNAL.c.id).limit(PAGE)
        last: int | None = None
        while True:
            found = self._rows(statement if last is None else statement.where(JOURNAL.c.id > last))
            yield from found
            if len(found) < PAGE:
                return
            last = found[-1]["id"]


def _title(row: codec.Row, side: str) -> str:
    """A half's title as last seen, else as last agreed on; "" for none. A sparse `seen` may lack it."""
    seen, base, name = row[f"{side}_seen"] or {}, row[f"{side}_base"], Field.TITLE.value
    return (base.get(name) if seen.get(name) is None else seen[name]) or ""


def _conditions(wanted: Selection) -> list[ColumnElement[bool]]:
    columns = JOURNAL.c
    equal = (
        (columns.id, wanted.entry),
        (columns.field, wanted.field),
        (columns.kind, wanted.kind),
        (columns.side, wanted.side),
        (columns.operator, wanted.operator),
        (columns.cycle, wanted.cycle),
    )
    found = [column == value for column, value in equal if value is not None]
    either = [
        column == value
        for column, value in ((columns.crm_id, wanted.crm_id), (columns.work_id, wanted.work_id))
        if value
    ]
    if either:
        found.append(or_(*either))
    if wanted.after is not None:
        found.append(columns.id > wanted.after)
    if wanted.since is not None:
        found.append(columns.at >= wanted.since)
    if wanted.until is not None:
        found.append(columns.at < wanted.until)
    if wanted.person is not None:
        found.append(
            or_(*(one.icontains(wanted.person, autoescape=True) for one in (columns.changed_by, columns.operator)))
        )
    if wanted.project is not None:
        found.append(columns.work_id.in_(select(LINK.c.work_id).where(LINK.c.work_project == wanted.project)))
    return found
