"""The numbers, in process: each counts what it says, and everything that alerts and dashboards name exists."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from reconciler.core.model import Side
from reconciler.daemon.happening import Happening
from reconciler.daemon.keeper import Keeper
from reconciler.daemon.metrics import Metrics
from reconciler.daemon.web import routes
from reconciler.errors import UsageError
from reconciler.requests import Pause, Unlink
from tests.daemon.test_keeper import Station

DEPLOY = Path(__file__).parents[2] / "deploy"


class Measured(Station):
    """A station whose keeper is listened to by metrics."""

    def __init__(self, folder: Path) -> None:
        self.missed = 0
        super().__init__(folder)

    def fresh(self) -> Keeper:
        self.metrics = Metrics(self.world.clock, lambda: [(self.keeper, self.keeper.skipped, self.missed)])
        return super().fresh()

    def watch(self, connection: str, side: Side, way: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return self.metrics.watch(connection, side, way)

    def hear(self, happening: Happening) -> None:
        super().hear(happening)
        self.metrics.hear(self.keeper, happening)

    def value(self, name: str, **labels: str) -> float:
        """One sample; 0 if there is none."""
        found = self.metrics.registry.get_sample_value(f"reconciler_{name}", {"connection": "an-phat", **labels})
        return 0.0 if found is None else found


@pytest_asyncio.fixture
async def station(tmp_path: Path) -> AsyncIterator[Measured]:
    made = Measured(tmp_path)
    await made.keeper.open()
    yield made
    made.keeper.stop.ask()
    await made.keeper.close()


async def test_cycles_and_operations_by_how_they_ended(station: Measured) -> None:
    task, item = await station.pair()
    await station.keeper.sweep()
    station.world.crm.edit(task, task_name="Từ CRM")
    station.world.work.edit(item, Description="Từ Work")
    await station.poll()
    assert station.value("cycles_total", sweeping="false", outcome="ok") == 3
    assert station.value("cycles_total", sweeping="true", outcome="ok") == 1
    assert station.value("cycle_seconds_count", sweeping="false") == 3
    assert station.value("operations_total", side="work", kind="create") == 1
    assert station.value("operations_total", side="work", kind="update") == 1
    assert station.value("operations_total", side="crm", kind="update") == 1
    station.world.lines[Side.CRM].cut = True
    await station.poll()
    assert station.value("cycles_total", sweeping="false", outcome="unavailable") == 1
    assert (station.value("side_up", side="crm"), station.value("side_up", side="work")) == (0, 1)


@pytest.mark.parametrize(("apart", "reason"), [(60, "newer"), (0, "tie")])
async def test_conflicts_and_ties(station: Measured, apart: int, reason: str) -> None:
    task, item = await station.pair()
    station.world.clock.tick(600)
    now = station.world.crm.time()
    station.world.crm.edit(task, task_name="Bên này", stamp=now - timedelta(seconds=apart))
    station.world.work.edit(item, TaskName="Bên kia", stamp=now)
    await station.poll()
    await station.poll()
    assert station.value("conflicts_total", field="title", reason=reason) == 1
    assert sum(station.value("conflicts_total", field="title", reason=one) for one in ("newer", "tie")) == 1


@pytest.mark.parametrize("offset", [0, 300, -300])
async def test_the_lag_is_from_the_edit_to_its_arrival_by_our_clock(station: Measured, offset: int) -> None:
    for system in (station.world.crm, station.world.work):
        system.offset = timedelta(seconds=offset)
    task, item = await station.pair()
    created = station.value("lag_seconds_sum", direction="crm_to_work")
    station.world.crm.edit(task, task_name="Mới")
    station.world.work.edit(item, Description="Mới")
    await station.poll(40)
    crm, work = (station.value("lag_seconds_sum", direction=one) for one in ("crm_to_work", "work_to_crm"))
    assert crm - created == pytest.approx(40, abs=3)
    assert work == pytest.approx(40, abs=3)
    assert station.value("lag_seconds_count", direction="work_to_crm") == 1
    assert station.value("clock_offset_seconds", side="crm") == pytest.approx(offset, abs=1)


async def test_what_waits(station: Measured) -> None:
    await station.pair()
    station.world.crm.add(custom_field1="10", custom_field2="31")
    await station.poll()
    assert station.value("attention", code="target_is_department") == 1
    assert (station.value("pairs", condition="equal"), station.value("pairs", condition="pending")) == (1, 0)
    station.world.crm.add(custom_field1="12", custom_field2="31")
    await station.ask(Pause(reason="x"))
    await station.poll()
    assert (station.value("paused"), station.value("pending")) == (1, 1)
    assert station.value("commands_total", command="pause", exit_code="0") == 1
    await station.ask(Unlink(task="999", reason=""))
    assert station.value("commands_total", command="unlink", exit_code="2") == 1


async def test_a_halt_and_a_refused_config(station: Measured) -> None:
    station.world.sections["safety"] = {"max_creates": 1}
    await station.keeper.change(station.settings)
    for _ in range(2):
        station.world.crm.add(custom_field1="12", custom_field2="31")
    assert (station.value("halted"), station.value("config_refused")) == (0, 0)
    await station.poll()
    assert station.value("halted") == 1
    station.keeper.refuse(UsageError("x"))
    assert station.value("config_refused") == 1


async def test_the_watermark_is_a_time_of_each_server(station: Measured) -> None:
    await station.poll()
    now = station.world.clock.now().timestamp()
    for side in Side:
        assert now - 600 < station.value("watermark_timestamp_seconds", side=side.value) <= now


async def test_requests_by_status_and_time(station: Measured) -> None:
    await station.poll()
    before = station.value("requests_total", side="crm", status="200")
    assert before > 0
    assert station.value("request_seconds_count", side="crm") == before
    station.world.crm.faults.order("read", "status", status=503)
    await station.poll()
    assert station.value("requests_total", side="crm", status="503") == 1
    station.world.lines[Side.WORK].cut = True
    await station.poll()
    assert station.value("requests_total", side="work", status="none") >= 1


async def test_ticks_that_did_not_run(station: Measured) -> None:
    station.keeper.skipped, station.missed = 3, 7
    assert (station.value("ticks_skipped_total"), station.value("ticks_missed_total")) == (3, 7)


async def test_a_connection_that_is_not_open_has_no_numbers_of_its_state(station: Measured) -> None:
    await station.poll()
    assert station.value("opened") == 1
    station.keeper.stop.ask()
    await station.keeper.close()
    assert station.value("opened") == 0
    assert "reconciler_pairs{" not in station.metrics.exposition("")[0].decode()


class Well:
    """Health with one connection that is fine and one that is not."""

    def conditions(self) -> dict[str, str]:
        return {"an-phat": "in step", "binh-minh": "crm cannot be reached"}

    def stalled(self) -> list[str]:
        return []

    def idle(self) -> list[str]:
        return ["binh-minh"]


@pytest.mark.parametrize("accept", ["", "text/plain", "application/openmetrics-text; version=1.0.0"])
async def test_over_http(station: Measured, accept: str) -> None:
    from starlette.applications import Starlette

    await station.poll()
    transport = httpx.ASGITransport(app=Starlette(routes=routes(Well(), station.metrics)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        scraped = await client.get("/metrics", headers={"accept": accept})
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
        refused = await client.post("/metrics")
    assert scraped.headers["content-type"].startswith("application/openmetrics" if "open" in accept else "text/plain")
    assert list(text_string_to_metric_families(scraped.text.replace("# EOF\n", "")))
    assert (alive.status_code, alive.json()["ok"]) == (200, True)
    assert (ready.status_code, ready.json()["concerns"]) == (503, ["binh-minh"])
    assert refused.status_code == 405


# What is deployed


def exposed(metrics: Metrics) -> set[str]:
    """Every name that a query may use."""
    text = metrics.exposition("")[0].decode()
    names: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names |= {f"{name}{end}" for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


@pytest.mark.parametrize("file", ["alerts.yml", "grafana.json"])
async def test_alerts_and_dashboards_name_metrics_that_exist(station: Measured, file: str) -> None:
    await station.pair()
    named = set(re.findall(r"\breconciler_\w+", (DEPLOY / file).read_text("utf-8")))
    assert len(named) > 5
    assert named - exposed(station.metrics) == set()


def panels() -> list[dict[str, Any]]:
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    found: list[dict[str, Any]] = board["panels"]
    return found


def test_every_panel_has_a_title_a_query_and_a_place_of_its_own() -> None:
    places: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["title"]
        assert all(target["expr"] for target in panel["targets"])
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & places, panel["title"]
        assert at["x"] + at["w"] <= 24
        places |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_every_alert_says_what_to_do() -> None:
    text = (DEPLOY / "alerts.yml").read_text("utf-8")
    alerts = re.findall(r"- alert: (\w+)", text)
    assert len(alerts) >= 8
    assert len(set(alerts)) == len(alerts)
    for part in text.split("- alert: ")[1:]:
        for key in ("expr:", "severity:", "summary:", "description:"):
            assert key in part, part.splitlines()[0]
