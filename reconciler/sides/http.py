"""The one HTTP layer: calls, limits, deadlines, repeats of reads, and errors sorted by what the caller should do.

A read may be repeated, a write never is: what follows a failed write is a new plan from new reads. A request in flight
is never cancelled, because that breaks the connection pool; it ends by its own time limits.
"""

from __future__ import annotations

import asyncio
import functools
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

import httpx

from reconciler.core.model import Offset, Side
from reconciler.core.offset import OffsetEstimate
from reconciler.errors import NotApplied, SideClosed, SideDown, Unclear
from reconciler.ports import Clock
from reconciler.sides.answer import Trouble, Unreadable, http_date, parse, retry_after, trouble

BODY_LIMIT: Final = 10 * 1024 * 1024
WRITE_AT_MOST: Final = 20.0
BACK_OFF_FIRST: Final = 0.5
BACK_OFF_AT_MOST: Final = 8.0
PACE: Final = 0.98
TRANSIENT: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Access:
    """Where a side is and who we are there. The secret never leaves this value but in a request."""

    base_url: str
    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"Access({self.base_url!r}, {self.client_id!r}, ...)"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Calls a second and at once, the time of one call and of all repeats of one read; an empty proxy is none."""

    requests_per_second: float
    concurrency: int
    timeout: timedelta
    retry_for: timedelta
    proxy: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `verb` is its name in errors and metrics; `write` says whether it can change anything."""

    verb: str
    method: str
    path: str
    write: bool
    params: tuple[tuple[str, str], ...] = ()
    body: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was read to its end: HTTP status, body, and what its envelope complains about."""

    status: int
    body: dict[str, Any]
    trouble: Trouble | None
    retry_after: timedelta | None


class Auth(Protocol):
    """How a side proves who we are."""

    async def headers(self) -> Mapping[str, str]:
        """Headers for one call, made anew for each."""
        ...

    def refused(self, status: int, code: str) -> bool:
        """Whether this answer means that the proof was not accepted."""
        ...

    def forget(self) -> bool:
        """Drop what was refused. False if a fresh proof would be no better: then only a person can help."""
        ...


class Channel:
    """One side's connection: every call goes through here."""

    def __init__(
        self,
        side: Side,
        access: Access,
        limits: HttpLimits,
        *,
        clock: Clock,
        rng: random.Random,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.side = side
        self._base = access.base_url
        self._limits = limits
        self._clock = clock
        self._rng = rng
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._next_slot = float("-inf")
        self._flying: set[asyncio.Task[tuple[int, httpx.Headers, bytes]]] = set()
        self._estimate = OffsetEstimate()
        self._client = httpx.AsyncClient(
            transport=transport or _transport(limits),
            timeout=limits.timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
        )

    def offset(self) -> Offset:
        return self._estimate.offset()

    async def close(self) -> None:
        """End what is in flight and close the connections."""
        for task in self._flying:
            task.cancel()
        if self._flying:
            await asyncio.gather(*self._flying, return_exceptions=True)
        await self._client.aclose()

    async def read(self, request: Request, auth: Auth) -> dict[str, Any]:
        """A read, repeated with full jitter while that can help. Errors: `SideDown`, `SideClosed`."""
        started, failures, renewed = self._clock.monotonic(), 0, False
        while True:
            try:
                reply = await self._call(request, auth)
                if auth.refused(reply.status, reply.trouble.code if reply.trouble else ""):
                    if renewed or not auth.forget():
                        raise self._closed("the credentials were refused", reply)
                    renewed = True
                    continue
                self._raise_for(request, reply)
                return reply.body
            except (_Failure, SideDown) as failure:
                left = self._limits.retry_for.total_seconds() - (self._clock.monotonic() - started)
                asked = failure.retry_after
                jitter = self._rng.uniform(0, min(BACK_OFF_AT_MOST, BACK_OFF_FIRST * 2**failures))
                wait = jitter if asked is None else asked.total_seconds()
                failures += 1
                if wait > left or (isinstance(failure, SideDown) and failure.code == "final"):
                    raise SideDown(self.side, str(failure), words=failure.words, retry_after=asked) from None
                await self._clock.sleep(wait)

    async def write(self, request: Request, auth: Auth) -> Reply:
        """A write, sent once. Errors: `NotApplied`, `Unclear`, `SideClosed`; a whole-call refusal is in the reply."""
        try:
            reply = await self._call(request, auth)
        except _Failure as failure:
            kind = NotApplied if failure.unsent else Unclear
            raise kind(self.side, str(failure)) from None
        code = reply.trouble.code if reply.trouble else ""
        if auth.refused(reply.status, code):
            if not auth.forget():
                raise self._closed("the credentials were refused", reply)
            raise NotApplied(self.side, f"{self.side} {request.verb}: the token was refused")
        if reply.status == 429 or code == "RateLimited":
            raise NotApplied(self.side, f"{self.side} asks to slow down", retry_after=reply.retry_after)
        if reply.status == 404:
            raise self._closed(_NOT_THERE, reply)
        if reply.status >= 500 or reply.status in TRANSIENT or 300 <= reply.status < 400:
            raise Unclear(self.side, f"{self.side} {request.verb}: HTTP {reply.status}", words=self._words(reply))
        return reply

    async def _call(self, request: Request, auth: Auth) -> Reply:
        """One exchange, paced and bounded. Raises `_Failure` if there was no readable answer."""
        headers = dict(await auth.headers())
        async with self._slots:
            await self._pace()
            status, received, content = await self._exchange(request, headers)
        wait = retry_after(received.get("Retry-After"), self._clock.now() + (self.offset().value or timedelta(0)))
        if (not content.strip() and status in (401, 403, 404, *TRANSIENT)) or status >= 500:
            return Reply(status, {}, Trouble("", "", status), wait)
        try:
            body = parse(content)
        except Unreadable as unreadable:
            if status in (401, 403, 404) or status in TRANSIENT or 300 <= status < 400:
                return Reply(status, {}, Trouble("", "", status), wait)
            raise _Failure(f"{self.side} {request.verb}: {unreadable} (HTTP {status})") from None
        fault = trouble(body)
        return Reply(status, body, fault or (Trouble("", "", status) if status >= 300 else None), wait)

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> tuple[int, httpx.Headers, bytes]:
        deadline = self._limits.timeout.total_seconds()
        if request.write:
            deadline = min(deadline, WRITE_AT_MOST)
        task = asyncio.ensure_future(self._send(request, headers, deadline))
        self._flying.add(task)
        task.add_done_callback(self._landed)
        await asyncio.wait({task}, timeout=deadline)
        if not task.done():
            raise _Failure(f"{self.side} {request.verb}: no complete answer within {deadline:g} s")
        try:
            return task.result()
        except _Failure:
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _Failure(f"{self.side} cannot be reached ({type(error).__name__})", unsent=True) from None
        except Exception as error:  # whatever a transport raises after sending, the effect is unknown
            raise _Failure(f"{self.side} {request.verb}: connection failed ({type(error).__name__})") from None

    def _landed(self, task: asyncio.Task[tuple[int, httpx.Headers, bytes]]) -> None:
        self._flying.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that a late failure is not reported as a bug

    async def _send(
        self, request: Request, headers: Mapping[str, str], timeout: float
    ) -> tuple[int, httpx.Headers, bytes]:
        sent = self._clock.now()
        content = bytearray()
        async with self._client.stream(
            request.method,
            self._base + request.path,
            params=request.params or None,
            json=request.body,
            headers=dict(headers),
            timeout=timeout,
        ) as response:
            self._sample(response.headers, sent)
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > BODY_LIMIT:
                    raise _Failure(f"{self.side} {request.verb}: the answer is larger than {BODY_LIMIT >> 20} MiB")
            return response.status_code, response.headers, bytes(content)

    def _sample(self, headers: httpx.Headers, sent: Any) -> None:
        cached = headers.get("Age", "0").strip() not in ("", "0") or "hit" in headers.get("X-Cache", "").casefold()
        date = None if cached else http_date(headers.get("Date"))
        if date is not None:
            self._estimate.add(date, sent, self._clock.now())

    async def _pace(self) -> None:
        now = self._clock.monotonic()
        slot = max(now, self._next_slot)
        self._next_slot = slot + 1 / (PACE * self._limits.requests_per_second)
        if slot > now:
            await self._clock.sleep(slot - now)

    def _raise_for(self, request: Request, reply: Reply) -> None:
        """Raise what a read's answer means, if it is not a success."""
        fault = reply.trouble
        if fault is None:
            return
        if reply.status == 403:
            raise self._closed("the connection's user may not read this", reply)
        if reply.status == 404:
            raise self._closed(_NOT_THERE, reply)
        if reply.status in TRANSIENT or reply.status >= 500 or fault.number in TRANSIENT or fault.number >= 500:
            raise _Failure(
                f"{self.side} {request.verb}: HTTP {reply.status}", words=fault.words, retry_after=reply.retry_after
            )
        said = f": {fault.words}" if fault.words else ""
        raise SideDown(
            self.side, f"{self.side} {request.verb}: HTTP {reply.status} {fault.code}{said}", code="final",
            words=fault.words,
        )  # fmt: skip

    def _closed(self, message: str, reply: Reply) -> SideClosed:
        words = self._words(reply)
        code = reply.trouble.code if reply.trouble else ""
        said = f"{self.side}: {message}" + (f": {words}" if words else "")
        return SideClosed(self.side, said, words=words, code=code)

    @staticmethod
    def _words(reply: Reply) -> str:
        return reply.trouble.words if reply.trouble else ""


_NOT_THERE: Final = "the address answers, but has no such resource (HTTP 404); check base_url in the config"


class _Failure(Exception):
    """A call without a usable answer. `unsent`: it surely never reached the server."""

    def __init__(
        self, message: str, *, unsent: bool = False, words: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.unsent = unsent
        self.words = words
        self.retry_after = retry_after


def _transport(limits: HttpLimits) -> httpx.AsyncBaseTransport:
    """The seam: httpx on aiohttp's connections, cheaper than httpx's own pool and without its cancellation fault.

    aiohttp by itself sends a PUT or DELETE a second time when a kept connection turns out to be dead. That is switched
    off here: no layer of this program repeats a write.
    """
    import aiohttp
    from httpx_aiohttp import AiohttpTransport

    verify = _trust(limits.ca_file)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=limits.concurrency, keepalive_timeout=5.0, ssl=verify)
        client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        client._retry_connection = False  # no public switch exists; a test counts the requests of a cut connection
        return client

    return AiohttpTransport(
        verify=verify, trust_env=False, proxy=httpx.Proxy(limits.proxy) if limits.proxy else None, client=session
    )


@functools.cache
def _trust(ca_file: str) -> ssl.SSLContext:
    """The certificate authorities that are trusted; reading them is slow, so it is done once."""
    return ssl.create_default_context(cafile=ca_file or None)
