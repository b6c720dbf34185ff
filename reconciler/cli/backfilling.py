"""`backfill`: the tasks that are older than the connection."""

from __future__ import annotations

import os
import sys

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.progress import bar
from reconciler.cli.speaking import spoken, tell
from reconciler.message import say

ASK_FROM = 50


@click.command()
@config_option
@click.option("--since", metavar="DATE", help="Only tasks created on this day or later.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many tasks.")
@click.option("--dry-run", is_flag=True, help="Only say which tasks would get a work item.")
@click.option("--yes", is_flag=True, help="Do not ask before more than 50 tasks.")
@ending
def backfill(config_path: str | None, since: str | None, limit: int | None, dry_run: bool, yes: bool) -> int:
    """Create work items for routed tasks older than the connection, open ones first; can be stopped and resumed."""
    from reconciler import app
    from reconciler.backfill import backfill as link_old
    from reconciler.backfill import find_old
    from reconciler.cli.looking import moment_of

    settings = app.load(config_path, os.environ)
    first = moment_of(since, "--since", end=False) if since else None

    async def foresee() -> int:
        with app.reading_state(settings) as state:
            app.check_identity(settings, state)
            async with app.connect(settings) as connection:
                found = await find_old(connection, state, since=first, limit=limit)
        for candidate in found:
            tell(f"{candidate.crm_id}  {candidate.title} -> {candidate.target.project} / {candidate.target.group}")
        tell(say("{count} tasks would be linked; nothing was written", count=len(found)))
        return 0

    async def work() -> int:
        with app.writing_state(settings) as store:
            async with app.connect_writing(settings) as (connection, writers):
                found = await find_old(connection, store, since=first, limit=limit)
                if len(found) > ASK_FROM and not yes and sys.stdin.isatty():
                    click.confirm(spoken(say("create work items for {count} tasks?", count=len(found))), abort=True)
                with bar(len(found), "backfill") as progress:
                    linked, result = await link_old(connection, writers, store, found, progress=progress)
        tell(say("{linked} of {count} tasks are linked now", linked=linked, count=len(found)))
        if result is None:
            return 0
        for side, error in result.down.items():
            tell(say("{side} unavailable: {error}; run it again to go on", side=side, error=error), err=True)
        return result.exit_code

    return run(foresee() if dry_run else work())
