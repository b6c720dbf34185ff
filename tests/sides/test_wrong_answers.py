"""What every wrong answer means: a read is repeated or sorted, a write is unclear unless it surely changed nothing.

And whatever bytes a server sends, no error escapes that is not one of the four a caller expects.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model import Code, Edit, Field, Refused
from reconciler.errors import ConfigError, NotApplied, SideClosed, SideDown, SideError, Unclear
from reconciler.sides.crm import CrmWriter
from reconciler.sides.profile import CrmProfile, WorkProfile
from reconciler.sides.work import WorkWriter
from tests.sides.rig import Canned, Given, Rig, Seen, answer

Writer = CrmWriter | WorkWriter
HTML = b"<!doctype html><html><body>login secret-page</body></html>"
CRM_OK = {"success": True, "code": 200, "data": [], "total_records": 0}
WORK_OK = {"Success": True, "Code": 200, "Data": {"Tasks": [], "Total": 0}, "GetLastData": True}
EDIT = Edit(id="7", values={Field.TITLE: "x"}, layout="l")


def both(given: Callable[[], Given]) -> list[tuple[Rig, Writer, Canned]]:
    made = []
    for kind in ("crm", "work"):
        rig, canned = Rig(), Canned(lambda request: given())
        made.append((rig, rig.crm(canned) if kind == "crm" else rig.work(canned), canned))
    return made


async def fails(call: Callable[[], Awaitable[Any]]) -> SideError | None:
    try:
        await call()
    except SideError as error:
        return error
    return None


def crm_error(status: int, code: str = "", words: str = "") -> httpx.Response:
    return answer({"ErrorCode": code, "DevMsg": words, "UserMsg": words, "TraceId": "1"}, status)


READS: dict[str, tuple[Callable[[], Given], type[SideError], bool]] = {
    "a login page under 200": (lambda: answer(HTML), SideDown, True),
    "an empty body": (lambda: answer(b""), SideDown, True),
    "half a body": (lambda: answer(b'{"success": true, "data": [{"id"'), SideDown, True),
    "an array": (lambda: answer(b"[]"), SideDown, True),
    "null": (lambda: answer(b"null"), SideDown, True),
    "not a number": (lambda: answer(b'{"data": NaN}'), SideDown, True),
    "beyond every number": (lambda: answer(b'{"data": 1e999}'), SideDown, True),
    "a lone surrogate": (lambda: answer(b'{"data": "\\ud800"}'), SideDown, True),
    "a depth bomb": (lambda: answer(b'{"data": ' + b"[" * 100_000), SideDown, True),
    "a number of 5000 digits": (lambda: answer(b'{"data": ' + b"9" * 5000 + b"}"), SideDown, True),
    "another character set": (lambda: answer(json.dumps(CRM_OK).encode("utf-16")), SideDown, True),
    "more than 10 MiB": (lambda: answer(b" " * (10 * 2**20 + 1)), SideDown, True),
    "a read timeout": (lambda: httpx.ReadTimeout("x"), SideDown, True),
    "a cut connection": (lambda: httpx.RemoteProtocolError("x"), SideDown, True),
    "a refused connection": (lambda: httpx.ConnectError("x"), SideDown, True),
    "500": (lambda: answer(HTML, 500), SideDown, True),
    "503 in an envelope": (lambda: answer({"Success": False, "Code": 503}), SideDown, True),
    "408": (lambda: answer(b"", 408), SideDown, True),
    "no rows in it": (lambda: answer({"success": True, "code": 200}), SideDown, False),
    "rows that are no list": (lambda: answer({"success": True, "data": {"Tasks": {}}}), SideDown, False),
    "success false, no code": (lambda: answer({"success": False, "data": []}), SideDown, False),
    "an error code in words": (lambda: answer({**CRM_OK, "Data": {"Tasks": []}, "code": "Odd"}), SideDown, False),
    "400": (lambda: crm_error(400, "Bad", "sai"), SideDown, False),
    "301": (lambda: answer(b"", 301, Location="https://elsewhere.test/"), SideDown, False),
    "302 with a page": (lambda: answer(HTML, 302, Location="https://elsewhere.test/"), SideDown, False),
    "307": (lambda: answer(b"", 307, Location="https://elsewhere.test/"), SideDown, False),
    "403": (lambda: crm_error(403, "Forbidden", "không có quyền"), SideClosed, False),
    "403 with a page": (lambda: answer(HTML, 403), SideClosed, False),
    "404": (lambda: answer(HTML, 404), SideClosed, False),
    "401 again and again": (lambda: answer(b"", 401), SideClosed, False),
}


@pytest.mark.parametrize("case", READS)
async def test_a_read(case: str) -> None:
    given, expected, repeated = READS[case]
    for rig, side, canned in both(given):
        error = await fails(lambda side=side: side.changes(None, Seen()))  # type: ignore[misc]
        assert type(error) is expected, error
        assert str(error).startswith(side.side.value)
        for secret in ("secret", "sandbox-key", "page=", "html"):
            assert secret not in str(error), "neither secrets, nor bodies, nor queries"
        assert rig.clock.monotonic() - Rig().clock.monotonic() <= 10, "within retry_for"
        if case != "401 again and again":
            assert (len(canned.requests) > 1) is repeated
        await rig.close()


WRITES: dict[str, tuple[Callable[[], Given], type[SideError]]] = {
    "a login page under 200": (lambda: answer(HTML), Unclear),
    "an empty body": (lambda: answer(b"", 204), Unclear),
    "201 without results": (lambda: answer({"success": True}, 201), Unclear),
    "half a body": (lambda: answer(b'{"success": true, "results": ['), Unclear),
    "fewer results than elements": (lambda: answer({"success": True, "results": [], "Data": {"Results": []}}), Unclear),
    "an element that says nothing": (
        lambda: answer({"success": True, "results": [{}], "Data": {"Results": [{}]}}),
        Unclear,
    ),
    "an element of another kind": (
        lambda: answer({"success": True, "results": [7], "Data": {"Results": [7]}}),
        Unclear,
    ),
    "a read timeout": (lambda: httpx.ReadTimeout("x"), Unclear),
    "a write error": (lambda: httpx.WriteError("x"), Unclear),
    "a cut connection": (lambda: httpx.RemoteProtocolError("x"), Unclear),
    "500": (lambda: crm_error(500, "Exception"), Unclear),
    "500 in an envelope": (lambda: answer({"Success": False, "Code": 500}), Unclear),
    "502 with a page": (lambda: answer(HTML, 502), Unclear),
    "408": (lambda: answer(b"", 408), Unclear),
    "409": (lambda: crm_error(409, "Conflict"), Unclear),
    "success false with an unknown word": (lambda: answer({"success": False, "code": "Odd"}), Unclear),
    "301": (lambda: answer(b"", 301, Location="https://elsewhere.test/"), Unclear),
    "308": (lambda: answer(b"", 308, Location="https://elsewhere.test/"), Unclear),
    "a refused connection": (lambda: httpx.ConnectError("x"), NotApplied),
    "no connection in time": (lambda: httpx.ConnectTimeout("x"), NotApplied),
    "429": (lambda: answer(b"", 429, Retry_After="7"), NotApplied),
    "429 in an envelope": (lambda: answer({"Success": False, "Code": 429, "ErrorCode": "RateLimited"}), NotApplied),
    "404": (lambda: answer(HTML, 404), SideClosed),
}


@pytest.mark.parametrize("case", WRITES)
async def test_a_write(case: str) -> None:
    given, expected = WRITES[case]
    for rig, side, canned in both(given):
        error = await fails(lambda side=side: side.update([EDIT]))  # type: ignore[misc]
        assert type(error) is expected, error
        assert len(canned.requests) == 1, "a write is never repeated"
        assert str(error).startswith(side.side.value) and "html" not in str(error)
        if case == "429":
            assert error is not None and error.retry_after == timedelta(seconds=7)
        await rig.close()


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422])
@pytest.mark.parametrize("words", ["sai", ""])
async def test_a_whole_call_that_is_wrong_refuses_its_elements(status: int, words: str) -> None:
    for rig, side, _ in both(lambda: crm_error(status, "Bad", words) if words else answer(b"", status)):
        [refused] = await side.update([EDIT])
        assert isinstance(refused, Refused) and refused.code is Code.INVALID_VALUE and not refused.gone
        assert refused.words and words in refused.words
        await rig.close()


async def test_a_forbidden_write_is_the_item_s_matter() -> None:
    for rig, side, _ in both(lambda: crm_error(403, "Forbidden", "không")):
        [refused] = await side.update([EDIT])
        assert isinstance(refused, Refused) and refused.code is Code.FORBIDDEN
        await rig.close()


async def test_a_write_refused_for_its_token_was_not_applied() -> None:
    rig, canned = Rig(), Canned(answer(b"", 401), answer({"success": True, "results": [{"success": True, "data": 7}]}))
    crm = rig.crm(canned)
    with pytest.raises(NotApplied):
        await crm.update([EDIT])
    await crm.update([EDIT])
    assert len(canned.requests) == 2
    await rig.close()


@pytest.mark.parametrize("code", ["InvalidSignature", "DuplicateTransaction"])
async def test_a_refused_signature_closes_work(code: str) -> None:
    for status in (401, 200):
        body = {"Success": False, "Code": 401, "ErrorCode": code, "UserMessage": "sai"}
        for write in (False, True):
            rig, canned = Rig(), Canned(lambda request, body=body, status=status: answer(body, status))  # type: ignore[misc]
            work = rig.work(canned)
            error = await fails(lambda w=work, write=write: w.update([EDIT]) if write else w.changes(None, Seen()))  # type: ignore[misc]
            assert type(error) is SideClosed
            assert len(canned.requests) == 1
            await rig.close()


async def test_every_call_to_work_has_its_own_transaction() -> None:
    rig = Rig()
    canned = Canned(answer(b"", 503), answer(b"", 503), answer(WORK_OK))
    await rig.work(canned).changes(None, Seen())
    ids = {one.headers["x-transactionid"] for one in canned.requests}
    assert len(ids) == len(canned.requests) == 3
    await rig.close()


async def test_an_answer_by_id_that_is_not_whole_proves_no_absence() -> None:
    """Otherwise a default page size on the by-id call would unlink everything behind its tenth row."""
    row = {"id": 1, "modified_date": "2026-03-02T09:00:00.000+07:00"}
    for body in ({**CRM_OK, "data": [row], "total_records": 2}, {**CRM_OK, "data": [row, {"task_name": "no id"}]}):
        rig = Rig()
        with pytest.raises(SideDown):
            await rig.crm(Canned(answer(body))).by_id(["1", "2"])
        await rig.close()


async def test_a_row_without_an_id_leaves_a_listing_unproven() -> None:
    rig, seen = Rig(), Seen()
    rows = [{"id": 1, "modified_date": "2026-03-02T09:00:00.000+07:00"}, {"task_name": "no id"}]
    reading = await rig.crm(Canned(answer({**CRM_OK, "data": rows, "total_records": 2}))).changes(None, seen)
    assert not reading.complete and reading.note and set(seen.rows) == {"1"}
    await rig.close()


async def test_a_total_without_rows_is_no_empty_list() -> None:
    rig = Rig()
    reading = await rig.crm(Canned(answer({**CRM_OK, "total_records": 5}))).changes(None, Seen())
    assert not reading.complete
    await rig.close()


async def test_unsorted_pages_are_unproven() -> None:
    rows = [{"id": n, "modified_date": f"2026-03-02T09:00:0{n}.000+07:00"} for n in (1, 2)]
    rig = Rig()
    reading = await rig.crm(Canned(answer({**CRM_OK, "data": rows, "total_records": 2}))).changes(None, Seen())
    assert not reading.complete
    items = [{"TaskID": n, "ModifiedDate": f"2026-03-02T09:00:0{n}+07:00"} for n in (2, 1)]
    body = {**WORK_OK, "Data": {"Tasks": items, "Total": 2}}
    reading = await rig.work(Canned(answer(body))).changes(None, Seen())
    assert not reading.complete
    await rig.close()


async def test_keys_are_found_whatever_their_casing() -> None:
    rig, seen = Rig(), Seen()
    row = {"ID": 7, "TaskName": "a", "DueDate": "2026-03-09T00:00:00.000+07:00", "ModifiedDate": "2026-03-02T09:00:00Z"}
    body = {"Success": True, "Code": 200, "Data": [row], "TotalRecords": 1}
    raw = b"\xef\xbb\xbf" + json.dumps(body).encode()
    reading = await rig.crm(Canned(answer(raw))).changes(None, seen)
    assert reading.complete
    assert seen.rows["7"].values == {Field.TITLE: "a", Field.DUE: "2026-03-09"}
    await rig.close()


@pytest.mark.parametrize(
    ("sent", "day"),
    [
        ("2026-03-09T00:00:00.000+07:00", "2026-03-09"),
        ("2026-03-08T17:00:00Z", "2026-03-09"),
        ("2026-03-08T16:59:59Z", "2026-03-08"),
        ("2026-03-09", "2026-03-09"),
        ("2026-03-09T23:59:59", "2026-03-09"),
        (None, None),
    ],
)
async def test_the_day_of_a_crm_date_is_the_one_in_hanoi(sent: str | None, day: str | None) -> None:
    rig, seen = Rig(), Seen()
    row = {"id": 7, "due_date": sent, "modified_date": "2026-03-02T09:00:00.000+07:00"}
    await rig.crm(Canned(answer({**CRM_OK, "data": [row], "total_records": 1}))).changes(None, seen)
    assert seen.rows["7"].values[Field.DUE] == day
    await rig.close()


@pytest.mark.parametrize("sent", ["", "soon", "2026-13-40", 5, True, [], "9999-12-31T23:59:59Z", "0001-01-01T00:00:00"])
async def test_a_bad_date_is_unseen_and_said(sent: Any) -> None:
    rig, seen = Rig(), Seen()
    row = {"id": 7, "task_name": "a", "due_date": sent, "modified_date": "2026-03-02T09:00:00.000+07:00"}
    await rig.crm(Canned(answer({**CRM_OK, "data": [row], "total_records": 1}))).changes(None, seen)
    item = {"TaskID": 7, "TaskName": "a", "Deadline": sent, "ModifiedDate": "2026-03-02T09:00:00+07:00"}
    assert seen.rows["7"].values == {Field.TITLE: "a"} and seen.rows["7"].problems
    body = {**WORK_OK, "Data": {"Tasks": [item], "Total": 1}}
    await rig.work(Canned(answer(body))).changes(None, seen)
    assert seen.rows["7"].values == {Field.TITLE: "a"} and seen.rows["7"].problems
    await rig.close()


@pytest.mark.parametrize(("sent", "marker"), [(7001, "7001"), ("7001", "7001"), (None, None), ("", None), ("  ", None)])
async def test_a_marker_is_digits_or_nothing(sent: Any, marker: str | None) -> None:
    rig, seen = Rig(), Seen()
    row = {"id": 7, "custom_field3": sent, "modified_date": "2026-03-02T09:00:00.000+07:00"}
    await rig.crm(Canned(answer({**CRM_OK, "data": [row], "total_records": 1}))).changes(None, seen)
    assert seen.rows["7"].marker == marker
    await rig.close()


KEYS = [
    "success",
    "code",
    "data",
    "Data",
    "Tasks",
    "Total",
    "total_records",
    "results",
    "Results",
    "id",
    "TaskID",
    "modified_date",
    "ModifiedDate",
    "due_date",
    "Deadline",
    "DoerCodes",
    "CustomFields",
    "validate_infos",
    "ErrorCode",
    "GetLastData",
    "field_name",
    "UserMessage",
    "is_deleted",
]

anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 2**70), st.text(max_size=8), st.just("2026-03-02T09:00:00+07:00")
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=14,
)


@settings(max_examples=200, deadline=None)
@given(
    body=anything,
    status=st.sampled_from([200, 200, 200, 201, 302, 400, 401, 403, 404, 422, 429, 500]),
    date=st.text(max_size=12),
)
def test_no_answer_raises_anything_unexpected(body: Any, status: int, date: str) -> None:
    header = date.encode("utf-8", "ignore").decode("latin-1").replace("\n", "").replace("\r", "").replace("\0", "")

    async def run() -> None:
        for rig, side, _ in both(lambda: answer(body, status, Retry_After=header, Date=header)):
            for call in (
                lambda side=side: side.changes(None, Seen()),
                lambda side=side: side.by_id(["7"]),
                lambda side=side: side.update([EDIT]),
                lambda side=side: side.delete(["7"]),
            ):
                await fails(call)
            await rig.close()

    asyncio.run(run())


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60), status=st.sampled_from([200, 400, 500]))
def test_no_bytes_raise_anything_unexpected(content: bytes, status: int) -> None:
    async def run() -> None:
        for rig, side, _ in both(lambda: answer(content, status)):
            await fails(lambda side=side: side.changes(None, Seen()))  # type: ignore[misc]
            await fails(lambda side=side: side.update([EDIT]))  # type: ignore[misc]
            await rig.close()

    asyncio.run(run())


@pytest.mark.parametrize("profile", [CrmProfile(), WorkProfile()])
@pytest.mark.parametrize("wrong", [{"nonsense": 1}, {"page_size": "100"}, {"page_size": True}, {"title": 5}])
def test_a_profile_refuses_what_it_does_not_know(profile: CrmProfile | WorkProfile, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        profile.with_overrides(wrong)
    assert profile.with_overrides({"page_size": 50}).page_size == 50
