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
from reconciler.errors import SideDown, Unclear
from reconciler.message import say
from reconciler.ports import Clock, Visit
from reconciler.sides.answer import count, fold, moment, pick, trouble
from reconciler.sides.http import Access, Channel, HttpLimits, Request
from reconciler.sides.profile import CrmProfile, names
from reconciler.sides.proof import Page
from reconciler.sides.reading import Beginning, by_id_in_chunks, reading, record_id, text_of, wire_id
from reconciler.sides.refusal import refused_call
from reconciler.sides.scan import scan_descending

RENEW_BEFORE: Final = timedelta(seconds=300)
REFUSED_FOR: Final = timedelta(seconds=30)
"""A new token that is refused too is asked for again after so long: at once would be a storm, never a dead process."""
DAYS: Final = frozenset({Field.START, Field.DUE})


class CrmAuth:
    """The token: fetched once for all calls that wait for it, renewed 300 s before it ends and once when refused."""

    def __init__(self, access: Access, channel: Channel, profile: CrmProfile, clock: Clock) -> None:
        self._access, self._channel, self._profile, self._clock = access, channel, profile, clock
        self._token = ""
        self._renew: datetime | None = None
        self._one = asyncio.Lock()
        # True for reads, False for writes: the kinds of call that refused the token before this one and have not
        # accepted this one yet. If one of them refuses this one too, no third token will be better.
        self._untried: set[bool] = set()

    async def headers(self) -> Mapping[str, str]:
        async with self._one:
            if not self._token or (self._renew is not None and self._clock.now() >= self._renew):
                await self._fetch()
            return {"Authorization": f"Bearer {self._token}", "Clientid": self._access.client_id}

    def refused(self, status: int, code: str) -> bool:
        return status == 401 or code in self._profile.expired

    def hopeless(self, code: str) -> str:
        return _CUT if code == self._profile.disconnected else ""

    def forget(self, headers: Mapping[str, str], *, write: bool) -> bool:
        if headers["Authorization"] != f"Bearer {self._token}":
            return True  # another call has renewed it meanwhile
        if write in self._untried:
            self._renew = self._clock.now() + REFUSED_FOR
            return False
        self._token = ""
        self._untried.add(write)
        return True

    def accepted(self, *, write: bool) -> None:
        """A call succeeded; what is later wrong with the token is news."""
        self._untried.discard(write)

    async def _fetch(self) -> None:
        body = {"client_id": self._access.client_id, "client_secret": self._access.secret}
        request = Request("token", "POST", self._profile.token_path, write=False, body=body)
        answer = await self._channel.read(request, _Credentials(self._profile))
        token = pick(answer, "data")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise SideDown(Side.CRM, say("crm: the answer to the token request holds no token"))
        self._token, self._renew = token, self._renewal(token)

    def _renewal(self, token: str) -> datetime | None:
        """When to renew (our clock): 300 s before the end, and never in the first half of a token's life."""
        ends, now = _expiry(token), self._clock.now()
        left = timedelta(0) if ends is None else ends - (self._channel.offset().value or timedelta(0)) - now
        return now + max(left - RENEW_BEFORE, left / 2) if left > timedelta(0) else None


class _Credentials:
    """The token request: what it sends is the proof, and when that is refused there is no other."""

    def __init__(self, profile: CrmProfile) -> None:
        self._profile = profile

    async def headers(self) -> Mapping[str, str]:
        return {}

    def refused(self, status: int, code: str) -> bool:
        return status in (400, 401, 403)

    def hopeless(self, code: str) -> str:
        return _CUT if code == self._profile.disconnected else ""

    def forget(self, headers: Mapping[str, str], *, write: bool) -> bool:
        return False


_CUT: Final = say("an administrator cut the connection of this AppID; connect it again in AMIS Bán hàng")


def _expiry(token: str) -> datetime | None:
    """When a JWT says that it ends (server time); read without verifying. None if it does not say."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (LookupError, ValueError, TypeError, OverflowError, OSError, RecursionError):
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
        result_field: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._profile = profile or CrmProfile()
        self._names = names(self._profile)
        self._clock = clock
        self._project, self._group = target_project_field, target_group_field
        self._link, self._result = link_field, result_field
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
        beginning = Beginning(self._clock, self.offset)
        proof = await scan_descending(
            beginning.watch(self._page),
            self.by_id,
            since,
            visit,
            size=self._profile.page_size,
            first=self._profile.first_page,
            passes=self._profile.scan_passes,
        )
        return reading(Side.CRM, beginning.moment, since, proof)

    async def by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        return await by_id_in_chunks(Side.CRM, self._some_by_id, ids, self._profile.by_id)

    async def _some_by_id(self, ids: Sequence[str]) -> Page:
        params = tuple(("ids", one) for one in ids)
        return self._rows(
            await self._read(Request("by-id", "GET", self._profile.by_id_path, write=False, params=params))
        )

    async def _page(self, number: int) -> Page:
        params = (
            ("page", str(number)),
            ("pageSize", str(self._profile.page_size)),
            ("orderBy", self._profile.order_by),
            ("isDescending", "true"),
        )
        return self._rows(
            await self._read(Request("list", "GET", self._profile.tasks_path, write=False, params=params))
        )

    async def _read(self, request: Request) -> dict[str, Any]:
        body = await self._channel.read(request, self._auth)
        self._auth.accepted(write=False)
        return body

    def _rows(self, body: Mapping[str, Any]) -> Page:
        rows = pick(body, "data", default=_UNSEEN)
        if not isinstance(rows, list):
            raise SideDown(Side.CRM, say("crm: the answer holds no list of tasks"))
        records = [record for row in rows if (record := self._record(row)) is not None]
        total = count(pick(body, "total_records"))
        return Page(records, total, last=total is None or total <= len(rows), unusable=len(rows) - len(records))

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
            if given is _UNSEEN:
                continue
            if given is None:
                values[name] = None
            elif name in DAYS:
                when = moment(given)
                if when is None:
                    problems.append(say("{wire} is no date", wire=wire))
                else:
                    values[name] = when.astimezone(ZONE).date().isoformat()
            elif isinstance(given, str):
                values[name] = given
            else:
                problems.append(say("{wire} is no text", wire=wire))
        traits = {"priority": profile.priority, "form_layout": profile.layout, "unit": profile.unit}
        return Record(
            side=Side.CRM,
            id=known,
            values=values,
            modified=modified,
            author=text_of(pick(row, profile.modified_by)),
            created=moment(pick(row, profile.created)),
            creator=text_of(pick(row, profile.created_by)),
            presence=Presence.DELETED if pick(row, profile.deleted) is True else Presence.PRESENT,
            marker=text_of(pick(row, self._link)) if self._link else None,
            project=text_of(pick(row, self._project)) if self._project else None,
            group=text_of(pick(row, self._group)) if self._group else None,
            result=text_of(pick(row, self._result)) if self._result else None,
            layout=text_of(pick(row, profile.layout)),
            traits={name: text for name, wire in traits.items() if (text := text_of(pick(row, wire)))},
            problems=tuple(problems),
        )


_UNSEEN: Final = object()


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
        return await self._write("delete", "DELETE", [wire_id(one) for one in ids], list(ids))

    def _element(self, edit: Edit) -> dict[str, Any]:
        row: dict[str, Any] = {self._profile.id: wire_id(edit.id)}
        if edit.layout is not None:
            row[self._profile.layout] = edit.layout
        for name, value in edit.values.items():
            row[self._names[name]] = f"{value}T00:00:00+07:00" if name in DAYS and value else value
        if edit.marker is not None and self._link:
            row[self._link] = edit.marker
        if edit.result is not None and self._result:
            row[self._result] = edit.result or None
        return row

    async def _write(self, verb: str, method: str, body: list[Any], ids: list[str]) -> list[Answer]:
        if not ids:
            return []
        request = Request(verb, method, self._profile.tasks_path, write=True, body=body)
        reply = await self._channel.write(request, self._auth)
        if reply.trouble is not None:
            return [refused_call(Side.CRM, verb, reply)] * len(ids)
        self._auth.accepted(write=True)
        results = pick(reply.body, "results")
        if not isinstance(results, list) or len(results) != len(ids):
            raise Unclear(Side.CRM, say("crm {verb}: the answer does not say what became of each record", verb=verb))
        return [self._answer(verb, one, known) for one, known in zip(results, ids, strict=True)]

    def _answer(self, verb: str, result: Any, known: str) -> Answer:
        fault = trouble(result) if isinstance(result, dict) else None
        success = pick(result, "success") if isinstance(result, dict) else None
        if success is True and fault is None:
            if record_id(pick(result, "data")) not in (known, None):
                raise Unclear(Side.CRM, say("crm {verb}: the answer names another record than the one sent", verb=verb))
            return Accepted(id=known)
        if fault is None:
            raise Unclear(Side.CRM, say("crm {verb}: an element of the answer cannot be read", verb=verb))
        infos = pick(result, "validate_infos")
        named = [one for one in infos if isinstance(one, dict)] if isinstance(infos, list) else []
        wires = [fold(text_of(pick(one, "field_name")) or "") for one in named]
        said = [text for one in named if (text := text_of(pick(one, "error_message")))]
        fields = [name for name, wire in self._names.items() if fold(wire) in wires]
        gone = fold(self._profile.id) in wires
        return Refused(
            code=Code.LOST_SIGHT if gone else Code.PERSON_UNKNOWN if fields == [Field.OWNER] else Code.INVALID_VALUE,
            words=self._channel.discreet("; ".join(said) or fault.words or fault.code),
            field=fields[0] if len(fields) == 1 else None,
            gone=gone,
        )
