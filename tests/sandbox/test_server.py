"""Over real sockets, the page for people, and the example data."""

import random
import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.data import seed
from reconciler.sandbox.page import FORM_LIMIT
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


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
async def test_a_truncated_body_breaks_off_on_the_wire(sandbox: Sandbox, crm: CrmSystem, framing: str) -> None:
    crm.add()
    async with httpx.AsyncClient(base_url=sandbox.crm_url) as http:
        client = CrmClient(crm, http)
        await client.login()
        crm.faults.order("list", "truncate", framing=framing)
        headers = {"Authorization": f"Bearer {client.token}", "Clientid": crm.client_id}
        received = b""
        with pytest.raises(httpx.RemoteProtocolError):
            async with http.stream("GET", "/Tasks", headers=headers) as reply:
                assert reply.status_code == 200
                assert ("transfer-encoding" in reply.headers) is (framing == "chunked")
                async for part in reply.aiter_bytes():
                    received += part
        assert received.startswith(b'{"success": true')
        assert (await client.call("GET", "/Tasks")).status_code == 200


async def test_after_a_timeout_the_client_ends_the_call(sandbox: Sandbox, crm: CrmSystem) -> None:
    async with httpx.AsyncClient(base_url=sandbox.crm_url) as http:
        client = CrmClient(crm, http)
        await client.login()
        crm.faults.order("list", "timeout")
        http.timeout = httpx.Timeout(5, read=0.05)
        with pytest.raises(httpx.ReadTimeout):
            await client.call("GET", "/Tasks")
        http.timeout = httpx.Timeout(5)
        assert (await client.call("GET", "/Tasks")).status_code == 200


def test_a_sandbox_comes_back_on_its_port(crm: CrmSystem, work: WorkSystem) -> None:
    running = Sandbox(crm, work)
    addresses = set()
    for _ in range(2):
        with running as started:
            addresses.add(started.url)
            assert httpx.get(started.url).status_code == 200
    assert len(addresses) == 1


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
        assert (await http.post("/edit", data=good | {"name": "x" * (FORM_LIMIT + 1)})).status_code == 413
        assert (await http.get("/nothing")).status_code == 404
    assert crm.get(id_) == before


async def test_the_page_refuses_the_same_of_a_work_item(crm: CrmSystem, work: WorkSystem) -> None:
    id_ = work.add(Deadline="2026-03-09T17:30:00+07:00")
    before = work.get(id_)
    transport = httpx.ASGITransport(app=combined_app(crm, work))
    good = {"side": "work", "id": str(id_), "action": "save", "name": "x", "status": "Đã hoàn thành"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as http:
        for wrong in ({"status": "Đang chờ"}, {"due": "mai"}, {"due": "2026-02-30T08:00"}, {"owner": "NV777"}):
            assert (await http.post("/edit", data=good | wrong)).status_code == 400
        assert work.get(id_) == before
        assert (await http.post("/edit", data=good | {"due": ""})).status_code == 303
    row = work.get(id_)
    assert row is not None and (row["Deadline"], row["StatusName"]) == (None, "Đã hoàn thành")


async def test_saving_an_unchanged_form_moves_no_stamp(clock: Clock, crm: CrmSystem, work: WorkSystem) -> None:
    id_ = crm.add(description=None)
    before = crm.get(id_)
    clock.advance(60)
    transport = httpx.ASGITransport(app=combined_app(crm, work))
    form = {"side": "crm", "id": str(id_), "action": "save", "name": "Gọi khách hàng", "status": "Chưa bắt đầu"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as http:
        assert (await http.post("/edit", data=form | {"owner": "NV001", "description": ""})).status_code == 303
    assert crm.get(id_) == before


def form_of(page: str, side: str, id_: int) -> dict[str, str]:
    """What a browser would send from that form if nothing were edited."""
    (form,) = [
        part
        for part in re.findall(r"<form.*?</form>", page, re.DOTALL)
        if f'name="side" value="{side}"' in part and f'name="id" value="{id_}"' in part
    ]
    sent = dict(re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', form))
    sent |= dict(re.findall(r'<textarea name="(\w+)">\n(.*?)</textarea>', form, re.DOTALL))
    for name, options in re.findall(r'<select name="(\w+)">(.*?)</select>', form, re.DOTALL):
        sent[name] = next(iter(re.findall(r'value="([^"]*)" selected', options)), "")
    return {name: unescape(text).replace("\n", "\r\n") for name, text in sent.items()} | {"action": "save"}


async def test_an_old_form_changes_only_what_was_edited_in_it(crm: CrmSystem, work: WorkSystem) -> None:
    left = crm.add(task_name="Gọi & <hỏi>\n", description="một\nhai", due_date="2026-03-09")
    right = work.add(Deadline="2026-03-09T17:30:15+07:00", DoerCodes=["NV001", "NV002"], Description="a\r\nb")
    transport = httpx.ASGITransport(app=combined_app(crm, work))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as http:
        page = (await http.get("/")).text
        for side, id_ in (("crm", left), ("work", right)):
            system = crm if side == "crm" else work
            before, form = system.get(id_), form_of(page, side, id_)
            await http.post("/edit", data=form)
            assert system.get(id_) == before
        crm.edit(left, status="Hoàn thành", due_date="2026-03-20")
        work.edit(right, StatusName="Đã hoàn thành", DoerCodes=["NV003"])
        await http.post("/edit", data=form_of(page, "crm", left) | {"description": "ba"})
        await http.post("/edit", data=form_of(page, "work", right) | {"name": "Mới"})
    row, task = crm.get(left), work.get(right)
    assert row is not None and task is not None
    assert (row["status"], row["due_date"], row["description"]) == ("Hoàn thành", "2026-03-20", "ba")
    assert (task["TaskName"], task["StatusName"], task["DoerCodes"]) == ("Mới", "Đã hoàn thành", ["NV003"])


def test_the_example_data_is_the_same_every_time(crm: CrmSystem, work: WorkSystem, clock: Clock) -> None:
    seed(crm, work)
    rows = crm.snapshot()
    assert len(rows) == 12
    assert {row["status"] for row in rows} == set(crm.statuses)
    assert sum(row["custom_field1"] is not None for row in rows) == 4
    again = CrmSystem(now=clock, rng=random.Random(9))
    seed(again, WorkSystem(now=clock, rng=random.Random(9)))
    assert again.snapshot() == rows
