"""`status`, `history`, `why`, `backup`, `targets`, `check`, `config`: commands that only look."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.notifying import describe
from reconciler.cli.progress import bar
from reconciler.cli.speaking import document, spoken, tell, translate
from reconciler.core.model import Field, Side
from reconciler.message import say

if TYPE_CHECKING:
    from reconciler.core.model import Entry
    from reconciler.settings import Settings

EVERY_SO_MANY: Final = 500
"""Entries between two movements of the progress bar."""

FORMATS: Final = ("text", "json", "csv", "html", "xlsx")


@click.command()
@config_option
@click.option("--format", "kind", type=click.Choice(["text", "json"]), default="text", help="Form of the answer.")
@ending
def status(config_path: str | None, kind: str) -> int:
    """Last cycles, watermarks, links, pending work and the attention list."""
    from reconciler import app
    from reconciler.report.render import as_json, status_text
    from reconciler.report.standing import standing_data

    settings = app.load(config_path, os.environ)
    with app.reading_state(settings) as state:
        now, poll = app.REAL.clock.now(), settings.schedule.poll
        data = standing_data(settings.connection.name, state, now=now, poll=poll)
    tell((as_json if kind == "json" else status_text)(data, translate()), nl=False)
    return 0


@click.command()
@config_option
@click.option("--task", "crm_id", help="Only this CRM task.")
@click.option("--item", "work_id", help="Only this work item.")
@click.option("--since", metavar="D", help="From this day or moment on (Asia/Ho_Chi_Minh unless it names a zone).")
@click.option("--until", metavar="D", help="Up to this day (included) or moment.")
@click.option("--field", type=click.Choice([one.value for one in Field]), help="Only this field.")
@click.option("--project", help="Only pairs whose work item is in this project (its id).")
@click.option("--kind", help="Only entries of this kind, such as conflict.")
@click.option("--side", type=click.Choice([one.value for one in Side]), help="Only what concerns this side.")
@click.option("--person", help="Only what this person edited or ran; a part of the name will do.")
@click.option("--operator", help="Only what this login ran.")
@click.option("--cycle", type=int, help="Only this cycle.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the last so many entries.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="Form of the answer.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file (mode 0600).")
@ending
def history(
    config_path: str | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    form: str,
    output: Path | None,
    **given: Any,
) -> int:
    """The journal: when, which pair, which field, old -> new, direction, rule."""
    from reconciler import app
    from reconciler.cli.reporting import write_private
    from reconciler.core.search import Selection
    from reconciler.report.data import entry_data

    if form == "xlsx" and output is None:
        raise click.UsageError(spoken(say("a workbook needs a file: give --output FILE")))
    settings = app.load(config_path, os.environ)
    wanted = Selection(
        since=moment_of(since, "--since", end=False) if since else None,
        until=moment_of(until, "--until", end=True) if until else None,
        **given,
    )
    with app.reading_state(settings) as state:
        found = state.entries(wanted, limit=limit)
        if output is None:
            for piece in _history(map(entry_data, found), form, settings):
                click.echo(piece, nl=False)
            return 0
        with bar("history", state.head()[0]) as progress:
            rows = (entry_data(entry) for entry in _told(found, progress))
            write_private(output, _history(rows, form, settings))
    tell(say("written to {output}", output=output), err=True)
    return 0


def _history(rows: Iterable[dict[str, Any]], form: str, settings: Settings) -> Iterator[bytes]:
    """The pieces of a file."""
    from reconciler import app
    from reconciler.report.formats import FORMATS
    from reconciler.report.journal import FORMS, history_document

    language = translate() if form in ("text", "json") else document(settings.connection.language)
    if form in FORMS:
        return (piece.encode() for piece in FORMS[form](rows, language))
    name, query = settings.connection.name, " ".join(["history", *sys.argv[2:]])
    return FORMATS[form](history_document(rows, connection=name, made_at=app.REAL.clock.now(), query=query), language)


def _told(entries: Iterable[Entry], progress: Callable[[int], None]) -> Iterator[Entry]:
    """The entries as they come, while `progress` is told up to which one the journal was read."""
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % EVERY_SO_MANY == 0:
            progress(entry.id)


def moment_of(given: str, option: str, *, end: bool) -> datetime:
    """A day or a moment of the command line; a day as an end means the whole day."""
    from reconciler.core import search

    try:
        return search.moment_of(given, end=end)
    except ValueError as error:
        raise click.BadParameter(spoken(error.args[0]), param_hint=option) from None


@click.command()
@click.argument("task", nargs=-1, required=True)
@config_option
@ending
def why(task: tuple[str, ...], config_path: str | None) -> int:
    """The whole story of CRM task TASK on one screen: its link, both sides as last seen, every decision.

    TASK is an id of the task or of its work item, or words of the title, without accents if you like.
    """
    from reconciler import app
    from reconciler.report.data import entry_data, pair_data
    from reconciler.report.finding import find
    from reconciler.report.journal import why_text
    from reconciler.report.render import found_text

    settings = app.load(config_path, os.environ)
    with app.reading_state(settings) as state:
        found = find(state, " ".join(task))
        if found["task"] is None:
            tell(found_text(found, translate()), nl=False)
            return 0
        data = pair_data(state, found["task"])
        rows = [entry_data(entry) for entry in state.journal(crm_id=found["task"])]
    tell(why_text(data, rows, translate()), nl=False)
    return 0


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@ending
def backup(file: Path, config_path: str | None) -> int:
    """Write a consistent copy of the state to FILE, also while the daemon runs."""
    from reconciler import app
    from reconciler.store import back_up

    settings = app.load(config_path, os.environ)
    back_up(settings.state.url.get_secret_value(), file)
    tell(say("the state is copied to {file}", file=file))
    return 0


@click.command()
@config_option
@click.option(
    "--format", "kind", type=click.Choice(["text", "json", "picklist"]), default="text", help="Form of the answer."
)
@ending
def targets(config_path: str | None, kind: str) -> int:
    """Projects and task groups in which the connection may add tasks.

    --format picklist is ready to paste into the CRM: one value a line, first those of target_project_field, then, after
    an empty line, those of target_group_field. A name that would not be enough has its id in brackets; a task group's
    name that several projects use is one value.
    """
    from reconciler import app

    settings = app.load(config_path, os.environ)
    return run(_targets(settings, kind))


async def _targets(settings: Settings, kind: str) -> int:
    from reconciler import app
    from reconciler.core.picklist import group_values, project_values

    async with app.connect(settings) as connection:
        projects = await connection.catalogue.projects()
        usable = [one for one in projects if one.may_add and not one.department and not one.archived]
        groups = {one.id: await connection.catalogue.groups(one.id) for one in usable}
    if kind == "picklist":
        click.echo("\n".join([*project_values(projects), "", *group_values(usable, groups)]))
        return 0
    if kind == "json":
        rows = [
            {"id": one.id, "name": one.name, "groups": [{"id": g.id, "name": g.name} for g in groups[one.id]]}
            for one in usable
        ]
        tell(json.dumps(rows, ensure_ascii=False, indent=1))
        return 0
    for one in usable:
        tell(f"{one.id}  {one.name}")
        for group in groups[one.id]:
            tell(f"    {group.id}  {group.name}")
    return 0


@click.command()
@config_option
@ending
def check(config_path: str | None) -> int:
    """Validate the config, prove the status maps, and try both connections, permissions and clocks. Writes nothing."""
    from reconciler import app

    settings = app.load(config_path, os.environ)
    tell(say("config: {file} is valid", file=app.default_config(config_path)))
    maps = app.status_maps(settings)
    for row in maps.collapses():
        words = ", ".join(f"«{word}»" for word in row.crm)
        tell(
            say(
                "status: {words} -> «{work}»; a change in Work brings back «{back}»",
                words=words,
                work=row.work,
                back=row.back,
            )
        )
    tell(say("status: the laws of the two maps are proven for every known status"))
    describe(settings)
    return run(_check(settings))


async def _check(settings: Settings) -> int:
    from reconciler import app
    from reconciler.core.text import word
    from reconciler.errors import SideError

    code = 0
    with app.reading_state(settings) as state:
        app.check_identity(settings, state)
    async with app.connect(settings) as connection:
        for side, reader in connection.readers.items():
            try:
                await reader.by_id(["1"])
                offset = reader.offset()
            except SideError as error:
                tell(say("{side}: {error}", side=side, error=error), err=True)
                code = 6
                continue
            seconds = say("unknown") if offset.value is None else f"{offset.value.total_seconds():+.1f} s"
            margin = offset.uncertainty.total_seconds()
            tell(
                say(
                    "{side}: connected, may read; clock offset {seconds} (± {margin} s)",
                    side=side,
                    seconds=seconds,
                    margin=f"{margin:.1f}",
                )
            )
        try:
            projects = await connection.catalogue.projects()
        except SideError as error:
            tell(say("work: projects cannot be read: {error}", error=error), err=True)
            return 6
        usable = [one for one in projects if one.may_add and not one.department and not one.archived]
        tell(say("work: {usable} of {all} projects can take tasks", usable=len(usable), all=len(projects)))
        meant = {word(one.name) for one in projects} | {one.id for one in projects}
        for wanted in settings.pilot.projects:
            if word(wanted) not in meant:
                tell(say("pilot: AMIS Công việc shows no project «{wanted}»", wanted=wanted), err=True)
                code = 2
        if not usable:
            tell(say("work: grant the connection's user the right to add tasks to at least one project"), err=True)
    return code


@click.group()
def config() -> None:
    """About the config file."""


@config.command()
def schema() -> None:
    """Print the config's JSON Schema, for editors."""
    from reconciler.settings import json_schema

    tell(json.dumps(json_schema(), ensure_ascii=False, indent=2))
