"""The product with both systems running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.product import Product
from tests.journal.pieces import secret_text, signing_key


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A connection that signs its checkpoints."""
    folder = tmp_path / "connection"
    folder.mkdir()
    secret = folder / "journal.key"
    secret.write_text(secret_text(signing_key()), "utf-8")
    secret.chmod(0o600)
    with Product(folder) as made:
        made.write_config(journal={"signing_key_file": str(secret)})
        yield made
