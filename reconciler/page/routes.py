"""The routes of the status page. `page` makes one thing to mount; everything under it answers GET and HEAD only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from reconciler import app
from reconciler.core.search import Selection
from reconciler.dryrun import dry_run
from reconciler.errors import ReconcilerError
from reconciler.message import Message, joined, say
from reconciler.page import views
from reconciler.page.errands import Errand, Errands, Spawn, thread
from reconciler.page.guard import Guard
from reconciler.page.rendering import STYLE, render
from reconciler.page.visit import UnknownConnection, Visit, visit
from reconciler.report.data import Json, entry_data
from reconciler.report.journal import as_csv
from reconciler.report.period import Period, period_data
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
        common: dict[str, Any] = {
            "visit": seen,
            "connections": [settings.connection.name for settings in self._connections()],
            "pages": app.pages(seen.settings),
        }
        return HTMLResponse(render(template, seen.language, {**common, **values}), status)

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
        values = {"others": [*self._sentences(seen)], "status": self._standing(seen.settings)}
        return self._html("overview.html", seen, values)

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
        return self._html("attention.html", seen, {"groups": groups, "status": status})

    def task(self, seen: Visit) -> Response:
        query = seen.asked.get("q", "").strip()
        if not query:
            return self._html("task.html", seen, {"found": None})
        with app.reading_state(seen.settings) as state:
            found = views.story(state, query, seen.before())
        return self._html("task.html", seen, {"found": found})

    def journal(self, seen: Visit) -> Response:
        """The period's totals and the integrity of the journal are errands: both may read all of it."""
        wanted, period = seen.selection(), seen.period(self._world.clock.now())
        with app.reading_state(seen.settings) as state:
            found, head = views.lines(state, wanted, seen.before()), views.head(state)
        counting = partial(_totals, seen.settings, period, self._world)
        small = head is None or head["id"] <= views.AT_ONCE
        totals = self._on_request(seen, "totals", counting, of=period, unasked=small)
        checked = self._on_request(seen, "verify", partial(_checked, seen.settings))
        values = {"found": found, "head": head, "totals": totals, "period": period, "checked": checked}
        return self._html("journal.html", seen, {**values, "kinds": views.KINDS, "fields": views.FIELDS})

    def journal_csv(self, seen: Visit) -> Response:
        lines = as_csv(_entries(seen.settings, seen.selection()), str)
        return StreamingResponse(_chunks(lines), media_type="text/csv", headers=_download("journal.csv"))

    def journal_json(self, seen: Visit) -> Response:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in _entries(seen.settings, seen.selection()))
        return StreamingResponse(_chunks(lines), media_type="application/x-ndjson", headers=_download("journal.ndjson"))

    def dry_run(self, seen: Visit) -> Response:
        errand = self._on_request(seen, "run", partial(_dry_run, seen.settings, self._world))
        return self._html("dry_run.html", seen, {"errand": errand})

    def _on_request(
        self, seen: Visit, name: str, work: Callable[[], Json], *, of: Hashable = None, unasked: bool = False
    ) -> Errand | None:
        """The errand that begins when the address asks for it by `name`, or also `unasked`; else its last outcome.

        `of` is what the outcome depends on besides the connection.
        """
        lane = (seen.name, name)
        if unasked or seen.asked.get(name):
            return self._errands.ask(lane, of, work)
        found = self._errands.look(lane)
        return found if found is not None and found.key == of else None


# Errands: what takes long, in a thread of its own


def _dry_run(settings: Settings, world: app.World) -> Json:
    """The same as `reconciler report`, on an event loop of its own."""

    async def work() -> Json:
        with app.reading_state(settings) as state:
            app.check_identity(settings, state)
            async with app.connect(settings, world) as connection:
                return views.summarised(await dry_run(connection, state), state, world.clock.now())

    return asyncio.run(work())


def _totals(settings: Settings, period: Period, world: app.World) -> Json:
    with app.reading_state(settings) as state:
        now = world.clock.now()
        return period_data(name=settings.connection.name, state=state, period=period, generated_at=now)


def _checked(settings: Settings) -> Json:
    """The last entry when the check began, and the first fault in words, "" if there is none."""
    with app.reading_state(settings) as state:
        fault = verify(state)
        return {"head": views.head(state), "fault": "" if fault is None else str(fault)}


# Exports


def _entries(settings: Settings, wanted: Selection) -> Iterator[Json]:
    with app.reading_state(settings) as state:
        yield from (entry_data(entry) for entry in state.recent(wanted))


def _chunks(lines: Iterator[str]) -> Iterator[str]:
    while some := list(islice(lines, EXPORT)):
        yield "".join(some)


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="reconciler-{name}"'}
