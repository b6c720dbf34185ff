"""Who looks at what, as the address says it: language, connection and filters; and the addresses that keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from reconciler.core.model import ZONE
from reconciler.core.search import Selection, moment_of
from reconciler.message import say
from reconciler.report.period import Period
from reconciler.settings import Settings
from reconciler.words import LANGUAGES

KEPT: Final = ("lang", "connection")
"""What every link of the page carries on."""

FILTERS: Final = ("since", "until", "person", "project", "field", "kind", "task", "item")
"""The filters of the journal, as the address names them."""


class UnknownConnection(LookupError):
    """The address names a connection that there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request. `asked` are the parameters of the address, of each the last."""

    path: str
    asked: Mapping[str, str]
    settings: Settings

    @property
    def name(self) -> str:
        return self.settings.connection.name

    @property
    def language(self) -> str:
        """The one that the address asks for, else that of the connection."""
        asked = self.asked.get("lang", "")
        return asked if asked in LANGUAGES else self.settings.connection.language

    @property
    def kept(self) -> dict[str, str]:
        """What every link carries on, as far as it was asked for."""
        return {name: self.asked[name] for name in KEPT if name in self.asked}

    def to(self, path: str, /, **query: object) -> str:
        """The address of another page, in the same language and connection unless `query` says otherwise."""
        wanted = {**self.kept, **{name: str(value) for name, value in query.items() if value not in (None, "")}}
        return f"{path}?{urlencode(wanted)}" if wanted else path

    def here(self, **query: object) -> str:
        """The address of this page with other parameters."""
        return self.to(self.path, **{**self.asked, **query})

    def filters(self) -> dict[str, str]:
        """The filters of the journal that were filled in."""
        return {name: given for name in FILTERS if (given := self.asked.get(name, "").strip())}

    def selection(self) -> Selection:
        """The journal entries that the filters ask for. Raises ValueError with a sentence."""
        given = self.filters()
        return Selection(
            crm_id=given.get("task"),
            work_id=given.get("item"),
            since=moment_of(given["since"], end=False) if "since" in given else None,
            until=moment_of(given["until"], end=True) if "until" in given else None,
            person=given.get("person"),
            project=given.get("project"),
            field=given.get("field"),
            kind=given.get("kind"),
        )

    def period(self, now: datetime) -> Period:
        """The period of the filters: from the first of the month, up to today, unless they say otherwise.

        Raises ValueError with a sentence.
        """
        today = now.astimezone(ZONE).date()
        wanted = self.selection()
        until = wanted.until or moment_of(today.isoformat(), end=True)
        if wanted.until is None and wanted.since is not None:
            until = max(until, wanted.since + timedelta(days=1))
        since = wanted.since or moment_of(
            (until - timedelta(seconds=1)).astimezone(ZONE).date().replace(day=1).isoformat(), end=False
        )
        if since >= until:
            raise ValueError(say("The period ends before it begins."))
        return Period(since=since, until=until)

    def before(self) -> int | None:
        """The journal entry below which the page goes on; nonsense counts as none."""
        given = self.asked.get("before", "")
        return int(given) if given.isdecimal() and given.isascii() and len(given) < 19 else None


def visit(path: str, asked: Mapping[str, str], connections: Sequence[Settings]) -> Visit:
    """The visit that an address means. Raises `UnknownConnection`."""
    wanted = asked.get("connection", "")
    for settings in connections:
        if wanted in ("", settings.connection.name):
            return Visit(path=path, asked=asked, settings=settings)
    raise UnknownConnection(wanted)
