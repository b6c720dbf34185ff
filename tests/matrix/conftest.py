"""One server for each module of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.matrix.served import Served, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving() as made:
        yield made


@pytest.fixture
def served(server: Served) -> Served:
    """The module's server, empty."""
    return server.fresh()
