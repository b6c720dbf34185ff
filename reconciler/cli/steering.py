"""`pause`, `resume`, `ack` and `restore`: a person holds back, lets go on, dismisses, or brings a value back."""

from __future__ import annotations

import os

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.speaking import spoken, tell
from reconciler.message import say


@click.command()
@config_option
@click.option("--reason", required=True, help="Why; kept in the journal.")
@click.option("--until", metavar="TIME", help="Go on by itself at this day or moment (Asia/Ho_Chi_Minh).")
@ending
def pause(config_path: str | None, reason: str, until: str | None) -> int:
    """Let writes wait until `resume` or --until; reads go on."""
    from reconciler import app
    from reconciler.cli.looking import moment_of
    from reconciler.halting import pause as hold_back

    settings = app.load(config_path, os.environ)
    end = moment_of(until, "--until", end=False) if until else None
    with app.writing_state(settings) as store:
        hold_back(store, app.REAL.clock.now(), reason, end, app.operator())
    tell(say("paused; `reconciler resume --reason ..` goes on"))
    return 0


@click.command()
@config_option
@click.option("--reason", required=True, help="Why; kept in the journal.")
@click.option("--approve", metavar="FINGERPRINT", help="Apply the held operations with this fingerprint.")
@ending
def resume(config_path: str | None, reason: str, approve: str | None) -> int:
    """End a pause, or plan again after a safety halt; --approve applies exactly what was held."""
    from reconciler import app
    from reconciler.cli.cycles import sentence
    from reconciler.cycle import run_cycle
    from reconciler.halting import resume as go_on

    settings = app.load(config_path, os.environ)

    async def work() -> int:
        with app.writing_state(settings) as store:
            tell(go_on(store, app.REAL.clock.now(), reason, app.operator(), approve))
            if approve is None:
                return 0
            wanted = set(store.fact("approved") or ())
            async with app.connect_writing(settings) as (connection, writers):
                result = await run_cycle(connection, writers, store)
            planned = {one.canonical for one in result.prospect.checked.operations}
            for missing in sorted(wanted - planned):
                tell(say("skipped, changed meanwhile: {missing}", missing=missing), err=True)
            tell(sentence(result))
            return 4 if wanted - planned and result.exit_code == 0 else result.exit_code

    return run(work())


@click.command()
@click.argument("task", required=False)
@config_option
@click.option("--item", help="The pair of this work item.")
@click.option("--reason", required=True, help="Why; kept in the journal.")
@ending
def ack(task: str | None, config_path: str | None, item: str | None, reason: str) -> int:
    """Dismiss the attention entries of CRM task TASK (or --item) until their content changes."""
    from reconciler import app
    from reconciler.linking import ack as dismiss

    if (task is None) == (item is None):
        raise click.UsageError(spoken(say("give either TASK or --item")))
    settings = app.load(config_path, os.environ)
    with app.writing_state(settings) as store:
        done = dismiss(store, app.REAL.clock.now(), app.operator(), reason, task=task, item=item)
    tell(done.message)
    return done.exit_code


@click.command()
@click.argument("entry", type=int)
@config_option
@ending
def restore(entry: int, config_path: str | None) -> int:
    """Bring back the value that journal entry ENTRY overwrote, as a new, planned, journalled edit."""
    from reconciler import app
    from reconciler.linking import restore as bring_back

    settings = app.load(config_path, os.environ)

    async def work() -> int:
        with app.writing_state(settings) as store:
            async with app.connect_writing(settings) as (connection, writers):
                done = await bring_back(connection, writers, store, entry, operator=app.operator())
        tell(done.message, err=done.exit_code != 0)
        return done.exit_code

    return run(work())
