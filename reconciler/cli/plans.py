"""`plan` and `apply`: save a dry run, and apply exactly that, once."""

from __future__ import annotations

import os
from pathlib import Path

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.speaking import tell, translate
from reconciler.message import say


@click.command()
@config_option
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The plan file.")
@click.option("--exit-code", is_flag=True, help="End with 3 if changes are pending.")
@ending
def plan(config_path: str | None, output: Path, exit_code: bool) -> int:
    """Save a dry run as a plan file that `apply` can carry out once."""
    from reconciler import app
    from reconciler.cli.reporting import report_code, write_private
    from reconciler.dryrun import foresee
    from reconciler.planfile import plan_file
    from reconciler.report.dry_document import dry_document
    from reconciler.report.text import document_text

    settings = app.load(config_path, os.environ)

    async def work() -> int:
        with app.reading_state(settings) as state:
            app.check_identity(settings, state)
            async with app.connect(settings) as connection:
                data, prospect = await foresee(connection, state)
        operations = prospect.checked.operations
        saved = plan_file(operations, app.identity(settings), prospect.moment.now)
        write_private(output, [saved.encode()])
        for line in document_text(dry_document(data), translate()):
            tell(line, nl=False)
        tell(say("saved to {output}", output=output), err=True)
        return report_code(data, exit_code)

    return run(work())


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@ending
def apply(file: Path, config_path: str | None) -> int:
    """Apply the plan in FILE, once. Operations whose records changed meanwhile are refused one by one and named."""
    from reconciler import app
    from reconciler.cycle import run_cycle
    from reconciler.planfile import read_plan, spend
    from reconciler.requests import sentence

    settings = app.load(config_path, os.environ)

    async def work() -> int:
        with app.writing_state(settings) as store:
            now = app.REAL.clock.now()
            saved = read_plan(file, app.identity(settings), now, settings.limits.plan_age)
            async with app.connect_writing(settings) as (connection, writers):
                spend(store, saved, now, app.operator())
                result = await run_cycle(connection, writers, store, only=saved.operations)
            planned = {one.canonical for one in result.prospect.checked.operations}
            refused = sorted(saved.operations - planned)
            for one in refused:
                tell(say("refused, its records changed since the plan: {one}", one=one), err=True)
            tell(sentence(result))
            dropped = result.counts.get("dropped", 0)
            return 4 if (refused or dropped) and result.exit_code == 0 else result.exit_code

    return run(work())
