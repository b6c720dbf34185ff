"""The kinds of databases that every test of the contract runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.ports import Store
from reconciler.store import open_store
from tests.store.samples import bytes_from

POSTGRES = "RECONCILER_TEST_POSTGRES"


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture(params=["file", "memory", *([POSTGRES] if POSTGRES in os.environ else [])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty state. PostgreSQL joins the list where the environment names a database for tests."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/state.db"
    return "sqlite://" if request.param == "memory" else os.environ[POSTGRES]


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url, random_bytes=bytes_from("store"))
    yield opened
    opened.close()
