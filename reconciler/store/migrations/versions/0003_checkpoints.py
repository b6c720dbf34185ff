"""Signed checkpoints; decisions keep the values that they were made from."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEFORE = """CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"""
HASHED = """CREATE TRIGGER journal_no_update BEFORE UPDATE OF
id, kind, at, cycle, crm_id, work_id, side, field, rule, reason, crm_modified, work_modified, detail,
old_seal, new_seal, changed_by_seal, operator_seal, {inputs_seal}previous, hash ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"""
ERASABLE = """CREATE TRIGGER journal_only_erase BEFORE UPDATE OF
old, new, changed_by, operator, {inputs}secret ON journal
WHEN new.old IS NOT NULL OR new.new IS NOT NULL OR new.changed_by IS NOT NULL OR new.operator IS NOT NULL
OR {new_inputs}new.secret IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a journal value can only be erased'); END"""

POSTGRES_HASHED = """CREATE OR REPLACE TRIGGER journal_no_update BEFORE UPDATE OF
id, kind, at, cycle, crm_id, work_id, side, field, rule, reason, crm_modified, work_modified, detail,
old_seal, new_seal, changed_by_seal, operator_seal, {inputs_seal}previous, hash ON journal
FOR EACH ROW EXECUTE FUNCTION journal_refuse('the journal is append-only')"""
POSTGRES_ERASABLE = """CREATE OR REPLACE TRIGGER journal_only_erase BEFORE UPDATE OF
old, new, changed_by, operator, {inputs}secret ON journal
FOR EACH ROW WHEN (new.old IS NOT NULL OR new.new IS NOT NULL OR new.changed_by IS NOT NULL
OR new.operator IS NOT NULL OR {new_inputs}new.secret IS NOT NULL)
EXECUTE FUNCTION journal_refuse('a journal value can only be erased')"""


def _guard(*, inputs: bool) -> None:
    """On SQLite the triggers went with the table that was replaced; PostgreSQL has them still."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    hashed, erasable = (HASHED, ERASABLE) if sqlite else (POSTGRES_HASHED, POSTGRES_ERASABLE)
    if sqlite:
        op.execute(BEFORE)
    op.execute(hashed.format(inputs_seal="inputs_seal, " if inputs else ""))
    op.execute(
        erasable.format(inputs="inputs, " if inputs else "", new_inputs="new.inputs IS NOT NULL OR " if inputs else "")
    )


def _recreate() -> Literal["always", "never"]:
    return "always" if op.get_bind().dialect.name == "sqlite" else "never"


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("entry", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("entry", name="pk_checkpoint"),
    )
    with op.batch_alter_table("journal", recreate=_recreate()) as table:
        table.add_column(sa.Column("inputs", sa.JSON(), nullable=True))
        table.add_column(sa.Column("inputs_seal", sa.String(), nullable=True))
    _guard(inputs=True)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _guard(inputs=False)  # the triggers name the columns
    with op.batch_alter_table("journal", recreate=_recreate()) as table:
        table.drop_column("inputs_seal")
        table.drop_column("inputs")
    if op.get_bind().dialect.name == "sqlite":
        _guard(inputs=False)
    op.drop_table("checkpoint")
