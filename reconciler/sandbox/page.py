"""The sandbox's page for people: both sides' tasks next to each other, to be edited by hand. No JavaScript."""

from collections.abc import Mapping
from datetime import date
from html import escape
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from reconciler.sandbox.company import DONE, NOT_DONE, Row
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.page_view import document, whole_page
from reconciler.sandbox.work import WorkSystem
from reconciler.sandbox.work_rules import is_moment

FORM_LIMIT: Final = 1024 * 1024
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class _Mistake(Exception):
    """What a person typed cannot be stored."""


def page_app(crm: CrmSystem, work: WorkSystem) -> ASGIApp:
    """The page as an ASGI app: GET `/` shows, POST `/edit` changes and leads back."""

    async def show(request: Request) -> Response:
        with crm.lock, work.lock:
            return HTMLResponse(whole_page(crm, work), headers=HEADERS)

    async def edit(request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return _wrong(403, "Biểu mẫu đến từ trang khác (the form comes from another site)")
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > FORM_LIMIT:
                return _wrong(413, "Biểu mẫu quá lớn (the form is too large)")
        try:
            parsed = parse_qs(content.decode(), keep_blank_values=True, max_num_fields=50)
            form = {name: values[-1].replace("\r\n", "\n") for name, values in parsed.items()}
            with crm.lock, work.lock:
                _act(crm, work, form)
        except (_Mistake, ValueError) as mistake:
            return _wrong(400, str(mistake))
        return RedirectResponse("/", status_code=303, headers=HEADERS)

    return Starlette(routes=[Route("/", show), Route("/edit", edit, methods=["POST"])])


def _wrong(status: int, text: str) -> Response:
    content = (
        f'<div class="card"><h1>Không lưu được</h1><p>{escape(text)}</p><p><a href="/">Quay lại (back)</a></p></div>'
    )
    return HTMLResponse(document(content), status_code=status, headers=HEADERS)


def _act(crm: CrmSystem, work: WorkSystem, form: Mapping[str, str]) -> None:
    side, action = form.get("side"), form.get("action")
    if (side, action) == ("crm", "add"):
        crm.add(
            **_crm_values(crm, form), custom_field1=form.get("project") or None, custom_field2=form.get("group") or None
        )
        return
    system: CrmSystem | WorkSystem | None = crm if side == "crm" else work if side == "work" else None
    text = form.get("id", "")
    row = system.get(int(text)) if system and text.isascii() and text.isdigit() else None
    if system is None or row is None:
        raise _Mistake("Không còn công việc này (this task is gone)")
    id_ = int(text)
    match action:
        case "delete":
            system.delete(id_)
        case "restore":
            system.restore(id_)
        case "save":
            values = _crm_values(crm, form, row) if system is crm else _work_values(work, form, row)
            changed = {name: value for name, value in values.items() if (row[name] or None) != (value or None)}
            if changed:
                system.edit(id_, **changed)
        case _:
            raise _Mistake("Không có thao tác này (no such action)")


def _crm_values(crm: CrmSystem, form: Mapping[str, str], row: Row | None = None) -> Row:
    owner, status, due = form.get("owner") or None, form.get("status"), form.get("due") or None
    if owner is not None and owner not in crm.employees:
        raise _Mistake("Không có nhân viên này (no such employee)")
    if status and status not in crm.statuses and not (row and row["status"] == status):
        raise _Mistake("Không có trạng thái này (no such status)")
    if due is not None and date.fromisoformat(due).isoformat() != due:
        raise _Mistake("Ngày không đúng (wrong date)")
    return {
        "task_name": _name(form),
        "status": status or None,
        "due_date": due,
        "owner_name": owner,
        "description": form.get("description") or None,
    }


def _work_values(work: WorkSystem, form: Mapping[str, str], row: Row) -> Row:
    owner, status, due = form.get("owner") or None, form.get("status"), form.get("due", "")
    if owner is not None and owner not in work.employees:
        raise _Mistake("Không có nhân viên này (no such employee)")
    if status not in (DONE, NOT_DONE):
        raise _Mistake("Không có trạng thái này (no such status)")
    deadline: str | None = None
    if due:
        kept = row["Deadline"] or ""
        deadline = kept if kept[:16] == due[:16] else f"{due[:16]}:00+07:00"
        if not is_moment(deadline):
            raise _Mistake("Hạn không đúng (wrong deadline)")
    others = [code for code in row["DoerCodes"][1:] if code != owner]
    return {
        "TaskName": _name(form),
        "StatusName": status,
        "Deadline": deadline,
        "DoerCodes": ([owner] if owner else []) + others,
        "Description": form.get("description") or None,
    }


def _name(form: Mapping[str, str]) -> str:
    name = form.get("name", "").strip()
    if not name or len(name) > 255:
        raise _Mistake("Tên dài từ 1 đến 255 ký tự (a title has 1 to 255 characters)")
    return name
