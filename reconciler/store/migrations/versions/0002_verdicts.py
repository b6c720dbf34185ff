"""What CRM tasks are to be told; creates that a person asked for stay asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verdict",
        sa.Column("crm_id", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("crm_id", name="pk_verdict"),
    )
    with op.batch_alter_table("intent") as table:
        table.add_column(sa.Column("on_request", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("intent") as table:
        table.alter_column("on_request", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("intent") as table:
        table.drop_column("on_request")
    op.drop_table("verdict")
