"""Alembic's files, inside the package: no ini file, and the connection comes from the caller."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.config import Config


def config(connection: sa.Connection) -> Config:
    """Settings for Alembic's commands on an open connection; the caller owns the transaction."""
    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", "reconciler.store:migrations")
    settings.set_main_option("path_separator", "os")
    return settings
