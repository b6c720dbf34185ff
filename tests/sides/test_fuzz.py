"""Whatever a server answers: only expected errors escape, and a list that cannot be read is not complete.

The bodies are near misses: the right keys with wrong things in them, and right answers with something broken.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.core.model import Accepted, Draft, Edit, Field, Reading, Refused, Side
from reconciler.errors import NotApplied, SideClosed, SideDown, SideError, Unclear
from reconciler.sides.answer import fold, http_date, moment, parse, pick, retry_after, trouble
from reconciler.sides.crm import CrmWriter
from reconciler.sides.work import WorkWriter
from tests.sides.rig import Canned, Rig, Seen, answer
from tests.world import MORNING

Adapter = CrmWriter | WorkWriter
STAMP = "2026-03-02T09:00:00.000+07:00"
EDIT = Edit(id="7", values={Field.TITLE: "x"}, layout="L")
DRAFT = Draft(values={Field.TITLE: "x"}, project="12", group="31", marker="1042")
KEYS = [
    "success",
    "Success",
    "code",
    "Code",
    "SubCode",
    "data",
    "Data",
    "results",
    "Results",
    "Tasks",
    "Total",
    "total_records",
    "GetLastData",
    "Projects",
    "TaskGroups",
    "Members",
    "id",
    "ID",
    "TaskID",
    "ProjectID",
    "TaskGroupID",
    "EmployeeCode",
    "task_name",
    "TaskName",
    "modified_date",
    "ModifiedDate",
    "due_date",
    "Deadline",
    "StatusName",
    "DoerCodes",
    "CustomFields",
    "crm_task_id",
    "is_deleted",
    "IsDeleted",
    "validate_infos",
    "field_name",
    "error_message",
    "ErrorCode",
    "UserMessage",
    "user_msg",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 7, -1, 200, 401, 429, 500]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", " ", "7", "x", "ExpiredToken", "RateLimited", "InvalidSignature", "NoPermission", STAMP]),
    st.sampled_from(["0001-01-01", "9999-12-31T23:59:59Z", "2026-02-30", "\x00", "\u202e", "ế" * 300]),
    st.text(max_size=6),
)
jsonish = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=7),
    max_leaves=20,
)
rows = st.lists(
    st.one_of(
        jsonish,
        st.fixed_dictionaries(
            {},
            optional={
                "id": st.sampled_from([7, 8, "9", 2**64, "", None, "x", True, 7.0, -7]),
                "TaskID": st.sampled_from([7, 8, "9", 2**64, "", None, "x", True, 7.0, -7]),
                "modified_date": st.sampled_from([STAMP, "2026-03-02T09:00:01+07:00", "soon", None]),
                "ModifiedDate": st.sampled_from([STAMP, "2026-03-02T09:00:01+07:00", "soon", None]),
                "due_date": scalars,
                "DoerCodes": jsonish,
                "CustomFields": jsonish,
            },
        ),
    ),
    max_size=4,
)
counts = st.sampled_from([0, 1, 2, 3, 4, 5, 250, None, -1, True, "3", 2.0])
"""No number in between that is merely large: a server may have that many rows."""


@st.composite
def listings(draw: st.DrawFn) -> dict[str, Any]:
    """An answer to a listing of either side, with something odd in it."""
    found, total = draw(rows), draw(counts)
    body: dict[str, Any] = {"success": True, "code": 200, "total_records": total, "GetLastData": draw(scalars)}
    body["data"] = draw(st.sampled_from([found, {"Tasks": found, "Total": total}, {"Tasks": found}]))
    for _ in range(draw(st.integers(0, 2))):
        body[draw(st.sampled_from(KEYS))] = draw(jsonish)
    return body


@st.composite
def writings(draw: st.DrawFn) -> dict[str, Any]:
    """An answer to a write of either side, with something odd in it."""
    results = draw(
        st.lists(st.one_of(jsonish, st.dictionaries(st.sampled_from(KEYS), jsonish, max_size=5)), max_size=3)
    )
    body: dict[str, Any] = {"success": draw(st.sampled_from([True, False, None])), "results": results}
    body["Data"] = {"Results": results}
    for _ in range(draw(st.integers(0, 2))):
        body[draw(st.sampled_from(KEYS))] = draw(jsonish)
    return body


statuses = st.sampled_from([200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503])
junk = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(
        [b"", b"null", b"[]", b"{}", b"<html>", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"[" * 5000]
    ),
    jsonish.map(lambda value: json.dumps(value, ensure_ascii=True).encode()),
)


def header(text: str) -> str:
    return "".join(one for one in text if one.isprintable() and ord(one) < 256)


headers = st.fixed_dictionaries(
    {},
    optional={
        "Retry_After": st.one_of(
            st.sampled_from(["0", "9", "9" * 30, "-1", "1e9", STAMP]), st.text(max_size=9).map(header)
        ),
        "Date": st.one_of(
            st.sampled_from(
                ["Mon, 02 Mar 2026 02:00:00 GMT", "Mon, 02 Mar 0001 02:00:00 GMT", "Thu, 01 Jan 9999 00:00:00 +9999"]
            ),
            st.text(max_size=9).map(header),
        ),
        "Age": st.sampled_from(["", "0", "7", "x", "-1"]),
    },
)

Call = Callable[[Adapter], Awaitable[Any]]


def read_verbs(adapter: Adapter) -> dict[str, Call]:
    verbs: dict[str, Call] = {
        "changes": lambda one: one.changes(None, Seen()),
        "changes since": lambda one: one.changes(MORNING, Seen()),
        "by id": lambda one: one.by_id(["7", "8"]),
    }
    if isinstance(adapter, WorkWriter):
        verbs |= {
            "projects": lambda one: one.projects(),  # type: ignore[union-attr]
            "groups": lambda one: one.groups("12"),  # type: ignore[union-attr]
            "members": lambda one: one.members("12"),  # type: ignore[union-attr]
        }
    return verbs


def write_verbs(adapter: Adapter) -> dict[str, Call]:
    verbs: dict[str, Call] = {
        "update": lambda one: one.update([EDIT]),
        "update two": lambda one: one.update([EDIT, EDIT]),
        "delete": lambda one: one.delete(["7"]),
    }
    if isinstance(adapter, WorkWriter):
        verbs["create"] = lambda one: one.create([DRAFT])
    return verbs


def adapters(response: httpx.Response) -> list[tuple[Rig, Adapter, Canned]]:
    made: list[tuple[Rig, Adapter, Canned]] = []
    for side in Side:
        rig, canned = Rig(), Canned(response)
        made.append((rig, rig.crm(canned) if side is Side.CRM else rig.work(canned), canned))
    return made


async def every_verb(response: httpx.Response) -> None:
    for rig, adapter, canned in adapters(response):
        for read in read_verbs(adapter).values():
            try:
                await read(adapter)
            except SideError as error:
                assert type(error) in (SideDown, SideClosed)
                assert error.side == adapter.side.value
        for name, write in write_verbs(adapter).items():
            before = len(canned.requests)
            try:
                answers = await write(adapter)
            except SideError as error:
                assert type(error) in (NotApplied, Unclear, SideClosed)
                assert error.side == adapter.side.value
            else:
                assert len(answers) == (2 if name == "update two" else 1)
                assert all(isinstance(one, Accepted | Refused) for one in answers)
            assert len(canned.requests) - before <= 1, "a write is sent once"
        await rig.close()


@settings(max_examples=300)
@given(body=st.one_of(jsonish, listings(), writings()), status=statuses, names=headers)
def test_only_expected_errors_escape_from_json(body: Any, status: int, names: dict[str, str]) -> None:
    asyncio.run(every_verb(answer(json.dumps(body).encode(), status, **names)))


@settings(max_examples=150)
@given(content=junk, status=statuses, names=headers)
def test_only_expected_errors_escape_from_bytes(content: bytes, status: int, names: dict[str, str]) -> None:
    asyncio.run(every_verb(answer(content, status, **names)))


@settings(max_examples=75)
@given(content=junk, cut=st.integers(0, 200), flip=st.integers(0, 255))
def test_only_expected_errors_escape_from_a_broken_right_answer(content: bytes, cut: int, flip: int) -> None:
    right = json.dumps({"success": True, "code": 200, "data": [{"id": 7, "modified_date": STAMP}], "total_records": 1})
    broken = bytearray(right.encode())
    broken[cut % len(broken)] = flip
    for one in (bytes(broken), right.encode()[:cut], content + right.encode(), right.encode() + content):
        asyncio.run(every_verb(answer(one)))


@pytest.mark.parametrize("total", [2**63, 2**70, 10**400], ids=["2^63", "2^70", "10^400"])
@pytest.mark.parametrize("found", [[], [{"id": 7, "TaskID": 7, "modified_date": STAMP}]], ids=["no row", "a row"])
async def test_an_absurd_total_is_no_bug(total: int, found: list[Any]) -> None:
    crm = {"success": True, "code": 200, "data": found, "total_records": total}
    work = {"Success": True, "Code": 200, "Data": {"Tasks": found, "Total": total}, "GetLastData": True}
    for rig, adapter, canned in adapters(answer({})):
        canned.given = iter([answer(crm if adapter.side is Side.CRM else work)])
        try:
            reading = await adapter.changes(None, Seen())
        except SideDown:
            continue
        assert not reading.complete
        await rig.close()


class Walled(Canned):
    """Endless pages, and a wall far behind every bound."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if len(self.requests) > 3000:
            pytest.fail("the reading does not end")
        return await super().handle_async_request(request)


async def test_a_catalogue_without_an_end_ends() -> None:
    number = 0

    def page(request: httpx.Request) -> httpx.Response:
        nonlocal number
        number += 1
        project = {"ProjectID": number, "ProjectName": "x", "Type": 2}
        return answer({"Success": True, "Data": {"Projects": [project]}, "GetLastData": False})

    rig = Rig()
    with contextlib.suppress(SideDown):
        await rig.work(Walled(page)).projects()
    await rig.close()


# --- an unreadable list is never complete -----------------------------------------------------------------------------


def whole(side: Side, body: Any) -> bool:
    """By the wire contract alone: a list whose every row has an id, and not more or fewer of them than announced."""
    if not isinstance(body, dict):
        return False
    inner = pick(body, "data")
    if side is Side.CRM:
        found, total = inner, pick(body, "total_records")
    else:
        found = pick(inner, "Tasks") if isinstance(inner, dict) else None
        total = pick(inner, "Total") if isinstance(inner, dict) else None
    if not isinstance(found, list) or pick(body, "success") not in (True, None):
        return False
    name = "id" if side is Side.CRM else "TaskID"
    ids = [pick(row, name) if isinstance(row, dict) else None for row in found]
    if not all(type(one) is int or (isinstance(one, str) and one.strip().isdigit()) for one in ids):
        return False
    if any(isinstance(one, int) and one < 0 for one in ids):
        return False
    if type(total) is int and total >= 0:
        return total == len(found)
    return side is Side.WORK and pick(body, "GetLastData") is True


@settings(max_examples=600)
@given(body=listings(), bounded=st.booleans())
@example({"success": True, "code": 200, "total_records": 0, "data": [{"id": 7, "modified_date": STAMP}]}, False)
@example({"success": True, "code": 200, "total_records": 1, "data": [{"id": 7}, {"id": 8}]}, False)
def test_an_unreadable_list_is_never_complete(body: dict[str, Any], bounded: bool) -> None:
    async def run() -> None:
        for rig, adapter, _ in adapters(answer(json.dumps(body).encode())):
            seen = Seen()
            try:
                reading: Reading = await adapter.changes(MORNING if bounded else None, seen)
            except SideError:
                continue
            finally:
                await rig.close()
            if reading.complete and not bounded:
                assert whole(adapter.side, body), body
            if not reading.complete:
                assert reading.note, "it says why"

    asyncio.run(run())


@settings(max_examples=300)
@given(content=junk)
def test_junk_is_never_complete_and_proves_no_absence(content: bytes) -> None:
    async def run() -> None:
        for rig, adapter, _ in adapters(answer(content)):
            with contextlib.suppress(SideError):
                assert not (await adapter.changes(None, Seen())).complete
            with contextlib.suppress(SideError):
                assert await adapter.by_id(["7"]) == {}
                assert adapter.side is Side.CRM and isinstance(pick(json.loads(content), "data"), list), "no junk"
            await rig.close()

    asyncio.run(run())


@settings(max_examples=400)
@given(body=listings())
def test_an_answer_by_id_with_anything_unreadable_proves_no_absence(body: dict[str, Any]) -> None:
    async def run() -> None:
        for rig, adapter, _ in adapters(answer(json.dumps(body).encode())):
            inner = pick(body, "data")
            found = inner if adapter.side is Side.CRM else pick(inner, "Tasks") if isinstance(inner, dict) else None
            try:
                await adapter.by_id(["7", "8"])
            except SideError:
                continue
            finally:
                await rig.close()
            assert isinstance(found, list)
            assert all(isinstance(row, dict) for row in found)

    asyncio.run(run())


# --- tokens -----------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(body=st.one_of(jsonish, st.fixed_dictionaries({"success": st.just(True), "data": jsonish})), status=statuses)
def test_no_answer_to_the_token_request_raises_anything_unexpected(body: Any, status: int) -> None:
    class Odd(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/Account":
                return answer(json.dumps(body).encode(), status)
            return answer({"success": True, "code": 200, "data": [], "total_records": 0})

    async def run() -> None:
        rig = Rig()
        for call, kinds in (("read", (SideDown, SideClosed)), ("write", (NotApplied, SideClosed, Unclear))):
            crm = rig.crm(Odd())
            try:
                await (crm.by_id(["7"]) if call == "read" else crm.update([EDIT]))
            except SideError as error:
                assert type(error) in kinds
        await rig.close()

    asyncio.run(run())


@settings(max_examples=150)
@given(claims=st.one_of(jsonish.map(lambda value: json.dumps({"exp": value}).encode()), st.binary(max_size=40)))
@example(b'{"exp": 1e308}')
@example(b'{"exp": -99999999999999}')
@example(b'{"exp": 253402300799}')
def test_no_claim_in_a_token_raises_anything_unexpected(claims: bytes) -> None:
    token = f"a.{base64.urlsafe_b64encode(claims).decode()}.b"

    class Odd(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/Account":
                return answer({"success": True, "data": token})
            return answer({"success": True, "code": 200, "data": [], "total_records": 0})

    async def run() -> None:
        rig = Rig()
        crm = rig.crm(Odd())
        for _ in range(3):
            assert await crm.by_id(["7"]) == {}
        await rig.close()

    asyncio.run(run())


# --- the parts --------------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(value=st.one_of(jsonish, st.text(max_size=40), st.datetimes().map(str)))
def test_a_moment_is_aware_or_nothing(value: Any) -> None:
    found = moment(value)
    assert found is None or found.utcoffset() is not None


@settings(max_examples=300)
@given(
    value=st.one_of(st.none(), st.text(max_size=40), st.from_regex(r"[A-Z][a-z]{2}, \d{1,5} [A-Z][a-z]{2} \d{1,6} .*"))
)
def test_headers_of_any_kind_are_survived(value: str | None) -> None:
    date, wait = http_date(value), retry_after(value, MORNING)
    assert date is None or date.utcoffset() is not None
    assert wait is None or 0 <= wait.total_seconds() <= 900


@settings(max_examples=300)
@given(body=st.dictionaries(st.sampled_from(KEYS), jsonish))
def test_an_envelope_of_any_kind_is_judged(body: dict[str, Any]) -> None:
    fault = trouble(body)
    if pick(body, "success") is False:
        assert fault is not None
    for key, value in body.items():
        assert pick(body, key) == value
        assert any(pick(body, key.swapcase()) == one for name, one in body.items() if fold(name) == fold(key))


@settings(max_examples=300)
@given(value=jsonish)
def test_what_is_parsed_is_what_was_sent(value: Any) -> None:
    body = {"data": value}
    assert parse(json.dumps(body).encode()) == body
    assert parse(b"\xef\xbb\xbf" + json.dumps(body, ensure_ascii=False).encode("utf-8")) == body
