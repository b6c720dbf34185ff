"""`verify`, `checkpoint`, `export`, `erase` and `inventory`: the journal proves itself, and forgets what it should."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.asking import ask
from reconciler.cli.ending import config_option, ending
from reconciler.cli.progress import bar
from reconciler.cli.speaking import document, spoken, tell
from reconciler.message import say

if TYPE_CHECKING:
    from reconciler.audit.verifying import Findings, Trust, Witness
    from reconciler.settings import Settings

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", required=False, type=FILE)
@config_option
@click.option("--key", metavar="FILE|KEY", help="The public key that the checkpoints must be signed with.")
@click.option("--checkpoint", "kept", multiple=True, type=FILE, help="A checkpoint that was kept elsewhere.")
@ending
def verify(bundle: Path | None, config_path: str | None, key: str | None, kept: tuple[Path, ...]) -> int:
    """Check the journal, or a BUNDLE offline: the first bad entry (ends with 1), or what is and is not proven."""
    from reconciler.audit.verifying import proven, unproven

    trust = _given(key) if key else None
    witnesses = [_witness(file) for file in kept]
    found = _examine_bundle(bundle, trust, witnesses) if bundle else _examine_state(config_path, trust, witnesses)
    if found.fault is not None:
        tell(say("the journal is not intact: {fault}", fault=found.fault), err=True)
        return 1
    for line in (*proven(found), *unproven(found)):
        tell(line)
    return 0


def _examine_state(config_path: str | None, trust: Trust | None, witnesses: list[Witness]) -> Findings:
    from reconciler import app
    from reconciler.audit.verifying import Piece, Witness, examine

    settings = app.load(config_path, os.environ)
    with app.reading_state(settings) as state, bar("verify", state.head()[0]) as progress:
        own = [Witness(one.document, one.signature) for one in state.checkpoints()]
        return examine(Piece(state.chain()), [*own, *witnesses], trust or _own(settings), progress)


def _examine_bundle(bundle: Path, trust: Trust | None, witnesses: list[Witness]) -> Findings:
    from reconciler.audit.bundle import open_bundle
    from reconciler.audit.verifying import examine

    with open_bundle(bundle) as opened:
        count = opened.manifest.last - opened.manifest.first + 1
        with bar("verify", max(count, 0)) as progress:
            return examine(opened.piece, [*opened.witnesses, *witnesses], trust or opened.trust, progress)


def _own(settings: Settings) -> Trust | None:
    """The public half of the configured key: what was signed here."""
    from reconciler import minisign
    from reconciler.audit.verifying import Trust

    secret = settings.journal.signing_key.get_secret_value()
    return Trust(minisign.secret_key(secret).public, given=False) if secret else None


def _given(key: str) -> Trust:
    """The key in a file, or written out as minisign's -P takes it."""
    from reconciler import minisign
    from reconciler.audit.verifying import Trust

    try:
        text = Path(key).read_text(encoding="utf-8") if Path(key).is_file() else key
        return Trust(minisign.public_key(text), given=True)
    except (OSError, ValueError):
        words = say("{key} is no minisign public key and no file with one", key=key)
        raise click.BadParameter(spoken(words), param_hint="--key") from None


def _witness(file: Path) -> Witness:
    from reconciler.audit.verifying import Witness
    from reconciler.errors import UsageError

    signature = file.with_name(f"{file.name}.minisig")
    try:
        signed = signature.read_text(encoding="utf-8") if signature.exists() else None
        return Witness(file.read_text(encoding="utf-8"), signed, kept=True)
    except (OSError, UnicodeDecodeError):
        raise UsageError(say("the checkpoint {file} cannot be read", file=file)) from None


@click.command()
@config_option
@click.option("--output", type=FILE, help="Write it to FILE, and its signature to FILE.minisig.")
@ending
def checkpoint(config_path: str | None, output: Path | None) -> int:
    """Say how far the journal goes, signed if [journal] has a key. Keep it elsewhere, for `verify --checkpoint`."""
    from reconciler import app, minisign
    from reconciler.audit.checkpoint import now_of
    from reconciler.cli.reporting import write_private

    settings = app.load(config_path, os.environ)
    with app.reading_state(settings) as state:
        statement = now_of(state, settings.connection.name, app.REAL.clock.now())
    secret = settings.journal.signing_key.get_secret_value()
    if output is None:
        click.echo(statement.text(), nl=False)
    else:
        write_private(output, [statement.text().encode()])
        tell(say("written to {output}", output=output), err=True)
        if secret:
            signed = statement.signed(minisign.secret_key(secret)).text()
            write_private(output.with_name(f"{output.name}.minisig"), [signed.encode()])
    if not secret:
        tell(say("not signed: [journal] names no signing_key_file"), err=True)
    return 0


@click.command()
@config_option
@click.option("--since", metavar="D", help="From this day or moment on (Asia/Ho_Chi_Minh unless it names a zone).")
@click.option("--until", metavar="D", help="Up to this day (included) or moment.")
@click.option("--output", required=True, type=FILE, help="A new folder, or a new file that ends in .zip.")
@click.option("--without-personal", is_flag=True, help="Leave out names and values; the chain can still be checked.")
@ending
def export(config_path: str | None, since: str | None, until: str | None, output: Path, without_personal: bool) -> int:
    """Write a period of the journal as a bundle that anybody can read and check offline with `verify BUNDLE`."""
    from reconciler import app
    from reconciler.audit.exporting import export_bundle
    from reconciler.cli.looking import moment_of

    settings = app.load(config_path, os.environ)
    first = moment_of(since, "--since", end=False) if since else None
    last = moment_of(until, "--until", end=True) if until else None
    trust = _own(settings)
    with app.reading_state(settings) as state:
        start, end = state.span(first, last)
        with bar("export", end - start + 1) as progress:
            count = export_bundle(
                state,
                output,
                connection=settings.connection.name,
                config=settings.fingerprint(),
                key=trust.key if trust else None,
                since=first,
                until=last,
                personal=not without_personal,
                made_at=app.REAL.clock.now(),
                translate=document(settings.connection.language),
                progress=progress,
            )
    tell(say("{count} entries are written to {output}", count=count, output=output), err=True)
    return 0


@click.command()
@config_option
@click.option("--task", help="What the journal says about this CRM task and its work items.")
@click.option("--item", help="What it says about this work item and its CRM tasks.")
@click.option("--person", metavar="WHO", help="Every entry that names this person: employee code, name or e-mail.")
@click.option("--reason", help="Why; kept in the journal.")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased and what would stay.")
@ending
def erase(
    config_path: str | None, task: str | None, item: str | None, person: str | None, reason: str | None, dry_run: bool
) -> int:
    """Destroy personal values in the journal for good. The chain holds; linked pairs keep their present values."""
    from reconciler.audit.erasing import Subject, find, others
    from reconciler.requests import Erase

    subject = Subject(task=task, item=item, person=person)
    if dry_run:
        from reconciler import app

        settings = app.load(config_path, os.environ)
        with app.reading_state(settings) as state:
            found = find(state, replace(subject, people=settings.people))
        tell(say("the values of {count} journal entries would be erased; nothing was", count=len(found.entries)))
        for line in others(found):
            tell(line)
        return 0
    if not reason:
        raise click.UsageError(spoken(say("give --reason")))
    return ask(config_path, Erase(task=task, item=item, person=person, reason=reason))


@click.command()
def inventory() -> None:
    """What the state keeps about people and their tasks, where, and until when."""
    from reconciler.audit.inventory import lines

    for line in lines():
        tell(line)
