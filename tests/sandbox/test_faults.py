"""Faults on order, on either side."""

from typing import Any

import pytest

from reconciler.sandbox.calls import Dropped
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.work import WorkSystem
from tests.sandbox.clients import CrmClient, WorkClient


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
