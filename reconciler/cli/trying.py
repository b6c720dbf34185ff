"""`demo` and `sandbox`: everything without an account."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import click

from reconciler.cli.ending import ending
from reconciler.cli.speaking import spoken, tell
from reconciler.message import say


@click.command()
@click.option("--once", is_flag=True, help="Exit after the script: 0 if the two sides converged.")
@ending
def demo(once: bool) -> int:
    """Play a working day on a bundled sandbox of both systems and print what flowed where and why."""
    from reconciler.daemon.log import configure
    from reconciler.demo import play

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:  # what happens is told in sentences, from the journal
        configure(os.environ, stream=nowhere)
        return play(tell, stay=not once)


class _WithFaults(click.Command):
    """A command whose help ends with the faults that can be ordered."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from reconciler.sandbox.orders import KINDS, WHEN, keys_of

        with formatter.section(
            spoken(say("An order is SIDE VERB KIND [key=value ...], such as 'work any status status=503'"))
        ):
            formatter.write_dl(
                [
                    ("SIDE", spoken(say("crm or work"))),
                    ("VERB", spoken(say("the name of a call, such as list or insert-tasks; or read, write, any"))),
                    ("key=value", spoken(WHEN)),
                ]
            )
        with formatter.section(spoken(say("KIND, and the keys of its own"))):
            formatter.write_dl(
                [
                    (kind, spoken(what) + (f": {', '.join(own)}" if (own := keys_of(kind)) else ""))
                    for kind, what in KINDS.items()
                ]
            )


@click.command(cls=_WithFaults)
@click.option("--port", default=8790, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--fault", "faults", metavar="ORDER", multiple=True, help="A fault to rehearse; may be given repeatedly.")
@ending
def sandbox(port: int, faults: tuple[str, ...]) -> int:
    """Only the two sandbox systems, over real HTTP, with a page on which tasks of either side can be edited."""
    from reconciler.demo import serve
    from reconciler.errors import UsageError
    from reconciler.sandbox.orders import WrongOrder

    try:
        return serve(tell, port, faults)
    except WrongOrder as wrong:
        raise UsageError(say("--fault {wrong}; `reconciler sandbox --help` lists the faults", wrong=wrong)) from wrong
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise UsageError(
            say("--port {port} is in use; choose another one, or 0 for any that is free", port=port)
        ) from error
