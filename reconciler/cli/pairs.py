"""`link`, `unlink` and `retry`: what a person asks for one task."""

from __future__ import annotations

import os

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.speaking import spoken, tell
from reconciler.message import say


@click.command()
@click.argument("task")
@config_option
@click.option("--project", help="Project or group of AMIS Công việc: id or name.")
@click.option("--group", help="Task group of that project: id or name.")
@click.option("--item", help="Link to this existing work item instead of creating one.")
@ending
def link(task: str, config_path: str | None, project: str | None, group: str | None, item: str | None) -> int:
    """Create the work item of CRM task TASK in a project and task group, or link it to an existing item."""
    from reconciler import app
    from reconciler.core.model import Target
    from reconciler.linking import link_to_item, link_to_target

    if (item is None) == (project is None or group is None) or (item is not None and (project or group)):
        raise click.UsageError(spoken(say("give either --project and --group, or --item")))
    settings = app.load(config_path, os.environ)

    async def work() -> int:
        with app.writing_state(settings) as store:
            async with app.connect_writing(settings) as (connection, writers):
                who = app.operator()
                if item is not None:
                    done = await link_to_item(connection, writers, store, task, item, operator=who)
                else:
                    target = Target(project=(project or "").strip(), group=(group or "").strip())
                    done = await link_to_target(connection, writers, store, task, target, operator=who)
        tell(done.message, err=done.exit_code != 0)
        return done.exit_code

    return run(work())


@click.command()
@click.argument("task")
@config_option
@click.option("--reason", default="", help="Why; kept in the journal.")
@ending
def unlink(task: str, config_path: str | None, reason: str) -> int:
    """Forget the pair of CRM task TASK. Both records stay; it is not linked again until `link`."""
    from reconciler import app
    from reconciler.linking import unlink as forget

    settings = app.load(config_path, os.environ)
    with app.writing_state(settings) as store:
        done = forget(store, app.REAL.clock.now(), task, reason, app.operator())
    tell(done.message)
    return done.exit_code


@click.command()
@click.argument("task", required=False)
@config_option
@click.option("--item", help="The pair of this work item.")
@click.option("--all", "everything", is_flag=True, help="Everything on the attention list and in back-off.")
@ending
def retry(task: str | None, config_path: str | None, item: str | None, everything: bool) -> int:
    """Release TASK (or --item, or --all) from the attention list and from its back-off; the next cycle tries again."""
    from reconciler import app
    from reconciler.linking import retry as release

    if sum((task is not None, item is not None, everything)) != 1:
        raise click.UsageError(spoken(say("give one of TASK, --item or --all")))
    settings = app.load(config_path, os.environ)
    with app.writing_state(settings) as store:
        done = release(store, app.REAL.clock.now(), app.operator(), task=task, item=item)
    tell(done.message)
    return done.exit_code
