"""What stands before every page: only GET and HEAD, only for names of this host, and strict headers on every answer.

A page of a stranger could let its own name point at this host (DNS rebinding) and read along; the browser then says the
stranger's name in `Host`. Addresses cannot be taken over like that: they, `localhost` and the configured name go in.
Nor may a stranger's page load ours in the background, where it would start dry runs unseen; following a link is fine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware. `names` are the host names, beside localhost, under which the page may be asked for."""

    def __init__(self, app: ASGIApp, names: Callable[[], frozenset[str]]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                sent.update(HEADERS)
                sent.setdefault("Cache-Control", "no-store")
            await send(message)

        answer: ASGIApp = self._app
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            answer = PlainTextResponse("this page only reads\n", 405, headers={"Allow": "GET, HEAD"})
        elif not self._admits(headers.get("host", "")):
            answer = PlainTextResponse("this host has no page of that name\n", 421)
        elif headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            answer = PlainTextResponse("other sites may only link to this page\n", 403)
        await answer(scope, receive, strict)

    def _admits(self, host: str) -> bool:
        name = host_name(host)
        return name == "localhost" or name in self._names() or _is_address(name)


def host_name(host: str) -> str:
    """The name of a `Host` header, without its port and the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
