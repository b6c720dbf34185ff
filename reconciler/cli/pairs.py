"""`link`, `unlink` and `retry`: what a person asks for one task."""

from __future__ import annotations

import click

from reconciler.cli.asking import ask
from reconciler.cli.ending import config_option, ending
from reconciler.cli.speaking import spoken
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
    from reconciler.requests import Link

    if (item is None) == (project is None or group is None) or (item is not None and (project or group)):
        raise click.UsageError(spoken(say("give either --project and --group, or --item")))
    return ask(config_path, Link(task=task, project=project, group=group, item=item))


@click.command()
@click.argument("task")
@config_option
@click.option("--reason", default="", help="Why; kept in the journal.")
@ending
def unlink(task: str, config_path: str | None, reason: str) -> int:
    """Forget the pair of CRM task TASK. Both records stay; it is not linked again until `link`."""
    from reconciler.requests import Unlink

    return ask(config_path, Unlink(task=task, reason=reason))


@click.command()
@click.argument("task", required=False)
@config_option
@click.option("--item", help="The pair of this work item.")
@click.option("--all", "everything", is_flag=True, help="Everything on the attention list and in back-off.")
@ending
def retry(task: str | None, config_path: str | None, item: str | None, everything: bool) -> int:
    """Release TASK (or --item, or --all) from the attention list and from its back-off; the next cycle tries again."""
    from reconciler.requests import Retry

    if sum((task is not None, item is not None, everything)) != 1:
        raise click.UsageError(spoken(say("give one of TASK, --item or --all")))
    return ask(config_path, Retry(task=task, item=item))
