"""How every command ends: an error becomes one message and an exit code; anything else is a bug with a traceback."""

from __future__ import annotations

import asyncio
import functools
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import click

from reconciler.cli.speaking import tell
from reconciler.message import say

P = ParamSpec("P")
T = TypeVar("T")

config_option = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    help="Config file; default /etc/reconciler/reconciler.toml, else config/reconciler.toml.",
)


def ending(command: Callable[P, int]) -> Callable[P, None]:
    """Run a command that returns its exit code, and end the process with it."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        from reconciler.errors import ReconcilerError

        try:
            code = command(*args, **kwargs)
        except ReconcilerError as error:
            for words in error.sentences:
                tell(say("reconciler: {words}", words=words), err=True)
            code = error.exit_code
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            code = 130
        except Exception:  # a bug: nothing is lost, the state is transactional
            tell(say("reconciler: unexpected failure; nothing is lost. Please report this:"), err=True)
            traceback.print_exc(file=sys.stderr)
            code = 1
        sys.exit(code)

    return wrapped


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run an asynchronous command to its end."""
    return asyncio.run(work)
