"""The daemon over HTTP: metrics and health for machines, the status page for people, all on this host.

A port that is taken is no reason to stop: the connections go on without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator, Sequence
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from reconciler.daemon.metrics import Metrics


class Health(Protocol):
    """How it goes: connections by name with a few words, those that make no progress, and those that cannot work."""

    def conditions(self) -> dict[str, str]: ...

    def stalled(self) -> list[str]: ...

    def idle(self) -> list[str]: ...


def routes(health: Health, metrics: Metrics) -> list[BaseRoute]:
    """What machines may ask."""

    async def scrape(request: Request) -> Response:
        content, content_type = metrics.exposition(request.headers.get("accept", ""))
        return Response(content, headers={"content-type": content_type})

    async def alive(request: Request) -> Response:
        """Whether the program works at all: 503 asks for a restart."""
        return _answer(health.conditions(), health.stalled())

    async def ready(request: Request) -> Response:
        """Whether every connection keeps its two sides in step: 503 asks for a look."""
        return _answer(health.conditions(), health.idle())

    return [Route("/metrics", scrape), Route("/healthz", alive), Route("/readyz", ready)]


def _answer(conditions: dict[str, str], bad: list[str]) -> Response:
    return JSONResponse({"ok": not bad, "connections": conditions, "concerns": bad}, 503 if bad else 200)


class _Server(uvicorn.Server):
    """Leaves signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve(routes: Sequence[BaseRoute], address: tuple[str, int], listening: Callable[[int], None]) -> None:
    """Answer requests until cancelled; `listening` is told the port. Raises `OSError` if the address cannot be had."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.create_server(address, family=family) as listener:
        config = uvicorn.Config(
            Starlette(routes=routes),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=32,
        )
        server = _Server(config)
        listening(listener.getsockname()[1])
        try:
            await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            await server.shutdown(sockets=[listener])
            raise
