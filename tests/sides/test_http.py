"""The HTTP layer by itself: what leaves this machine, how often, how fast, and what becomes of every failure."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from reconciler.core.model import Accepted, Code, Draft, Edit, Field, Refused, Side
from reconciler.errors import NotApplied, SideClosed, SideDown, SideError, Unclear
from reconciler.sides.crm import CrmWriter
from reconciler.sides.http import BODY_LIMIT, PACE, Access, Channel, Request
from tests.sides.rig import LIMITS, TOKEN, Canned, Rig, Seen, answer
from tests.world import TestClock

READ = Request("list", "GET", "/Tasks", write=False)
WRITE = Request("update", "PUT", "/Tasks", write=True, body=[{"id": 7}])
FINE: dict[str, Any] = {"success": True, "code": 200, "data": [], "total_records": 0}
HTML = b"<!doctype html><html><body>login</body></html>"
EDIT = Edit(id="1042", values={Field.TITLE: "x"}, layout="L")
DRAFT = Draft(values={Field.TITLE: "x"}, project="12", group="31", marker="1042")


class Anybody:
    """No proof at all; a 401 is what a 401 is."""

    async def headers(self) -> Mapping[str, str]:
        return {}

    def refused(self, status: int, code: str) -> bool:
        return status == 401

    def hopeless(self, code: str) -> str:
        return ""

    def forget(self, headers: Mapping[str, str], *, write: bool) -> bool:
        return False


class Spread:
    """A source of chance that always draws the largest number, and remembers between what."""

    def __init__(self) -> None:
        self.drawn: list[tuple[float, float]] = []

    def uniform(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return high


def channel(transport: httpx.AsyncBaseTransport, clock: TestClock | None = None, **limits: Any) -> Channel:
    access = Access("http://side.test/api", "client", "the-secret")
    chosen = replace(LIMITS, **limits)
    return Channel(Side.CRM, access, chosen, clock=clock or TestClock(), rng=random.Random(1), transport=transport)


# --- where a request goes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["http://elsewhere.test/", "http://side.test/api/other", "//elsewhere.test/x"])
async def test_no_redirect_is_followed(status: int, host: str) -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url}")
        return httpx.Response(status, headers={"Location": host})

    one = channel(httpx.MockTransport(handler))
    with pytest.raises(SideDown):
        await one.read(READ, Anybody())
    with pytest.raises(Unclear):
        await one.write(WRITE, Anybody())
    assert seen == ["GET http://side.test/api/Tasks", "PUT http://side.test/api/Tasks"]
    await one.close()


async def test_a_redirected_token_request_shows_the_secret_to_nobody() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(307, headers={"Location": "http://elsewhere.test/Account"})

    with pytest.raises(SideDown):
        await Rig().crm(httpx.MockTransport(handler)).by_id(["7"])
    assert set(seen) == {"crm.test"}


def test_an_access_does_not_show_its_secret() -> None:
    assert "the-secret" not in repr(Access("http://side.test", "client", "the-secret"))


# --- what comes back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [0, 1])
async def test_a_body_is_read_up_to_its_limit(over: int) -> None:
    body = json.dumps(FINE).encode()
    one = channel(Canned(answer(body + b" " * (BODY_LIMIT - len(body) + over))), retry_for=timedelta(0))
    if over:
        with pytest.raises(SideDown, match="10 MiB"):
            await one.read(READ, Anybody())
        with pytest.raises(Unclear, match="10 MiB"):
            await one.write(WRITE, Anybody())
    else:
        assert await one.read(READ, Anybody()) == FINE
    await one.close()


async def test_a_body_that_has_no_end_is_left_at_its_limit() -> None:
    read = 0

    class Stream(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal read
            while True:
                read += 1
                yield b" " * 2**20

    class Endless(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Stream())

    one = channel(Endless(), retry_for=timedelta(0))
    with pytest.raises(SideDown, match="10 MiB"):
        await one.read(READ, Anybody())
    assert read <= 12
    await one.close()


@pytest.mark.parametrize(
    "content", [HTML, b"\xef\xbb\xbf \n<html>", b"", b" ", b"[]", b"null", b'"x"', b"7", b"\xff\xfe{"]
)
async def test_what_is_no_answer_is_never_an_empty_list(content: bytes) -> None:
    for given in (answer(content), answer(content, 201), answer(content, 204 if not content else 203)):
        rig = Rig()
        for call in (
            rig.crm(Canned(given)).changes(None, Seen()),
            rig.crm(Canned(given)).by_id(["7"]),
            rig.work(Canned(given)).changes(None, Seen()),
            rig.work(Canned(given)).by_id(["7"]),
            rig.work(Canned(given)).projects(),
            rig.work(Canned(given)).members("12"),
        ):
            with pytest.raises(SideDown):
                await call
        await rig.close()


# --- repeats of reads -------------------------------------------------------------------------------------------------

BAD: list[httpx.Response | Exception] = [
    answer({}, 500),
    answer({}, 503),
    answer(HTML, 502),
    answer({}, 408),
    answer({}, 425),
    answer({}, 429),
    answer({"success": False, "code": 503}),
    answer(HTML),
    httpx.ConnectError("x"),
    httpx.ConnectTimeout("x"),
    httpx.ReadTimeout("x"),
    httpx.ReadError("x"),
    httpx.WriteError("x"),
    httpx.PoolTimeout("x"),
    httpx.RemoteProtocolError("x"),
    OSError("x"),
]


def named(given: Any) -> str:
    return f"{given.status_code}" if isinstance(given, httpx.Response) else type(given).__name__


@pytest.mark.parametrize("bad", BAD, ids=named)
async def test_a_read_is_repeated_with_jitter_and_then_left(bad: Any) -> None:
    clock, canned, chance = TestClock(), Canned(bad), Spread()
    access = Access("http://side.test/api", "client", "the-secret")
    one = Channel(Side.CRM, access, LIMITS, clock=clock, rng=chance, transport=canned)  # type: ignore[arg-type]
    start = clock.monotonic()
    with pytest.raises(SideDown) as down:
        await one.read(READ, Anybody())
    assert clock.monotonic() - start <= LIMITS.retry_for.total_seconds()
    assert chance.drawn == [(0, 0.5), (0, 1), (0, 2), (0, 4), (0, 8)], "full jitter, doubling, bounded"
    assert len(canned.requests) == 5
    assert down.value.side == "crm" and "the-secret" not in str(down.value)
    await one.close()


@pytest.mark.parametrize("bad", BAD, ids=named)
async def test_a_read_that_succeeds_in_the_end_is_fine(bad: Any) -> None:
    canned = Canned(bad, bad, answer(FINE))
    one = channel(canned)
    assert await one.read(READ, Anybody()) == FINE
    assert len(canned.requests) == 3
    await one.close()


async def test_without_time_for_repeats_there_is_one_call() -> None:
    canned = Canned(answer({}, 503))
    one = channel(canned, retry_for=timedelta(0))
    with pytest.raises(SideDown):
        await one.read(READ, Anybody())
    assert len(canned.requests) == 1
    await one.close()


IN_9 = format_datetime(TestClock().now() + timedelta(seconds=9), usegmt=True)
IN_9_HOURS = format_datetime(TestClock().now() + timedelta(hours=9), usegmt=True)
YESTERDAY = format_datetime(TestClock().now() - timedelta(days=1), usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7.6),
        (" 7 ", 7, 7.6),
        ("0", 0, 0.6),
        ("-7", 0, 0.6),
        ("7.5", 0, 0.6),
        ("", 0, 0.6),
        ("soon", 0, 0.6),
        ("٧", 0, 0.6),
        ("７", 0, 0.6),
        ("²", 0, 0.6),
        (IN_9, 8, 9.6),
        (YESTERDAY, 0, 0.6),
    ],
)
async def test_retry_after_is_waited_out(header: str, least: float, most: float) -> None:
    clock = TestClock()
    bad = httpx.Response(503, headers=[(b"Retry-After", header.encode())], content=b"{}")
    one = channel(Canned(bad, answer(FINE)), clock)
    await one.read(READ, Anybody())
    assert least <= sum(clock.slept) <= most
    await one.close()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"), [("11", 11), ("899", 899), ("901", 900), ("86400", 900), ("9" * 400, 900), (IN_9_HOURS, 900)]
)
async def test_a_retry_after_that_is_too_long_is_handed_on(status: int, header: str, seconds: int) -> None:
    clock, canned = TestClock(), Canned(answer({}, status, Retry_After=header))
    one = channel(canned, clock)
    with pytest.raises(SideDown) as down:
        await one.read(READ, Anybody())
    assert down.value.retry_after == timedelta(seconds=seconds)
    assert (len(canned.requests), clock.slept) == (1, [])
    if status == 429:
        with pytest.raises(NotApplied) as refused:
            await one.write(WRITE, Anybody())
        assert refused.value.retry_after == timedelta(seconds=seconds)
    await one.close()


async def test_a_date_in_retry_after_is_the_server_s_time() -> None:
    """A server whose clock is an hour ahead asks for nine seconds, not for an hour."""
    clock = TestClock()
    server = clock.now() + timedelta(hours=1)
    date, later = (format_datetime(one, usegmt=True) for one in (server, server + timedelta(seconds=8)))
    one = channel(Canned(answer({}, 503, Date=date, Retry_After=later), answer(FINE)), clock)
    await one.read(READ, Anybody())
    assert 7 <= sum(clock.slept) <= 9.6
    await one.close()


# --- writes are sent once ---------------------------------------------------------------------------------------------

OUTCOMES: list[tuple[Any, type[SideError]]] = [
    (httpx.ConnectError("x"), NotApplied),
    (httpx.ConnectTimeout("x"), NotApplied),
    (httpx.PoolTimeout("x"), NotApplied),
    (answer({}, 429), NotApplied),
    (answer({"success": False, "code": 429}), NotApplied),
    (httpx.ReadTimeout("x"), Unclear),
    (httpx.WriteTimeout("x"), Unclear),
    (httpx.ReadError("x"), Unclear),
    (httpx.WriteError("x"), Unclear),
    (httpx.CloseError("x"), Unclear),
    (httpx.RemoteProtocolError("x"), Unclear),
    (httpx.DecodingError("x"), Unclear),
    (OSError("x"), Unclear),
    (answer({}, 408), Unclear),
    (answer({}, 409), Unclear),
    (answer({}, 418), Unclear),
    (answer({}, 425), Unclear),
    (answer({}, 500), Unclear),
    (answer({}, 501), Unclear),
    (answer(HTML, 502), Unclear),
    (answer({}, 503, Retry_After="1"), Unclear),
    (answer({}, 504), Unclear),
    (answer(HTML), Unclear),
    (answer(b"", 204), Unclear),
    (answer(FINE), Unclear),
    (answer({"success": False}), Unclear),
    (answer({"success": False, "code": 500}), Unclear),
    (answer({}, 404), SideClosed),
]


@pytest.mark.parametrize(("given", "kind"), OUTCOMES, ids=[named(given) for given, _ in OUTCOMES])
@pytest.mark.parametrize("verb", ["update", "delete", "create", "work update", "work delete"])
async def test_a_write_is_sent_once_and_sorted(verb: str, given: Any, kind: type[SideError]) -> None:
    rig, canned = Rig(), Canned(given)
    crm, work = rig.crm(canned), rig.work(canned)
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "update": lambda: crm.update([EDIT]),
        "delete": lambda: crm.delete(["1042"]),
        "create": lambda: work.create([DRAFT]),
        "work update": lambda: work.update([EDIT]),
        "work delete": lambda: work.delete(["7"]),
    }
    with pytest.raises(SideError) as failed:
        await calls[verb]()
    assert type(failed.value) is kind
    assert len(canned.requests) == 1
    assert failed.value.side == ("work" if "work" in verb or verb == "create" else "crm")
    await rig.close()


@pytest.mark.parametrize("status", [400, 403, 405, 413, 415, 422])
async def test_a_write_that_is_refused_as_a_whole_is_sent_once(status: int) -> None:
    rig, canned = Rig(), Canned(answer({"UserMsg": "sai", "UserMessage": "sai"}, status))
    code = Code.FORBIDDEN if status == 403 else Code.INVALID_VALUE
    refused = Refused(code=code, words="sai")
    assert await rig.crm(canned).update([EDIT, EDIT]) == [refused, refused]
    assert await rig.work(canned).create([DRAFT, DRAFT]) == [refused, refused]
    assert len(canned.requests) == 2
    await rig.close()


async def test_the_elements_of_a_write_are_sorted_one_by_one() -> None:
    results = [
        {"Success": True, "TaskID": 1042},
        {"Success": False, "ErrorCode": "WaitingApproval", "UserMessage": "chờ"},
        {"Success": False, "ErrorCode": "TaskNotFound", "UserMessage": "mất"},
        {"Success": False, "ErrorCode": "SomethingNew", "UserMessage": "lạ"},
    ]
    canned = Canned(answer({"Success": True, "Code": 200, "Data": {"Results": results}}))
    assert await Rig().work(canned).update([EDIT] * 4) == [
        Accepted(id="1042"),
        Refused(code=Code.WAITING_APPROVAL, words="chờ", field=Field.STATUS, transient=True),
        Refused(code=Code.LOST_SIGHT, words="mất", gone=True),
        Refused(code=Code.INVALID_VALUE, words="lạ"),
    ]


# --- pace, concurrency, cancelling ------------------------------------------------------------------------------------


class Gauge(httpx.AsyncBaseTransport):
    """Takes a few turns of the loop for every answer; counts what is under way, and notes when it began."""

    def __init__(self, clock: TestClock) -> None:
        self.clock = clock
        self.now = self.most = self.answered = 0
        self.begun: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.begun.append(self.clock.monotonic())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            for _ in range(20):
                await asyncio.sleep(0)
        finally:
            self.now -= 1
        self.answered += 1
        return answer(FINE)


@pytest.mark.parametrize("rate", [0.5, 2.0, 10.0])
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_calls_stay_under_the_rate_limit(rate: float, concurrency: int) -> None:
    clock = TestClock()
    gauge, start = Gauge(clock), clock.monotonic()
    one = channel(gauge, clock, requests_per_second=rate, concurrency=concurrency)
    await asyncio.gather(*(one.read(READ, Anybody()) for _ in range(30)))
    assert gauge.answered == 30
    assert 29 / rate <= clock.monotonic() - start <= 29 / (rate * PACE) * 1.01
    if concurrency == 1:
        gaps = [later - earlier for earlier, later in zip(gauge.begun, gauge.begun[1:], strict=False)]
        assert min(gaps) >= 1 / rate - 1e-3, "no burst, not even a small one"
    await one.close()


async def test_a_pause_saves_up_no_calls() -> None:
    clock = TestClock()
    gauge = Gauge(clock)
    one = channel(gauge, clock, requests_per_second=1.0, concurrency=1)
    await one.read(READ, Anybody())
    clock.tick(60)
    for _ in range(5):
        await one.read(READ, Anybody())
    assert gauge.begun[-1] - gauge.begun[1] >= 4
    await one.close()


@pytest.mark.parametrize("concurrency", [1, 2, 7])
async def test_no_more_calls_at_once_than_the_limit_says(concurrency: int) -> None:
    clock = TestClock()
    gauge = Gauge(clock)
    one = channel(gauge, clock, concurrency=concurrency, requests_per_second=1e9)
    await asyncio.gather(*(one.read(READ, Anybody()) for _ in range(40)))
    assert (gauge.most, gauge.answered) == (concurrency, 40)
    await one.close()


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_a_cancelled_caller_does_not_cancel_the_request(request_: Request) -> None:
    clock = TestClock()
    gauge = Gauge(clock)
    one = channel(gauge, clock)
    call = one.write(WRITE, Anybody()) if request_.write else one.read(READ, Anybody())
    caller = asyncio.create_task(call)
    while not gauge.now:
        await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert gauge.now == 1, "it is still under way"
    while gauge.now:
        await asyncio.sleep(0)
    assert gauge.answered == 1
    assert await one.read(READ, Anybody()) == FINE
    await one.close()


# --- tokens and signatures --------------------------------------------------------------------------------------------


class Tokens(httpx.AsyncBaseTransport):
    """Gives numbered tokens slowly; answers 401 to those that are not `good`."""

    def __init__(self, good: Callable[[int], bool], code: str = "", status: int = 401) -> None:
        self.good, self.code, self.status = good, code, status
        self.given = 0
        self.calls: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(5):
            await asyncio.sleep(0)
        if request.url.path == "/Account":
            self.given += 1
            return answer({**TOKEN, "data": f"token.{self.given}"})
        number = int(request.headers["Authorization"].rpartition(".")[2])
        self.calls.append(number)
        if self.good(number):
            return answer(FINE | {"results": [{"success": True, "data": 1042}]})
        return answer({"ErrorCode": self.code, "UserMsg": "no"} if self.code else b"", self.status)


def fifty(crm: CrmWriter) -> list[Awaitable[Any]]:
    return [crm.by_id([str(number)]) for number in range(1, 51)]


@pytest.mark.parametrize("concurrency", [1, 4, 50])
async def test_fifty_calls_share_one_token(concurrency: int) -> None:
    rig, tokens = Rig(), Tokens(lambda number: True)
    rig.limited(concurrency=concurrency)
    await asyncio.gather(*fifty(rig.crm(tokens)))
    assert (tokens.given, len(tokens.calls)) == (1, 50)
    await rig.close()


@pytest.mark.parametrize("concurrency", [1, 4, 50])
@pytest.mark.parametrize("code", ["", "ExpiredToken", "InvalidToken", "InvalidAccessToken"])
async def test_fifty_refused_calls_share_one_renewal(concurrency: int, code: str) -> None:
    rig, tokens = Rig(), Tokens(lambda number: number > 1, code)
    rig.limited(concurrency=concurrency)
    await asyncio.gather(*fifty(rig.crm(tokens)))
    assert tokens.given == 2
    assert tokens.calls.count(2) == 50
    await rig.close()


@pytest.mark.parametrize("code", ["", "ExpiredToken", "InvalidToken"])
@pytest.mark.parametrize("status", [401, 200])
async def test_a_second_refusal_closes_the_side(code: str, status: int) -> None:
    if status == 200 and not code:
        return
    rig, tokens = Rig(), Tokens(lambda number: False, code, status)
    crm = rig.crm(tokens)
    with pytest.raises(SideClosed):
        await crm.by_id(["7"])
    assert tokens.calls == [1, 2]
    answers = await asyncio.gather(*fifty(crm), return_exceptions=True)
    assert {type(one) for one in answers} == {SideClosed}
    assert tokens.given <= 3, "no storm"
    await rig.close()


async def test_a_write_with_an_old_token_is_not_sent_again_by_itself() -> None:
    rig, tokens = Rig(), Tokens(lambda number: number > 1)
    crm = rig.crm(tokens)
    with pytest.raises(NotApplied):
        await crm.update([EDIT])
    assert tokens.calls == [1]
    assert await crm.update([EDIT]) == [Accepted(id="1042")]
    assert tokens.calls == [1, 2]
    await rig.close()


@pytest.mark.parametrize("status", [200, 400, 401, 403])
@pytest.mark.parametrize("key", ["ErrorCode", "code", "error_code"])
async def test_a_cut_connection_closes_the_crm_at_once(status: int, key: str) -> None:
    canned = Canned(answer({"success": False, key: "AppIDDisconnect", "UserMsg": "đã ngắt"}, status))
    for call in ("read", "write"):
        crm = Rig().crm(canned)
        before = len(canned.requests)
        with pytest.raises(SideClosed, match="administrator"):
            await (crm.update([EDIT]) if call == "write" else crm.by_id(["7"]))
        assert len(canned.requests) == before + 1


@pytest.mark.parametrize("code", ["InvalidSignature", "DuplicateTransaction"])
@pytest.mark.parametrize("status", [200, 401])
async def test_a_refused_signature_closes_work_at_once(code: str, status: int) -> None:
    canned = Canned(answer({"Success": False, "Code": 401, "ErrorCode": code}, status))
    calls: list[Callable[[Any], Awaitable[Any]]] = [
        lambda work: work.changes(None, Seen()),
        lambda work: work.by_id(["7"]),
        lambda work: work.projects(),
        lambda work: work.groups("12"),
        lambda work: work.create([DRAFT]),
        lambda work: work.delete(["7"]),
    ]
    for number, call in enumerate(calls, start=1):
        with pytest.raises(SideClosed, match=code):
            await call(Rig().work(canned))
        assert len(canned.requests) == number


async def test_every_call_has_a_new_transaction_retries_included() -> None:
    bad = answer({}, 503)
    work_fine = {"Success": True, "Data": {"Tasks": [], "Total": 0, "Results": []}, "GetLastData": True}
    canned = Canned(bad, bad, answer(work_fine), bad, answer(work_fine), answer({}, 429), answer({}, 429))
    work = Rig().work(canned)
    await work.changes(None, Seen())
    await work.by_id(["7"])
    for _ in range(2):
        with pytest.raises(NotApplied):
            await work.create([DRAFT])
    ids = [one.headers["x-transactionid"] for one in canned.requests]
    assert len(ids) == len(set(ids)) == 7
    tokens = [one.headers["x-token"] for one in canned.requests]
    assert len(set(tokens)) == 7


# --- over a real socket -----------------------------------------------------------------------------------------------


class Server:
    """Answers reads and keeps the connection; closes it without a word when a write arrives."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Server:
        self.listener = await asyncio.start_server(self.take, "127.0.0.1", 0)
        self.port = self.listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.listener.close()
        await asyncio.gather(*self.tasks)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.lower().splitlines()
                length = next((int(one.split(":")[1]) for one in lines if one.startswith("content-length:")), 0)
                await reader.readexactly(length)
                self.arrived.append(" ".join(head.split()[:2]))
                if head.startswith(("PUT", "DELETE")) or "insert" in head:
                    break
                body = json.dumps(FINE | {"data": "a.token" if "/Account" in head else []}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("plain", [False, True], ids=["the transport of the product", "plain httpx"])
@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
@pytest.mark.parametrize("warm", [False, True], ids=["first call", "kept connection"])
async def test_a_write_whose_connection_is_closed_arrives_once(plain: bool, verb: str, warm: bool) -> None:
    """aiohttp by itself repeats idempotent methods on a connection that dies; the server must see one PUT."""
    async with Server() as server:
        rig = Rig(crm_url=f"http://127.0.0.1:{server.port}")
        crm = rig.crm(httpx.AsyncHTTPTransport(trust_env=False) if plain else None)
        if warm:
            await crm.by_id(["1"])
        with pytest.raises(Unclear):
            await (crm.update([EDIT]) if verb == "PUT" else crm.delete(["1042"]))
        await crm.by_id(["1"])
        await rig.close()
    assert [one for one in server.arrived if one.startswith(verb)] == [f"{verb} /Tasks"]


@pytest.mark.parametrize("plain", [False, True], ids=["the transport of the product", "plain httpx"])
async def test_a_port_where_nobody_listens_applied_nothing(plain: bool) -> None:
    async with Server() as server:
        port = server.port
    rig = Rig(work_url=f"http://127.0.0.1:{port}")
    work = rig.work(httpx.AsyncHTTPTransport(trust_env=False) if plain else None)
    with pytest.raises(NotApplied):
        await work.create([DRAFT])
    await rig.close()


async def test_proxies_of_the_environment_see_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server() as server, Server() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        rig = Rig(crm_url=f"http://127.0.0.1:{server.port}")
        assert await rig.crm().by_id(["1"]) == {}
        await rig.close()
        assert proxy.arrived == []
        assert server.arrived == ["POST /Account", "GET /Tasks/id?ids=1"]


async def test_a_proxy_of_the_config_is_used() -> None:
    async with Server() as proxy:
        rig = Rig(crm_url="http://crm.invalid/api")
        rig.limited(proxy=f"http://127.0.0.1:{proxy.port}")
        assert await rig.crm().by_id(["1"]) == {}
        await rig.close()
        assert proxy.arrived == ["POST http://crm.invalid/api/Account", "GET http://crm.invalid/api/Tasks/id?ids=1"]
