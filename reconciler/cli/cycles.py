"""`once` and `rebuild`: the commands that run the stages of a cycle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.speaking import tell
from reconciler.message import say

if TYPE_CHECKING:
    pass


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
