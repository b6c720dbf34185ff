"""What broken connections mean, over real sockets: here only the transport knows what happened."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from reconciler.clock import SystemClock
from reconciler.core.model import Draft, Edit, Field
from reconciler.errors import NotApplied, SideClosed, SideDown, Unclear
from reconciler.sides.crm import CrmWriter
from reconciler.sides.http import BODY_LIMIT, Access, HttpLimits
from reconciler.sides.work import WorkWriter

OK = json.dumps({"Success": True, "Code": 200, "Data": {"Tasks": [], "Total": 0}, "GetLastData": True}).encode()
TOKEN = json.dumps({"success": True, "code": 200, "data": "some.token.text"}).encode()
DRAFT = Draft(values={Field.TITLE: "Gọi lại"}, project="12", group="31", marker="1042")

Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class RawServer:
    """A server on a port of this machine that does to each request what the test says; the last one again and again."""

    script: list[Behave] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.add(asyncio.create_task(self.serve(reader, writer)))

    async def end(self) -> None:
        self.over.set()
        await asyncio.gather(*self.serving)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next((line for line in head.splitlines() if line.lower().startswith("content-length:")), ":0")
                await reader.readexactly(int(length.partition(":")[2]))
                self.requests.append(" ".join(head.split()[:2]))
                if "/Account" in head:
                    writer.write(http(TOKEN))
                    continue
                await (self.script.pop(0) if len(self.script) > 1 else self.script[0])(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def sends(content: bytes) -> Behave:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return behave


def cuts(content: bytes = b"") -> Behave:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()
        raise ConnectionError

    return behave


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    made = RawServer()
    listener = await asyncio.start_server(made, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    yield made
    listener.close()
    await made.end()


@pytest.fixture
async def sides(server: RawServer) -> AsyncIterator[Callable[..., tuple[CrmWriter, WorkWriter]]]:
    made: list[CrmWriter | WorkWriter] = []

    def build(timeout: float = 20, url: str = "") -> tuple[CrmWriter, WorkWriter]:
        access = Access(url or server.url, "anphat", "a secret")
        limits = HttpLimits(1000, 2, timedelta(seconds=timeout), timedelta(0))
        crm = CrmWriter(access, limits, clock=SystemClock(), rng=random.Random(1))
        work = WorkWriter(access, limits, clock=SystemClock(), rng=random.Random(2))
        made.extend((crm, work))
        return crm, work

    yield build
    for one in made:
        await one.close()


Build = Callable[..., tuple[CrmWriter, WorkWriter]]


@pytest.mark.parametrize(
    "rest", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", http(OK)[:-20]], ids=["nothing", "head", "half"]
)
async def test_a_create_whose_connection_is_cut_after_sending_is_unclear(
    server: RawServer, sides: Build, rest: bytes
) -> None:
    """Taken for "not applied", it would be sent a second time and make a second item."""
    server.script = [cuts(rest)]
    _, work = sides()
    with pytest.raises(Unclear):
        await work.create([DRAFT])
    assert server.requests == ["POST /insert-tasks"]


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
async def test_a_write_on_a_dead_kept_connection_is_sent_once(server: RawServer, sides: Build, verb: str) -> None:
    """aiohttp repeats idempotent methods by itself; a PUT of ours is a user's edit and must not be."""
    server.script = [sends(http(b'{"success": true, "code": 200, "data": [], "total_records": 0}')), cuts()]
    crm, _ = sides()
    await crm.by_id(["1"])
    with pytest.raises(Unclear):
        if verb == "PUT":
            await crm.update([Edit(id="1", values={Field.TITLE: "x"}, layout="L")])
        else:
            await crm.delete(["1"])
    assert [one for one in server.requests if one.startswith(verb)] == [f"{verb} /Tasks"]


async def test_a_refused_connection_applied_nothing(server: RawServer, sides: Build) -> None:
    listener = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    _, work = sides(url=f"http://127.0.0.1:{port}")
    with pytest.raises(NotApplied):
        await work.create([DRAFT])
    with pytest.raises(SideDown):
        await work.by_id(["1"])


async def test_no_answer_in_time_leaves_a_write_unclear_and_the_side_usable(server: RawServer, sides: Build) -> None:
    async def hangs(writer: asyncio.StreamWriter) -> None:
        await server.over.wait()

    server.script = [*[hangs] * 5, sends(http(OK))]
    _, work = sides(timeout=0.2)
    for _ in range(5):
        with pytest.raises(Unclear):
            await work.create([DRAFT])
    await asyncio.sleep(0.05)
    assert await work.by_id(["1"]) == {}


async def test_cancelling_the_callers_leaves_the_side_usable(server: RawServer, sides: Build) -> None:
    """Cancelled requests must not use up the connections."""
    server.script = [sends(http(OK))]
    _, work = sides(timeout=2)
    rng = random.Random(5)
    for _ in range(40):
        calls = [asyncio.create_task(work.by_id([str(number)])) for number in range(1, 5)]
        for _ in range(rng.randrange(6)):
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert [await work.by_id([str(number)]) for number in range(1, 6)] == [{}] * 5


async def test_an_answer_that_trickles_ends(server: RawServer, sides: Build) -> None:
    async def trickles(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.script = [trickles]
    _, work = sides(timeout=0.2)
    with pytest.raises(SideDown, match=r"no complete answer|trickles"):
        await work.by_id(["1"])


async def test_a_redirect_is_not_followed(server: RawServer, sides: Build) -> None:
    server.script = [sends(http(b"", "302 Found", f"Location: {server.url}/login"))]
    _, work = sides()
    with pytest.raises(SideDown):
        await work.by_id(["1"])
    with pytest.raises(Unclear):
        await work.create([DRAFT])
    assert server.requests == ["POST /get-tasks-by-id", "POST /insert-tasks"]


async def test_compressed_answers_are_read_and_bombs_are_not(server: RawServer, sides: Build) -> None:
    bomb = gzip.compress(b" " * (BODY_LIMIT + 1))
    server.script = [
        sends(http(gzip.compress(OK), "200 OK", "Content-Encoding: gzip")),
        sends(http(bomb, "200 OK", "Content-Encoding: gzip")),
    ]
    _, work = sides()
    assert await work.by_id(["1"]) == {}
    with pytest.raises(SideDown, match="10 MiB"):
        await work.by_id(["1"])


async def test_proxies_of_the_environment_are_not_used(
    server: RawServer, sides: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.script = [sends(http(OK))]
    _, work = sides()
    assert await work.by_id(["1"]) == {}


async def test_no_more_connections_than_the_limit_says(server: RawServer, sides: Build) -> None:
    server.script = [sends(http(OK))]
    _, work = sides()
    await work.by_id([str(number) for number in range(1, 1200)])
    assert len(server.requests) == 12
    assert server.connections <= 2


async def test_a_bare_404_names_the_setting(server: RawServer, sides: Build) -> None:
    server.script = [sends(http(b"<html>no such page</html>", "404 Not Found"))]
    _, work = sides()
    for call in (work.by_id(["1"]), work.create([DRAFT])):
        with pytest.raises(SideClosed, match="base_url"):
            await call
