"""The sandbox systems over HTTP: in process as ASGI apps, or on a port of this machine."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from reconciler.sandbox.calls import Answer, Arrival, Dropped, TimedOut
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.page import page_app
from reconciler.sandbox.system import System
from reconciler.sandbox.work import WorkSystem

CRM_BASE: Final = "/crm/api/v2"
WORK_BASE: Final = "/work/APIS/TaskOpenAPI/api/Open"
BODY_LIMIT: Final = 16 * 1024 * 1024

Sleep = Callable[[float], Awaitable[object]]


def crm_app(system: CrmSystem, *, sleep: Sleep = asyncio.sleep) -> ASGIApp:
    """The CRM as an ASGI app; its base address is the root (`/Account`, `/Tasks`...) or where it is mounted.

    `sleep` waits out ordered delays. A call without an answer raises `Dropped`, or its kind `TimedOut`.
    """
    return _system_app(system, sleep)


def work_app(system: WorkSystem, *, sleep: Sleep = asyncio.sleep) -> ASGIApp:
    """AMIS Công việc as an ASGI app (`/get-tasks`...); everything else is as with `crm_app`."""
    return _system_app(system, sleep)


def combined_app(crm: CrmSystem, work: WorkSystem, *, sleep: Sleep = asyncio.sleep) -> ASGIApp:
    """Both systems at their base addresses, and the page for people at `/`."""
    mounted = ((CRM_BASE, crm_app(crm, sleep=sleep)), (WORK_BASE, work_app(work, sleep=sleep)))
    page = page_app(crm, work)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        path = scope.get("path", "").removeprefix(root)
        for base, inner in mounted:
            if path == base or path.startswith(f"{base}/"):
                await inner({**scope, "root_path": root + base}, receive, send)
                return
        await page(scope, receive, send)

    return app


def _system_app(system: System, sleep: Sleep) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the sandbox does not speak {scope['type']}")
        accepted = system.accept(await _arrival(scope, receive))
        if accepted.delay:
            await sleep(accepted.delay)
        answer = system.complete(accepted)
        if answer.delay:
            await sleep(answer.delay)
        await send({"type": "http.response.start", "status": answer.status, "headers": _raw_headers(answer)})
        await send({"type": "http.response.body", "body": answer.content, "more_body": answer.missing > 0})
        if answer.missing:
            raise Dropped(f"{system.side}: the answer ends early")

    return app


def _raw_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    framing = {} if answer.chunked else {"content-length": str(len(answer.content) + answer.missing)}
    return [
        (name.lower().encode("latin-1"), value.encode())
        for name, values in {**framing, **answer.headers}.items()
        for value in ((values,) if isinstance(values, str) else values)
    ]


async def _arrival(scope: Scope, receive: Receive) -> Arrival:
    content = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Dropped("the client went away")
        content += message.get("body", b"")
        if len(content) > BODY_LIMIT:
            raise Dropped("the body is too large")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return Arrival(
        scope["method"], path, headers, {name: tuple(values) for name, values in query.items()}, bytes(content)
    )


class _ClosingProtocol(H11Protocol):
    """HTTP that ends the connection where the app raises `Dropped`; after `TimedOut` the client has to end it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner: Any = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            begun = False

            async def sending(message: Any) -> None:
                nonlocal begun
                begun = True
                await send(message)

            try:
                await inner(scope, receive, sending)
            except Dropped as dropped:
                if begun:
                    self.transport.close()  # what was sent still arrives
                elif not isinstance(dropped, TimedOut):
                    self.transport.abort()
                while (await receive())["type"] != "http.disconnect":
                    pass

        self.app = app


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class Sandbox:
    """Both systems and the page on 127.0.0.1, in a background thread, as long as the context lasts."""

    def __init__(self, crm: CrmSystem, work: WorkSystem, *, port: int = 0) -> None:
        self.crm = crm
        self.work = work
        self.port = port

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def crm_url(self) -> str:
        """The CRM's base address."""
        return self.url + CRM_BASE

    @property
    def work_url(self) -> str:
        """The base address of AMIS Công việc."""
        return self.url + WORK_BASE

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", self.port))
        # Accepted connections inherit it; without it every answer waits 40 ms for an acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self._socket.getsockname()[1]
        config = uvicorn.Config(
            combined_app(self.crm, self.work),
            http=_ClosingProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            self._thread.join()
            self._socket.close()
            raise RuntimeError("the sandbox server did not start")
        return self

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._server.ready.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
