"""Work: what a write may hold, what follows from it, and how it is refused."""

from typing import Any

import pytest

from reconciler.sandbox.work import WorkSystem
from tests.sandbox.clients import Clock, WorkClient

DONE, NOT_DONE = "Đã hoàn thành", "Chưa hoàn thành"


def stored(work: WorkSystem, id_: int) -> dict[str, Any]:
    row = work.get(id_)
    assert row is not None
    return row


async def test_insert_trims_the_name_and_takes_the_first_group(work: WorkSystem, work_client: WorkClient) -> None:
    result = await work_client.insert(TaskName="  Gọi \n", ProjectID=13, CustomFields={"crm_task_id": "1001"})
    row = stored(work, result["TaskID"])
    assert (row["TaskName"], row["TaskGroupID"], row["DoerCodes"]) == ("Gọi", 41, [])
    assert (row["CreatedBy"], row["ModifiedBy"]) == ("API", "API")
    assert work.by_marker("1001") == [result["TaskID"]]
    assert work.violations == []


@pytest.mark.parametrize(
    ("fields", "code", "breach"),
    [
        ({"ProjectID": 10}, "TargetIsDepartment", False),
        ({"ProjectID": 14}, "ProjectArchived", False),
        ({"ProjectID": 15}, "NoPermission", False),
        ({"ProjectID": 99}, "ProjectNotFound", False),
        ({"ProjectID": "12"}, "InvalidValue", True),
        ({"TaskGroupID": 41}, "GroupNotInProject", False),
        ({"DoerCodes": ["NV001", "NV009"]}, "MemberNotInProject", False),
        ({"TaskGroupID": 33, "StatusName": DONE}, "WaitingApproval", False),
        ({"TaskName": " "}, "InvalidValue", True),
        ({"TaskName": "x" * 256}, "FieldTooLong", False),
        ({"Description": "x" * 10_001}, "FieldTooLong", False),
        ({"StatusName": "Hoàn thành"}, "InvalidValue", True),
        ({"Progress": True}, "InvalidValue", True),
        ({"Progress": 101}, "InvalidValue", True),
        ({"Deadline": "2026-03-09"}, "InvalidValue", True),
        ({"Deadline": "2026-03-09T00:00:00.000+07:00"}, "InvalidValue", True),
        ({"IsCompleted": True}, "InvalidValue", True),
        ({"ModifiedDate": "2026-03-09T00:00:00+07:00"}, "InvalidValue", True),
        ({"CustomFields": "x"}, "InvalidValue", True),
        ({"ParentTaskID": 5}, "TaskNotFound", False),
    ],
)
async def test_an_element_is_refused_with_its_code(
    work: WorkSystem, work_client: WorkClient, fields: dict[str, Any], code: str, breach: bool
) -> None:
    result = await work_client.insert(**{"TaskName": "Gọi", "ProjectID": 12, **fields})
    assert (result["Success"], result["ErrorCode"]) == (False, code)
    assert result["UserMessage"]
    assert work.snapshot() == []
    assert bool(work.violations) is breach


async def test_the_status_drives_completion_progress_and_date(
    clock: Clock, work: WorkSystem, work_client: WorkClient
) -> None:
    id_ = work.add(Progress=40)
    clock.advance(60)
    assert await work_client.change(id_, StatusName=DONE) == {"Success": True, "TaskID": id_}
    row = stored(work, id_)
    assert (row["IsCompleted"], row["Progress"], row["CompletedDate"]) == (True, 100, "2026-03-02T09:01:00+07:00")
    assert (row["ModifiedBy"], row["ModifiedDate"]) == ("API", clock.time.replace(microsecond=0))
    await work_client.change(id_, StatusName=NOT_DONE)
    row = stored(work, id_)
    assert (row["IsCompleted"], row["Progress"], row["CompletedDate"]) == (False, 0, None)


async def test_progress_is_not_the_status(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add()
    await work_client.change(id_, Progress=60)
    assert (stored(work, id_)["StatusName"], stored(work, id_)["IsCompleted"]) == (NOT_DONE, False)
    work.add(ParentTaskID=id_)
    assert (await work_client.change(id_, Progress=70))["ErrorCode"] == "ProgressComputed"


async def test_custom_fields_are_merged(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add(CustomFields={"colour": "đỏ"})
    await work_client.change(id_, CustomFields={"crm_task_id": "1"})
    assert stored(work, id_)["CustomFields"] == {"colour": "đỏ", "crm_task_id": "1"}
    await work_client.change(id_, CustomFields={"crm_task_id": "1"})
    assert work.violations == [f"work: update-tasks of {id_}: CustomFields is sent unchanged"]


async def test_entering_a_task_group_may_move_the_deadline(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add(Deadline="2026-03-09T09:00:00+07:00")
    await work_client.change(id_, TaskGroupID=34)
    assert stored(work, id_)["Deadline"] == "2026-03-09T17:00:00+07:00"
    await work_client.change(id_, Deadline="2026-03-10T08:00:00+07:00")
    assert stored(work, id_)["Deadline"] == "2026-03-10T08:00:00+07:00"
    created = await work_client.insert(
        TaskName="Gọi", ProjectID=12, TaskGroupID=34, Deadline="2026-03-09T09:00:00+07:00"
    )
    assert stored(work, created["TaskID"])["Deadline"] == "2026-03-09T17:00:00+07:00"


@pytest.mark.parametrize(
    ("day", "friday"),
    [("2026-03-02", "2026-03-06"), ("2026-03-06", "2026-03-06"), ("2026-03-07", "2026-03-13")],
)
async def test_a_task_that_enters_the_friday_group_is_due_on_friday(
    work: WorkSystem, work_client: WorkClient, day: str, friday: str
) -> None:
    id_ = work.add(Deadline=f"{day}T09:00:00+07:00")
    await work_client.change(id_, TaskGroupID=35)
    assert stored(work, id_)["Deadline"] == f"{friday}T17:00:00+07:00"


async def test_the_progress_of_a_parent_is_the_mean_of_its_parts(work: WorkSystem, work_client: WorkClient) -> None:
    top = work.add()
    parent = work.add(ParentTaskID=top)
    parts = [work.add(ParentTaskID=parent, Progress=value) for value in (20, 41)]
    stamp = stored(work, parent)["ModifiedDate"]
    assert (stored(work, parent)["Progress"], stored(work, top)["Progress"]) == (30, 30)
    await work_client.change(parts[0], StatusName=DONE)
    assert (stored(work, parent)["Progress"], stored(work, top)["Progress"]) == (70, 70)
    work.edit(parent, Progress=5)
    assert stored(work, parent)["Progress"] == 70
    assert (await work_client.change(parent, Progress=5))["ErrorCode"] == "ProgressComputed"
    await work_client.data("delete-tasks", TaskIDs=[parts[0]])
    assert stored(work, parent)["Progress"] == 41
    other = work.add(ParentTaskID=top, Progress=99)
    assert stored(work, top)["Progress"] == 70
    work.purge(other)
    assert stored(work, top)["Progress"] == 41
    await work_client.change(top, StatusName=DONE)
    assert stored(work, top)["Progress"] == 100
    await work_client.change(top, StatusName=NOT_DONE)
    assert stored(work, top)["Progress"] == 41
    assert stored(work, parent)["ModifiedDate"] == stamp


async def test_a_task_is_never_below_itself(work: WorkSystem, work_client: WorkClient) -> None:
    parent = work.add()
    child = work.add(ParentTaskID=parent)
    for above in (parent, child):
        assert (await work_client.change(parent, ParentTaskID=above))["ErrorCode"] == "InvalidValue"


async def test_the_right_to_edit_may_be_missing(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add()
    work.read_only_projects.add(12)
    assert (await work_client.change(id_, TaskName="Mới"))["ErrorCode"] == "NoPermission"
    (result,) = (await work_client.data("delete-tasks", TaskIDs=[id_]))["Results"]
    assert result["ErrorCode"] == "NoPermission"
    assert (stored(work, id_)["TaskName"], stored(work, id_)["IsDeleted"]) == ("Gọi khách hàng", False)
    work.edit(id_, TaskName="Người sửa")
    assert work.violations == []


async def test_a_rule_of_ones_own(work: WorkSystem, work_client: WorkClient) -> None:
    work.group_rules[31] = lambda row, changed: row.update(Progress=5) if "TaskName" in changed else None
    id_ = work.add()
    await work_client.change(id_, TaskName="Mới")
    assert stored(work, id_)["Progress"] == 5


async def test_completing_may_wait_for_approval(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add(TaskGroupID=33)
    assert (await work_client.change(id_, StatusName=DONE))["ErrorCode"] == "WaitingApproval"
    work.edit(id_, StatusName=DONE, by="NV001")
    assert stored(work, id_)["IsCompleted"] is True


async def test_an_archived_project_refuses_edits(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add()
    work.archive_project(12)
    assert (await work_client.change(id_, TaskName="Mới"))["ErrorCode"] == "ProjectArchived"


async def test_moving_to_another_project_takes_its_first_group(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add()
    await work_client.change(id_, ProjectID=13)
    assert stored(work, id_)["TaskGroupID"] == 41
    work.approval_groups.add(71)
    assert (await work_client.change(id_, ProjectID=16, StatusName=DONE))["ErrorCode"] == "WaitingApproval"


async def test_delete_is_soft_and_gone_tasks_are_not_found(work: WorkSystem, work_client: WorkClient) -> None:
    id_, purged = work.add(CustomFields={"crm_task_id": "7"}), work.add()
    work.purge(purged)
    results = (await work_client.data("delete-tasks", TaskIDs=[id_, id_, purged]))["Results"]
    assert [result.get("ErrorCode") for result in results] == [None, "TaskNotFound", "TaskNotFound"]
    assert stored(work, id_)["IsDeleted"] is True
    assert (await work_client.change(id_, TaskName="x"))["ErrorCode"] == "TaskNotFound"
    assert (work.by_marker(7), work.by_marker(7, with_deleted=True)) == ([], [id_])


async def test_ids_are_integers(work: WorkSystem, work_client: WorkClient) -> None:
    id_ = work.add()
    for wrong in (str(id_), True, None):
        results = (await work_client.data("update-tasks", Tasks=[{"TaskID": wrong, "TaskName": "x"}]))["Results"]
        assert results[0]["ErrorCode"] == "InvalidValue"
    assert len(work.violations) == 3
