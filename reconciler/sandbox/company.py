"""The small company that lives in both sandbox systems: its people and the words both apps use."""

from datetime import timedelta, timezone
from typing import Any, Final

Row = dict[str, Any]

HANOI: Final = timezone(timedelta(hours=7))

EMPLOYEES: Final[dict[str, str]] = {
    "NV001": "Nguyễn Văn An",
    "NV002": "Trần Thị Bình",
    "NV003": "Lê Quốc Cường (HN)",
    "NV004": "Phạm Thu Dung",
    "NV009": "Hoàng Minh Đức",
}

NOT_STARTED: Final = "Chưa bắt đầu"
IN_PROGRESS: Final = "Đang thực hiện"
WAITING: Final = "Đang chờ"
DEFERRED: Final = "Tạm hoãn"
COMPLETED: Final = "Hoàn thành"
CRM_STATUSES: Final = (NOT_STARTED, IN_PROGRESS, WAITING, DEFERRED, COMPLETED)
PRIORITIES: Final = ("Cao", "Bình thường", "Thấp")

NOT_DONE: Final = "Chưa hoàn thành"
DONE: Final = "Đã hoàn thành"

MARKER: Final = "crm_task_id"


def label(code: str, employees: dict[str, str]) -> str:
    """A person as the CRM shows them: `Full name (CODE)`."""
    return f"{employees.get(code, 'Nhân viên')} ({code})"
