"""The tables of the state. All in one file, so that the whole layout can be read at a glance.

Moments are aware and stored as UTC. Words of the field (side, code, presence ..) are stored as their plain strings.
JSON columns hold str, list or null as field values; `reconciler.store.codec` turns them into the frozen types.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import DDL, JSON, Column, Index, LargeBinary, Table, event, text
from sqlmodel import Field, SQLModel

# Before the first model, or SQLite's batch migrations could not name what they replace.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Text on every database. PostgreSQL's JSONB rewrites numbers, drops the order of keys, and refuses what a person can
# type: U+0000, and half of an emoji.
JSON_TYPE: Final = JSON(none_as_null=True)


def _json(*, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(JSON_TYPE, nullable=nullable))


class LinkRow(SQLModel, table=True):
    """A pair. `*_seen` is null where it equals `*_base`; empty mappings are null; `condition` is for the tally."""

    __tablename__ = "link"
    __table_args__ = (
        Index(
            "ix_link_differing",
            "key",
            sqlite_where=text("differences IS NOT NULL"),
            postgresql_where=text("differences IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},  # a key is never given twice, not even after its link is gone
    )

    key: int | None = Field(default=None, primary_key=True)
    crm_id: str = Field(unique=True)
    work_id: str = Field(unique=True)
    dirty_since: datetime | None = Field(default=None, index=True)
    condition: str = Field(index=True)
    generation: int
    not_before: datetime | None = None
    tries: int
    drops: int
    completed: bool
    frozen: bool
    crm_base: Any = _json(nullable=False)
    crm_seen: Any = _json()
    crm_stamps: Any = _json()
    crm_modified: datetime | None = None
    crm_own_stamp: datetime | None = None
    crm_agreed: datetime | None = None
    crm_author: str | None = None
    crm_presence: str
    crm_missing_since: datetime | None = None
    crm_project: str | None = None
    crm_group: str | None = None
    crm_marker: str | None = None
    crm_marker_refused: bool
    work_base: Any = _json(nullable=False)
    work_seen: Any = _json()
    work_stamps: Any = _json()
    work_modified: datetime | None = None
    work_own_stamp: datetime | None = None
    work_agreed: datetime | None = None
    work_author: str | None = None
    work_presence: str
    work_missing_since: datetime | None = None
    work_project: str | None = None
    work_group: str | None = None
    work_marker: str | None = None
    work_marker_refused: bool
    aside: Any = _json()
    wanted: Any = _json()
    differences: Any = _json()
    written: Any = _json()
    reverts: Any = _json()


class CandidateRow(SQLModel, table=True):
    """A CRM task that should get a work item."""

    __tablename__ = "candidate"

    crm_id: str = Field(primary_key=True)
    project: str
    group: str
    since: datetime
    title: str
    on_request: bool
    refused: str | None = None
    words: str
    config: str
    not_before: datetime | None = None
    tries: int


class IntentRow(SQLModel, table=True):
    """A create that was sent or is about to be, without an outcome."""

    __tablename__ = "intent"

    crm_id: str = Field(primary_key=True)
    project: str
    group: str
    values: Any = _json(nullable=False)
    source: Any = _json(nullable=False)
    sent: datetime
    floor: datetime
    title: str
    searches: int
    on_request: bool


class SendingRow(SQLModel, table=True):
    """An update that was sent or is about to be, without an outcome; it goes with its link."""

    __tablename__ = "sending"

    link: int = Field(primary_key=True, foreign_key="link.key", ondelete="CASCADE")
    side: str = Field(primary_key=True)
    values: Any = _json(nullable=False)
    source: Any = _json(nullable=False)
    sent: datetime


class ClaimRow(SQLModel, table=True):
    """An unlinked Work item that carries our marker."""

    __tablename__ = "claim"

    work_id: str = Field(primary_key=True)
    crm_id: str = Field(index=True)
    created: datetime | None = None
    deleted: bool
    reported: bool


class TombstoneRow(SQLModel, table=True):
    """A pair that was unlinked; `link` is what was known of it."""

    __tablename__ = "tombstone"

    crm_id: str = Field(primary_key=True)
    work_id: str = Field(primary_key=True, index=True)
    reason: str
    manual: bool
    at: datetime
    link: Any = _json()


class VerdictRow(SQLModel, table=True):
    """What a CRM task's result field should say and does not yet."""

    __tablename__ = "verdict"

    crm_id: str = Field(primary_key=True)
    words: str
    refused: bool


class AttentionRow(SQLModel, table=True):
    """An entry of the attention list; `field` is "" where the entry is about the whole record."""

    __tablename__ = "attention"

    side: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    field: str = Field(primary_key=True)
    message: str
    since: datetime
    title: str
    words: str
    content: str
    acked: str | None = None


class FactRow(SQLModel, table=True):
    """A named JSON value."""

    __tablename__ = "fact"

    name: str = Field(primary_key=True)
    value: Any = _json(nullable=False)


class CycleRow(SQLModel, table=True):
    """One cycle as `status` shows it."""

    __tablename__ = "cycle"
    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str
    counts: Any = _json()
    note: str


class JournalRow(SQLModel, table=True):
    """One entry of the journal.

    `old`, `new`, `changed_by`, `operator`, `inputs` and `secret` can be erased (set to null); everything else is hashed
    and never changes. `*_seal` are commitments to the erasable values, see `reconciler.store.journal`. `inputs` are the
    values that a decision was made from, null where the entry is none.
    """

    __tablename__ = "journal"

    # Counted by the chain, not by the database: a gap is evidence.
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str
    at: datetime = Field(index=True)
    cycle: int | None = None
    crm_id: str | None = Field(default=None, index=True)
    work_id: str | None = Field(default=None, index=True)
    side: str | None = None
    field: str | None = None
    rule: str
    reason: str
    crm_modified: datetime | None = None
    work_modified: datetime | None = None
    detail: Any = Field(default=None, sa_column=Column(JSON_TYPE, nullable=False))
    old: Any = Field(default=None, sa_column=Column(JSON_TYPE))
    new: Any = Field(default=None, sa_column=Column(JSON_TYPE))
    changed_by: str | None = None
    operator: str | None = None
    secret: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    old_seal: str
    new_seal: str
    changed_by_seal: str
    operator_seal: str
    previous: str
    hash: str
    inputs: Any = Field(default=None, sa_column=Column(JSON_TYPE))
    inputs_seal: str | None = None


class CheckpointRow(SQLModel, table=True):
    """A signed statement of how far the journal went: `document` names entry and hash, `signature` is minisign's."""

    __tablename__ = "checkpoint"

    entry: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime
    document: str
    signature: str


class LeaseRow(SQLModel, table=True):
    """Who may write, where a lock file cannot say so (a database server). `token` grows with each new holder."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    holder: str
    token: int
    expires_at: datetime


def _table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


METADATA: Final = SQLModel.metadata
LINK: Final = _table("link")
CANDIDATE: Final = _table("candidate")
INTENT: Final = _table("intent")
SENDING: Final = _table("sending")
CLAIM: Final = _table("claim")
TOMBSTONE: Final = _table("tombstone")
VERDICT: Final = _table("verdict")
ATTENTION: Final = _table("attention")
FACT: Final = _table("fact")
CYCLE: Final = _table("cycle")
JOURNAL: Final = _table("journal")
CHECKPOINT: Final = _table("checkpoint")
LEASE: Final = _table("lease")

# The triggers stop mistakes, not people: the evidence is the chain. A personal value may only be erased, and only
# together with the entry's secret, which cannot come back.
JOURNAL_TRIGGERS: Final = (
    """CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER journal_no_update BEFORE UPDATE OF
id, kind, at, cycle, crm_id, work_id, side, field, rule, reason, crm_modified, work_modified, detail,
old_seal, new_seal, changed_by_seal, operator_seal, inputs_seal, previous, hash ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER journal_only_erase BEFORE UPDATE OF old, new, changed_by, operator, inputs, secret ON journal
WHEN new.old IS NOT NULL OR new.new IS NOT NULL OR new.changed_by IS NOT NULL OR new.operator IS NOT NULL
OR new.inputs IS NOT NULL OR new.secret IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a journal value can only be erased'); END""",
)

for _trigger in JOURNAL_TRIGGERS:
    _made = DDL(_trigger)  # type: ignore[no-untyped-call]
    event.listen(JOURNAL, "after_create", _made.execute_if(dialect="sqlite"))  # PostgreSQL is always migrated
