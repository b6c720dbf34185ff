"""What AMIS Công việc accepts in a task, field by field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler.sandbox.company import DONE, NOT_DONE, Row

MOMENTS: Final = ("StartDate", "Deadline")
WRITABLE: Final = frozenset(
    {"TaskName", "Description", "ProjectID", "TaskGroupID", "ParentTaskID", "StatusName", "Progress", "DoerCodes"}
    | {"RelatedCodes", "CustomFields", *MOMENTS}
)
NAME_LIMIT: Final = 255
DESCRIPTION_LIMIT: Final = 10_000

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+07:00")


@dataclass(frozen=True)
class Refusal:
    """Why an element is refused; `breach` says that the client broke the contract."""

    code: str
    message: str
    breach: bool = False

    def result(self) -> Row:
        """The element of `Results`."""
        return {"Success": False, "ErrorCode": self.code, "UserMessage": self.message}


@dataclass(frozen=True)
class Tenant:
    """The parts of the system that decide whether a task may stand where it is put."""

    projects: Mapping[int, Row]
    groups: Mapping[int, Row]
    members: Mapping[int, list[str]]
    tasks: Mapping[int, Row]
    approval_groups: set[int]
    read_only_projects: set[int]


def is_moment(value: object) -> bool:
    """ISO 8601, +07:00, whole seconds."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def refusal(fields: Mapping[str, Any], row: Row | None, tenant: Tenant) -> Refusal | None:
    """The first thing wrong with the sent fields; `row` is the task as it stands, None for a new one."""
    for name, value in fields.items():
        if name not in WRITABLE:
            return Refusal("InvalidValue", "Trường không ghi được", breach=True)
        wrong = _value(name, value)
        if wrong:
            return wrong
    if row is None and not {"TaskName", "ProjectID"} <= set(fields):
        return Refusal("InvalidValue", "Thiếu TaskName hoặc ProjectID", breach=True)
    return _place(fields, row, tenant) or _people(fields, row, tenant) or _progress(fields, row, tenant)


def _value(name: str, value: Any) -> Refusal | None:
    wrong_type = Refusal("InvalidValue", "Giá trị không hợp lệ", breach=True)
    ok = True
    match name:
        case "TaskName":
            ok = isinstance(value, str) and bool(value.strip())
            if ok and len(value.strip()) > NAME_LIMIT:
                return Refusal("FieldTooLong", f"Tên công việc dài quá {NAME_LIMIT} ký tự")
        case "Description":
            ok = value is None or isinstance(value, str)
            if ok and value and len(value) > DESCRIPTION_LIMIT:
                return Refusal("FieldTooLong", f"Mô tả dài quá {DESCRIPTION_LIMIT} ký tự")
        case "ProjectID":
            ok = type(value) is int
        case "TaskGroupID" | "ParentTaskID":
            ok = value is None or type(value) is int
        case "StatusName":
            ok = value in (DONE, NOT_DONE)
        case "Progress":
            ok = type(value) is int and 0 <= value <= 100
        case "StartDate" | "Deadline":
            ok = value is None or is_moment(value)
        case "DoerCodes" | "RelatedCodes":
            ok = isinstance(value, list) and all(isinstance(code, str) for code in value)
        case "CustomFields":
            ok = isinstance(value, dict)
    return None if ok else wrong_type


def _place(fields: Mapping[str, Any], row: Row | None, tenant: Tenant) -> Refusal | None:
    project_id = fields.get("ProjectID", row["ProjectID"] if row else None)
    project = tenant.projects.get(project_id)
    if project is None:
        return Refusal("ProjectNotFound", "Không tìm thấy dự án")
    if project["Type"] == 1:
        return Refusal("TargetIsDepartment", "Phòng ban không chứa công việc")
    if project["IsArchived"]:
        return Refusal("ProjectArchived", "Dự án đã được lưu trữ")
    if row and not may_edit(row, tenant):
        return Refusal("NoPermission", "Không có quyền sửa công việc trong dự án này")
    entering = row is None or project_id != row["ProjectID"]
    if entering and not project["CanAddTask"]:
        return Refusal("NoPermission", "Không có quyền thêm công việc vào dự án này")
    group_id = fields.get("TaskGroupID")
    if group_id is None and row and not entering and "TaskGroupID" not in fields:
        group_id = row["TaskGroupID"]
    elif group_id is not None and tenant.groups.get(group_id, {}).get("ProjectID") != project_id:
        return Refusal("GroupNotInProject", "Nhóm công việc không thuộc dự án này")
    parent = fields.get("ParentTaskID")
    if parent is not None and parent not in tenant.tasks:
        return Refusal("TaskNotFound", "Không tìm thấy công việc cha")
    if row and parent is not None and row["TaskID"] in _ancestry(parent, tenant):
        return Refusal("InvalidValue", "Công việc không thể nằm dưới chính nó")
    completing = fields.get("StatusName") == DONE and not (row and row["IsCompleted"])
    if completing and group_id in tenant.approval_groups:
        return Refusal("WaitingApproval", "Công việc đang chờ phê duyệt hoàn thành")
    return None


def may_edit(row: Row, tenant: Tenant) -> bool:
    """Whether the connection's user may edit or delete this task."""
    return row["ProjectID"] not in tenant.read_only_projects


def _ancestry(id_: int | None, tenant: Tenant) -> set[int]:
    """The task itself, its parent, the parent of that..."""
    found: set[int] = set()
    while id_ is not None and id_ in tenant.tasks and id_ not in found:
        found.add(id_)
        id_ = tenant.tasks[id_]["ParentTaskID"]
    return found


def _people(fields: Mapping[str, Any], row: Row | None, tenant: Tenant) -> Refusal | None:
    project_id = fields.get("ProjectID", row["ProjectID"] if row else None)
    strangers = [code for code in fields.get("DoerCodes", ()) if code not in tenant.members.get(project_id, ())]
    if strangers:
        return Refusal("MemberNotInProject", f"{', '.join(strangers)} không phải thành viên của dự án")
    return None


def _progress(fields: Mapping[str, Any], row: Row | None, tenant: Tenant) -> Refusal | None:
    if row is None or "Progress" not in fields:
        return None
    if any(task["ParentTaskID"] == row["TaskID"] and not task["IsDeleted"] for task in tenant.tasks.values()):
        return Refusal("ProgressComputed", "Tiến độ được tính từ công việc con")
    return None
