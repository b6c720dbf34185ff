"""The API of the sandbox AMIS Công việc: signed POST calls, pages from 1, per-element answers to writes."""

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from reconciler.sandbox.calls import NOT_JSON, Answer, Arrival, Element, Kind, Outcome, Request
from reconciler.sandbox.company import Row
from reconciler.sandbox.work_answers import error, success
from reconciler.sandbox.work_records import WorkRecords
from reconciler.sandbox.work_rules import Refusal, Tenant, is_moment, may_edit, refusal

PAGE_CAP: Final = 100
IDS_CAP: Final = 100
WRITE_CAP: Final = 20
API_USER: Final = "API"

_BODIES: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "get-projects": (frozenset({"PageIndex", "PageSize"}), frozenset()),
    "get-task-groups": (frozenset({"ProjectID"}), frozenset()),
    "get-project-members": (frozenset({"ProjectID"}), frozenset()),
    "get-tasks": (frozenset({"PageIndex", "PageSize"}), frozenset({"ModifiedFrom", "ProjectIDs"})),
    "get-tasks-by-id": (frozenset({"TaskIDs"}), frozenset()),
    "insert-tasks": (frozenset({"Tasks"}), frozenset()),
    "update-tasks": (frozenset({"Tasks"}), frozenset()),
    "delete-tasks": (frozenset({"TaskIDs"}), frozenset()),
}


def _kind(verb: str) -> Kind:
    return "read" if verb.startswith("get-") else "write"


class WorkSystem(WorkRecords):
    """AMIS Công việc as a pure model: `handle` is the API, the inherited control methods are the people."""

    verbs: ClassVar[Mapping[str, Kind]] = {verb: _kind(verb) for verb in _BODIES}

    def _understand(self, arrival: Arrival) -> Request:
        verb = arrival.path.removeprefix("/")
        if verb not in _BODIES or arrival.method != "POST":
            verb = "unknown"
        kind = _kind(verb)
        return Request(
            self.side, verb, kind, arrival.method, arrival.path, arrival.headers, arrival.query, arrival.body()
        )

    def _authorise(self, request: Request) -> Answer | None:
        verdict = self._signatures.verdict(request.headers, self.client_id, self.secret_key)
        if verdict is None:
            return None
        if verdict.breach:
            self.breach(f"{request.verb}: {verdict.message}")
        return error(401, verdict.code, verdict.message)

    def _perform(self, request: Request) -> Outcome:
        body, verb = request.body, request.verb
        if verb == "unknown":
            status = 405 if request.path.removeprefix("/") in _BODIES else 404
            return Outcome(self._refuse(status, "NotFound", f"{request.method} {request.path} does not exist"))
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            return Outcome(self._refuse(415, "InvalidValue", f"{verb}: the body is application/json"))
        if body is NOT_JSON or not isinstance(body, dict):
            return Outcome(self._refuse(400, "InvalidValue", f"{verb}: the body is a JSON object"))
        required, optional = _BODIES[verb]
        if not required <= set(body) <= required | optional or request.query:
            return Outcome(self._refuse(400, "InvalidValue", f"{verb}: the body has {sorted(body)}"))
        match verb:
            case "get-projects":
                rows = [dict(self.projects[id_]) for id_ in sorted(self.projects)]
                return Outcome(self._page(verb, body, "Projects", rows))
            case "get-task-groups" | "get-project-members":
                return Outcome(self._of_project(verb, body["ProjectID"]))
            case "get-tasks":
                return Outcome(self._tasks(body))
            case "get-tasks-by-id":
                return Outcome(self._by_id(body["TaskIDs"]))
            case _:
                return self._write(verb, next(iter(body.values())))

    def _page(self, verb: str, body: Row, name: str, rows: list[Row]) -> Answer:
        """Pages from 1; silently at most 100 rows; `GetLastData` on the last one."""
        index, size = body["PageIndex"], body["PageSize"]
        if type(index) is not int or type(size) is not int or index < 1 or size < 1:
            return self._refuse(400, "InvalidValue", f"{verb}: PageIndex {index!r}, PageSize {size!r}")
        if size > PAGE_CAP:
            self.breach(f"{verb}: PageSize {size} is more than {PAGE_CAP}")
        size = min(size, PAGE_CAP)
        part = rows[(index - 1) * size : index * size]
        return success({name: part, "Total": len(rows)}, last=index * size >= len(rows))

    def _of_project(self, verb: str, project: Any) -> Answer:
        if type(project) is not int:
            return self._refuse(400, "InvalidValue", f"{verb}: ProjectID {project!r}")
        if project not in self.projects:
            return error(404, "ProjectNotFound", "Không tìm thấy dự án", http=200)
        if verb == "get-task-groups":
            own = [dict(group) for group in self.groups.values() if group["ProjectID"] == project]
            return success({"TaskGroups": sorted(own, key=lambda group: group["SortOrder"])})
        people = [
            {
                "EmployeeCode": code,
                "FullName": self.employees.get(code, code),
                "Email": f"{code.lower()}@anphat.example",
            }
            for code in self.members.get(project, [])
        ]
        return success({"Members": people})

    def _tasks(self, body: Row) -> Answer:
        """`ModifiedFrom` is inclusive; order is ModifiedDate, TaskID, ascending."""
        rows = self.listed()
        wanted, since = body.get("ProjectIDs"), body.get("ModifiedFrom")
        if wanted is not None:
            if not isinstance(wanted, list) or not all(type(id_) is int for id_ in wanted):
                return self._refuse(400, "InvalidValue", f"get-tasks: ProjectIDs {wanted!r}")
            rows = [row for row in rows if row["ProjectID"] in wanted]
        if since is not None:
            if not is_moment(since):
                return self._refuse(400, "InvalidValue", f"get-tasks: ModifiedFrom {since!r}")
            start = datetime.fromisoformat(since)
            rows = [row for row in rows if row["ModifiedDate"] >= start]
        rows.sort(key=lambda row: (row["ModifiedDate"], row["TaskID"]))
        return self._page("get-tasks", body, "Tasks", [self._render(row) for row in rows])

    def _by_id(self, ids: Any) -> Answer:
        """At most 100 ids; ids that do not exist are missing; in any order."""
        if not isinstance(ids, list) or not 1 <= len(ids) <= IDS_CAP or not all(type(id_) is int for id_ in ids):
            return self._refuse(400, "InvalidValue", f"get-tasks-by-id: 1 to {IDS_CAP} integers are wanted")
        rows = [row for id_ in dict.fromkeys(ids) if (row := self.visible(id_)) is not None]
        self.rng.shuffle(rows)
        return success({"Tasks": [self._render(row) for row in rows]})

    def _render(self, row: Row) -> Row:
        return {
            **row,
            "CreatedDate": self.iso(row["CreatedDate"]),
            "ModifiedDate": self.iso(row["ModifiedDate"]),
        }

    def _write(self, verb: str, sent: Any) -> Outcome:
        if not isinstance(sent, list) or not 1 <= len(sent) <= WRITE_CAP:
            return Outcome(
                self._refuse(400, "InvalidValue", f"{verb}: an array of 1 to {WRITE_CAP} elements is wanted")
            )
        one = {"insert-tasks": self._insert, "update-tasks": self._update, "delete-tasks": self._delete}[verb]
        elements, results = [], []
        for item in sent:
            ordered = self._ordered_refusal(item)
            wrong: Refusal | Element
            if ordered:
                code = ordered.args.get("code", "InvalidValue")
                wrong = Refusal(code, ordered.args.get("message", "Giá trị không hợp lệ"))
            else:
                wrong = one(item)
            if isinstance(wrong, Element):
                elements.append(wrong)
                results.append({"Success": True, "TaskID": wrong.id})
                continue
            if wrong.breach:
                self.breach(f"{verb}: {wrong.code}: {wrong.message}: {item!r:.200}")
            elements.append(_refused(item, wrong))
            results.append(wrong.result())
        return Outcome(success({"Results": results}), tuple(elements))

    def _tenant(self) -> Tenant:
        return Tenant(
            self.projects, self.groups, self.members, self.rows, self.approval_groups, self.read_only_projects
        )

    def _insert(self, sent: Any) -> Refusal | Element:
        if not isinstance(sent, dict):
            return Refusal("InvalidValue", "Bản ghi phải là đối tượng", breach=True)
        target = dict(sent)
        if target.get("TaskGroupID") is None:
            target["TaskGroupID"] = self._first_group(target.get("ProjectID"))
        wrong = refusal(target, None, self._tenant())
        if wrong:
            return wrong
        id_ = self.add(**{"DoerCodes": [], **_stored(target)}, CreatedBy=API_USER, ModifiedBy=API_USER)
        return Element(id_, dict(sent), frozenset(sent), ok=True)

    def _update(self, sent: Any) -> Refusal | Element:
        row = self._target(sent.get("TaskID") if isinstance(sent, dict) else None)
        if isinstance(row, Refusal):
            return row
        fields = {name: value for name, value in sent.items() if name != "TaskID"}
        target = dict(fields)
        if "ProjectID" in fields and fields["ProjectID"] != row["ProjectID"] and fields.get("TaskGroupID") is None:
            target["TaskGroupID"] = self._first_group(fields["ProjectID"])
        wrong = refusal(target, row, self._tenant())
        if wrong:
            return wrong
        new = _stored(target)
        if "CustomFields" in new:
            new["CustomFields"] = {**row["CustomFields"], **new["CustomFields"]}
        before = {name: copy.deepcopy(row[name]) for name in new}
        self._remember(row["TaskID"])
        changed = self._put(row, copy.deepcopy(new))
        for name in sorted(set(fields) - changed):
            self.breach(f"update-tasks of {row['TaskID']}: {name} is sent unchanged")
        if not fields:
            self.breach(f"update-tasks of {row['TaskID']}: nothing is sent")
        row.update(ModifiedDate=self.stamp(), ModifiedBy=API_USER)
        return Element(row["TaskID"], fields, changed, ok=True, before=before)

    def _delete(self, sent: Any) -> Refusal | Element:
        row = self._target(sent)
        if isinstance(row, Refusal):
            return row
        if not may_edit(row, self._tenant()):
            return Refusal("NoPermission", "Không có quyền xóa công việc trong dự án này")
        self._remember(row["TaskID"])
        row.update(IsDeleted=True, ModifiedDate=self.stamp(), ModifiedBy=API_USER)
        self._compute_progress(row["ParentTaskID"])
        return Element(row["TaskID"], {}, frozenset({"IsDeleted"}), ok=True, before={"IsDeleted": False})

    def _target(self, id_: Any) -> Row | Refusal:
        if type(id_) is not int:
            return Refusal("InvalidValue", "TaskID phải là số nguyên", breach=True)
        row = self.visible(id_)
        return Refusal("TaskNotFound", "Không tìm thấy công việc") if row is None or row["IsDeleted"] else row

    def _refuse(self, status: int, code: str, message: str) -> Answer:
        self.breach(message)
        return error(status, code, message)


def _stored(fields: Row) -> Row:
    """The values as the server keeps them: the task name trimmed, everything else as sent."""
    return {name: value.strip() if name == "TaskName" else copy.deepcopy(value) for name, value in fields.items()}


def _refused(item: Any, wrong: Refusal) -> Element:
    fields = {name: value for name, value in item.items() if name != "TaskID"} if isinstance(item, dict) else {}
    id_ = item.get("TaskID") if isinstance(item, dict) else item
    return Element(id_ if type(id_) is int else None, fields, frozenset(), ok=False, error=wrong.code)
