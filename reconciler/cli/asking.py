"""What a person asks of a connection: done here, or handed to the daemon that holds the connection's lease."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.cli.ending import run
from reconciler.cli.speaking import tell
from reconciler.message import say

if TYPE_CHECKING:
    from reconciler.errors import LeaseHeld
    from reconciler.requests import Request, Said
    from reconciler.settings import Settings


def ask(config_path: str | None, request: Request) -> int:
    """Carry out a request and print what it came to; the same words and exit code whoever carries it out.

    Raises `LeaseHeld` if the lease's holder is no daemon.
    """
    from reconciler import app
    from reconciler.errors import LeaseHeld

    settings = app.load(config_path, os.environ)
    try:
        said = run(_perform(settings, request))
    except LeaseHeld as held:
        said = _hand_over(settings, request, held)
    return print_out(said)


def print_out(said: Said) -> int:
    """Print what a request came to; returns its exit code."""
    for line in said.out:
        tell(line)
    for line in said.err:
        tell(line, err=True)
    return said.exit_code


async def _perform(settings: Settings, request: Request) -> Said:
    from reconciler import app
    from reconciler.requests import Means, Resume, perform

    opened = app.any_state if isinstance(request, Resume) else app.writing_state
    with opened(settings) as store:
        means = Means(
            store=store,
            clock=app.REAL.clock,
            sides=lambda: app.connect_writing(settings),
            identity=app.identity(settings),
            people=settings.people,
        )
        return await perform(request, app.operator(), means)


def _hand_over(settings: Settings, request: Request, held: LeaseHeld) -> Said:
    from reconciler import app
    from reconciler.handing import Unanswered
    from reconciler.handing import ask as hand_over
    from reconciler.requests import parse_said, request_line

    path = app.state_path(settings)
    answer = hand_over(path, request_line(request, app.operator())) if path is not None else None
    if answer is None:
        raise held
    try:
        return parse_said(answer)
    except ValueError:
        raise Unanswered(say("what answered is no daemon of this version")) from None
