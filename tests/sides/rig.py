"""What the tests of this folder build with: both sandbox systems on one clock that only a test moves, and adapters."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx

from reconciler.core.model import Record
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.server import crm_app, work_app
from reconciler.sandbox.work import WorkSystem
from reconciler.sides.crm import CrmWriter
from reconciler.sides.http import Access, HttpLimits
from reconciler.sides.profile import CrmProfile, WorkProfile
from reconciler.sides.work import WorkWriter
from tests.world import TestClock, identifiers

LIMITS = HttpLimits(
    requests_per_second=1000, concurrency=4, timeout=timedelta(seconds=5), retry_for=timedelta(seconds=10)
)


@dataclass
class Rig:
    """Both systems, and a writer for each; `urls` lead to sockets, without them the calls stay in process."""

    clock: TestClock = field(default_factory=TestClock)
    crm_url: str = ""
    work_url: str = ""
    limits: HttpLimits = LIMITS
    made: list[CrmWriter | WorkWriter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.crm_system = CrmSystem(now=self.clock.now, rng=random.Random(1))
        self.work_system = WorkSystem(now=self.clock.now, rng=random.Random(2))

    def crm(self, transport: httpx.AsyncBaseTransport | None = None, **profile: Any) -> CrmWriter:
        system = self.crm_system
        if transport is None and not self.crm_url:
            transport = httpx.ASGITransport(app=crm_app(system))
        side = CrmWriter(
            Access(self.crm_url or "http://crm.test", system.client_id, system.client_secret),
            self.limits,
            clock=self.clock,
            rng=random.Random(3),
            profile=CrmProfile(**profile),
            target_project_field="custom_field1",
            target_group_field="custom_field2",
            link_field="custom_field3",
            transport=transport,
        )
        self.made.append(side)
        return side

    def work(self, transport: httpx.AsyncBaseTransport | None = None, **profile: Any) -> WorkWriter:
        system, ids = self.work_system, identifiers(len(self.made) + 7)
        if transport is None and not self.work_url:
            transport = httpx.ASGITransport(app=work_app(system))
        side = WorkWriter(
            Access(self.work_url or "http://work.test", system.client_id, system.secret_key),
            self.limits,
            clock=self.clock,
            rng=random.Random(4),
            new_id=lambda: next(ids),
            profile=WorkProfile(**profile),
            transport=transport,
        )
        self.made.append(side)
        return side

    def limited(self, **changes: Any) -> None:
        """Other limits for the adapters made from here on."""
        self.limits = replace(self.limits, **changes)

    async def close(self) -> None:
        for side in self.made:
            await side.close()


Given = httpx.Response | Exception


def answer(body: Any, status: int = 200, /, **headers: str) -> httpx.Response:
    """An answer with a JSON body, or with these very bytes. Header names with underscores, values in Latin-1."""
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return httpx.Response(status, content=content, headers=raw)


TOKEN = {"success": True, "code": 200, "data": "some.token.text"}


class Canned(httpx.AsyncBaseTransport):
    """Answers by rote: the token always, everything else from `given`; the last one again and again."""

    def __init__(self, *given: Given | Callable[[httpx.Request], Given]) -> None:
        self.given: Iterator[Any] = iter(given)
        self.last: Any = None
        self.requests: list[httpx.Request] = []

    @property
    def calls(self) -> list[str]:
        return [f"{one.method} {one.url.path}" for one in self.requests]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/Account":
            return answer(TOKEN)
        self.requests.append(request)
        self.last = next(self.given, self.last)
        given = self.last(request) if callable(self.last) else self.last
        if isinstance(given, Exception):
            raise given
        content = b"".join([part async for part in given.stream])
        return httpx.Response(given.status_code, headers=given.headers, stream=httpx.ByteStream(content))


class Seen:
    """A visitor that remembers the newest form of every row."""

    def __init__(self) -> None:
        self.rows: dict[str, Record] = {}
        self.pages = 0

    def __call__(self, rows: Sequence[Record]) -> None:
        self.pages += 1
        self.rows.update((row.id, row) for row in rows)
