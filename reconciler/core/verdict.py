"""The verdict: what the CRM's result field tells the salesperson about a task, always in Vietnamese.

A verdict is said when a task gets its work item, when it is refused one, and when that ends; never for an edit that
flows. One whose meaning the field shows already is not said again, so a later minute alone rewrites nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from reconciler.core.model import ZONE, Candidate, Code, Verdict

LINKED: Final = "Đã đồng bộ"
REFUSED: Final = "Không đồng bộ"
ENDED: Final = "Ngừng đồng bộ"

REASONS: Final[Mapping[Code, str]] = {
    Code.TARGET_IS_DEPARTMENT: "{project} là phòng ban, hãy chọn dự án",
    Code.TARGET_NOT_FOUND: "không tìm thấy {project}, hãy chọn dự án khác",
    Code.TARGET_ARCHIVED: "{project} đã được lưu trữ, hãy chọn dự án khác",
    Code.TARGET_FORBIDDEN: "chưa được phép thêm công việc vào {project}, hãy chọn dự án khác",
    Code.TARGET_AMBIGUOUS: "{project} › {group} trùng tên với nơi khác, hãy ghi mã",
    Code.GROUP_NOT_IN_PROJECT: "{group} không phải nhóm công việc của {project}, hãy chọn nhóm khác",
    Code.FIELD_TOO_LONG: "tên nhiệm vụ quá dài, hãy rút ngắn",
    Code.FORBIDDEN: "chưa được phép thêm công việc, hãy báo quản trị viên",
    Code.WAITING_APPROVAL: "đang chờ phê duyệt bên Công việc",
}
"""Why a task gets no work item, in a salesperson's words; the names are those that the task itself gives."""

OTHER: Final = "bên Công việc không nhận nhiệm vụ này, hãy báo quản trị viên"

NAME_AT_MOST: Final = 80
"""Characters of a name in a verdict: two of them and the longest sentence fit into a text field of 255."""


def linked(crm_ids: Iterable[str], now: datetime) -> list[Verdict]:
    """The tasks have their work item since `now`."""
    words = f"{LINKED} {now.astimezone(ZONE):%H:%M}"
    return [Verdict(crm_id=crm_id, words=words) for crm_id in crm_ids]


def refused(candidates: Iterable[Candidate]) -> list[Verdict]:
    """The tasks get no work item, and what the salesperson can do about it. Every candidate is a refused one."""
    return [Verdict(crm_id=one.crm_id, words=f"{REFUSED}: {_reason(one)}") for one in candidates]


def ended(crm_ids: Iterable[str], now: datetime) -> list[Verdict]:
    """The tasks have no work item any more since `now`."""
    words = f"{ENDED} {now.astimezone(ZONE):%H:%M}"
    return [Verdict(crm_id=crm_id, words=words) for crm_id in crm_ids]


def withdrawn(crm_ids: Iterable[str]) -> list[Verdict]:
    """The tasks do not ask for a work item any more, so a refusal that they show is void."""
    return [Verdict(crm_id=crm_id, words="") for crm_id in crm_ids]


def says(shown: str | None, verdict: Verdict) -> bool:
    """Whether the field needs no write: it shows that meaning, or there is no refusal to take back."""
    meaning = _meaning(shown or "")
    if not verdict.words:
        return meaning != REFUSED
    return shown == verdict.words or (meaning in (LINKED, ENDED) and meaning == _meaning(verdict.words))


def ours(shown: str) -> bool:
    """Whether a text is a verdict, and not what a person typed into the field."""
    return _meaning(shown) is not None


def _meaning(text: str) -> str | None:
    return next((word for word in (LINKED, REFUSED, ENDED) if text.startswith(word)), None)


def _reason(candidate: Candidate) -> str:
    assert candidate.refused is not None
    target = candidate.target
    sentence = REASONS.get(candidate.refused, OTHER)
    return sentence.format(project=_short(target.project), group=_short(target.group))


def _short(name: str) -> str:
    return name if len(name) <= NAME_AT_MOST else name[: NAME_AT_MOST - 1] + "…"
