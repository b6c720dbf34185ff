"""`report`: the dry run, or what really happened in a period; and files that only their owner can read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.ending import config_option, ending, run
from reconciler.cli.looking import moment_of
from reconciler.cli.progress import bar
from reconciler.cli.speaking import document, spoken, tell, translate
from reconciler.message import say

if TYPE_CHECKING:
    from reconciler.ports import StateReader
    from reconciler.report.document import Document
    from reconciler.report.mask import Mask
    from reconciler.report.period import Period
    from reconciler.report.summary import Integrity
    from reconciler.settings import Settings

FORMS = ("text", "json", "csv", "html", "xlsx")


@click.command()
@config_option
@click.option("--format", "kind", type=click.Choice(FORMS), default="text", help="Form of the report.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file (mode 0600).")
@click.option("--exit-code", is_flag=True, help="End with 3 if changes are pending.")
@click.option("--period", metavar="P", help="What happened in this month (2026-03), year or day, instead of a dry run.")
@click.option("--since", metavar="D", help="What happened from this day or moment on.")
@click.option("--until", metavar="D", help="Up to this day (included) or moment; default: now.")
@click.option("--sample", type=click.IntRange(min=0), default=0, help="Draw so many changes, to be checked by hand.")
@click.option("--seed", type=int, default=0, help="The same seed draws the same sample.")
@click.option(
    "--mask", "masked", is_flag=True, help="Pseudonyms for titles, descriptions and people; no typed reasons."
)
@ending
def report(
    config_path: str | None,
    kind: str,
    output: Path | None,
    exit_code: bool,
    period: str | None,
    since: str | None,
    until: str | None,
    sample: int,
    seed: int,
    masked: bool,
) -> int:
    """Dry run for auditors: what `once` would do now and why. Writes nothing to either system, nor to the state.

    With --period, or --since and --until: what really happened then, from the journal.
    """
    from reconciler import app
    from reconciler.report.mask import Mask

    if kind == "xlsx" and output is None and sys.stdout.isatty():
        raise click.UsageError(spoken(say("a workbook needs a file: give --output FILE")))
    settings = app.load(config_path, os.environ)
    mask = Mask(os.urandom(32)) if masked else None
    asked = _period(period, since, until)
    if asked is None:
        if sample:
            raise click.UsageError(spoken(say("--sample is for a period: give --period or --since")))
        return run(_dry(settings, kind, output, exit_code, mask))
    from reconciler.report.period_document import Question

    return _of_period(settings, kind, output, Question(period=asked, sample=sample, seed=seed, mask=mask))


def _period(period: str | None, since: str | None, until: str | None) -> Period | None:
    """The period that the options name; None for a dry run."""
    from reconciler import app
    from reconciler.report.period import Period, month

    if period is not None:
        if since or until:
            raise click.UsageError(spoken(say("give either --period, or --since and --until")))
        try:
            return month(period)
        except ValueError:
            wrong = say("{given} is no period; write 2026-03, 2026 or 2026-03-02", given=repr(period))
            raise click.BadParameter(spoken(wrong), param_hint="--period") from None
    if since is None:
        if until is not None:
            raise click.UsageError(spoken(say("--until needs --since")))
        return None
    first = moment_of(since, "--since", end=False)
    last = moment_of(until, "--until", end=True) if until else app.REAL.clock.now()
    if last <= first:
        raise click.UsageError(spoken(say("the period ends before it begins")))
    return Period(since=first, until=last)


async def _dry(settings: Settings, kind: str, output: Path | None, exit_code: bool, mask: Mask | None) -> int:
    from reconciler import app
    from reconciler.dryrun import dry_run
    from reconciler.report.dry_document import dry_document
    from reconciler.report.fidelity import fidelity
    from reconciler.report.render import as_json
    from reconciler.report.summary import LATELY

    with app.reading_state(settings) as state:
        app.check_identity(settings, state)
        async with app.connect(settings) as connection:
            data = await dry_run(connection, state)
        shown = mask.dry(data) if mask else data
        if kind == "json":
            _deliver([as_json(shown, translate()).encode()], output)
            return report_code(data, exit_code)
        kept = fidelity(state.journal(since=app.REAL.clock.now() - LATELY))
        _write(
            dry_document(shown, fidelity=kept, integrity=_integrity(state)),
            kind,
            settings,
            output,
            sum(len(one["fields"]) or 1 for one in data["operations"]),
        )
    return report_code(data, exit_code)


def _integrity(state: StateReader) -> Integrity:
    """The journal's chain, checked now."""
    from reconciler.report.summary import Integrity
    from reconciler.store import verify

    fault = verify(state)
    return Integrity(state.head()[0], "" if fault is None else str(fault))


def _of_period(settings: Settings, kind: str, output: Path | None, question: Any) -> int:
    from reconciler import app
    from reconciler.report.period_document import answer, answer_json, period_document

    with app.reading_state(settings) as state:
        given = answer(
            state,
            question,
            name=settings.connection.name,
            config=settings.fingerprint(),
            generated_at=app.REAL.clock.now(),
            pages=app.pages(settings),
        )
        if kind == "json":
            _deliver((piece.encode() for piece in answer_json(given, translate())), output)
        else:
            rows = given.data["rows"]
            total = sum(number for name, number in rows.items() if name != "entries")
            _write(period_document(given, integrity=_integrity(state)), kind, settings, output, total)
    return 0


def _write(made: Document, kind: str, settings: Settings, output: Path | None, total: int) -> None:
    """Write a document in its language, with a progress bar of its rows."""
    from reconciler.report.formats import FORMATS

    speech = translate() if kind == "text" else document(settings.connection.language)
    with bar("report", total if output is not None else 0) as progress:

        def counted() -> Iterable[bytes]:
            for piece in FORMATS[kind](made, speech):
                progress(min(made.footing.rows, total))
                yield piece

        _deliver(counted(), output)


def _deliver(pieces: Iterable[bytes], output: Path | None) -> None:
    """To a file, or to the standard output."""
    if output is None:
        for piece in pieces:
            click.echo(piece, nl=False)
        return
    write_private(output, pieces)
    tell(say("written to {output}", output=output), err=True)


def report_code(data: dict[str, Any], exit_code: bool) -> int:
    """The exit code of a dry run; `exit_code` asks for 3 where changes are pending."""
    if data["halted"]:
        return 5
    if data["unavailable"]:
        return 6
    if exit_code and data["operations"]:
        return 3
    return 4 if data["attention"] else 0


def write_private(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that only its owner can read, whole or not at all; a symbolic link is replaced, not followed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
