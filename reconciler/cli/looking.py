"""`status`, `history`, `why`, `verify`, `backup`, `targets`, `check`, `config`: commands that only look."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.notifying import describe
from reconciler.cli.speaking import spoken, tell, translate
from reconciler.message import say

if TYPE_CHECKING:
    from reconciler.settings import Settings


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
@click.option("--task", help="Only this CRM task.")
@click.option("--item", help="Only this work item.")
@click.option("--since", metavar="D", help="From this day or moment on (Asia/Ho_Chi_Minh unless it names a zone).")
@click.option("--until", metavar="D", help="Up to this day (included) or moment.")
@click.option("--person", help="Only what this person edited or ran; part of the name is enough.")
@click.option("--project", help="Only pairs whose work item is in this project (its id).")
@click.option("--field", help="Only this field: title, description, start, due, owner or status.")
@click.option("--kind", "sort", help="Only entries of this kind, such as conflict or halted.")
@click.option(
    "--format", "kind", type=click.Choice(["text", "json", "csv"]), default="text", help="Form of the answer."
)
@ending
def history(
    config_path: str | None,
    task: str | None,
    item: str | None,
    since: str | None,
    until: str | None,
    person: str | None,
    project: str | None,
    field: str | None,
    sort: str | None,
    kind: str,
) -> int:
    """The journal: when, which pair, which field, old -> new, direction, rule."""
    from reconciler import app
    from reconciler.core.search import Selection
    from reconciler.report.data import entry_data
    from reconciler.report.render import history_csv, history_text

    settings = app.load(config_path, os.environ)
    wanted = Selection(
        crm_id=task,
        work_id=item,
        since=moment_of(since, "--since", end=False) if since else None,
        until=moment_of(until, "--until", end=True) if until else None,
        person=person,
        project=project,
        field=field,
        kind=sort,
    )
    with app.reading_state(settings) as state:
        rows = [entry_data(entry) for entry in state.entries(wanted)][::-1]
    if kind == "json":
        tell(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        tell((history_csv if kind == "csv" else history_text)(rows, translate()), nl=False)
    return 0


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
    from reconciler.report.render import found_text, why_text

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
@config_option
@ending
def verify(config_path: str | None) -> int:
    """Check the journal's hash chain; names the first bad entry. Ends with 1 if there is one."""
    from reconciler import app
    from reconciler.store import verify as first_fault

    settings = app.load(config_path, os.environ)
    with app.reading_state(settings) as state:
        fault = first_fault(state)
    if fault is not None:
        tell(say("the journal is not intact: {fault}", fault=fault), err=True)
        return 1
    tell(say("the journal is intact: no entry was altered, removed from the middle, inserted or reordered"))
    tell(say("not proven: that nothing was cut off at the end, and that the values were true when written"))
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
            seconds = "unknown" if offset.value is None else f"{offset.value.total_seconds():+.1f} s"
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
