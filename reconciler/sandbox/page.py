"""The sandbox's page for people: both sides' tasks next to each other, to be edited by hand. No JavaScript."""

from collections.abc import Callable, Mapping
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
from reconciler.sandbox.page_form import seen
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
        with crm.entered(), work.entered():
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
            with crm.entered(), work.entered():
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
        values = _values(_crm_fields(crm, None), {"name": "", **form})
        crm.add(**values, custom_field1=form.get("project") or None, custom_field2=form.get("group") or None)
        return
    system: CrmSystem | WorkSystem | None = crm if side == "crm" else work if side == "work" else None
    text = form.get("id", "")
    row = system.get(int(text)) if system and text.isascii() and text.isdigit() and len(text) < 20 else None
    if system is None or row is None:
        raise _Mistake("Không còn bản ghi này (this task is gone)")
    id_ = int(text)
    match action:
        case "delete":
            system.delete(id_)
        case "restore":
            system.restore(id_)
        case "save":
            edited = {name: value for name, value in form.items() if form.get(f"was_{name}") != seen(value)}
            values = _values(_crm_fields(crm, row) if system is crm else _work_fields(work, row), edited)
            changed = {name: value for name, value in values.items() if (row[name] or None) != (value or None)}
            if changed:
                system.edit(id_, **changed)
        case _:
            raise _Mistake("Không có thao tác này (no such action)")


Fields = Mapping[str, tuple[str, Callable[[str], object]]]


def _values(fields: Fields, form: Mapping[str, str]) -> Row:
    """What was typed, as it is stored: field by field, and only of the fields that the form holds."""
    return {stored: read(form[name]) for name, (stored, read) in fields.items() if name in form}


def _crm_fields(crm: CrmSystem, row: Row | None) -> Fields:
    def status(text: str) -> str | None:
        if text and text not in crm.statuses and not (row and row["status"] == text):
            raise _Mistake("Không có trạng thái này (no such status)")
        return text or None

    def due(text: str) -> str | None:
        if text and date.fromisoformat(text).isoformat() != text:
            raise _Mistake("Ngày không đúng (wrong date)")
        return text or None

    return {
        "name": ("task_name", _name),
        "status": ("status", status),
        "due": ("due_date", due),
        "owner": ("owner_name", lambda text: _employee(text, crm.employees)),
        "description": ("description", lambda text: text or None),
    }


def _work_fields(work: WorkSystem, row: Row) -> Fields:
    def status(text: str) -> str:
        if text not in (DONE, NOT_DONE):
            raise _Mistake("Không có tình trạng này (no such status)")
        return text

    def due(text: str) -> str | None:
        if not text:
            return None
        kept = row["Deadline"] or ""
        deadline = kept if kept[:16] == text[:16] else f"{text[:16]}:00+07:00"
        if not is_moment(deadline):
            raise _Mistake("Hạn không đúng (wrong deadline)")
        return deadline

    def doers(text: str) -> list[str]:
        first = _employee(text, work.employees)
        return ([first] if first else []) + [code for code in row["DoerCodes"][1:] if code != first]

    return {
        "name": ("TaskName", _name),
        "status": ("StatusName", status),
        "due": ("Deadline", due),
        "owner": ("DoerCodes", doers),
        "description": ("Description", lambda text: text or None),
    }


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > 255:
        raise _Mistake("Tên dài từ 1 đến 255 ký tự (a title has 1 to 255 characters)")
    return name


def _employee(text: str, employees: Mapping[str, str]) -> str | None:
    if text and text not in employees:
        raise _Mistake("Không có nhân viên này (no such employee)")
    return text or None
