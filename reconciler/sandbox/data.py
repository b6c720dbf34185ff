"""Example data: a small company that sells and installs, and has worked with the CRM for a few weeks."""

from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.sandbox.company import COMPLETED, DEFERRED, DONE, HANOI, IN_PROGRESS, NOT_STARTED, WAITING
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.work import WorkSystem

_CALL: Final = "Gọi lại trước 17h\nHỏi về báo giá\nGhi lại kết quả vào hồ sơ"

# name, status, description, days until due (from today), owner, priority, target project, target group, age in days
_TASKS: Final[tuple[tuple[str, str, str | None, int | None, str | None, str, str | None, str | None, int], ...]] = (
    ("Gọi khách hàng An Phát", IN_PROGRESS, _CALL, 3, "NV001", "Cao", "12", "31", 1),
    ("Gửi báo giá máy nén khí", NOT_STARTED, "Theo mẫu 2026\nGiảm 5% nếu đặt trước", 5, "NV002", "Cao",
     "Triển khai An Phát", "Đang làm", 1),
    ("Hẹn gặp công ty Bình Minh", WAITING, "Chờ khách xác nhận lịch", 7, "NV003", "Bình thường",
     "Chăm sóc Bình Minh", None, 2),
    ("Chuẩn bị hợp đồng số 18", NOT_STARTED, None, 10, "NV004", "Bình thường", "13", "41", 2),
    ("Thu công nợ quý I", IN_PROGRESS, "Đối chiếu với kế toán\nCòn 3 khách chưa trả", -2, "NV003", "Cao",
     None, None, 9),
    ("Khảo sát kho Hải Phòng", DEFERRED, "Dời sang tháng sau theo yêu cầu của khách", 30, "NV001", "Thấp",
     None, None, 12),
    ("Gửi tài liệu giới thiệu", COMPLETED, None, -10, "NV002", "Bình thường", None, None, 15),
    ("Ký biên bản nghiệm thu", COMPLETED, "Bản gốc gửi chuyển phát nhanh", -6, "NV004", "Cao", None, None, 18),
    ("Chăm sóc khách hàng cũ", WAITING, "Danh sách:\n- An Phát\n- Bình Minh\n- Đại Lộc", None, "NV001", "Thấp",
     None, None, 20),
    ("Cập nhật bảng giá 2026", NOT_STARTED, "Hỏi phòng mua hàng \"giá mới\" & <chiết khấu>", 14, "NV002", "Bình thường",
     None, None, 22),
    ("Mời hội nghị khách hàng", IN_PROGRESS, None, 21, "NV009", "Bình thường", None, None, 25),
    ("Kiểm tra bảo hành máy số 7", DEFERRED, "Máy đang ở xưởng", None, None, "Thấp", None, None, 30),
)  # fmt: skip


def seed(crm: CrmSystem, work: WorkSystem) -> None:
    """Fill both systems; nothing is linked yet, four tasks carry a target, two belong to Work alone."""
    now = crm.time()
    for name, status, description, due, owner, priority, project, group, age in _TASKS:
        changed = now - timedelta(days=age)
        crm.add(
            task_name=name,
            status=status,
            description=description,
            start_date=_day(changed, 0),
            due_date=None if due is None else _day(now, due),
            owner_name=owner,
            priority=priority,
            custom_field1=project,
            custom_field2=group,
            created=changed - timedelta(hours=3),
            modified=changed,
        )
    own: tuple[dict[str, Any], ...] = (
        {"TaskName": "Lắp đặt máy tại xưởng An Phát", "TaskGroupID": 32, "DoerCodes": ["NV003", "NV004"],
         "Description": "Mang theo bộ dụng cụ\nLiên hệ bảo vệ trước", "Deadline": f"{_day(now, 4)}T17:30:00+07:00",
         "Progress": 40},
        {"TaskName": "Dọn kho tạm", "ProjectID": 13, "DoerCodes": ["NV004"], "StatusName": DONE},
    )  # fmt: skip
    for fields in own:
        work.add(modified=work.time() - timedelta(days=3), **fields)


def _day(moment: datetime, ahead: int) -> str:
    return (moment.astimezone(HANOI) + timedelta(days=ahead)).date().isoformat()
