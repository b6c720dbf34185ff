"""The kinds of databases that every test of the contract runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.ports import Store
from reconciler.store import hold, open_store
from tests.store.samples import Fixed, bytes_from


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture(params=["file", "memory", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty state."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/state.db"
    return "sqlite://" if request.param == "memory" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with hold(url, Fixed()) as generation:
        opened = open_store(url, random_bytes=bytes_from("store"), generation=generation)
        yield opened
        opened.close()
