"""The one HTTP layer: calls, limits, deadlines, repeats of reads, and errors sorted by what the caller should do.

A read may be repeated, a write never is: what follows a failed write is a new plan from new reads. A request in flight
is never cancelled, because that breaks the connection pool; it ends by its own time limits.
"""

from __future__ import annotations

import asyncio
import base64
import random
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol
from urllib.parse import quote, quote_plus

import httpx

from reconciler.core.model import Offset, Side
from reconciler.core.offset import OffsetEstimate
from reconciler.errors import NotApplied, SideClosed, SideDown, Unclear
from reconciler.message import joined, say
from reconciler.ports import Clock
from reconciler.sides.answer import Trouble, Unreadable, http_date, parse, retry_after, trouble, words_of
from reconciler.sides.elapsed import Stopwatch

BODY_LIMIT: Final = 10 * 1024 * 1024
WRITE_AT_MOST: Final = 20.0
BACK_OFF_FIRST: Final = 0.5
BACK_OFF_AT_MOST: Final = 8.0
PROOFS: Final = ("Authorization", "x-token")
"""The headers whose values prove who we are."""
PACE: Final = 0.98
TRANSIENT: Final = frozenset({408, 425, 429})
_CACHE_HIT: Final = re.compile(r"(\b|_)HIT\b", re.IGNORECASE)


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
        """Headers for one call, made anew for each. Errors: those of a read."""
        ...

    def refused(self, status: int, code: str) -> bool:
        """Whether this answer means that the proof was not accepted."""
        ...

    def hopeless(self, code: str) -> str:
        """For the error codes that only a person can mend: what to tell that person. Otherwise nothing."""
        ...

    def forget(self, headers: Mapping[str, str], *, write: bool) -> bool:
        """Drop the refused proof. False if a fresh one would be no better: then only a person can help."""
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
        self._hidden = disguises(access.secret)
        self._proof: tuple[str, ...] = ()
        self._limits = limits
        self._clock = clock
        self._rng = rng
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._next_slot = float("-inf")
        self._flying: set[asyncio.Task[_Exchanged]] = set()
        self._estimate = OffsetEstimate()
        self._client = httpx.AsyncClient(
            transport=transport or network_of(limits),
            timeout=limits.timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
        )

    def offset(self) -> Offset:
        return self._estimate.offset(self._clock.now())

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
                reply, proof = await self._call(request, auth)
                if self._refused(reply, auth):
                    another = auth.forget(proof, write=False)
                    if renewed or not another:
                        raise self._closed(say("the credentials were refused"), reply)
                    renewed = True
                    continue
                self._raise_for(request, reply)
                return reply.body
            except _Failure as failure:
                asked = failure.retry_after
                jitter = self._rng.uniform(0, min(BACK_OFF_AT_MOST, BACK_OFF_FIRST * 2**failures))
                wait = jitter if asked is None else max(jitter, asked.total_seconds())
                failures += 1
                if self._clock.monotonic() - started + wait > self._limits.retry_for.total_seconds():
                    raise SideDown(self.side, failure.message, words=failure.words, retry_after=asked) from None
                await self._clock.sleep(wait)

    async def write(self, request: Request, auth: Auth, refusals: Collection[str] = ()) -> Reply:
        """A write, sent once. A refusal of the whole call is in the reply, and so is any answer coded in `refusals`.

        Errors: `NotApplied` and `SideClosed` if it surely changed nothing, `Unclear`.
        """
        try:
            reply, proof = await self._call(request, auth)
        except SideDown as down:  # no token could be had, so nothing was sent
            raise NotApplied(self.side, str(down), words=down.words, retry_after=down.retry_after) from None
        except _Failure as failure:
            kind = NotApplied if failure.unsent else Unclear
            raise kind(self.side, failure.message) from None
        if self._refused(reply, auth):
            if not auth.forget(proof, write=True):
                raise self._closed(say("the credentials were refused"), reply)
            raise NotApplied(self.side, say("{side} {verb}: the token was refused", side=self.side, verb=request.verb))
        code = reply.trouble.code if reply.trouble else ""
        if reply.status == 429 or code == "RateLimited":
            raise NotApplied(self.side, say("{side} asks to slow down", side=self.side), retry_after=reply.retry_after)
        if code in refusals:
            return reply
        if reply.status == 404:
            raise self._closed(_NOT_THERE, reply)
        if reply.status >= 500 or reply.status in TRANSIENT or 300 <= reply.status < 400:
            raise Unclear(
                self.side,
                say("{side} {verb}: HTTP {status}", side=self.side, verb=request.verb, status=reply.status),
                words=self._words(reply),
            )
        return reply

    def _refused(self, reply: Reply, auth: Auth) -> bool:
        """Whether our proof was refused. Raises `SideClosed` for what no other proof would mend."""
        code = reply.trouble.code if reply.trouble else ""
        if code and (advice := auth.hopeless(code)):
            raise self._closed(advice, reply)
        return auth.refused(reply.status, code)

    async def _call(self, request: Request, auth: Auth) -> tuple[Reply, Mapping[str, str]]:
        """One exchange, paced and bounded, and the proof it was sent with. Raises `_Failure` without an answer."""
        proof = await auth.headers()
        self._proof = tuple(form for name, value in proof.items() if name in PROOFS for form in disguises(value))
        async with self._slots:
            await self._pace()
            status, headers, content = await self._exchange(request, proof)
        wait = retry_after(headers.get("Retry-After"), self._clock.now() + (self.offset().value or timedelta(0)))
        try:
            body = parse(content)
        except Unreadable as unreadable:
            if status < 300:
                raise _Failure(
                    say("{side} {verb}: {unreadable}", side=self.side, verb=request.verb, unreadable=unreadable)
                ) from None
            return Reply(status, {}, Trouble("", "", status), wait), proof
        fault = trouble(body)
        if fault is None and status >= 300:
            fault = Trouble("", words_of(body), status)
        if fault is not None and status < 300 and 400 <= fault.number < 600:
            status = fault.number  # an error in an envelope under HTTP 200 is the same error
        if fault is not None:
            fault = Trouble(self.discreet(fault.code), self.discreet(fault.words), fault.number)
        return Reply(status, body, fault, wait), proof

    def discreet(self, words: str) -> str:
        """A server's words without our secret or the proof that was sent; records are never touched."""
        for secret in (*self._hidden, *self._proof):
            words = words.replace(secret, "***")
        return words

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> _Exchanged:
        deadline = self._limits.timeout.total_seconds()
        if request.write:
            deadline = min(deadline, WRITE_AT_MOST)
        task = asyncio.create_task(self._send(request, headers, deadline))
        self._flying.add(task)
        task.add_done_callback(self._landed)
        await asyncio.wait({task}, timeout=deadline)
        if not task.done():
            raise _Failure(
                say(
                    "{side} {verb}: no complete answer within {deadline} s",
                    side=self.side,
                    verb=request.verb,
                    deadline=f"{deadline:g}",
                )
            )
        try:
            return task.result()
        except _Failure:
            raise
        except (Exception, asyncio.CancelledError) as error:  # what a transport raises after sending proves nothing
            from reconciler.sides.transport import never_sent

            unsent = isinstance(error, Exception) and never_sent(error)
            happened = say("cannot be reached") if unsent else say("{verb}: the connection failed", verb=request.verb)
            said = say("{side} {happened} ({error})", side=self.side, happened=happened, error=type(error).__name__)
            raise _Failure(said, unsent=unsent) from None

    def _landed(self, task: asyncio.Task[_Exchanged]) -> None:
        self._flying.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that a late failure is not reported as a bug

    async def _send(self, request: Request, headers: Mapping[str, str], deadline: float) -> _Exchanged:
        """Send and read to the end. Half of the deadline is for connecting, so that nothing is sent after it."""
        watch, started = Stopwatch(self._clock), self._clock.monotonic()
        content = bytearray()
        async with self._client.stream(
            request.method,
            self._base + request.path,
            params=request.params or None,
            json=request.body,
            headers=dict(headers),
            timeout=httpx.Timeout(deadline, connect=deadline / 2, pool=deadline / 2),
        ) as response:
            self._sample(response.headers, watch)
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > BODY_LIMIT:
                    raise _Failure(
                        say(
                            "{side} {verb}: the answer is larger than {value} MiB",
                            side=self.side,
                            verb=request.verb,
                            value=BODY_LIMIT >> 20,
                        )
                    )
                if self._clock.monotonic() - started > deadline:
                    raise _Failure(
                        say("{side} {verb}: the answer trickles", side=self.side, verb=request.verb)
                    )  # its caller has gone
            return response.status_code, response.headers, bytes(content)

    def _sample(self, headers: httpx.Headers, watch: Stopwatch) -> None:
        age = headers.get("Age", "").strip()
        stale = (age.isdecimal() and int(age[:9]) > 0) or _CACHE_HIT.search(headers.get("X-Cache", ""))
        date = None if stale else http_date(headers.get("Date"))
        if date is not None:
            received = self._clock.now()
            self._estimate.add(date, received - watch.elapsed(), received)

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
            raise self._closed(say("the connection's user may not read this"), reply)
        if reply.status == 404:
            raise self._closed(_NOT_THERE, reply)
        message = say(
            "{side} {verb}: HTTP {status}{words}",
            side=self.side,
            verb=request.verb,
            status=reply.status,
            words=(f" {fault.code}" if fault.code else "") + (f": {fault.words}" if fault.words else ""),
        )
        if reply.status in TRANSIENT or reply.status >= 500:
            raise _Failure(message, words=fault.words, retry_after=reply.retry_after)
        raise SideDown(self.side, message, words=fault.words, code=fault.code)

    def _closed(self, message: str, reply: Reply) -> SideClosed:
        words = self._words(reply)
        code = reply.trouble.code if reply.trouble else ""
        said = say("{side}: {message}", side=self.side, message=joined([message, words] if words else [message], ": "))
        return SideClosed(self.side, said, words=words, code=code)

    @staticmethod
    def _words(reply: Reply) -> str:
        return reply.trouble.words if reply.trouble else ""


_Exchanged = tuple[int, httpx.Headers, bytes]
"""HTTP status, headers, and the decoded body."""

_NOT_THERE: Final = say("the address answers, but has no such resource (HTTP 404); check base_url in the config")

SECRET_FROM: Final = 6
"""Shorter words are no secrets worth the name, and would garble what a server says."""


def disguises(secret: str) -> tuple[str, ...]:
    """The forms in which a server may throw a secret back: plain, percent-encoded, base64 and hexadecimal."""
    bare = secret.removeprefix("Bearer ")
    if len(bare) < SECRET_FROM:
        return ()
    raw = bare.encode()
    encoded = base64.b64encode(raw).decode()
    forms = (bare, quote(bare, safe=""), quote(bare), quote_plus(bare), encoded, encoded.rstrip("="), raw.hex())
    return tuple(dict.fromkeys(forms))


class _Failure(Exception):
    """A call without a usable answer. `unsent`: it surely never reached the server."""

    def __init__(
        self, message: str, *, unsent: bool = False, words: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.unsent = unsent
        self.words = words
        self.retry_after = retry_after


def network_of(limits: HttpLimits) -> httpx.AsyncBaseTransport:
    """The real way to a server."""
    from reconciler.sides.transport import network  # a command that only reads the state should not wait for aiohttp

    return network(connections=limits.concurrency, proxy=limits.proxy, ca_file=limits.ca_file)
