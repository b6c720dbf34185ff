"""The adapter of AMIS Công việc (Work): its signature, its rows, its writes, and the places that can take tasks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import httpx

from reconciler.core.model import (
    ZONE,
    Accepted,
    Answer,
    Code,
    Draft,
    Edit,
    Field,
    Offset,
    Presence,
    Project,
    Reading,
    Record,
    Refused,
    Side,
    TaskGroup,
    Value,
    Values,
)
from reconciler.errors import SideDown, Unclear
from reconciler.ports import Clock, Visit
from reconciler.sides.answer import moment, pick
from reconciler.sides.http import Access, Channel, HttpLimits, Reply, Request
from reconciler.sides.profile import WorkProfile, names
from reconciler.sides.reading import by_id_in_chunks, identifier, reading, text_of
from reconciler.sides.scan import Page, scan_ascending

INSTANTS: Final = frozenset({Field.START, Field.DUE})
DEPARTMENT: Final = 1

REFUSALS: Final[Mapping[str, Refused]] = {
    "NoPermission": Refused(code=Code.FORBIDDEN, words=""),
    "TargetIsDepartment": Refused(code=Code.TARGET_IS_DEPARTMENT, words=""),
    "ProjectArchived": Refused(code=Code.TARGET_ARCHIVED, words=""),
    "ProjectNotFound": Refused(code=Code.TARGET_NOT_FOUND, words=""),
    "GroupNotInProject": Refused(code=Code.GROUP_NOT_IN_PROJECT, words=""),
    "TaskNotFound": Refused(code=Code.LOST_SIGHT, words="", gone=True),
    "WaitingApproval": Refused(code=Code.WAITING_APPROVAL, words="", field=Field.STATUS, transient=True),
    "ProgressComputed": Refused(code=Code.INVALID_VALUE, words="", field=Field.STATUS),
    "MemberNotInProject": Refused(code=Code.PERSON_UNKNOWN, words="", field=Field.OWNER),
    "FieldTooLong": Refused(code=Code.FIELD_TOO_LONG, words=""),
    "InvalidValue": Refused(code=Code.INVALID_VALUE, words=""),
}
"""What the documented error codes mean for one element."""


class WorkAuth:
    """The signature: a transaction id that is new for every call, and its HMAC-SHA256 under the security key."""

    def __init__(self, access: Access, new_id: Callable[[], uuid.UUID], profile: WorkProfile) -> None:
        self._access, self._new_id, self._profile = access, new_id, profile

    async def headers(self) -> Mapping[str, str]:
        transaction = str(self._new_id())
        digest = hmac.new(self._access.secret.encode(), transaction.encode(), hashlib.sha256).digest()
        return {
            "x-clientid": self._access.client_id,
            "x-transactionid": transaction,
            "x-token": base64.b64encode(digest).decode(),
        }

    def refused(self, status: int, code: str) -> bool:
        return status == 401 or code in self._profile.signature

    def forget(self) -> bool:
        return False


class WorkReader:
    """Everything that can be read from Work; see `ports.SideReader` and `ports.Catalogue`."""

    side: Final = Side.WORK

    def __init__(
        self,
        access: Access,
        limits: HttpLimits,
        *,
        clock: Clock,
        rng: random.Random,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
        profile: WorkProfile | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._profile = profile or WorkProfile()
        self._names = names(self._profile)
        self._clock = clock
        self._channel = Channel(Side.WORK, access, limits, clock=clock, rng=rng, transport=transport)
        self._auth = WorkAuth(access, new_id, self._profile)

    @property
    def limits(self) -> dict[Field, int]:
        return dict(self._profile.lengths)

    def offset(self) -> Offset:
        return self._channel.offset()

    async def close(self) -> None:
        """End the connections."""
        await self._channel.close()

    async def changes(self, since: datetime | None, visit: Visit) -> Reading:
        """The list from `since` on, oldest first; rows of all projects, archived ones included."""
        begun = self._clock.now()
        bound = {} if since is None else {"ModifiedFrom": _instant(since)}

        async def page(number: int) -> Page:
            return await self._page(number, bound)

        proof = await scan_ascending(page, visit, size=self._profile.page_size, first=self._profile.first_page)
        return reading(Side.WORK, begun, self.offset(), since, proof)

    async def by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        return await by_id_in_chunks(self._some_by_id, ids, self._profile.by_id)

    async def projects(self) -> list[Project]:
        found: list[Project] = []
        number = self._profile.first_page
        while True:
            body = await self._call(
                self._profile.projects_verb, {"PageIndex": number, "PageSize": self._profile.page_size}
            )
            rows = _list(body, "Projects")
            found += [project for row in rows if (project := _project(row)) is not None]
            if pick(body, "GetLastData") is not False or not rows:
                return found
            number += 1

    async def groups(self, project: str) -> list[TaskGroup]:
        body = await self._call(self._profile.groups_verb, {"ProjectID": _number(project)})
        return [
            TaskGroup(id=known, project=project, name=text_of(pick(row, "TaskGroupName")) or "")
            for row in _list(body, "TaskGroups")
            if isinstance(row, dict) and (known := identifier(pick(row, "TaskGroupID"))) is not None
        ]

    async def members(self, project: str) -> frozenset[str]:
        body = await self._call(self._profile.members_verb, {"ProjectID": _number(project)})
        codes = (text_of(pick(row, "EmployeeCode")) for row in _list(body, "Members") if isinstance(row, dict))
        return frozenset(code for code in codes if code)

    async def _page(self, number: int, bound: Mapping[str, str]) -> Page:
        body = await self._call(
            self._profile.list_verb, {**bound, "PageIndex": number, "PageSize": self._profile.page_size}
        )
        rows = _list(body, "Tasks")
        records = [record for row in rows if (record := self._record(row)) is not None]
        total = pick(_data(body), "Total")
        known = total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None
        last = pick(body, "GetLastData") is not False
        return Page(records, known, last=last, unusable=len(rows) - len(records))

    async def _some_by_id(self, ids: Sequence[str]) -> list[Record]:
        body = await self._call(self._profile.by_id_verb, {"TaskIDs": [_number(one) for one in ids]})
        return [record for row in _list(body, "Tasks") if (record := self._record(row)) is not None]

    async def _call(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = Request(verb, "POST", f"/{verb}", write=False, body=dict(body))
        return await self._channel.read(request, self._auth)

    def _record(self, row: Any) -> Record | None:
        """A row as a record; None if it has no id. What cannot be read is missing from the values, and said."""
        if not isinstance(row, dict):
            return None
        profile = self._profile
        known = identifier(pick(row, profile.id))
        if known is None:
            return None
        values: dict[Field, Value] = {}
        problems: list[str] = []
        for name, wire in self._names.items():
            given = pick(row, wire, default=_UNSEEN)
            if given is not _UNSEEN:
                value = _value(name, given)
                if value is _UNSEEN:
                    problems.append(f"{wire} cannot be read")
                else:
                    values[name] = value
        custom = pick(row, profile.custom)
        deleted, archived = pick(row, profile.deleted) is True, pick(row, profile.archived) is True
        return Record(
            side=Side.WORK,
            id=known,
            values=values,
            modified=moment(pick(row, profile.modified)),
            author=text_of(pick(row, profile.modified_by)),
            created=moment(pick(row, profile.created)),
            creator=text_of(pick(row, profile.created_by)),
            presence=Presence.DELETED if deleted else Presence.ARCHIVED if archived else Presence.PRESENT,
            marker=text_of(pick(custom, profile.marker)) if isinstance(custom, dict) else None,
            project=identifier(pick(row, profile.project)),
            group=identifier(pick(row, profile.group)),
            problems=tuple(problems),
        )


_UNSEEN: Final = object()


def _value(name: Field, given: Any) -> Any:
    if name is Field.OWNER:
        codes = [] if given is None else given
        return tuple(codes) if isinstance(codes, list) and all(isinstance(one, str) for one in codes) else _UNSEEN
    if given is None:
        return None
    if name in INSTANTS:
        when = moment(given)
        return _UNSEEN if when is None else _instant(when)
    return given if isinstance(given, str) else _UNSEEN


def _instant(when: datetime) -> str:
    """ISO 8601 at +07:00 in whole seconds, as Work writes it."""
    return when.astimezone(ZONE).isoformat(timespec="seconds")


def _data(body: Mapping[str, Any]) -> Mapping[str, Any]:
    data = pick(body, "Data")
    return data if isinstance(data, dict) else {}


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    rows = pick(_data(body), name)
    if not isinstance(rows, list):
        raise SideDown(Side.WORK, f"work: the answer holds no list of {name}")
    return rows


def _project(row: Any) -> Project | None:
    known = identifier(pick(row, "ProjectID")) if isinstance(row, dict) else None
    if known is None:
        return None
    return Project(
        id=known,
        name=text_of(pick(row, "ProjectName")) or "",
        department=pick(row, "Type") == DEPARTMENT,
        archived=pick(row, "IsArchived") is True,
        may_add=pick(row, "CanAddTask") is not False,
    )


def _number(identifier: str) -> int | str:
    return int(identifier) if identifier.isdigit() else identifier


class WorkWriter(WorkReader):
    """Work with its mutating verbs; see `ports.SideWriter`."""

    @property
    def batch(self) -> int:
        return self._profile.batch

    async def create(self, drafts: Sequence[Draft]) -> list[Answer]:
        rows = [
            {
                **self._fields(draft.values),
                self._profile.project: _number(draft.project),
                self._profile.group: _number(draft.group),
                self._profile.custom: {self._profile.marker: draft.marker},
            }
            for draft in drafts
        ]
        return await self._write(self._profile.insert_verb, {"Tasks": rows}, [None] * len(rows))

    async def update(self, edits: Sequence[Edit]) -> list[Answer]:
        rows = [
            {
                self._profile.id: _number(edit.id),
                **self._fields(edit.values),
                **({self._profile.custom: {self._profile.marker: edit.marker}} if edit.marker is not None else {}),
            }
            for edit in edits
        ]
        return await self._write(self._profile.update_verb, {"Tasks": rows}, [edit.id for edit in edits])

    async def delete(self, ids: Sequence[str]) -> list[Answer]:
        return await self._write(self._profile.delete_verb, {"TaskIDs": [_number(one) for one in ids]}, list(ids))

    def _fields(self, values: Values) -> dict[str, Any]:
        return {self._names[name]: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    async def _write(self, verb: str, body: Mapping[str, Any], ids: Sequence[str | None]) -> list[Answer]:
        request = Request(verb, "POST", f"/{verb}", write=True, body=body)
        reply = await self._channel.write(request, self._auth)
        if reply.trouble is not None:
            return [_refused_whole(reply, verb)] * len(ids)
        results = pick(_data(reply.body), "Results")
        if not isinstance(results, list) or len(results) != len(ids):
            raise Unclear(Side.WORK, f"work {verb}: the answer does not say what became of each record")
        return [self._answer(one, known, verb) for one, known in zip(results, ids, strict=True)]

    def _answer(self, result: Any, known: str | None, verb: str) -> Answer:
        if not isinstance(result, dict):
            raise Unclear(Side.WORK, f"work {verb}: an element of the answer cannot be read")
        if pick(result, "Success") is True:
            made = known or identifier(pick(result, self._profile.id))
            if made is None:
                raise Unclear(Side.WORK, f"work {verb}: the answer names no id for a new item")
            return Accepted(id=made)
        return _refusal(text_of(pick(result, "ErrorCode")) or "", text_of(pick(result, "UserMessage")) or "")


def _refusal(code: str, words: str) -> Refused:
    known = REFUSALS.get(code, Refused(code=Code.INVALID_VALUE, words=""))
    said = words if words and words != code else code
    return Refused(code=known.code, words=said, field=known.field, transient=known.transient, gone=known.gone)


def _refused_whole(reply: Reply, verb: str) -> Refused:
    """What an error envelope over a whole write means for each of its elements."""
    assert reply.trouble is not None
    fault = reply.trouble
    if fault.code in REFUSALS:
        return _refusal(fault.code, fault.words)
    if reply.status == 403 or fault.number == 403:
        return Refused(code=Code.FORBIDDEN, words=fault.words)
    if reply.status in (400, 405, 413, 415, 422) or fault.number in (400, 422):
        return Refused(code=Code.INVALID_VALUE, words=fault.words)
    raise Unclear(Side.WORK, f"work {verb}: HTTP {reply.status} {fault.code}", words=fault.words)
