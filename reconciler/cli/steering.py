"""`pause`, `resume`, `ack`, `restore` and `revert`: hold back, let go on, dismiss, bring values back."""

from __future__ import annotations

import os

import click

from reconciler.cli.asking import ask, print_out
from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.speaking import spoken
from reconciler.message import say


@click.command()
@config_option
@click.option("--reason", required=True, help="Why; kept in the journal.")
@click.option("--until", metavar="TIME", help="Go on by itself at this day or moment (Asia/Ho_Chi_Minh).")
@ending
def pause(config_path: str | None, reason: str, until: str | None) -> int:
    """Let writes wait until `resume` or --until; reads go on."""
    from reconciler.cli.looking import moment_of
    from reconciler.requests import Pause

    end = moment_of(until, "--until", end=False).isoformat() if until else None
    return ask(config_path, Pause(reason=reason, until=end))


@click.command()
@config_option
@click.option("--reason", required=True, help="Why; kept in the journal.")
@click.option("--approve", metavar="FINGERPRINT", help="Apply the held operations with this fingerprint.")
@ending
def resume(config_path: str | None, reason: str, approve: str | None) -> int:
    """End a pause, or plan again after a safety halt; --approve applies exactly what was held."""
    from reconciler.requests import Resume

    return ask(config_path, Resume(reason=reason, approve=approve))


@click.command()
@click.argument("task", required=False)
@config_option
@click.option("--item", help="The pair of this work item.")
@click.option("--reason", required=True, help="Why; kept in the journal.")
@ending
def ack(task: str | None, config_path: str | None, item: str | None, reason: str) -> int:
    """Dismiss the attention entries of CRM task TASK (or --item) until their content changes."""
    from reconciler.requests import Ack

    if (task is None) == (item is None):
        raise click.UsageError(spoken(say("give either TASK or --item")))
    return ask(config_path, Ack(task=task, item=item, reason=reason))


@click.command()
@click.argument("entry", type=click.IntRange(1, 2**63 - 1))
@config_option
@ending
def restore(entry: int, config_path: str | None) -> int:
    """Bring back the value that journal entry ENTRY overwrote, as a new, planned, journalled edit."""
    from reconciler.requests import Restore

    return ask(config_path, Restore(entry=entry))


@click.command()
@click.argument("cycle", type=click.IntRange(1, 2**63 - 1))
@config_option
@click.option("--reason", help="Why; kept in the journal.")
@click.option("--dry-run", is_flag=True, help="Only say what would be brought back and what would be left alone.")
@ending
def revert(cycle: int, config_path: str | None, reason: str | None, dry_run: bool) -> int:
    """Bring back everything that cycle CYCLE overwrote and nobody changed since, as one planned, journalled edit."""
    from reconciler.requests import Revert, Said

    if not dry_run:
        if not reason:
            raise click.UsageError(spoken(say("give --reason")))
        return ask(config_path, Revert(cycle=cycle, reason=reason))
    from reconciler import app
    from reconciler.undoing import foresee_revert

    settings = app.load(config_path, os.environ)

    async def foresee() -> Said:
        with app.reading_state(settings) as state:
            app.check_identity(settings, state)
            async with app.connect(settings) as connection:
                undone = await foresee_revert(connection, state, cycle)
        return Said(out=undone.said, err=undone.left, exit_code=undone.exit_code)

    return print_out(run(foresee()))
