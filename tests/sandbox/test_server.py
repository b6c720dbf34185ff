"""Over real sockets, the page for people, and the example data."""

import random
from collections.abc import Iterator

import httpx
import pytest

from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.data import seed
from reconciler.sandbox.server import Sandbox, combined_app
from reconciler.sandbox.work import WorkSystem
from tests.sandbox.clients import Clock, CrmClient, WorkClient


@pytest.fixture
def sandbox(crm: CrmSystem, work: WorkSystem) -> Iterator[Sandbox]:
    with Sandbox(crm, work) as running:
        yield running


async def test_both_systems_answer_on_their_base_addresses(sandbox: Sandbox, crm: CrmSystem, work: WorkSystem) -> None:
    id_ = crm.add()
    assert sandbox.crm_url == f"http://127.0.0.1:{sandbox.port}/crm/api/v2"
    assert sandbox.work_url == f"http://127.0.0.1:{sandbox.port}/work/APIS/TaskOpenAPI/api/Open"
    async with httpx.AsyncClient(base_url=sandbox.crm_url) as http:
        client = CrmClient(crm, http)
        reply = await client.call("GET", "/Tasks")
        assert [row["id"] for row in reply.json()["data"]] == [id_]
        assert reply.headers.get_list("date") == ["Mon, 02 Mar 2026 02:00:00 GMT"]
        assert (await client.change(id_, status="Đang chờ"))["success"]
        assert (await client.call("DELETE", "/Tasks", [id_])).json()["results"] == [{"success": True, "data": id_}]
    async with httpx.AsyncClient(base_url=sandbox.work_url) as http:
        assert (await WorkClient(work, http).insert(TaskName="Gọi", ProjectID=12))["Success"]
    assert crm.violations == work.violations == []


async def test_a_dropped_call_ends_the_connection_without_an_answer(sandbox: Sandbox, crm: CrmSystem) -> None:
    async with httpx.AsyncClient(base_url=sandbox.crm_url) as http:
        client = CrmClient(crm, http)
        await client.login()
        crm.faults.order("list", "drop_after")
        with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
            await client.call("GET", "/Tasks")
        assert (await client.call("GET", "/Tasks")).status_code == 200


async def test_the_page_shows_pairs_and_takes_edits(sandbox: Sandbox, crm: CrmSystem, work: WorkSystem) -> None:
    left = crm.add(task_name="<b>Gọi</b>", due_date="2026-03-09", description="\n hai dòng")
    right = work.add(
        CustomFields={"crm_task_id": str(left)}, DoerCodes=["NV001", "NV002"], Deadline="2026-03-09T17:30:15+07:00"
    )
    async with httpx.AsyncClient(base_url=sandbox.url, follow_redirects=True) as http:
        page = await http.get("/")
        assert page.status_code == 200
        assert "&lt;b&gt;Gọi" in page.text and "<b>Gọi</b>" not in page.text and "<script" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script" not in policy
        form = {"side": "crm", "id": left, "action": "save", "name": "Gọi lại", "status": "Đang chờ"}
        form |= {"due": "2026-03-10", "owner": "NV003", "description": "một\r\nhai"}
        assert "Gọi lại" in (await http.post("/edit", data=form)).text
        row = crm.snapshot()[0]
        assert [row[name] for name in ("task_name", "status", "due_date", "owner_name", "description")] == [
            "Gọi lại", "Đang chờ", "2026-03-10", "NV003", "một\nhai",
        ]  # fmt: skip
        form = {"side": "work", "id": right, "action": "save", "name": "Gọi khách hàng", "status": "Đã hoàn thành"}
        form |= {"due": "2026-03-09T17:30", "owner": "NV004", "description": ""}
        await http.post("/edit", data=form)
        task = work.snapshot()[0]
        assert (task["IsCompleted"], task["DoerCodes"]) == (True, ["NV004", "NV002"])
        assert task["Deadline"] == "2026-03-09T17:30:15+07:00"
        form = {"side": "crm", "action": "add", "name": "Mới", "status": "Chưa bắt đầu", "project": "12", "group": "31"}
        await http.post("/edit", data=form)
        added = crm.snapshot()[1]
        assert (added["task_name"], added["custom_field1"], added["custom_field2"]) == ("Mới", "12", "31")
        for action, deleted in (("delete", True), ("restore", False)):
            await http.post("/edit", data={"side": "crm", "id": added["id"], "action": action})
            assert crm.snapshot()[1]["is_deleted"] is deleted


async def test_the_page_refuses_what_no_person_could_store(crm: CrmSystem, work: WorkSystem) -> None:
    id_ = crm.add()
    before = crm.get(id_)
    transport = httpx.ASGITransport(app=combined_app(crm, work))
    good = {"side": "crm", "id": str(id_), "action": "save", "name": "x", "status": "Đang chờ", "due": "", "owner": ""}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as http:
        for wrong in (
            {"name": " "}, {"status": "Sai"}, {"due": "mai"}, {"owner": "NV777"}, {"id": "5"}, {"side": "x"},
            {"action": "x"},
        ):  # fmt: skip
            assert (await http.post("/edit", data=good | wrong)).status_code == 400
        elsewhere = await http.post("/edit", data=good, headers={"Origin": "http://evil.test"})
        assert elsewhere.status_code == 403
        assert (await http.get("/nothing")).status_code == 404
    assert crm.get(id_) == before


async def test_saving_an_unchanged_form_moves_no_stamp(clock: Clock, crm: CrmSystem, work: WorkSystem) -> None:
    id_ = crm.add(description=None)
    before = crm.get(id_)
    clock.advance(60)
    transport = httpx.ASGITransport(app=combined_app(crm, work))
    form = {"side": "crm", "id": str(id_), "action": "save", "name": "Gọi khách hàng", "status": "Chưa bắt đầu"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as http:
        assert (await http.post("/edit", data=form | {"owner": "NV001", "description": ""})).status_code == 303
    assert crm.get(id_) == before


def test_the_example_data_is_the_same_every_time(crm: CrmSystem, work: WorkSystem, clock: Clock) -> None:
    seed(crm, work)
    rows = crm.snapshot()
    assert len(rows) == 12
    assert {row["status"] for row in rows} == set(crm.statuses)
    assert sum(row["custom_field1"] is not None for row in rows) == 4
    again = CrmSystem(now=clock, rng=random.Random(9))
    seed(again, WorkSystem(now=clock, rng=random.Random(9)))
    assert again.snapshot() == rows
