"""The command line: parse, call `app`, turn errors into exit codes. Commands import what they need when they run."""

from __future__ import annotations

import click

from reconciler import __version__
from reconciler.cli.auditing import checkpoint, erase, export, inventory, verify
from reconciler.cli.backfilling import backfill
from reconciler.cli.cycles import once, rebuild
from reconciler.cli.looking import backup, check, config, history, status, targets, why
from reconciler.cli.notifying import notify
from reconciler.cli.pairs import link, retry, unlink
from reconciler.cli.plans import apply, plan
from reconciler.cli.reporting import report
from reconciler.cli.running import daemon
from reconciler.cli.speaking import HELP_OPTIONS, Speaking, everything, language_option
from reconciler.cli.steering import ack, pause, restore, resume, revert
from reconciler.cli.trying import demo, sandbox


@click.group(cls=Speaking, context_settings={"help_option_names": HELP_OPTIONS, "max_content_width": 100})
@click.version_option(__version__, prog_name="reconciler")
def main() -> None:
    """Keep tasks of MISA AMIS Bán hàng and MISA AMIS Công việc equal, in both directions.

    Exit codes: 0 done, 2 usage or config, 3 changes are pending (report --exit-code), 4 items wait for a person,
    5 halted, 6 a side was unavailable, 7 another process holds the lease, 1 a bug.
    """


COMMANDS = (
    *(demo, sandbox),
    *(daemon, once, report, plan, apply, backfill, rebuild),
    *(link, unlink, retry, ack, restore, revert, pause, resume),
    *(targets, status, history, why, backup, check, notify, config),
    *(verify, checkpoint, export, erase, inventory),
)
for command in COMMANDS:
    main.add_command(command)
for command in everything(main):
    language_option(command)
