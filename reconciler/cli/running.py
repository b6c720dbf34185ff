"""`run`: the daemon."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path

import click

from reconciler.cli.ending import ending, run


@click.command("run")
@click.option(
    "--config",
    "config_paths",
    metavar="PATH",
    multiple=True,
    help="Config file, or folder of .toml files, each one connection; may be repeated.",
)
@click.option("--verbose", is_flag=True, help="Log debug lines too; they may hold what servers say about records.")
@ending
def daemon(config_paths: tuple[str, ...], verbose: bool) -> int:
    """Keep the connections in step until SIGTERM or Ctrl-C; SIGHUP or an edit of a config file reloads it."""
    from reconciler import app
    from reconciler.daemon.log import configure
    from reconciler.daemon.running import Daemon

    faulthandler.enable()  # the watchdog's SIGABRT then says in the log where the program hung
    configure(os.environ, verbose=verbose)
    paths = [Path(path) for path in config_paths] or [app.default_config(None)]
    return run(Daemon(paths, os.environ).run())
