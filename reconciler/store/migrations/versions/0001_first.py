"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON()

SQLITE_TRIGGERS = (
    """CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER journal_no_update BEFORE UPDATE OF
id, kind, at, cycle, crm_id, work_id, side, field, rule, reason, crm_modified, work_modified, detail,
old_seal, new_seal, changed_by_seal, operator_seal, previous, hash ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER journal_only_erase BEFORE UPDATE OF old, new, changed_by, operator, secret ON journal
WHEN new.old IS NOT NULL OR new.new IS NOT NULL OR new.changed_by IS NOT NULL OR new.operator IS NOT NULL
OR new.secret IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a journal value can only be erased'); END""",
)

POSTGRES_TRIGGERS = (
    """CREATE FUNCTION journal_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
FOR EACH ROW EXECUTE FUNCTION journal_refuse('the journal is append-only')""",
    """CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse('the journal is append-only')""",
    """CREATE TRIGGER journal_no_update BEFORE UPDATE OF
id, kind, at, cycle, crm_id, work_id, side, field, rule, reason, crm_modified, work_modified, detail,
old_seal, new_seal, changed_by_seal, operator_seal, previous, hash ON journal
FOR EACH ROW EXECUTE FUNCTION journal_refuse('the journal is append-only')""",
    """CREATE TRIGGER journal_only_erase BEFORE UPDATE OF old, new, changed_by, operator, secret ON journal
FOR EACH ROW WHEN (new.old IS NOT NULL OR new.new IS NOT NULL OR new.changed_by IS NOT NULL
OR new.operator IS NOT NULL OR new.secret IS NOT NULL)
EXECUTE FUNCTION journal_refuse('a journal value can only be erased')""",
)


def upgrade() -> None:
    op.create_table(
        "attention",
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("acked", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("side", "id", "code", "field", name="pk_attention"),
    )
    op.create_table(
        "candidate",
        sa.Column("crm_id", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("on_request", sa.Boolean(), nullable=False),
        sa.Column("refused", sa.String(), nullable=True),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("config", sa.String(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("crm_id", name="pk_candidate"),
    )
    op.create_table(
        "claim",
        sa.Column("work_id", sa.String(), nullable=False),
        sa.Column("crm_id", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("work_id", name="pk_claim"),
    )
    op.create_index("ix_claim_crm_id", "claim", ["crm_id"], unique=False)
    op.create_table(
        "cycle",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("counts", DOCUMENT, nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cycle"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fact",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_fact"),
    )
    op.create_table(
        "intent",
        sa.Column("crm_id", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("values", DOCUMENT, nullable=False),
        sa.Column("source", DOCUMENT, nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=False),
        sa.Column("floor", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("searches", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("crm_id", name="pk_intent"),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=True),
        sa.Column("crm_id", sa.String(), nullable=True),
        sa.Column("work_id", sa.String(), nullable=True),
        sa.Column("side", sa.String(), nullable=True),
        sa.Column("field", sa.String(), nullable=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("crm_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("work_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("old", sa.JSON(), nullable=True),
        sa.Column("new", sa.JSON(), nullable=True),
        sa.Column("changed_by", sa.String(), nullable=True),
        sa.Column("operator", sa.String(), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_seal", sa.String(), nullable=False),
        sa.Column("new_seal", sa.String(), nullable=False),
        sa.Column("changed_by_seal", sa.String(), nullable=False),
        sa.Column("operator_seal", sa.String(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
    )
    op.create_index("ix_journal_at", "journal", ["at"], unique=False)
    op.create_index("ix_journal_crm_id", "journal", ["crm_id"], unique=False)
    op.create_index("ix_journal_work_id", "journal", ["work_id"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "link",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("crm_id", sa.String(), nullable=False),
        sa.Column("work_id", sa.String(), nullable=False),
        sa.Column("dirty_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("condition", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("drops", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("crm_base", DOCUMENT, nullable=False),
        sa.Column("crm_seen", DOCUMENT, nullable=True),
        sa.Column("crm_stamps", DOCUMENT, nullable=True),
        sa.Column("crm_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crm_own_stamp", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crm_agreed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crm_author", sa.String(), nullable=True),
        sa.Column("crm_presence", sa.String(), nullable=False),
        sa.Column("crm_missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crm_project", sa.String(), nullable=True),
        sa.Column("crm_group", sa.String(), nullable=True),
        sa.Column("crm_marker", sa.String(), nullable=True),
        sa.Column("crm_marker_refused", sa.Boolean(), nullable=False),
        sa.Column("work_base", DOCUMENT, nullable=False),
        sa.Column("work_seen", DOCUMENT, nullable=True),
        sa.Column("work_stamps", DOCUMENT, nullable=True),
        sa.Column("work_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("work_own_stamp", sa.DateTime(timezone=True), nullable=True),
        sa.Column("work_agreed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("work_author", sa.String(), nullable=True),
        sa.Column("work_presence", sa.String(), nullable=False),
        sa.Column("work_missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("work_project", sa.String(), nullable=True),
        sa.Column("work_group", sa.String(), nullable=True),
        sa.Column("work_marker", sa.String(), nullable=True),
        sa.Column("work_marker_refused", sa.Boolean(), nullable=False),
        sa.Column("aside", DOCUMENT, nullable=True),
        sa.Column("wanted", DOCUMENT, nullable=True),
        sa.Column("differences", DOCUMENT, nullable=True),
        sa.Column("written", DOCUMENT, nullable=True),
        sa.Column("reverts", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_link"),
        sa.UniqueConstraint("crm_id", name="uq_link_crm_id"),
        sa.UniqueConstraint("work_id", name="uq_link_work_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_link_condition", "link", ["condition"], unique=False)
    op.create_index(
        "ix_link_differing",
        "link",
        ["key"],
        unique=False,
        sqlite_where=sa.text("differences IS NOT NULL"),
        postgresql_where=sa.text("differences IS NOT NULL"),
    )
    op.create_index("ix_link_dirty_since", "link", ["dirty_since"], unique=False)
    op.create_table(
        "tombstone",
        sa.Column("crm_id", sa.String(), nullable=False),
        sa.Column("work_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("manual", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("link", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("crm_id", "work_id", name="pk_tombstone"),
    )
    op.create_index("ix_tombstone_work_id", "tombstone", ["work_id"], unique=False)
    op.create_table(
        "sending",
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("values", DOCUMENT, nullable=False),
        sa.Column("source", DOCUMENT, nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["link"], ["link.key"], name="fk_sending_link_link", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("link", "side", name="pk_sending"),
    )
    triggers = SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRES_TRIGGERS
    for trigger in triggers:
        op.execute(trigger)


def downgrade() -> None:
    op.drop_table("sending")
    op.drop_table("tombstone")
    op.drop_table("link")
    op.drop_table("lease")
    op.drop_table("journal")
    op.drop_table("intent")
    op.drop_table("fact")
    op.drop_table("cycle")
    op.drop_table("claim")
    op.drop_table("candidate")
    op.drop_table("attention")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION journal_refuse()")
