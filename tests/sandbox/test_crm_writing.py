"""CRM: what a write may hold, and what becomes of each element."""

from datetime import date, datetime
from typing import Any

import pytest

from reconciler.sandbox.crm import API_USER, CrmSystem
from tests.sandbox.clients import LAYOUT, Clock, CrmClient


async def test_an_update_changes_only_what_is_sent(clock: Clock, crm: CrmSystem, crm_client: CrmClient) -> None:
    id_ = crm.add(description="giữ", due_date="2026-03-09")
    clock.advance(61)
    assert await crm_client.change(id_, status="Hoàn thành", due_date="2026-03-10T00:00:00+07:00") == {
        "success": True,
        "data": id_,
    }
    row = crm.get(id_)
    assert row is not None
    assert (row["status"], row["due_date"], row["description"]) == ("Hoàn thành", "2026-03-10", "giữ")
    assert (row["modified_by"], row["modified_date"]) == (API_USER, clock.time.replace(microsecond=0))
    (element,) = crm.writes()[0].elements
    assert (element.id, element.changed, element.ok) == (id_, frozenset({"status", "due_date"}), True)
    assert element.before == {"status": "Chưa bắt đầu", "due_date": "2026-03-09"}
    assert crm.violations == []


@pytest.mark.parametrize(
    ("fields", "field", "breach"),
    [
        ({"form_layout": None, "status": "Đang chờ"}, "form_layout", True),
        ({"form_layout": "Mẫu khác", "status": "Đang chờ"}, "form_layout", True),
        ({"colour": "đỏ"}, "colour", True),
        ({"modified_date": "2026-03-02T00:00:00+07:00"}, "modified_date", True),
        ({"is_deleted": True}, "is_deleted", True),
        ({"due_date": "2026-03-10"}, "due_date", True),
        ({"due_date": "2026-03-10T00:00:00.000+07:00"}, "due_date", True),
        ({"due_date": "2026-03-10T00:00:00Z"}, "due_date", True),
        ({"due_date": "2026-02-30T00:00:00+07:00"}, "due_date", True),
        ({"status": "Đã hủy"}, "status", False),
        ({"status": None}, "status", True),
        ({"priority": "Gấp"}, "priority", False),
        ({"owner_name": "NV777"}, "owner_name", False),
        ({"owner_name": "Trần Thị Bình (NV002)"}, "owner_name", True),
        ({"task_name": "  "}, "task_name", False),
        ({"task_name": "x" * 256}, "task_name", False),
        ({"description": "x" * 20_001}, "description", False),
        ({"custom_field3": 7001}, "custom_field3", True),
    ],
)
async def test_a_wrong_field_is_named_under_http_200(
    crm: CrmSystem, crm_client: CrmClient, fields: dict[str, Any], field: str, breach: bool
) -> None:
    id_ = crm.add()
    before = crm.get(id_)
    result = await crm_client.change(id_, **fields)
    assert result["success"] is False
    assert [info["field_name"] for info in result["validate_infos"]] == [field]
    assert crm.get(id_) == before
    assert bool(crm.violations) is breach


async def test_one_element_may_fail_while_the_others_succeed(crm: CrmSystem, crm_client: CrmClient) -> None:
    one, two = crm.add(), crm.add()
    reply = await crm_client.update(
        {"id": one, "status": "Sai"}, {"id": 5, "status": "Đang chờ"}, {"id": two, "status": "Đang chờ"}
    )
    assert (reply["success"], reply["code"]) == (True, 200)
    assert [result["success"] for result in reply["results"]] == [False, False, True]
    assert [element.ok for element in crm.writes()[0].elements] == [False, False, True]


async def test_a_field_sent_unchanged_is_a_violation(crm: CrmSystem, crm_client: CrmClient) -> None:
    id_ = crm.add(status="Đang chờ")
    assert (await crm_client.change(id_, status="Đang chờ", task_name="Mới"))["success"]
    assert crm.violations == [f"crm: update of {id_}: status is sent unchanged"]


async def test_at_most_20_records_and_integer_ids(crm: CrmSystem, crm_client: CrmClient) -> None:
    ids = [crm.add() for _ in range(21)]
    bodies: list[Any] = [[{"id": id_, "form_layout": LAYOUT, "status": "Đang chờ"} for id_ in ids], [], {}, "x"]
    for body in bodies:
        assert (await crm_client.call("PUT", "/Tasks", body)).status_code == 400
    for wrong in (True, str(ids[0]), None):
        assert (await crm_client.update({"id": wrong, "status": "Đang chờ"}))["results"][0]["success"] is False
    assert all(row["status"] == "Chưa bắt đầu" for row in crm.snapshot())


async def test_create_stores_and_answers_with_the_id(crm: CrmSystem, crm_client: CrmClient) -> None:
    sent = {"task_name": "Mới", "owner_name": "NV002", "due_date": "2026-03-10T00:00:00+07:00"}
    results = (await crm_client.call("POST", "/Tasks", [sent, {"status": "Đang chờ"}])).json()["results"]
    row = crm.get(results[0]["data"])
    assert row is not None
    assert (row["task_name"], row["due_date"], row["created_by"]) == ("Mới", "2026-03-10", API_USER)
    assert results[1]["validate_infos"][0]["field_name"] == "task_name"


async def test_delete_is_soft_and_only_once(crm: CrmSystem, crm_client: CrmClient) -> None:
    id_ = crm.add()
    for expected in (True, False):
        results = (await crm_client.call("DELETE", "/Tasks", [id_])).json()["results"]
        assert results[0]["success"] is expected
    row = crm.get(id_)
    assert row is not None and row["is_deleted"] is True
    assert (await crm_client.change(id_, status="Đang chờ"))["success"] is False


async def test_a_body_that_is_not_json_is_refused(crm: CrmSystem, crm_client: CrmClient) -> None:
    await crm_client.login()
    headers = {"Authorization": f"Bearer {crm_client.token}", "Clientid": crm.client_id}
    bad = {"content-type": "application/json", **headers}
    wrong = (
        b"[{", b'[{"id": NaN}]', b'[{"id": 1, "id": 2}]', b"\xef\xbb\xbf[]", "[]".encode("utf-16"), b'["\xff"]',
        b'["\\ud800"]', b"[" * 100_000,
    )  # fmt: skip
    for content in wrong:
        assert (await crm_client.http.put("/Tasks", content=content, headers=bad)).status_code == 400, content[:20]
    assert len(crm.violations) == len(wrong)
    assert (await crm_client.http.put("/Tasks", content=b"[]", headers=headers)).status_code == 415


async def test_the_log_tells_reads_from_writes(crm: CrmSystem, crm_client: CrmClient) -> None:
    id_ = crm.add()
    await crm_client.list()
    mark = crm.mark()
    await crm_client.change(id_, status="Đang chờ")
    assert [call.verb for call in crm.log] == ["token", "list", "update"]
    assert [call.verb for call in crm.reads()] == ["list"]
    assert [call.status for call in crm.writes(mark)] == [200]
    assert crm.reads(mark) == []


async def test_the_server_may_answer_a_write_with_values_of_its_own(crm: CrmSystem, crm_client: CrmClient) -> None:
    def escaping(row: dict[str, Any], changed: frozenset[str]) -> None:
        if "description" in changed:
            row["description"] = row["description"].replace("&", "&amp;")

    crm.rules.append(escaping)
    id_ = crm.add(description="a & b")
    await crm_client.change(id_, description="c & d")
    row = crm.get(id_)
    assert row is not None and row["description"] == "c &amp; d"
    crm.edit(id_, description="e & f")
    row = crm.get(id_)
    assert row is not None and row["description"] == "e & f"  # rules are for what the API writes


def test_people_may_give_a_day_as_a_date(crm: CrmSystem) -> None:
    id_ = crm.add(due_date=date(2026, 3, 9))
    crm.edit(id_, start_date=date(2026, 3, 2))
    row = crm.get(id_)
    assert row is not None
    assert (row["start_date"], row["due_date"]) == ("2026-03-02", "2026-03-09")
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        crm.edit(id_, due_date=datetime(2026, 3, 9))


def test_control_methods_refuse_what_the_crm_has_not(crm: CrmSystem) -> None:
    with pytest.raises(TypeError):
        crm.add(titel="x")
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        crm.add(due_date="2026-03-09T00:00:00+07:00")
    with pytest.raises(ValueError, match="exists"):
        crm.add(id=crm.add())
