"""What the CRM accepts in a task record, field by field."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from reconciler.sandbox.company import PRIORITIES

DATES: Final = ("start_date", "due_date")
CUSTOM: Final = ("custom_field1", "custom_field2", "custom_field3", "custom_field4")
WRITABLE: Final = frozenset(
    {"task_name", "status", "priority", "description", "owner_name", "related_users", "form_layout", *DATES, *CUSTOM}
)
READ_ONLY: Final = frozenset({"id", "is_deleted", "created_date", "created_by", "modified_date", "modified_by"})
LAYOUT: Final = "Mẫu tiêu chuẩn"
NAME_LIMIT: Final = 255
DESCRIPTION_LIMIT: Final = 20_000

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+07:00")


@dataclass(frozen=True)
class Complaint:
    """One `validate_infos` entry; `breach` says that the client broke the contract."""

    field: str
    message: str
    breach: bool = False


def day(value: object) -> str | None:
    """The day of a date sent as ISO 8601 with +07:00 and no fraction; None if it has another form."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).date().isoformat()
    except ValueError:
        return None


def stored_day(value: object) -> str | None:
    """A day as it is stored, from None, a `date` or `YYYY-MM-DD`; anything else is a ValueError."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if value is not None and (not isinstance(value, str) or day(f"{value}T00:00:00+07:00") != value):
        raise ValueError(f"a date is YYYY-MM-DD, not {value!r}")
    return value


def complaints(
    fields: Mapping[str, Any], layout: str | None, statuses: Collection[str], employees: Mapping[str, str]
) -> list[Complaint]:
    """What is wrong with the sent fields; `layout` is the record's form layout, None for a new record."""
    found: list[Complaint] = []
    for name, value in fields.items():
        if name in READ_ONLY:
            found.append(Complaint(name, "Trường chỉ đọc", breach=True))
        elif name not in WRITABLE:
            found.append(Complaint(name, "Trường không tồn tại", breach=True))
        elif name != "form_layout" or layout is None:
            complaint = _value(name, value, statuses, employees)
            if complaint:
                found.append(complaint)
    if layout is None and "task_name" not in fields:
        found.append(Complaint("task_name", "Tên nhiệm vụ không được để trống", breach=True))
    if layout is not None and fields.get("form_layout") != layout:
        found.append(Complaint("form_layout", f"Bố cục phải là {layout}", breach=True))
    return found


def _value(name: str, value: Any, statuses: Collection[str], employees: Mapping[str, str]) -> Complaint | None:
    if name in DATES:
        if value is not None and day(value) is None:
            return Complaint(name, "Ngày phải theo ISO 8601 +07:00, không có phần lẻ của giây", breach=True)
        return None
    if value is not None and not isinstance(value, str):
        return Complaint(name, "Giá trị phải là chuỗi", breach=True)
    match name:
        case "task_name" if value is None or not value.strip():
            return Complaint(name, "Tên nhiệm vụ không được để trống")
        case "task_name" if value is not None and len(value) > NAME_LIMIT:
            return Complaint(name, f"Tên nhiệm vụ dài quá {NAME_LIMIT} ký tự")
        case "description" if value is not None and len(value) > DESCRIPTION_LIMIT:
            return Complaint(name, f"Mô tả dài quá {DESCRIPTION_LIMIT} ký tự")
        case "status" if value not in statuses:
            return Complaint(name, "Trạng thái không có trong danh sách", breach=value is None)
        case "priority" if value is not None and value not in PRIORITIES:
            return Complaint(name, "Mức độ ưu tiên không có trong danh sách")
        case "owner_name" if value is not None and value not in employees:
            return Complaint(name, "Không tìm thấy nhân viên có mã này", breach="(" in value)
        case "form_layout" if value is None or not value:
            return Complaint(name, "Thiếu bố cục", breach=True)
    return None
