"""The adapter of AMIS Công việc (Work): its signature, its rows, its writes, and the places that can take tasks."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
from reconciler.errors import SideDown, SideError, Unclear
from reconciler.message import say
from reconciler.ports import Clock, Visit
from reconciler.sides.answer import Trouble, count, moment, pick, trouble
from reconciler.sides.http import Access, Channel, HttpLimits, Request
from reconciler.sides.profile import WorkProfile, names
from reconciler.sides.proof import Fetch, Page
from reconciler.sides.reading import Beginning, by_id_in_chunks, identifier, reading, record_id, text_of, wire_id
from reconciler.sides.refusal import refused_call
from reconciler.sides.scan import scan_ascending

INSTANTS: Final = frozenset({Field.START, Field.DUE})
DEPARTMENT: Final = 1
PROJECT_PAGES: Final = 1_000
"""How many pages of projects are read before the list is taken for endless."""

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

UNUSABLE: Final = frozenset({"NoPermission", "ProjectNotFound", "ProjectArchived", "TargetIsDepartment"})
"""The codes that say of one project that nothing can be had there."""


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
        return status == 401

    def hopeless(self, code: str) -> str:
        if code not in self._profile.signature:
            return ""
        return say(
            "a request was refused as {code}; check secret_key, and that no second program uses this connection",
            code=code,
        )

    def forget(self, headers: Mapping[str, str], *, write: bool) -> bool:
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
        beginning = Beginning(self._clock, self.offset)

        def listing(bound: datetime | None) -> Fetch:
            return beginning.watch(functools.partial(self._page, bound))

        proof = await scan_ascending(
            listing, since, visit, size=self._profile.page_size, first=self._profile.first_page
        )
        return reading(Side.WORK, beginning.moment, since, proof)

    async def by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        return await by_id_in_chunks(Side.WORK, self._some_by_id, ids, self._profile.by_id)

    async def projects(self) -> list[Project]:
        found: dict[str, Project] = {}
        for number in range(PROJECT_PAGES):
            page = {"PageIndex": self._profile.first_page + number, "PageSize": self._profile.page_size}
            body = await self._call(self._profile.projects_verb, page)
            read = {one.id: one for row in _list(body, "Projects") if (one := _project(row)) is not None}
            nothing_new = read.keys() <= found.keys()
            found |= read
            if nothing_new or _is_last(body, (number + 1) * self._profile.page_size):
                return list(found.values())
        raise SideDown(Side.WORK, "work: the list of projects has no end")

    async def groups(self, project: str) -> list[TaskGroup]:
        return [
            TaskGroup(id=known, project=project, name=text_of(pick(row, "TaskGroupName")) or "")
            for row in await self._of_project(self._profile.groups_verb, project, "TaskGroups")
            if (known := identifier(pick(row, "TaskGroupID"))) is not None
        ]

    async def members(self, project: str) -> frozenset[str]:
        rows = await self._of_project(self._profile.members_verb, project, "Members")
        return frozenset(code for row in rows if (code := text_of(pick(row, "EmployeeCode"))))

    async def _of_project(self, verb: str, project: str, name: str) -> list[dict[str, Any]]:
        """What belongs to one project; nothing if it is gone or closed to us, which is no fault of the whole side."""
        try:
            body = await self._call(verb, {"ProjectID": wire_id(project)})
        except SideError as error:
            if error.code in UNUSABLE:
                return []
            raise
        return [row for row in _list(body, name) if isinstance(row, dict)]

    async def _page(self, since: datetime | None, number: int) -> Page:
        bound = {} if since is None else {"ModifiedFrom": _instant(since)}
        page = {"PageIndex": number, "PageSize": self._profile.page_size}
        body = await self._call(self._profile.list_verb, {**bound, **page})
        return self._rows(body, number - self._profile.first_page)

    async def _some_by_id(self, ids: Sequence[str]) -> Page:
        body = await self._call(self._profile.by_id_verb, {"TaskIDs": [wire_id(one) for one in ids]})
        return replace(self._rows(body, 0), last=pick(body, "GetLastData") is not False)

    def _rows(self, body: Mapping[str, Any], before: int) -> Page:
        """The tasks of an answer that stands behind `before` pages."""
        rows = _list(body, "Tasks")
        records = [record for row in rows if (record := self._record(row)) is not None]
        last = _is_last(body, before * self._profile.page_size + len(rows))
        return Page(records, count(pick(_data(body), "Total")), last=last, unusable=len(rows) - len(records))

    async def _call(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = Request(verb, "POST", f"/{verb}", write=False, body=dict(body))
        return await self._channel.read(request, self._auth)

    def _record(self, row: Any) -> Record | None:
        """A row as a record; None if it has no id. What cannot be read is missing from the values, and said."""
        if not isinstance(row, dict):
            return None
        profile = self._profile
        known = record_id(pick(row, profile.id))
        if known is None:
            return None
        values: dict[Field, Value] = {}
        problems: list[str] = []
        modified = moment(pick(row, profile.modified))
        if modified is None:
            problems.append(say("{modified} is no date", modified=profile.modified))
        for name, wire in self._names.items():
            given = pick(row, wire, default=_UNSEEN)
            if given is not _UNSEEN:
                value = _value(name, given)
                if value is _UNSEEN:
                    problems.append(say("{wire} cannot be read", wire=wire))
                else:
                    values[name] = value
        custom = pick(row, profile.custom)
        deleted, archived = pick(row, profile.deleted) is True, pick(row, profile.archived) is True
        return Record(
            side=Side.WORK,
            id=known,
            values=values,
            modified=modified,
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
        raise SideDown(Side.WORK, say("work: the answer holds no list of {name}", name=name))
    return rows


def _is_last(body: Mapping[str, Any], read: int) -> bool:
    """Whether the answer says that nothing comes after the `read` rows that the list has shown so far."""
    flag, total = pick(body, "GetLastData"), count(pick(_data(body), "Total"))
    return flag if isinstance(flag, bool) else total is not None and read >= total


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


class WorkWriter(WorkReader):
    """Work with its mutating verbs; see `ports.SideWriter`."""

    @property
    def batch(self) -> int:
        return self._profile.batch

    async def create(self, drafts: Sequence[Draft]) -> list[Answer]:
        rows = [
            {
                **self._fields(draft.values),
                self._profile.project: wire_id(draft.project),
                self._profile.group: wire_id(draft.group),
                self._profile.custom: {self._profile.marker: draft.marker},
            }
            for draft in drafts
        ]
        return await self._write(self._profile.insert_verb, {"Tasks": rows}, [None] * len(rows))

    async def update(self, edits: Sequence[Edit]) -> list[Answer]:
        rows = [
            {
                self._profile.id: wire_id(edit.id),
                **self._fields(edit.values),
                **({self._profile.custom: {self._profile.marker: edit.marker}} if edit.marker is not None else {}),
            }
            for edit in edits
        ]
        return await self._write(self._profile.update_verb, {"Tasks": rows}, [edit.id for edit in edits])

    async def delete(self, ids: Sequence[str]) -> list[Answer]:
        return await self._write(self._profile.delete_verb, {"TaskIDs": [wire_id(one) for one in ids]}, list(ids))

    def _fields(self, values: Values) -> dict[str, Any]:
        return {self._names[name]: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    async def _write(self, verb: str, body: Mapping[str, Any], ids: Sequence[str | None]) -> list[Answer]:
        if not ids:
            return []
        request = Request(verb, "POST", f"/{verb}", write=True, body=body)
        reply = await self._channel.write(request, self._auth, REFUSALS.keys())
        if reply.trouble is not None:
            if len(ids) == 1 and reply.trouble.code in REFUSALS:
                return [_refusal(reply.trouble)]
            whole = refused_call(Side.WORK, verb, reply)  # it cannot be told which of several records is meant
            known = REFUSALS.get(reply.trouble.code)
            return [whole if known is None or known.gone else replace(whole, code=known.code)] * len(ids)
        results = pick(_data(reply.body), "Results")
        if not isinstance(results, list) or len(results) != len(ids):
            raise Unclear(Side.WORK, say("work {verb}: the answer does not say what became of each record", verb=verb))
        return [self._answer(verb, one, known) for one, known in zip(results, ids, strict=True)]

    def _answer(self, verb: str, result: Any, known: str | None) -> Answer:
        fault = trouble(result) if isinstance(result, dict) else None
        if fault is not None:
            refused = _refusal(fault)
            return replace(refused, words=self._channel.discreet(refused.words))
        if not isinstance(result, dict) or pick(result, "Success") is not True:
            raise Unclear(Side.WORK, say("work {verb}: an element of the answer cannot be read", verb=verb))
        named = record_id(pick(result, self._profile.id))
        if named is None and known is None:
            raise Unclear(Side.WORK, say("work {verb}: the answer names no id for a new item", verb=verb))
        if named is not None and known not in (named, None):
            raise Unclear(Side.WORK, say("work {verb}: the answer names another item than the one sent", verb=verb))
        return Accepted(id=named or known or "")


def _refusal(fault: Trouble) -> Refused:
    known = REFUSALS.get(fault.code, REFUSALS["InvalidValue"])
    return replace(known, words=fault.words or fault.code)
