"""What an answer means for a write, and which failures of a read are waited out."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from reconciler.core.model import Accepted, Answer, Code, Draft, Edit, Field, Refused
from reconciler.errors import NotApplied, SideClosed, SideDown, SideError, Unclear
from tests.sides.rig import TOKEN, Canned, Rig, Seen, answer
from tests.world import MORNING

HTML = b"<!doctype html><html><body>Login</body></html>"
EDIT = Edit(id="1042", values={Field.TITLE: "mới"}, layout="Mẫu tiêu chuẩn")
DRAFT = Draft(values={Field.TITLE: "mới"}, project="12", group="31", marker="1042")
EMPTY_CRM = {"success": True, "code": 200, "data": [], "total_records": 0}
EMPTY_WORK = {"Success": True, "Code": 200, "Data": {"Tasks": [], "Total": 0}, "GetLastData": True}

Write = Callable[[httpx.AsyncBaseTransport], Awaitable[list[Answer]]]


def writes(rig: Rig, count: int = 1) -> dict[str, Write]:
    return {
        "crm": lambda transport: rig.crm(transport).update([EDIT] * count),
        "work": lambda transport: rig.work(transport).create([DRAFT] * count),
    }


def request() -> httpx.Request:
    return httpx.Request("POST", "http://side.test")


FAILURES: list[tuple[Any, type[SideError]]] = [
    (answer({}, 429), NotApplied),
    (httpx.ConnectError("refused", request=request()), NotApplied),
    (httpx.ConnectTimeout("no route", request=request()), NotApplied),
    (httpx.ReadTimeout("late", request=request()), Unclear),
    (httpx.ReadError("cut", request=request()), Unclear),
    (httpx.RemoteProtocolError("half", request=request()), Unclear),
    (RuntimeError("an app in this process fell over"), Unclear),
    (answer({"code": 500}, 500), Unclear),
    (answer(HTML, 502), Unclear),
    (answer({}, 408), Unclear),
    (answer(b"", 302, location="/login"), Unclear),
    (answer(HTML), Unclear),
    (answer(b""), Unclear),
    (answer(b'{"success": true, "results": [{"succ'), Unclear),
    (answer(b'{"success": true, "x": NaN}'), Unclear),
    (answer(b"[" * 200_000), Unclear),
    (answer([]), Unclear),
    (answer({"success": True, "code": 200}), Unclear),
    (answer({"success": True, "results": [], "Data": {"Results": []}}), Unclear),
    (answer({"success": True, "results": [7], "Data": {"Results": ["x"]}}), Unclear),
    (answer({"success": True, "results": [{}], "Data": {"Results": [{}]}}), Unclear),
    (
        answer({"success": True, "results": [{"success": True, "data": 7}], "Data": {"Results": [{"Success": True}]}}),
        Unclear,
    ),
    (answer({"success": False, "code": "Nobody knows"}), Unclear),
    (answer({"success": False, "code": 503}), Unclear),
    (answer(HTML, 404), SideClosed),
    (answer({"ErrorCode": "NotFound"}, 404), SideClosed),
]


@pytest.mark.parametrize("side", ["crm", "work"])
@pytest.mark.parametrize(("given", "kind"), FAILURES)
async def test_a_write_is_sent_once_whatever_comes_back(side: str, given: Any, kind: type[SideError]) -> None:
    rig, transport = Rig(), Canned(given)
    with pytest.raises(SideError) as failed:
        await writes(rig)[side](transport)
    assert type(failed.value) is kind
    assert len(transport.calls) == 1
    assert sum(rig.clock.slept) < 0.1, "nothing but the pace of calls"
    assert "html" not in str(failed.value).lower().replace("is html", ""), "bodies stay out of error texts"


@pytest.mark.parametrize("side", ["crm", "work"])
@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (answer({"ErrorCode": "X", "UserMsg": "sai", "UserMessage": "sai"}, 400), Code.INVALID_VALUE, "sai"),
        (answer({"UserMessage": "sai"}, 422), Code.INVALID_VALUE, "sai"),
        (answer(b"", 400), Code.INVALID_VALUE, "HTTP 400"),
        (answer(HTML, 413), Code.INVALID_VALUE, "HTTP 413"),
        (answer({"success": False, "code": 400, "error_message": "sai"}), Code.INVALID_VALUE, "sai"),
        (answer({"success": False, "code": 403, "user_msg": "cấm"}, 403), Code.FORBIDDEN, "cấm"),
        (answer(HTML, 403), Code.FORBIDDEN, "HTTP 403"),
    ],
)
async def test_a_whole_call_that_is_wrong_refuses_every_element(
    side: str, given: httpx.Response, code: Code, words: str
) -> None:
    assert await writes(Rig(), 2)[side](Canned(given)) == [Refused(code=code, words=words)] * 2


async def test_a_whole_call_about_one_item_says_what_is_wrong_with_it() -> None:
    gone = answer({"Success": False, "Code": 404, "ErrorCode": "TaskNotFound"}, 404)
    one = Edit(id="7", values={Field.TITLE: "x"})
    assert await Rig().work(Canned(gone)).update([one]) == [
        Refused(code=Code.LOST_SIGHT, words="TaskNotFound", gone=True)
    ]
    with pytest.raises(Unclear):
        await Rig().work(Canned(gone)).update([one, one])  # nobody can tell which of them is meant


async def test_an_empty_write_calls_nobody() -> None:
    transport = Canned(answer({}, 500))
    assert await Rig().work(transport).update([]) == []
    assert await Rig().crm(transport).delete([]) == []
    assert transport.calls == []


async def test_crm_elements_are_refused_one_by_one() -> None:
    results = [
        {"Success": True, "Data": "1042"},
        {"success": False, "validate_infos": [{"field_name": "TaskName", "error_message": "dài quá"}]},
        {"success": False, "validate_infos": [{"field_name": "Id", "error_message": "record not found"}]},
        {"success": False, "validateInfos": [{"field_name": "status"}, {"field_name": "due_date"}]},
        {"success": False, "error_message": "không rõ"},
    ]
    crm = Rig().crm(Canned(answer({"success": True, "code": 200, "results": results})))
    assert await crm.update([EDIT] * 5) == [
        Accepted(id="1042"),
        Refused(code=Code.INVALID_VALUE, words="dài quá", field=Field.TITLE),
        Refused(code=Code.LOST_SIGHT, words="record not found", gone=True),
        Refused(code=Code.INVALID_VALUE, words=""),
        Refused(code=Code.INVALID_VALUE, words="không rõ"),
    ]


# --- reads ------------------------------------------------------------------------------------------------------------


async def read(rig: Rig, *given: Any) -> tuple[Canned, dict[str, Any]]:
    transport = Canned(*given)
    return transport, dict(await rig.work(transport).by_id(["7"]))


@pytest.mark.parametrize(
    "bad",
    [
        answer({}, 503),
        answer(HTML),
        answer(HTML, 502),
        answer(b"", 200),
        answer({"Success": False, "Code": 429}),
        httpx.ReadTimeout("late", request=request()),
        httpx.ConnectError("refused", request=request()),
        RuntimeError("an app in this process fell over"),
    ],
)
async def test_a_read_is_repeated_while_that_can_help(bad: Any) -> None:
    rig = Rig()
    transport, found = await read(rig, bad, bad, answer(EMPTY_WORK))
    assert (len(transport.calls), found) == (3, {})
    ids = [one.headers["x-transactionid"] for one in transport.requests]
    assert len(set(ids)) == 3, "a new signature for every call"


@pytest.mark.parametrize("bad", [answer({}, 503), answer(HTML), httpx.ReadError("cut", request=request())])
async def test_repeats_end_after_retry_for(bad: Any) -> None:
    rig = Rig()
    start = rig.clock.now()
    with pytest.raises(SideDown):
        await read(rig, bad)
    assert rig.clock.now() - start <= rig.limits.retry_for
    assert sum(rig.clock.slept) > 1


async def test_a_refusal_of_a_read_is_not_repeated() -> None:
    for status, kind in ((400, SideDown), (422, SideDown), (302, SideDown), (403, SideClosed), (404, SideClosed)):
        transport = Canned(answer({"UserMessage": "không"}, status))
        with pytest.raises(kind) as failed:
            await Rig().work(transport).by_id(["7"])
        assert failed.value.words == "không"
        assert len(transport.calls) == 1


@pytest.mark.parametrize(
    ("header", "waits"),
    [("3", 3.0), ("0", 0.0), ("late", 4.0), ("past", 0.0)],
    ids=["seconds", "no seconds", "a date", "a date in the past"],
)
async def test_retry_after_is_waited_out_if_it_fits(header: str, waits: float) -> None:
    rig = Rig()
    dates = {"late": MORNING + timedelta(seconds=4), "past": MORNING - timedelta(days=1)}
    header = format_datetime(dates[header], usegmt=True) if header in dates else header
    await read(rig, answer({}, 429, retry_after=header), answer(EMPTY_WORK))
    assert max(rig.clock.slept, default=0.0) >= waits
    assert sum(rig.clock.slept) < waits + 1


@pytest.mark.parametrize(("header", "says"), [("60", 60), ("86400", 900), ("99999999999999999999", 900)])
async def test_a_longer_retry_after_is_left_to_the_cycle(header: str, says: int) -> None:
    rig = Rig()
    with pytest.raises(SideDown) as down:
        await read(rig, answer({}, 503, retry_after=header))
    assert down.value.retry_after == timedelta(seconds=says)
    assert rig.clock.slept == []
    with pytest.raises(NotApplied) as refused:
        await rig.work(Canned(answer({}, 429, retry_after=header))).create([DRAFT])
    assert refused.value.retry_after == timedelta(seconds=says)


@pytest.mark.parametrize("body", [{"data": None}, {"data": {}}, {}, {"success": True}])
async def test_what_is_no_list_is_no_empty_list(body: Any) -> None:
    with pytest.raises(SideDown, match="no list"):
        await Rig().crm(Canned(answer(body))).changes(None, Seen())
    with pytest.raises(SideDown, match="no list"):
        await Rig().work(Canned(answer({"Success": True, "Data": body}))).changes(None, Seen())


@pytest.mark.parametrize("rows", [[{"id": 7}, {"task_name": "x"}], [None], [{"id": "7; DROP"}], [{"id": True}]])
async def test_an_answer_by_id_with_an_unreadable_row_proves_no_absence(rows: list[Any]) -> None:
    with pytest.raises(SideDown, match="not whole"):
        await Rig().crm(Canned(answer({**EMPTY_CRM, "data": rows}))).by_id(["7", "8"])


async def test_an_answer_by_id_that_has_more_to_come_proves_no_absence() -> None:
    with pytest.raises(SideDown, match="not whole"):
        await Rig().crm(Canned(answer({**EMPTY_CRM, "total_records": 2}))).by_id(["7", "8"])
    with pytest.raises(SideDown, match="not whole"):
        await Rig().work(Canned(answer({**EMPTY_WORK, "GetLastData": False}))).by_id(["7", "8"])


async def test_rows_that_were_not_asked_for_are_not_given() -> None:
    rows = [{"id": 7, "modified_date": "2026-03-02T09:00:00.000+07:00"}, {"id": 9}]
    found = await Rig().crm(Canned(answer({**EMPTY_CRM, "data": rows, "total_records": 2}))).by_id(["7", "x", "7"])
    assert set(found) == {"7"}


async def test_one_failing_chunk_ends_the_others() -> None:
    transport = Canned(answer({}, 403))
    with pytest.raises(SideClosed):
        await Rig().work(transport, by_id=1).by_id([str(number) for number in range(1, 200)])
    assert len(transport.calls) <= 8


async def test_calls_are_spread_over_time() -> None:
    rig = Rig()
    rig.limited(requests_per_second=2.0, concurrency=1)
    work = rig.work(Canned(answer(EMPTY_WORK)), by_id=1)
    start = rig.clock.now()
    await work.by_id([str(number) for number in range(1, 12)])
    assert (rig.clock.now() - start).total_seconds() == pytest.approx(10 / (2 * 0.98), abs=0.01)


# --- the token --------------------------------------------------------------------------------------------------------


class Gate(httpx.AsyncBaseTransport):
    """A CRM whose tokens are numbered; it accepts those that the test says, and counts."""

    def __init__(self, accepts: Callable[[str, str], bool], ends: float | None = None) -> None:
        self.accepts, self.ends = accepts, ends
        self.tokens = 0
        self.calls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if request.url.path == "/Account":
            self.tokens += 1
            claims = json.dumps({} if self.ends is None else {"exp": self.ends}).encode()
            token = f"{self.tokens}.{base64.urlsafe_b64encode(claims).decode()}.x"
            return answer({**TOKEN, "data": token})
        number = request.headers["Authorization"].removeprefix("Bearer ").split(".")[0]
        kind = "read" if request.method == "GET" else "write"
        self.calls.append(f"{kind} {number}")
        if not self.accepts(kind, number):
            return answer(b"", 401)
        results = [{"success": True, "data": 1042}]
        return answer({**EMPTY_CRM, "results": results})


async def test_a_read_renews_the_token_once() -> None:
    gate = Gate(lambda kind, number: number != "1")
    assert await Rig().crm(gate).by_id(["7"]) == {}
    assert gate.calls == ["read 1", "read 2"]
    gate = Gate(lambda kind, number: False)
    with pytest.raises(SideClosed, match="credentials"):
        await Rig().crm(gate).by_id(["7"])
    assert gate.calls == ["read 1", "read 2"]


async def test_calls_at_once_that_are_all_refused_share_one_renewal() -> None:
    gate = Gate(lambda kind, number: number != "1")
    await Rig().crm(gate, by_id=1).by_id(["1", "2", "3", "4", "5", "6"])
    assert gate.tokens == 2


async def test_a_write_that_got_401_was_not_applied_and_the_second_time_a_person_is_needed() -> None:
    """The reads between the two writes succeed: what is refused is writing."""
    gate = Gate(lambda kind, number: kind == "read")
    crm = Rig().crm(gate)
    with pytest.raises(NotApplied):
        await crm.update([EDIT])
    await crm.by_id(["7"])
    with pytest.raises(SideClosed):
        await crm.update([EDIT])
    assert gate.calls == ["write 1", "read 2", "write 2"]


async def test_a_token_that_is_withdrawn_again_later_is_renewed_again() -> None:
    good = {"1"}
    gate = Gate(lambda kind, number: number in good)
    crm = Rig().crm(gate)
    for fresh in ("2", "3", "4"):
        good.clear()
        good.add(fresh)
        with pytest.raises(NotApplied):
            await crm.update([EDIT])
        assert await crm.update([EDIT]) == [Accepted(id="1042")]


async def test_a_write_without_a_token_to_be_had_was_not_applied() -> None:
    class Closed(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return answer({}, 503, retry_after="60")

    with pytest.raises(NotApplied) as refused:
        await Rig().crm(Closed()).update([EDIT])
    assert refused.value.retry_after == timedelta(seconds=60)


@pytest.mark.parametrize("seconds", [-5, 1, 200, 400, 86400])
async def test_a_short_lived_token_makes_no_storm(seconds: int) -> None:
    rig = Rig()
    gate = Gate(lambda kind, number: True, ends=(MORNING + timedelta(seconds=seconds)).timestamp())
    crm = rig.crm(gate)
    for _ in range(5):
        await crm.by_id(["7"])
    assert gate.tokens == 1


@pytest.mark.parametrize("token", [None, 7, "", "a\r\nb", "mã", {"a": 1}])
async def test_what_is_no_token_is_not_sent(token: Any) -> None:
    class Odd(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert request.url.path == "/Account"
            return answer({**TOKEN, "data": token})

    with pytest.raises(SideDown, match="token"):
        await Rig().crm(Odd()).by_id(["7"])


async def test_a_cut_appid_is_one_request_and_plain_words_whatever_its_form() -> None:
    for given in (
        answer({"ErrorCode": "AppIDDisconnect"}, 401),
        answer({"ErrorCode": "AppIDDisconnect"}, 403),
        answer({"success": False, "code": "AppIDDisconnect"}),
        answer({"success": False, "code": 500, "error_code": "AppIDDisconnect"}, 500),
    ):
        transport = Canned(given)
        with pytest.raises(SideClosed, match="administrator"):
            await Rig().crm(transport).by_id(["7"])
        assert len(transport.calls) == 1


@pytest.mark.parametrize("code", ["InvalidSignature", "DuplicateTransaction"])
async def test_a_refused_signature_closes_work(code: str) -> None:
    for status in (401, 200):
        transport = Canned(answer({"Success": False, "Code": 401, "ErrorCode": code}, status))
        with pytest.raises(SideClosed, match=code):
            await Rig().work(transport).create([DRAFT])
        assert len(transport.calls) == 1
