"""What the sandbox page shows: pairs side by side (joined by the link marker), each with a form to edit it."""

from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Final

from reconciler.sandbox.company import COMPLETED, DONE, HANOI, MARKER, NOT_DONE, Row, label
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.page_form import area, buttons, choice, entry, text_of
from reconciler.sandbox.page_style import STYLE
from reconciler.sandbox.work import WorkSystem

CRM_OWNER: Final = "Chủ sở hữu (owner)"
WORK_OWNER: Final = "Người thực hiện (doer)"
DESCRIPTION: Final = "Mô tả (description)"


def whole_page(crm: CrmSystem, work: WorkSystem) -> str:
    """The page as HTML."""
    crm_cards, work_cards = crm.snapshot(), work.snapshot()
    pairs = "".join(
        f'<div class="pair">{_crm_card(crm, left)}{_work_card(work, right)}</div>'
        for left, right in _joined(crm_cards, work_cards)
    )
    return document(
        f"""<h1>Môi trường dùng thử AMIS <small>sandbox</small></h1>
<p class="hint">Sửa ở bên nào cũng được, như người dùng thật. (Edit either side, as a real user would.)</p>
{_add_card(crm, work)}
<div class="heads"><h2>AMIS Bán hàng <small>CRM, {len(crm_cards)} nhiệm vụ</small></h2>
<h2>AMIS Công việc <small>Work, {len(work_cards)} công việc</small></h2></div>
{pairs}"""
    )


def document(content: str) -> str:
    """A complete HTML document around the content."""
    return (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Môi trường dùng thử AMIS (sandbox)</title><style>{STYLE}</style></head>"
        f"<body><main>{content}</main></body></html>"
    )


def _joined(crm_rows: Iterable[Row], work_rows: Iterable[Row]) -> list[tuple[Row | None, Row | None]]:
    marked: dict[str, list[Row]] = {}
    alone: list[Row] = []
    left = sorted(crm_rows, key=lambda row: row["id"])
    known = {str(row["id"]) for row in left}
    for row in sorted(work_rows, key=lambda row: row["TaskID"]):
        mark = str(row["CustomFields"].get(MARKER, ""))
        if mark in known:
            marked.setdefault(mark, []).append(row)
        else:
            alone.append(row)
    pairs: list[tuple[Row | None, Row | None]] = []
    for row in left:
        partners = marked.get(str(row["id"]), [])
        pairs.append((row, partners[0] if partners else None))
        pairs.extend((None, extra) for extra in partners[1:])
    return pairs + [(None, row) for row in alone]


def _crm_card(crm: CrmSystem, row: Row | None) -> str:
    if row is None:
        return '<div class="card empty">Không có bên Bán hàng <small>not in the CRM</small></div>'
    statuses = [(status, status) for status in crm.statuses]
    owner = label(row["owner_name"], crm.employees) if row["owner_name"] else "chưa giao"
    target = "".join(
        f" · {text} {escape(str(row[name]))}"
        for name, text in (("custom_field1", "dự án"), ("custom_field2", "nhóm"))
        if row[name] is not None
    )
    facts = f"{_status(row['status'], COMPLETED)} · {escape(owner)} · {_day(row['due_date'])}{target}"
    return _card(
        "crm",
        row["id"],
        row["task_name"],
        facts,
        row["modified_date"],
        row["modified_by"],
        deleted=row["is_deleted"],
        fields=choice("status", "Trạng thái (status)", statuses, row["status"])
        + entry("due", "Ngày hết hạn (due)", row["due_date"] or "", "date")
        + _owner(CRM_OWNER, crm.employees, row["owner_name"])
        + area("description", DESCRIPTION, row["description"]),
    )


def _work_card(work: WorkSystem, row: Row | None) -> str:
    if row is None:
        return '<div class="card empty">Chưa có bên Công việc <small>not in Work</small></div>'
    project = work.projects.get(row["ProjectID"], {}).get("ProjectName", row["ProjectID"])
    group = work.groups.get(row["TaskGroupID"], {}).get("TaskGroupName", "không nhóm")
    doers = ", ".join(label(code, work.employees) for code in row["DoerCodes"]) or "chưa giao"
    deadline = row["Deadline"] or ""
    facts = (
        f"{_status(row['StatusName'], DONE)} · {row['Progress']}% · {escape(doers)} · "
        f"{_day(deadline)} · {text_of(project)} / {text_of(group)}"
    )
    first = row["DoerCodes"][0] if row["DoerCodes"] else None
    return _card(
        "work",
        row["TaskID"],
        row["TaskName"],
        facts,
        row["ModifiedDate"],
        row["ModifiedBy"],
        deleted=row["IsDeleted"],
        fields=choice("status", "Tình trạng (status)", [(NOT_DONE, NOT_DONE), (DONE, DONE)], row["StatusName"])
        + entry("due", "Hạn (deadline)", deadline[:16], "datetime-local")
        + _owner(WORK_OWNER, work.employees, first)
        + area("description", DESCRIPTION, row["Description"]),
    )


def _card(
    side: str, id_: int, name: object, facts: str, stamp: datetime, by: object, *, deleted: bool, fields: str
) -> str:
    when = stamp.astimezone(HANOI).strftime("%d/%m/%Y %H:%M:%S")
    if deleted:
        body = f'<div class="wide hint">Đã xóa (deleted)</div>{buttons("restore", "Khôi phục (restore)")}'
    else:
        body = f"{entry('name', 'Tên (title)', str(name or ''), 'text', wide=True)}{fields}"
        body += buttons("save", "Lưu (save)", delete=True)
    return (
        f'<div class="card{" deleted" if deleted else ""}"><details><summary><b>{text_of(name)}</b>'
        f'<small>#{id_}</small><span class="facts hint">{facts}</span>'
        f'<span class="facts hint">sửa {when}, {text_of(by)}</span></summary>'
        f'<form method="post" action="/edit"><input type="hidden" name="side" value="{side}">'
        f'<input type="hidden" name="id" value="{id_}">{body}</form></details></div>'
    )


def _add_card(crm: CrmSystem, work: WorkSystem) -> str:
    projects = [("", "(không đồng bộ, no sync)")]
    projects += [(str(id_), f"{id_} {project['ProjectName']}") for id_, project in sorted(work.projects.items())]
    groups = [("", "(mặc định, default)")] + [
        (str(id_), f"{work.projects.get(group['ProjectID'], {}).get('ProjectName', '?')} / {group['TaskGroupName']}")
        for id_, group in sorted(work.groups.items())
    ]
    return (
        '<div class="card"><details><summary><b>Thêm nhiệm vụ CRM</b><small>add a CRM task, "Lưu và đồng bộ"</small>'
        '</summary><form method="post" action="/edit"><input type="hidden" name="side" value="crm">'
        + entry("name", "Tên (title)", "", "text", wide=True)
        + choice("status", "Trạng thái (status)", [(status, status) for status in crm.statuses], crm.statuses[0])
        + entry("due", "Ngày hết hạn (due)", "", "date")
        + _owner(CRM_OWNER, crm.employees, "NV001")
        + choice("project", "Dự án đích (target project)", projects, "")
        + choice("group", "Nhóm đích (target group)", groups, "")
        + area("description", DESCRIPTION, None)
        + buttons("add", "Thêm (add)")
        + "</form></details></div>"
    )


def _owner(text: str, employees: dict[str, str], chosen: str | None) -> str:
    choices = [("", "(chưa giao, nobody)")] + [(code, label(code, employees)) for code in employees]
    return choice("owner", text, choices, chosen or "")


def _status(value: object, completed: str) -> str:
    return f'<span class="done">{text_of(value)}</span>' if value == completed else text_of(value)


def _day(value: str | None) -> str:
    """`YYYY-MM-DD`, with or without a time, as people here write it."""
    if not value:
        return "không hạn"
    year, month, day = value[:10].split("-")
    return f"{day}/{month}/{year} {value[11:16]}".rstrip()
