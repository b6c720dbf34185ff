"""The projects, task groups and memberships with which a sandbox AMIS Công việc starts."""

from collections.abc import Callable
from datetime import datetime, timedelta

from reconciler.sandbox.company import Row

APPROVAL_GROUP = 33
END_OF_DAY_GROUP = 34
FRIDAY_GROUP = 35

GroupRule = Callable[[Row, frozenset[str]], None]


def projects() -> dict[int, Row]:
    """One department, two usual projects, an archived one, one without the right to add, two of the same name."""
    return {
        id_: {
            "ProjectID": id_,
            "ProjectName": name,
            "Type": kind,
            "DepartmentID": 3,
            "IsArchived": archived,
            "CanAddTask": can_add,
        }
        for id_, name, kind, archived, can_add in (
            (10, "Phòng Kinh doanh", 1, False, True),
            (12, "Triển khai An Phát", 2, False, True),
            (13, "Chăm sóc Bình Minh", 2, False, True),
            (14, "Kho lưu trữ cũ", 2, True, True),
            (15, "Dự án mật", 2, False, False),
            (16, "Bảo trì", 2, False, True),
            (17, "Bảo trì", 2, False, True),
        )
    }


def groups() -> dict[int, Row]:
    """The task groups, each of one project."""
    return {
        id_: {"TaskGroupID": id_, "ProjectID": project, "TaskGroupName": name, "SortOrder": order}
        for id_, project, name, order in (
            (31, 12, "Cần làm", 1),
            (32, 12, "Đang làm", 2),
            (33, 12, "Chờ duyệt", 3),
            (34, 12, "Hạn trong ngày", 4),
            (35, 12, "Hạn thứ Sáu", 5),
            (41, 13, "Việc mới", 1),
            (51, 14, "Việc cũ", 1),
            (61, 15, "Việc mật", 1),
            (71, 16, "Việc bảo trì", 1),
            (81, 17, "Việc bảo trì", 1),
        )
    }


def members() -> dict[int, list[str]]:
    """NV001 to NV004 are members of every project; NV009 of none."""
    return {id_: ["NV001", "NV002", "NV003", "NV004"] for id_ in projects()}


def end_of_day(row: Row, changed: frozenset[str]) -> None:
    """The rule of group 34: a task that enters gets its deadline moved to 17:00 of the same day."""
    if "TaskGroupID" in changed and row["Deadline"]:
        row["Deadline"] = f"{row['Deadline'][:10]}T17:00:00+07:00"


def end_of_friday(row: Row, changed: frozenset[str]) -> None:
    """The rule of group 35: a task that enters gets its deadline moved to 17:00 on the Friday of the week.

    A deadline on a Saturday or Sunday moves to the Friday after it.
    """
    if "TaskGroupID" in changed and row["Deadline"]:
        day = datetime.fromisoformat(row["Deadline"]).date()
        friday = day + timedelta(days=(4 - day.weekday()) % 7)
        row["Deadline"] = f"{friday.isoformat()}T17:00:00+07:00"
