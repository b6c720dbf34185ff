"""`notify`: by which ways notices leave this machine, and a test of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.speaking import tell
from reconciler.message import say

if TYPE_CHECKING:
    from reconciler.settings import Settings


@click.command()
@config_option
@click.option("--test", is_flag=True, help="Send one test notice by every way.")
@ending
def notify(config_path: str | None, test: bool) -> int:
    """Show by which ways notices leave this machine; with --test, send one. Ends with 6 if a way fails."""
    from reconciler import app

    settings = app.load(config_path, os.environ)
    describe(settings)
    return run(_try(settings)) if test else 0


def describe(settings: Settings) -> None:
    """Say by which ways notices leave, and when the digest comes. Sends nothing, shows no secret."""
    from urllib.parse import urlsplit

    given = settings.notify
    if given.smtp:
        tell(say("notify: mail to {count} addresses through {server}", count=len(given.to), server=given.smtp))
    if address := given.webhook.get_secret_value():
        tell(say("notify: webhook at {host}", host=urlsplit(address).hostname))
    if not given.smtp and not address:
        tell(say("notify: nothing leaves this machine; see [notify]"))
    elif given.digest:
        tell(say("notify: the digest comes at {hour} (Asia/Ho_Chi_Minh)", hour=given.digest))


async def _try(settings: Settings) -> int:
    from reconciler import app
    from reconciler.notify.courier import once
    from reconciler.notify.notice import Notice

    now, name = app.REAL.clock.now(), settings.connection.name
    notice = Notice(topic="test", connection=name, at=now, subject=say("a test: notices arrive"))
    code = 0
    for way in app.ways(settings):
        error = await once(way, notice)
        if error is None:
            tell(say("{way}: sent", way=way.name))
        else:
            tell(say("{way}: failed ({kind}): {error}", way=way.name, kind=type(error).__name__, error=error), err=True)
            code = 6
    return code
