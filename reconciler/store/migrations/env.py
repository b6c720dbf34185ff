"""What Alembic runs. The connection and its open transaction are the caller's; logging is left alone."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from reconciler.store.tables import METADATA


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Plain SQLAlchemy types in new revisions, so that these do not depend on SQLModel."""
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection: Connection | None = context.config.attributes["connection"]
if connection is None:
    raise RuntimeError("migrations run on the connection of the store")

context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_item=render_item,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
