"""CRM: pages from 0, the silent cap, no filter, moving rows, the form of a row."""

from datetime import timedelta

from reconciler.sandbox.crm import CrmSystem
from tests.sandbox.clients import Clock, CrmClient

NEWEST = {"orderBy": "modified_date", "isDescending": "true"}


async def test_a_row_looks_like_the_contract(crm: CrmSystem, crm_client: CrmClient) -> None:
    id_ = crm.add(task_name="Gọi", due_date="2026-03-09", owner_name="NV003", description="a\nb")
    reply = await crm_client.list()
    assert reply == {
        "success": True,
        "code": 200,
        "total_records": 1,
        "data": [
            {
                "id": id_,
                "task_name": "Gọi",
                "status": "Chưa bắt đầu",
                "priority": "Bình thường",
                "description": "a\nb",
                "start_date": None,
                "due_date": "2026-03-09T00:00:00.000+07:00",
                "owner_name": "Lê Quốc Cường (HN) (NV003)",
                "related_users": None,
                "form_layout": "Mẫu tiêu chuẩn",
                "is_deleted": False,
                "created_date": "2026-03-02T09:00:00.000+07:00",
                "created_by": "Nguyễn Văn An (NV001) - CRM",
                "modified_date": "2026-03-02T09:00:00.000+07:00",
                "modified_by": "Nguyễn Văn An (NV001) - CRM",
                "custom_field1": None,
                "custom_field2": None,
                "custom_field3": None,
                "custom_field4": None,
            }
        ],
    }


async def test_pages_begin_at_0_with_10_rows_and_at_most_100(
    clock: Clock, crm: CrmSystem, crm_client: CrmClient
) -> None:
    ids = [crm.add(modified=clock.time - timedelta(minutes=n)) for n in range(130)]
    assert [row["id"] for row in (await crm_client.list(**NEWEST))["data"]] == ids[:10]
    assert [row["id"] for row in (await crm_client.list(page=1, **NEWEST))["data"]] == ids[10:20]
    capped = await crm_client.list(pageSize=500, **NEWEST)
    assert (len(capped["data"]), capped["total_records"]) == (100, 130)
    assert [row["id"] for row in (await crm_client.list(page=1, pageSize=500, **NEWEST))["data"]] == ids[100:]
    assert (await crm_client.list(page=2, pageSize=100, **NEWEST))["data"] == []
    assert crm.violations == []


async def test_there_is_no_filter(crm: CrmSystem, crm_client: CrmClient) -> None:
    crm.add(status="Đang chờ")
    assert len((await crm_client.list(status="Hoàn thành"))["data"]) == 1
    assert crm.violations == ["crm: list: there is no parameter status"]


async def test_wrong_paging_is_refused(crm_client: CrmClient) -> None:
    for params in ({"page": "-1"}, {"pageSize": "0"}, {"page": "x"}, {"orderBy": "nothing"}, {"isDescending": "1"}):
        assert (await crm_client.call("GET", "/Tasks", params=params)).status_code == 400


async def test_the_order_of_equal_stamps_differs_from_call_to_call(crm: CrmSystem, crm_client: CrmClient) -> None:
    for _ in range(8):
        crm.add()
    orders = {tuple(row["id"] for row in (await crm_client.list(**NEWEST))["data"]) for _ in range(6)}
    assert len(orders) > 1


async def test_an_edit_moves_a_row_to_the_front(clock: Clock, crm: CrmSystem, crm_client: CrmClient) -> None:
    first, second = crm.add(modified=clock.time - timedelta(hours=2)), crm.add(modified=clock.time - timedelta(hours=1))
    assert (await crm_client.list(pageSize=1, **NEWEST))["data"][0]["id"] == second
    crm.edit(first, task_name="Sửa")
    row = (await crm_client.list(pageSize=1, **NEWEST))["data"][0]
    assert (row["id"], row["modified_by"]) == (first, "Trần Thị Bình (NV002) - CRM")


async def test_deleted_rows_stay_listed_and_purged_rows_are_missing(crm: CrmSystem, crm_client: CrmClient) -> None:
    kept, gone, hidden = crm.add(), crm.add(), crm.add()
    crm.delete(kept)
    crm.purge(gone)
    crm.hide(hidden)
    assert [(row["id"], row["is_deleted"]) for row in (await crm_client.list())["data"]] == [(kept, True)]
    reply = await crm_client.call("GET", "/Tasks/id", params={"ids": [kept, gone, hidden]})
    assert [row["id"] for row in reply.json()["data"]] == [kept]
    crm.restore(kept)
    crm.reveal(hidden)
    assert {row["is_deleted"] for row in (await crm_client.list())["data"]} == {False}
    assert crm.get(gone) is None


async def test_by_id_takes_at_most_100_and_answers_in_any_order(crm: CrmSystem, crm_client: CrmClient) -> None:
    ids = [crm.add() for _ in range(101)] + [crm.add(id=2**60)]
    assert (await crm_client.call("GET", "/Tasks/id", params={"ids": ids})).status_code == 400
    assert (await crm_client.call("GET", "/Tasks/id")).status_code == 400
    data = (await crm_client.call("GET", "/Tasks/id", params={"ids": ids[2:]})).json()["data"]
    answered = [row["id"] for row in data]
    assert sorted(answered) == ids[2:] and answered != ids[2:]


async def test_a_kept_stamp_does_not_move_the_row(clock: Clock, crm: CrmSystem) -> None:
    id_ = crm.add()
    clock.advance(60)
    crm.edit(id_, keep_stamp=True, task_name="Nhập khẩu")
    row = crm.get(id_)
    assert row is not None
    assert (row["task_name"], row["modified_date"]) == ("Nhập khẩu", clock.time.replace(minute=0, microsecond=0))
