"""The product with both systems running, and daemons that are ended with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.product import Product
from tests.daemon.service import Service

Start = Callable[..., Service]


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with Product(tmp_path) as made:
        made.write_config(schedule={"poll": "1s", "jitter": "0s"}, web={"listen": "127.0.0.1:0"})
        yield made
        assert made.crm.violations == []
        assert made.work.violations == []


@pytest.fixture
def start(product: Product) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(*configs: Path) -> Service:
            return stack.enter_context(Service(*(configs or (product.config,)), folder=product.folder))

        yield begin
