"""Work: projects, groups, members, tasks in their moving order."""

from datetime import timedelta

from reconciler.sandbox.work import WorkSystem
from tests.sandbox.clients import Clock, WorkClient


async def test_projects_groups_and_members(work: WorkSystem, work_client: WorkClient) -> None:
    projects = (await work_client.data("get-projects", PageIndex=1, PageSize=100))["Projects"]
    assert [project["ProjectID"] for project in projects] == [10, 12, 13, 14, 15, 16, 17]
    assert projects[1] == {
        "ProjectID": 12,
        "ProjectName": "Triển khai An Phát",
        "Type": 2,
        "DepartmentID": 3,
        "IsArchived": False,
        "CanAddTask": True,
    }
    groups = (await work_client.data("get-task-groups", ProjectID=12))["TaskGroups"]
    assert [group["TaskGroupID"] for group in groups] == [31, 32, 33, 34, 35]
    members = (await work_client.data("get-project-members", ProjectID=12))["Members"]
    assert [member["EmployeeCode"] for member in members] == ["NV001", "NV002", "NV003", "NV004"]
    assert (await work_client.post("get-task-groups", ProjectID=99)).json()["ErrorCode"] == "ProjectNotFound"
    assert work.violations == []


async def test_projects_are_paged(work_client: WorkClient) -> None:
    reply = (await work_client.post("get-projects", PageIndex=1, PageSize=5)).json()
    assert (len(reply["Data"]["Projects"]), reply["Data"]["Total"], reply["GetLastData"]) == (5, 7, False)
    reply = (await work_client.post("get-projects", PageIndex=2, PageSize=5)).json()
    assert (len(reply["Data"]["Projects"]), reply["GetLastData"]) == (2, True)


async def test_a_task_looks_like_the_contract(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add(Deadline="2026-03-09T17:30:00+07:00", CustomFields={"crm_task_id": "1042"}, Description="a\nb")
    (task,) = (await work_client.data("get-tasks", PageIndex=1, PageSize=100))["Tasks"]
    assert task == {
        "TaskID": id_,
        "TaskName": "Gọi khách hàng",
        "Description": "a\nb",
        "ProjectID": 12,
        "TaskGroupID": 31,
        "ParentTaskID": None,
        "IsCompleted": False,
        "StatusName": "Chưa hoàn thành",
        "Progress": 0,
        "StartDate": None,
        "Deadline": "2026-03-09T17:30:00+07:00",
        "CompletedDate": None,
        "DoerCodes": ["NV001"],
        "RelatedCodes": [],
        "IsArchived": False,
        "IsDeleted": False,
        "CreatedDate": "2026-03-02T09:00:00+07:00",
        "CreatedBy": "NV001",
        "ModifiedDate": "2026-03-02T09:00:00+07:00",
        "ModifiedBy": "NV001",
        "CustomFields": {"crm_task_id": "1042"},
    }
    assert work.by_marker(1042) == [id_]


async def test_modified_from_is_inclusive_and_the_order_is_stamp_then_id(
    clock: Clock, work: WorkSystem, work_client: WorkClient
) -> None:
    ids = [work.add(modified=clock.time - timedelta(seconds=age)) for age in (5, 9, 5, 1)]
    page = {"PageIndex": 1, "PageSize": 100}
    tasks = (await work_client.data("get-tasks", **page))["Tasks"]
    assert [task["TaskID"] for task in tasks] == [ids[1], ids[0], ids[2], ids[3]]
    reply = await work_client.data("get-tasks", ModifiedFrom=tasks[1]["ModifiedDate"], **page)
    assert ([task["TaskID"] for task in reply["Tasks"]], reply["Total"]) == ([ids[0], ids[2], ids[3]], 3)
    assert (await work_client.data("get-tasks", ProjectIDs=[13], **page))["Total"] == 0


async def test_an_edit_while_paging_lets_a_row_slide_to_the_front(
    clock: Clock, work: WorkSystem, work_client: WorkClient
) -> None:
    ids = [work.add(modified=clock.time - timedelta(minutes=9 - n)) for n in range(4)]
    page_1 = (await work_client.data("get-tasks", PageIndex=1, PageSize=2))["Tasks"]
    work.edit(ids[0], Progress=10)
    page_2 = (await work_client.data("get-tasks", PageIndex=2, PageSize=2))["Tasks"]
    assert [task["TaskID"] for task in page_1 + page_2] == [ids[0], ids[1], ids[3], ids[0]]  # ids[2] is skipped


async def test_more_than_100_rows_a_page_are_capped(work: WorkSystem, work_client: WorkClient) -> None:
    for _ in range(101):
        work.add()
    reply = (await work_client.post("get-tasks", PageIndex=1, PageSize=1000)).json()
    assert (len(reply["Data"]["Tasks"]), reply["GetLastData"]) == (100, False)
    assert len(work.violations) == 1


async def test_by_id_leaves_out_what_does_not_exist(work: WorkSystem, work_client: WorkClient) -> None:
    kept, hidden, deleted, gone = (work.add() for _ in range(4))
    work.hide(hidden)
    work.delete(deleted)
    work.purge(gone)
    tasks = (await work_client.data("get-tasks-by-id", TaskIDs=[kept, hidden, deleted, gone, 1]))["Tasks"]
    assert {task["TaskID"]: task["IsDeleted"] for task in tasks} == {kept: False, deleted: True}
    work.restore(deleted)
    work.reveal(hidden)
    assert (await work_client.data("get-tasks", PageIndex=1, PageSize=10))["Total"] == 3
