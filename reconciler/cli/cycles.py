"""`once`, `report` and `rebuild`: the commands that run the stages of a cycle."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.speaking import document, tell, translate
from reconciler.message import say

if TYPE_CHECKING:
    from reconciler.settings import Settings


@click.command()
@config_option
@click.option("--sweep", is_flag=True, help="Compare everything: finds deletions and edits that polling cannot see.")
@ending
def once(config_path: str | None, sweep: bool) -> int:
    """Run one cycle (poll, plan, check, apply), then exit: for cron, tests and catching up."""
    from reconciler import app
    from reconciler.core.attention import grouped
    from reconciler.requests import sentence

    settings = app.load(config_path, os.environ)

    async def cycle() -> int:
        with app.writing_state(settings) as store:
            async with app.connect_cycle(settings) as run_cycle:
                result = await run_cycle(store, sweeping=sweep)
                app.upkeep(settings, store)
                tell(sentence(result))
                for entry in grouped(store.attention()):
                    if entry.acked is None:
                        tell(
                            say(
                                "needs a person: {side} {id} {code}: {message}",
                                side=entry.side,
                                id=entry.id,
                                code=entry.code.value,
                                message=entry.message,
                            ),
                            err=True,
                        )
                return result.exit_code

    return run(cycle())


@click.command()
@config_option
@click.option(
    "--format", "kind", type=click.Choice(["text", "json", "csv", "html"]), default="text", help="Form of the report."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file (mode 0600).")
@click.option("--exit-code", is_flag=True, help="End with 3 if changes are pending.")
@ending
def report(config_path: str | None, kind: str, output: Path | None, exit_code: bool) -> int:
    """Dry run for auditors: what `once` would do now and why. Writes nothing to either system, nor to the state."""
    from reconciler import app

    settings = app.load(config_path, os.environ)
    return run(_report(settings, kind, output, exit_code))


async def _report(settings: Settings, kind: str, output: Path | None, exit_code: bool) -> int:
    from reconciler import app
    from reconciler.dryrun import dry_run
    from reconciler.report.render import FORMATS

    with app.reading_state(settings) as state:
        app.check_identity(settings, state)
        async with app.connect(settings) as connection:
            data = await dry_run(connection, state)
    text = FORMATS[kind](data, translate() if kind in ("text", "json") else document(settings.connection.language))
    if output is None:
        tell(text, nl=False)
    else:
        write_private(output, text)
        tell(say("written to {output}", output=output), err=True)
    return report_code(data, exit_code)


def report_code(data: dict[str, Any], exit_code: bool) -> int:
    """The exit code of a dry run; `exit_code` asks for 3 where changes are pending."""
    if data["halted"]:
        return 5
    if data["unavailable"]:
        return 6
    if exit_code and data["operations"]:
        return 3
    return 4 if data["attention"] else 0


def write_private(path: Path, text: str | Iterable[str]) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.writelines([text] if isinstance(text, str) else text)
    temporary.replace(path)


@click.command()
@config_option
@ending
def rebuild(config_path: str | None) -> int:
    """Re-create the links of a lost state from the markers on both sides. Writes nothing to either system."""
    from reconciler import app
    from reconciler.rebuilding import rebuild_links

    settings = app.load(config_path, os.environ)

    async def work() -> int:
        with app.writing_state(settings) as store:
            async with app.connect(settings) as connection:
                found, differing = await rebuild_links(connection, store, operator=app.operator())
        tell(
            say(
                "{found} links rebuilt; {differing} fields differ and wait on the attention list",
                found=found,
                differing=differing,
            )
        )
        return 4 if differing else 0

    return run(work())
