"""The page as the daemon serves it."""

from __future__ import annotations

from tests.cli.product import Product
from tests.daemon.conftest import Start
from tests.daemon.conftest import product as product  # the fixtures
from tests.daemon.conftest import start as start
from tests.daemon.service import until


def test_the_daemon_serves_the_page_beside_metrics_and_health(product: Product, start: Start) -> None:
    product.task(task_name="Khảo sát kho Đà Nẵng")
    service = start().ready()
    service.logged("cycle.finished")
    code, text = service.get("/task?q=da+nang&lang=vi")
    assert code == 200
    assert "Khảo sát kho Đà Nẵng" in text
    assert service.get("/")[0] == 200
    assert service.get("/healthz")[0] == 200
    assert "reconciler_" in service.get("/metrics")[1]
    assert service.get("/nothing")[0] == 404
    writes = len(product.writes())
    until("a dry run", lambda: "sha256:" in service.get("/dry-run?run=1&lang=vi")[1])
    assert len(product.writes()) == writes
    assert service.end() == 0
