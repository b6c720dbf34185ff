"""`demo` and `sandbox`: everything without an account."""

from __future__ import annotations

import click

from reconciler.cli.ending import ending
from reconciler.cli.speaking import tell


@click.command()
@click.option("--once", is_flag=True, help="Exit after the script: 0 if the two sides converged.")
@ending
def demo(once: bool) -> int:
    """Play a working day on a bundled sandbox of both systems and print what flowed where and why."""
    from reconciler.demo import play

    return play(tell, stay=not once)


@click.command()
@click.option("--port", default=8790, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@ending
def sandbox(port: int) -> int:
    """Only the two sandbox systems, over real HTTP, with a page on which tasks of either side can be edited."""
    from reconciler.demo import serve

    return serve(tell, port)
