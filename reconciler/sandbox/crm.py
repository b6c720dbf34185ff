"""The sandbox CRM (AMIS Bán hàng): tasks, tokens, paging without a filter, writes with per-element answers."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from reconciler.sandbox.calls import NOT_JSON, Answer, Arrival, Element, Kind, Outcome, Request, json_answer
from reconciler.sandbox.company import HANOI, Row, label
from reconciler.sandbox.crm_records import CrmRecords
from reconciler.sandbox.crm_rules import DATES, WRITABLE, Complaint, complaints, day

PAGE_CAP: Final = 100
DEFAULT_PAGE: Final = 10
IDS_CAP: Final = 100
WRITE_CAP: Final = 20
API_USER: Final = "Kết nối API (API) - CRM"

_VERBS: Final[dict[tuple[str, str], tuple[str, Kind]]] = {
    ("POST", "/Account"): ("token", "token"),
    ("GET", "/Tasks"): ("list", "read"),
    ("GET", "/Tasks/id"): ("by-id", "read"),
    ("POST", "/Tasks"): ("create", "write"),
    ("PUT", "/Tasks"): ("update", "write"),
    ("DELETE", "/Tasks"): ("delete", "write"),
}
_PATHS: Final = frozenset(path for _, path in _VERBS)


class CrmSystem(CrmRecords):
    """The CRM as a pure model: `handle` is the API, the inherited control methods are the people."""

    verbs: ClassVar[Mapping[str, Kind]] = dict(_VERBS.values())

    def _understand(self, arrival: Arrival) -> Request:
        fallback: tuple[str, Kind] = ("unknown", "read" if arrival.method in ("GET", "HEAD") else "write")
        verb, kind = _VERBS.get((arrival.method, arrival.path), fallback)
        return Request(
            self.side, verb, kind, arrival.method, arrival.path, arrival.headers, arrival.query, arrival.body()
        )

    def _authorise(self, request: Request) -> Answer | None:
        if self.disconnected:
            return self._error(403, "AppIDDisconnect", "Kết nối đã bị ngắt bởi quản trị viên")
        if request.verb == "token":
            return None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            self.breach(f"{request.verb}: no bearer token")
            return self._error(401, "InvalidToken", "Thiếu token")
        if request.headers.get("clientid") != self.client_id:
            self.breach(f"{request.verb}: header Clientid is missing or wrong")
            return self._error(401, "InvalidClientID", "Clientid không đúng")
        expiry = self._tokens.expiry(token)
        if expiry is None:
            return self._error(401, "InvalidToken", "Token không hợp lệ")
        if self.time() >= expiry:
            return self._error(401, "ExpiredToken", "Token đã hết hạn")
        return None

    def _perform(self, request: Request) -> Outcome:
        if request.verb == "unknown":
            status = 405 if request.path in _PATHS else 404
            return Outcome(self._refuse(status, "NotFound", f"{request.method} {request.path} does not exist"))
        if request.kind != "read" and request.headers.get("content-type", "").split(";")[0] != "application/json":
            return Outcome(self._refuse(415, "UnsupportedMediaType", f"{request.verb}: the body is application/json"))
        if request.body is NOT_JSON or (request.kind == "read" and request.body is not None):
            return Outcome(self._refuse(400, "InvalidBody", f"{request.verb}: the body is wrong"))
        match request.verb:
            case "token":
                return Outcome(self._token(request.body))
            case "list":
                return Outcome(self._list(request))
            case "by-id":
                return Outcome(self._by_id(request))
            case _:
                return self._write(request)

    def _token(self, body: Any) -> Answer:
        if not isinstance(body, dict) or set(body) != {"client_id", "client_secret"}:
            return self._refuse(400, "InvalidBody", "token: client_id and client_secret are wanted")
        if (body["client_id"], body["client_secret"]) != (self.client_id, self.client_secret):
            return self._error(401, "InvalidClient", "AppID hoặc mã bảo mật không đúng")
        token = self._tokens.issue(self.client_id, self.time(), self.token_lifetime)
        return json_answer(200, {"success": True, "code": 200, "data": token})

    def _list(self, request: Request) -> Answer:
        """Page from 0; size 10 unless asked, silently at most 100; no filter; ties in any order."""
        known = {"page": "0", "pageSize": str(DEFAULT_PAGE), "orderBy": "id", "isDescending": "false"}
        for name, values in request.query.items():
            if name not in known:
                self.breach(f"list: there is no parameter {name}")
            elif len(values) != 1:
                return self._refuse(400, "InvalidParameter", f"list: {name} is given twice")
            else:
                known[name] = values[0]
        page, size, order, descending = known.values()
        if not _digits(page) or not _digits(size) or int(size) == 0:
            return self._refuse(400, "InvalidParameter", f"list: page {page}, pageSize {size}")
        if descending not in ("true", "false") or order not in (WRITABLE | {"id", "created_date", "modified_date"}):
            return self._refuse(400, "InvalidParameter", f"list: orderBy {order}, isDescending {descending}")
        rows = self.listed()
        self.rng.shuffle(rows)
        rows.sort(key=lambda row: (row[order] is not None, row[order]), reverse=descending == "true")
        first, count = int(page) * min(int(size), PAGE_CAP), min(int(size), PAGE_CAP)
        return self._rows(rows[first : first + count], len(rows))

    def _by_id(self, request: Request) -> Answer:
        """At most 100 ids; unknown ids are missing; in any order."""
        ids = request.query.get("ids", ())
        if set(request.query) != {"ids"} or not all(_digits(value) for value in ids) or len(ids) > IDS_CAP:
            return self._refuse(400, "InvalidParameter", f"by-id: 1 to {IDS_CAP} numeric ids are wanted")
        found = [row for value in dict.fromkeys(map(int, ids)) if (row := self.visible(value)) is not None]
        self.rng.shuffle(found)
        return self._rows(found, len(found))

    def _rows(self, rows: list[Row], total: int) -> Answer:
        data = [self._render(row) for row in rows]
        return json_answer(200, {"success": True, "code": 200, "data": data, "total_records": total})

    def _render(self, row: Row) -> Row:
        shown = dict(row)
        for name in DATES:
            shown[name] = f"{row[name]}T00:00:00.000+07:00" if row[name] else None
        for name in ("created_date", "modified_date"):
            shown[name] = row[name].astimezone(HANOI).strftime("%Y-%m-%dT%H:%M:%S") + ".000+07:00"
        shown["owner_name"] = label(row["owner_name"], self.employees) if row["owner_name"] else None
        return shown

    def _write(self, request: Request) -> Outcome:
        body = request.body
        if not isinstance(body, list) or not 1 <= len(body) <= WRITE_CAP:
            return Outcome(
                self._refuse(400, "InvalidBody", f"{request.verb}: an array of 1 to {WRITE_CAP} records is wanted")
            )
        one = {"create": self._create_one, "update": self._update_one, "delete": self._delete_one}[request.verb]
        elements: list[Element] = []
        results: list[Row] = []
        outcome: int | list[Complaint]
        for sent in body:
            ordered = self._ordered_refusal(sent)
            if ordered:
                field = ordered.args.get("field_name", "task_name")
                wrong = [Complaint(field, ordered.args.get("message", "Giá trị không hợp lệ"))]
                outcome, element = wrong, _refused(sent, wrong)
            else:
                outcome, element = one(sent)
            elements.append(element)
            result = self._result(request.verb, outcome)
            if ordered and "code" in ordered.args:
                result["error_code"] = ordered.args["code"]
            results.append(result)
        return Outcome(json_answer(200, {"success": True, "code": 200, "results": results}), tuple(elements))

    def _result(self, verb: str, outcome: int | list[Complaint]) -> Row:
        if isinstance(outcome, int):
            return {"success": True, "data": outcome}
        for complaint in outcome:
            if complaint.breach:
                self.breach(f"{verb}: {complaint.field}: {complaint.message}")
        infos = [{"field_name": one.field, "error_message": one.message} for one in outcome]
        return {"success": False, "validate_infos": infos}

    def _create_one(self, sent: Any) -> tuple[int | list[Complaint], Element]:
        wrong = (
            complaints(sent, None, self.statuses, self.employees)
            if isinstance(sent, dict)
            else [Complaint("task_name", "Bản ghi phải là đối tượng", breach=True)]
        )
        if wrong:
            return wrong, _refused(sent, wrong)
        id_ = self.add(**_stored(sent))
        row = self.rows[id_]
        row.update(created_by=API_USER, modified_by=API_USER)
        self._follow_up(row, frozenset(sent))
        return id_, Element(id_, dict(sent), frozenset(sent), ok=True)

    def _update_one(self, sent: Any) -> tuple[int | list[Complaint], Element]:
        row, missing = self._target(sent.get("id") if isinstance(sent, dict) else None)
        if row is None:
            return missing, _refused(sent, missing)
        fields = {name: value for name, value in sent.items() if name != "id"}
        wrong = complaints(fields, row["form_layout"], self.statuses, self.employees)
        if wrong:
            return wrong, _refused(sent, wrong)
        new = {name: value for name, value in _stored(fields).items() if name != "form_layout"}
        before = {name: row[name] for name in new}
        changed = frozenset(name for name in new if row[name] != new[name])
        for name in sorted(set(new) - changed):
            self.breach(f"update of {row['id']}: {name} is sent unchanged")
        if not new:
            self.breach(f"update of {row['id']}: nothing is sent")
        self._remember(row["id"])
        row.update(new, modified_date=self.stamp(), modified_by=API_USER)
        self._follow_up(row, changed)
        return row["id"], Element(row["id"], new, changed, ok=True, before=before)

    def _delete_one(self, sent: Any) -> tuple[int | list[Complaint], Element]:
        row, missing = self._target(sent)
        if row is None:
            return missing, _refused(sent, missing)
        self._remember(row["id"])
        row.update(is_deleted=True, modified_date=self.stamp(), modified_by=API_USER)
        return row["id"], Element(row["id"], {}, frozenset({"is_deleted"}), ok=True, before={"is_deleted": False})

    def _follow_up(self, row: Row, changed: frozenset[str]) -> None:
        for rule in self.rules:
            rule(row, changed)

    def _target(self, id_: Any) -> tuple[Row | None, list[Complaint]]:
        if type(id_) is not int:
            return None, [Complaint("id", "Mã bản ghi phải là số nguyên", breach=True)]
        row = self.visible(id_)
        if row is None or row["is_deleted"]:
            return None, [Complaint("id", "Không tìm thấy bản ghi")]
        return row, []

    def _refuse(self, status: int, code: str, message: str) -> Answer:
        self.breach(message)
        return self._error(status, code, message)

    def _error(self, status: int, code: str, message: str) -> Answer:
        self._traces += 1
        trace = f"{self._traces:032x}"
        return json_answer(status, {"ErrorCode": code, "DevMsg": message, "UserMsg": message, "TraceId": trace})


def _digits(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 20


def _stored(fields: Row) -> Row:
    return {name: day(value) if name in DATES and value is not None else value for name, value in fields.items()}


def _refused(sent: Any, wrong: list[Complaint]) -> Element:
    fields = {name: value for name, value in sent.items() if name != "id"} if isinstance(sent, dict) else {}
    id_ = sent.get("id") if isinstance(sent, dict) else sent
    text = "; ".join(f"{one.field}: {one.message}" for one in wrong)
    return Element(id_ if type(id_) is int else None, fields, frozenset(), ok=False, error=text)
