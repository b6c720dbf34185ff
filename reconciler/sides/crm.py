"""The adapter of AMIS Bán hàng (CRM): its token, its rows, its writes. Nothing in this program creates a CRM task."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
    Reading,
    Record,
    Refused,
    Side,
    Value,
)
from reconciler.errors import NotApplied, SideClosed, SideDown, Unclear
from reconciler.ports import Clock, Visit
from reconciler.sides.answer import moment, pick, trouble
from reconciler.sides.http import Access, Channel, HttpLimits, Reply, Request
from reconciler.sides.profile import CrmProfile, names
from reconciler.sides.reading import by_id_in_chunks, identifier, reading, text_of
from reconciler.sides.scan import Page, scan_descending

RENEW_BEFORE: Final = timedelta(seconds=300)
DAYS: Final = frozenset({Field.START, Field.DUE})


class CrmAuth:
    """The token: fetched once for all calls that wait for it, renewed 300 s before it ends and once when refused."""

    def __init__(self, access: Access, channel: Channel, profile: CrmProfile, clock: Clock) -> None:
        self._access, self._channel, self._profile, self._clock = access, channel, profile, clock
        self._token: str | None = None
        self._expires: datetime | None = None
        self._fresh = False
        self._one = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        async with self._one:
            if self._token is None or (self._expires is not None and self._clock.now() >= self._expires):
                await self._fetch()
        return {"Authorization": f"Bearer {self._token}", "Clientid": self._access.client_id}

    def refused(self, status: int, code: str) -> bool:
        return status == 401 or code in self._profile.expired

    def forget(self) -> bool:
        """Drop the token. False if it had never been accepted since it was fetched."""
        worked = not self._fresh
        self._token = None
        return worked

    def accepted(self) -> None:
        """A call with the present token succeeded."""
        self._fresh = False

    async def _fetch(self) -> None:
        renewal = self._token is not None or self._fresh
        body = {"client_id": self._access.client_id, "client_secret": self._access.secret}
        request = Request("token", "POST", self._profile.token_path, write=False, body=body)
        try:
            answer = await self._channel.read(request, _Nobody())
        except SideClosed as error:
            raise (_cut(error.words) if error.code == self._profile.disconnected else error) from None
        token = pick(answer, "data")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SideDown(Side.CRM, "crm: the answer to the token request holds no token")
        self._token = token
        self._fresh = renewal
        ends = _expiry(token)
        self._expires = None if ends is None else ends - (self._channel.offset().value or timedelta(0)) - RENEW_BEFORE


class _Nobody:
    """The token request itself proves nothing beyond its body; refused credentials are a person's matter."""

    async def headers(self) -> Mapping[str, str]:
        return {}

    def refused(self, status: int, code: str) -> bool:
        return status in (400, 401, 403)

    def forget(self) -> bool:
        return False


def _expiry(token: str) -> datetime | None:
    """When a JWT says that it ends (server time); read without verifying. None if it does not say."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError, OSError):
        return None


class CrmReader:
    """Everything that can be read from the CRM; see `ports.SideReader`."""

    side: Final = Side.CRM

    def __init__(
        self,
        access: Access,
        limits: HttpLimits,
        *,
        clock: Clock,
        rng: random.Random,
        profile: CrmProfile | None = None,
        target_project_field: str | None = None,
        target_group_field: str | None = None,
        link_field: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._profile = profile or CrmProfile()
        self._names = names(self._profile)
        self._clock = clock
        self._concurrency = limits.concurrency
        self._project, self._group, self._link = target_project_field, target_group_field, link_field
        self._channel = Channel(Side.CRM, access, limits, clock=clock, rng=rng, transport=transport)
        self._auth = CrmAuth(access, self._channel, self._profile, clock)

    @property
    def limits(self) -> dict[Field, int]:
        return dict(self._profile.lengths)

    def offset(self) -> Offset:
        return self._channel.offset()

    async def close(self) -> None:
        """End the connections."""
        await self._channel.close()

    async def changes(self, since: datetime | None, visit: Visit) -> Reading:
        """The list, newest first, down to `since`; no filter exists."""
        begun = self._clock.now()
        proof = await scan_descending(
            self._page,
            self._rows_by_id,
            since,
            visit,
            size=self._profile.page_size,
            first=self._profile.first_page,
            passes=self._profile.scan_passes,
        )
        return reading(Side.CRM, begun, self.offset(), since, proof)

    async def by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        return await by_id_in_chunks(self._some_by_id, ids, self._profile.by_id)

    async def _rows_by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        return await self.by_id(ids)

    async def _some_by_id(self, ids: Sequence[str]) -> list[Record]:
        request = Request(
            "by-id", "GET", self._profile.by_id_path, write=False, params=tuple(("ids", one) for one in ids)
        )
        return [record for row in _list(await self._read(request)) if (record := self._record(row)) is not None]

    async def _page(self, number: int) -> Page:
        request = Request(
            "list",
            "GET",
            self._profile.tasks_path,
            write=False,
            params=(
                ("page", str(number)),
                ("pageSize", str(self._profile.page_size)),
                ("orderBy", self._profile.order_by),
                ("isDescending", "true"),
            ),
        )
        body = await self._read(request)
        rows = _list(body)
        records = [record for row in rows if (record := self._record(row)) is not None]
        total = pick(body, "total_records")
        known = total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None
        return Page(records, known, last=False, unusable=len(rows) - len(records))

    async def _read(self, request: Request) -> dict[str, Any]:
        try:
            body = await self._channel.read(request, self._auth)
        except (SideDown, SideClosed) as error:
            if self._profile.disconnected in (error.code, *str(error).split()):
                raise _cut(error.words) from None
            raise
        self._auth.accepted()
        return body

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
            if given is _UNSEEN:
                continue
            if given is None:
                values[name] = None
            elif name in DAYS:
                when = moment(given)
                if when is None:
                    problems.append(f"{wire} is no date")
                else:
                    values[name] = when.astimezone(ZONE).date().isoformat()
            elif isinstance(given, str):
                values[name] = given
            else:
                problems.append(f"{wire} is no text")
        traits = {"priority": profile.priority, "form_layout": profile.layout, "unit": profile.unit}
        return Record(
            side=Side.CRM,
            id=known,
            values=values,
            modified=moment(pick(row, profile.modified)),
            author=text_of(pick(row, profile.modified_by)),
            created=moment(pick(row, profile.created)),
            creator=text_of(pick(row, profile.created_by)),
            presence=Presence.DELETED if pick(row, profile.deleted) is True else Presence.PRESENT,
            marker=text_of(pick(row, self._link)) if self._link else None,
            project=text_of(pick(row, self._project)) if self._project else None,
            group=text_of(pick(row, self._group)) if self._group else None,
            layout=text_of(pick(row, profile.layout)),
            traits={name: text for name, wire in traits.items() if (text := text_of(pick(row, wire)))},
            problems=tuple(problems),
        )


_UNSEEN: Final = object()


def _list(body: Mapping[str, Any]) -> list[Any]:
    rows = pick(body, "data", default=_UNSEEN)
    if not isinstance(rows, list):
        raise SideDown(Side.CRM, "crm: the answer holds no list of tasks")
    return rows


def _cut(words: str) -> SideClosed:
    return SideClosed(
        Side.CRM,
        "crm: an administrator cut the connection of this AppID; connect it again in AMIS Bán hàng",
        words=words,
    )


class CrmWriter(CrmReader):
    """The CRM with its mutating verbs; see `ports.SideWriter`."""

    @property
    def batch(self) -> int:
        return self._profile.batch

    async def create(self, drafts: Sequence[Draft]) -> list[Answer]:
        """Never: tasks are born in the CRM by people only."""
        raise AssertionError("nothing ever creates a CRM task")

    async def update(self, edits: Sequence[Edit]) -> list[Answer]:
        return await self._write("update", "PUT", [self._element(edit) for edit in edits], [one.id for one in edits])

    async def delete(self, ids: Sequence[str]) -> list[Answer]:
        return await self._write("delete", "DELETE", [_number(one) for one in ids], list(ids))

    def _element(self, edit: Edit) -> dict[str, Any]:
        row: dict[str, Any] = {self._profile.id: _number(edit.id), self._profile.layout: edit.layout}
        for name, value in edit.values.items():
            row[self._names[name]] = f"{value}T00:00:00+07:00" if name in DAYS and value else value
        if edit.marker is not None and self._link:
            row[self._link] = edit.marker
        return row

    async def _write(self, verb: str, method: str, body: list[Any], ids: list[str]) -> list[Answer]:
        request = Request(verb, method, self._profile.tasks_path, write=True, body=body)
        reply = await self._channel.write(request, self._auth)
        if reply.trouble is not None:
            return _refused_whole(reply, self._profile, len(ids))
        self._auth.accepted()
        results = pick(reply.body, "results")
        if not isinstance(results, list) or len(results) != len(ids):
            raise Unclear(Side.CRM, f"crm {verb}: the answer does not say what became of each record")
        return [self._answer(one, identifier) for one, identifier in zip(results, ids, strict=True)]

    def _answer(self, result: Any, identifier: str) -> Answer:
        fault = trouble(result) if isinstance(result, dict) else None
        if isinstance(result, dict) and fault is None and pick(result, "success") is not False:
            return Accepted(id=identifier)
        infos = pick(result, "validate_infos") if isinstance(result, dict) else None
        first = infos[0] if isinstance(infos, list) and infos and isinstance(infos[0], dict) else {}
        wire = text_of(pick(first, "field_name")) or ""
        words = text_of(pick(first, "error_message")) or (fault.words if fault else "")
        named = next((name for name, known in self._names.items() if known == wire), None)
        gone = wire == self._profile.id
        return Refused(code=Code.LOST_SIGHT if gone else Code.INVALID_VALUE, words=words, field=named, gone=gone)


def _refused_whole(reply: Reply, profile: CrmProfile, count: int) -> list[Answer]:
    """What an error envelope over a whole write means for its elements."""
    assert reply.trouble is not None
    fault = reply.trouble
    if fault.code == profile.disconnected:
        raise _cut(fault.words)
    if fault.code in profile.expired:
        raise NotApplied(Side.CRM, "crm: the token was refused")
    if reply.status == 403:
        return [Refused(code=Code.FORBIDDEN, words=fault.words)] * count
    if reply.status in (400, 405, 413, 415, 422) or fault.number in (400, 422):
        return [Refused(code=Code.INVALID_VALUE, words=fault.words)] * count
    raise Unclear(Side.CRM, f"crm: HTTP {reply.status} {fault.code}", words=fault.words)


def _number(identifier: str) -> int | str:
    return int(identifier) if identifier.isdigit() else identifier
