"""Faults on order, on either side."""

import random
from typing import Any

import httpx
import pytest

from reconciler.sandbox.calls import Dropped, TimedOut
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.server import crm_app
from reconciler.sandbox.work import WorkSystem
from tests.sandbox.clients import Clock, CrmClient, WorkClient

PAGE = {"PageIndex": 1, "PageSize": 100}


async def statuses(client: CrmClient, count: int) -> list[int]:
    return [(await client.call("GET", "/Tasks")).status_code for _ in range(count)]


async def test_skip_times_and_every(crm: CrmSystem, crm_client: CrmClient) -> None:
    crm.faults.order("list", "status", skip=1, times=2)
    assert await statuses(crm_client, 4) == [200, 503, 503, 200]
    crm.faults.order("read", "status", every=2, times=None, status=500)
    assert await statuses(crm_client, 4) == [200, 500, 200, 500]
    crm.faults.clear()
    fault = crm.faults.order("any", "status", probability=0.5, times=None)
    assert set(await statuses(crm_client, 20)) == {200, 503}
    assert 0 < fault.fired < 20


async def test_a_status_with_body_and_headers(work: WorkSystem, work_client: WorkClient) -> None:
    work.faults.order("get-projects", "status", status=429, headers={"Retry-After": "7"})
    reply = await work_client.post("get-projects", PageIndex=1, PageSize=1)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json()["ErrorCode"] == "RateLimited"
    work.faults.order(lambda request: request.body["PageIndex"] == 2, "status", status=502, body="Bad Gateway")
    assert (await work_client.post("get-projects", PageIndex=1, PageSize=1)).status_code == 200
    assert (await work_client.post("get-projects", PageIndex=2, PageSize=1)).text == "Bad Gateway"


async def test_drops_before_and_after_the_effect(crm: CrmSystem, crm_client: CrmClient) -> None:
    id_ = crm.add()
    for kind, name in (("drop_before", "Trước"), ("drop_after", "Sau")):
        crm.faults.order("update", kind)  # type: ignore[arg-type]
        with pytest.raises(Dropped):
            await crm_client.change(id_, task_name=name)
    assert [row["task_name"] for row in crm.snapshot()] == ["Sau"]
    assert [(call.status, len(call.elements)) for call in crm.writes()] == [(None, 0), (None, 1)]


async def test_a_late_effect(work: WorkSystem, work_client: WorkClient) -> None:
    work.faults.order("write", "late")
    with pytest.raises(Dropped):
        await work_client.insert(TaskName="Muộn", ProjectID=12)
    assert work.snapshot() == []
    assert work.run_late() == 1
    assert [row["TaskName"] for row in work.snapshot()] == ["Muộn"]
    assert [(call.late, len(call.elements)) for call in work.writes()] == [(False, 0), (True, 1)]
    assert work.run_late() == 0


async def test_answers_that_are_no_answers(crm: CrmSystem, crm_client: CrmClient) -> None:
    crm.add()
    crm.faults.order("list", "html")
    assert (await crm_client.call("GET", "/Tasks")).text.startswith("<!doctype html>")
    crm.faults.order("list", "empty401")
    reply = await crm_client.call("GET", "/Tasks")
    assert (reply.status_code, reply.content) == (401, b"")
    crm.faults.order("list", "success_false", code="Busy", message="Đang bận")
    reply = await crm_client.call("GET", "/Tasks")
    assert (reply.status_code, reply.json()["success"], reply.json()["code"]) == (200, False, "Busy")
    crm.faults.order("list", "truncate")
    with pytest.raises(ValueError):
        (await crm_client.call("GET", "/Tasks")).json()


async def test_an_error_after_the_effect(crm: CrmSystem, crm_client: CrmClient) -> None:
    id_ = crm.add()
    crm.faults.order("update", "status", status=502, after=True)
    assert (await crm_client.call("PUT", "/Tasks", [{"id": id_, "form_layout": "Mẫu tiêu chuẩn", "task_name": "Đã"}])
            ).status_code == 502  # fmt: skip
    assert crm.snapshot()[0]["task_name"] == "Đã"


async def test_one_element_is_refused(work: WorkSystem, work_client: WorkClient, crm: CrmSystem) -> None:
    ids = [work.add(), work.add()]
    work.faults.order(
        "update-tasks", "element", predicate=lambda task: task["TaskID"] == ids[1], code="NoPermission", message="Không"
    )
    for expected in (["NoPermission"], []):
        tasks = [{"TaskID": id_, "TaskName": f"{expected}"} for id_ in ids]
        results = (await work_client.data("update-tasks", Tasks=tasks))["Results"]
        assert [result["ErrorCode"] for result in results if not result["Success"]] == expected
    crm_client, id_ = CrmClient(crm), crm.add()
    crm.faults.order("update", "element", field_name="status", message="Khóa")
    assert (await crm_client.change(id_, status="Đang chờ"))["validate_infos"] == [
        {"field_name": "status", "error_message": "Khóa"}
    ]


async def test_a_user_edits_between_two_calls(crm: CrmSystem, crm_client: CrmClient) -> None:
    id_ = crm.add(task_name="Cũ")
    crm.faults.order("list", "hook_after", hook=lambda: crm.edit(id_, task_name="Mới"))
    crm.faults.order("update", "hook_before", hook=lambda: crm.edit(id_, description="kịp"))
    assert (await crm_client.list())["data"][0]["task_name"] == "Cũ"
    await crm_client.change(id_, status="Đang chờ")
    row: dict[str, Any] = crm.snapshot()[0]
    assert (row["task_name"], row["description"], row["status"]) == ("Mới", "kịp", "Đang chờ")


def test_a_misspelt_order_is_refused(crm: CrmSystem) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        crm.faults.order("any", "explode")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="takes no"):
        crm.faults.order("any", "status", code=500)
    with pytest.raises(ValueError, match="takes no"):
        crm.faults.order("any", "drop_before", after_effect=True)
    with pytest.raises(ValueError, match="needs seconds"):
        crm.faults.order("any", "lag")
    with pytest.raises(ValueError, match="framing is one of"):
        crm.faults.order("any", "truncate", framing="tcp")


async def test_a_seed_of_its_own_makes_a_chance_repeatable(crm: CrmSystem, crm_client: CrmClient) -> None:
    runs = []
    for _ in range(2):
        crm.faults.clear()
        crm.faults.order("list", "status", probability=0.5, times=None, seed=5)
        runs.append(await statuses(crm_client, 20))
    assert runs[0] == runs[1] and set(runs[0]) == {200, 503}
    expected = random.Random(5)
    assert runs[0] == [503 if expected.random() < 0.5 else 200 for _ in range(20)]


@pytest.mark.parametrize(
    ("args", "keys"),
    [
        ({"error_code": "InvalidAccessToken"}, {"ErrorCode", "DevMsg", "UserMsg", "TraceId"}),
        ({"shape": "b"}, {"success", "code", "error_message", "user_msg"}),
    ],
)
async def test_a_status_in_either_shape_of_the_crm(
    crm: CrmSystem, crm_client: CrmClient, args: dict[str, Any], keys: set[str]
) -> None:
    crm.faults.order("list", "status", status=401, **args)
    reply = await crm_client.call("GET", "/Tasks")
    assert (reply.status_code, set(reply.json())) == (401, keys)
    crm.faults.order("list", "status", status=502, shape="empty")
    assert (await crm_client.call("GET", "/Tasks")).content == b""


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"seconds": 7}, ["7"]),
        ({"seconds": -3}, ["-3"]),
        ({"seconds": 90, "form": "imf"}, ["Mon, 02 Mar 2026 02:01:30 GMT"]),
        ({"seconds": 90, "form": "rfc850"}, ["Monday, 02-Mar-26 02:01:30 GMT"]),
        ({"seconds": -90, "form": "asctime"}, ["Mon Mar  2 01:58:30 2026"]),
        ({"raw": ("5", "9")}, ["5", "9"]),
        ({"raw": "\u0665"}, ["\u0665"]),
        ({}, []),
    ],
)
async def test_retry_after_in_every_form(
    crm: CrmSystem, crm_client: CrmClient, args: dict[str, Any], expected: list[str]
) -> None:
    crm.faults.order("list", "retry_after", **args)
    reply = await crm_client.call("GET", "/Tasks")
    assert reply.status_code == 429
    raw = [value.decode() for name, value in reply.headers.raw if name == b"retry-after"]
    assert raw == expected


async def test_a_timeout_before_or_after_the_effect(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add()
    for after, name in ((False, "Trước"), (True, "Sau")):
        work.faults.order("update-tasks", "timeout", after_effect=after)
        with pytest.raises(TimedOut):
            await work_client.change(id_, TaskName=name)
        assert (work.snapshot()[0]["TaskName"] == name) is after
    assert [call.status for call in work.writes()] == [None, None]


async def test_a_late_effect_happens_in_model_time(clock: Clock, work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add()
    work.faults.order("update-tasks", "late", seconds=30)
    work.faults.order("insert-tasks", "late", seconds=20, status=504)
    with pytest.raises(Dropped):
        await work_client.change(id_, TaskName="Muộn")
    assert (await work_client.post("insert-tasks", Tasks=[{"TaskName": "Mới", "ProjectID": 12}])).status_code == 504
    clock.advance(19)
    assert [row["TaskName"] for row in work.snapshot()] == ["Gọi khách hàng"]
    clock.advance(60)
    assert [row["TaskName"] for row in work.snapshot()] == ["Muộn", "Mới"]
    late = [(call.verb, (call.at - clock.time).total_seconds()) for call in work.writes() if call.late]
    assert late == [("insert-tasks", -59), ("update-tasks", -49)]
    assert [(clock.time - row["ModifiedDate"]).total_seconds() // 1 for row in work.snapshot()] == [49, 59]
    assert work.run_late() == 0


async def test_a_delay_is_slept_by_the_http_layer_before_or_after_the_effect(crm: CrmSystem) -> None:
    id_ = crm.add(task_name="Cũ")
    slept: list[tuple[float, str]] = []

    async def sleep(seconds: float) -> None:
        slept.append((seconds, crm.snapshot()[0]["task_name"]))

    transport = httpx.ASGITransport(app=crm_app(crm, sleep=sleep))
    client = CrmClient(crm, httpx.AsyncClient(transport=transport, base_url="http://crm.test"))
    crm.faults.order("update", "delay", seconds=4)
    crm.faults.order("update", "delay", seconds=9, after_effect=True)
    assert (await client.change(id_, task_name="Mới"))["success"]
    assert slept == [(4, "Cũ"), (9, "Mới")]


async def test_a_lagging_list_shows_a_write_only_later(clock: Clock, crm: CrmSystem, crm_client: CrmClient) -> None:
    edited, gone = crm.add(task_name="Cũ"), crm.add(task_name="Bị xóa hẳn")
    clock.advance(60)
    crm.faults.order("list", "lag", seconds=5, times=None)
    new = crm.add(task_name="Thêm")
    crm.edit(edited, task_name="Mới")
    crm.purge(gone)

    async def listed() -> dict[int, str]:
        return {row["id"]: row["task_name"] for row in (await crm_client.list())["data"]}

    clock.advance(4)
    assert await listed() == {edited: "Cũ", gone: "Bị xóa hẳn"}
    by_id = (await crm_client.call("GET", "/Tasks/id", params={"ids": [edited, gone, new]})).json()["data"]
    assert {row["id"]: row["task_name"] for row in by_id} == {edited: "Mới", new: "Thêm"}
    clock.advance(1)
    assert await listed() == {edited: "Mới", new: "Thêm"}


async def test_a_stale_answer_has_the_date_and_age_of_a_cache(
    clock: Clock, work: WorkSystem, work_client: WorkClient
) -> None:
    id_ = work.add(TaskName="Cũ")
    clock.advance(60)
    await work_client.change(id_, TaskName="Mới")
    work.faults.order("get-tasks-by-id", "stale", seconds=30)
    for name, date, age in (("Cũ", "02:00:30", "30"), ("Mới", "02:01:00", None)):
        reply = await work_client.post("get-tasks-by-id", TaskIDs=[id_])
        assert reply.json()["Data"]["Tasks"][0]["TaskName"] == name
        assert (reply.headers["date"], reply.headers.get("age")) == (f"Mon, 02 Mar 2026 {date} GMT", age)


async def test_old_news_never_touches_a_write(clock: Clock, work: WorkSystem, work_client: WorkClient) -> None:
    clock.advance(60)
    id_ = work.add()
    work.faults.order("any", "lag", seconds=30, times=None)
    assert (await work_client.change(id_, TaskName="Mới"))["Success"]


async def test_an_answer_is_rewritten(crm: CrmSystem, crm_client: CrmClient) -> None:
    crm.add()
    crm.faults.order("list", "rewrite", hook=lambda body: {**body, "data": body["data"] * 2})
    assert len((await crm_client.list())["data"]) == 2
    crm.faults.order("list", "rewrite", hook=lambda body: b"\xef\xbb\xbf{}", headers={"content-type": "text/plain"})
    reply = await crm_client.call("GET", "/Tasks")
    assert (reply.content, reply.headers["content-type"]) == (b"\xef\xbb\xbf{}", "text/plain")


async def test_a_broken_body_breaks_off_in_process_too(crm: CrmSystem, crm_client: CrmClient) -> None:
    await crm_client.login()
    for framing in ("content-length", "chunked"):
        crm.faults.order("list", "truncate", framing=framing)
        with pytest.raises(Dropped):
            await crm_client.call("GET", "/Tasks")
