"""The routes of the status page. `page` makes one thing to mount; everything under it answers GET and HEAD only."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from reconciler import app
from reconciler.dryrun import dry_run
from reconciler.errors import ReconcilerError
from reconciler.message import Message, joined, say
from reconciler.page import views
from reconciler.page.errands import Errands, Spawn, thread
from reconciler.page.guard import Guard
from reconciler.page.rendering import STYLE, render
from reconciler.page.visit import UnknownConnection, Visit, visit
from reconciler.report.data import Json, entry_data
from reconciler.report.render import history_lines
from reconciler.report.standing import standing_data
from reconciler.settings import Settings
from reconciler.store import verify

Connections = Callable[[], Sequence[Settings]]
View = Callable[[Visit], Response]

EXPORT: Final = 1_000
"""Lines of an export that are sent at a time."""


def page(connections: Connections, world: app.World = app.REAL, spawn: Spawn = thread) -> Mount:
    """The status page of these connections, the first one in front. Mount it last: it answers every path."""
    shown = _Page(connections, world, Errands(world.clock.monotonic, spawn))
    routes = [
        Route("/", shown.answers(shown.overview)),
        Route("/attention", shown.answers(shown.attention)),
        Route("/task", shown.answers(shown.task)),
        Route("/journal", shown.answers(shown.journal)),
        Route("/journal.csv", shown.answers(shown.journal_csv)),
        Route("/journal.json", shown.answers(shown.journal_json)),
        Route("/dry-run", shown.answers(shown.dry_run)),
        Route("/page.css", _stylesheet),
        Route("/{path:path}", shown.answers(shown.nothing)),
    ]

    def names() -> frozenset[str]:
        return frozenset(settings.web.address[0].lower() for settings in connections())

    return Mount("", routes=routes, middleware=[Middleware(Guard, names=names)])


def _stylesheet(request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})


class _Page:
    """The views. Each runs in a worker thread, opens the state read-only and closes it before it answers."""

    def __init__(self, connections: Connections, world: app.World, errands: Errands) -> None:
        self._connections = connections
        self._world = world
        self._errands = errands

    def answers(self, view: View) -> Callable[[Request], Response]:
        """An endpoint: the view's answer, or what kept it from answering as a page."""

        def endpoint(request: Request) -> Response:
            connections, asked = self._connections(), dict(request.query_params)
            try:
                seen = visit(request.url.path, asked, connections)
            except UnknownConnection:
                seen = visit(request.url.path, {**asked, "connection": ""}, connections)
                return self._trouble(seen, 404, say("There is no connection of that name."))
            try:
                return view(seen)
            except ReconcilerError as error:
                return self._trouble(seen, 503, joined(error.sentences))
            except ValueError as error:
                if not error.args or not isinstance(error.args[0], Message):
                    raise
                return self._trouble(seen, 400, error.args[0])

        return endpoint

    def _html(self, template: str, seen: Visit, values: Mapping[str, Any], status: int = 200) -> Response:
        others = [settings.connection.name for settings in self._connections()]
        return HTMLResponse(render(template, seen.language, {"visit": seen, "others": others, **values}), status)

    def _trouble(self, seen: Visit, status: int, sentence: str) -> Response:
        return self._html("trouble.html", seen, {"sentence": sentence}, status)

    def nothing(self, seen: Visit) -> Response:
        return self._trouble(seen, 404, say("There is no such page."))

    def _standing(self, settings: Settings) -> Json:
        with app.reading_state(settings) as state:
            now, poll = self._world.clock.now(), settings.schedule.poll
            return standing_data(settings.connection.name, state, now=now, poll=poll)

    # The five pages

    def overview(self, seen: Visit) -> Response:
        return self._html("overview.html", seen, {"connections": [*self._sentences(seen)], "status": self._standing(seen.settings)})

    def _sentences(self, seen: Visit) -> Iterator[Json]:
        """How each of the other connections stands; one whose state cannot be read says so."""
        for settings in self._connections():
            if settings.connection.name == seen.name:
                continue
            try:
                standing = self._standing(settings)["standing"]
            except ReconcilerError as error:
                standing = {"level": "down", "sentence": joined(error.sentences)}
            yield {"name": settings.connection.name, **standing}

    def attention(self, seen: Visit) -> Response:
        status = self._standing(seen.settings)
        with app.reading_state(seen.settings) as state:
            groups = views.matters(state, status["attention"])
        return self._html("attention.html", seen, {"groups": groups, "status": status, "addresses": _addresses(seen.settings)})

    def task(self, seen: Visit) -> Response:
        query = seen.asked.get("q", "").strip()
        if not query:
            return self._html("task.html", seen, {"found": None})
        with app.reading_state(seen.settings) as state:
            found = views.story(state, query, seen.before())
        return self._html("task.html", seen, {"found": found, "addresses": _addresses(seen.settings)})

    def journal(self, seen: Visit) -> Response:
        with app.reading_state(seen.settings) as state:
            page, head = views.lines(state, seen.selection(), seen.before()), views.head(state)
        key = (seen.name, "verify")
        checking = partial(_fault, seen.settings)
        errand = self._errands.ask(key, checking) if seen.asked.get("verify") else self._errands.look(key)
        values = {"page": page, "head": head, "errand": errand, "kinds": views.KINDS, "fields": views.FIELDS}
        return self._html("journal.html", seen, values)

    def journal_csv(self, seen: Visit) -> Response:
        lines = history_lines(_entries(seen.settings, seen))
        return StreamingResponse(_chunks(lines), media_type="text/csv", headers=_download(f"{seen.name}.csv"))

    def journal_json(self, seen: Visit) -> Response:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in _entries(seen.settings, seen))
        return StreamingResponse(_chunks(lines), media_type="application/x-ndjson", headers=_download(f"{seen.name}.ndjson"))

    def dry_run(self, seen: Visit) -> Response:
        key = (seen.name, "dry-run")
        work = partial(_dry_run, seen.settings, self._world)
        errand = self._errands.ask(key, work) if seen.asked.get("run") else self._errands.look(key)
        return self._html("dry_run.html", seen, {"errand": errand})
