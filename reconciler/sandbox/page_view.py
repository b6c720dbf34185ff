"""What the sandbox page shows: pairs side by side (joined by the link marker), each with a form to edit it."""

from collections.abc import Iterable
from datetime import datetime
from html import escape

from reconciler.sandbox.company import DONE, HANOI, MARKER, NOT_DONE, Row, label
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.page_style import STYLE
from reconciler.sandbox.work import WorkSystem


def whole_page(crm: CrmSystem, work: WorkSystem) -> str:
    """The page as HTML."""
    crm_cards, work_cards = crm.snapshot(), work.snapshot()
    pairs = "".join(
        f'<div class="pair">{_crm_card(crm, left)}{_work_card(work, right)}</div>'
        for left, right in _joined(crm_cards, work_cards)
    )
    return document(
        f"""<h1>Hộp cát AMIS <small>sandbox</small></h1>
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
        f"<title>Hộp cát AMIS</title><style>{STYLE}</style></head><body><main>{content}</main></body></html>"
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
        return '<div class="card empty">Không có trong CRM <small>not in the CRM</small></div>'
    statuses = [(status, status) for status in crm.statuses]
    owner = label(row["owner_name"], crm.employees) if row["owner_name"] else "chưa giao"
    target = "".join(
        f" · {text} {escape(str(row[name]))}"
        for name, text in (("custom_field1", "dự án"), ("custom_field2", "nhóm"))
        if row[name] is not None
    )
    facts = f"{_text(row['status'])} · {escape(owner)} · {_text(row['due_date'] or 'không hạn')}{target}"
    return _card(
        "crm",
        row["id"],
        row["task_name"],
        facts,
        row["modified_date"],
        row["modified_by"],
        deleted=row["is_deleted"],
        fields=_select("status", "Trạng thái (status)", statuses, row["status"])
        + _input("due", "Ngày hết hạn (due)", row["due_date"] or "", "date")
        + _owner(crm.employees, row["owner_name"])
        + _area(row["description"]),
    )


def _work_card(work: WorkSystem, row: Row | None) -> str:
    if row is None:
        return '<div class="card empty">Chưa có trong Công việc <small>not in Work</small></div>'
    project = work.projects.get(row["ProjectID"], {}).get("ProjectName", row["ProjectID"])
    group = work.groups.get(row["TaskGroupID"], {}).get("TaskGroupName", "không nhóm")
    doers = ", ".join(label(code, work.employees) for code in row["DoerCodes"]) or "chưa giao"
    deadline = row["Deadline"] or ""
    facts = (
        f"{_text(row['StatusName'])} · {row['Progress']}% · {escape(doers)} · "
        f"{escape(deadline[:16].replace('T', ' ') or 'không hạn')} · {_text(project)} / {_text(group)}"
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
        fields=_select("status", "Trạng thái (status)", [(NOT_DONE, NOT_DONE), (DONE, DONE)], row["StatusName"])
        + _input("due", "Hạn (deadline)", deadline[:16], "datetime-local")
        + _owner(work.employees, first)
        + _area(row["Description"]),
    )


def _card(
    side: str, id_: int, name: object, facts: str, stamp: datetime, by: object, *, deleted: bool, fields: str
) -> str:
    when = stamp.astimezone(HANOI).strftime("%d/%m/%Y %H:%M:%S")
    if deleted:
        body = f'<div class="wide hint">Đã xóa (deleted)</div>{_buttons("restore", "Khôi phục (restore)")}'
    else:
        body = f"{_input('name', 'Tên (title)', str(name or ''), 'text', wide=True)}{fields}"
        body += _buttons("save", "Lưu (save)", delete=True)
    return (
        f'<div class="card{" deleted" if deleted else ""}"><details><summary><b>{_text(name)}</b>'
        f'<small>#{id_}</small><span class="facts hint">{facts}</span>'
        f'<span class="facts hint">sửa {when}, {_text(by)}</span></summary>'
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
        + _input("name", "Tên (title)", "", "text", wide=True)
        + _select("status", "Trạng thái (status)", [(status, status) for status in crm.statuses], crm.statuses[0])
        + _input("due", "Ngày hết hạn (due)", "", "date")
        + _owner(crm.employees, "NV001")
        + _select("project", "Dự án đích (target project)", projects, "")
        + _select("group", "Nhóm đích (target group)", groups, "")
        + _area(None)
        + _buttons("add", "Thêm (add)")
        + "</form></details></div>"
    )


def _text(value: object) -> str:
    return escape("" if value is None else str(value))


def _input(name: str, text: str, value: str, kind: str, *, wide: bool = False) -> str:
    extra = ' required maxlength="255"' if kind == "text" else ""
    return (
        f"<label{' class=wide' if wide else ''}>{escape(text)}"
        f'<input type="{kind}" name="{name}" value="{escape(value)}"{extra}></label>'
    )


def _select(name: str, text: str, choices: list[tuple[str, str]], chosen: str | None) -> str:
    if chosen not in [value for value, _ in choices]:
        choices = [(chosen or "", chosen or "(trống, empty)"), *choices]
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == (chosen or "") else ""}>{escape(shown)}</option>'
        for value, shown in choices
    )
    return f'<label>{escape(text)}<select name="{name}">{options}</select></label>'


def _owner(employees: dict[str, str], chosen: str | None) -> str:
    choices = [("", "(chưa giao, nobody)")] + [(code, label(code, employees)) for code in employees]
    return _select("owner", "Người thực hiện (owner)", choices, chosen or "")


def _area(value: str | None) -> str:
    # the newline after the tag is the one that HTML drops
    return f'<label class="wide">Mô tả (description)<textarea name="description">\n{_text(value)}</textarea></label>'


def _buttons(action: str, text: str, *, delete: bool = False) -> str:
    second = '<button class="danger" name="action" value="delete">Xóa (delete)</button>' if delete else ""
    first = f'<button name="action" value="{action}">{escape(text)}</button>'
    return f'<div class="wide buttons">{first}{second}</div>'
