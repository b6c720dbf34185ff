"""The language of the command line, help included: `--lang`, else LC_ALL, LC_MESSAGES or LANG, else English."""

from __future__ import annotations

import gettext
import os
import sys
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from itertools import pairwise
from typing import Any, Final

import click

from reconciler.message import Translate, into
from reconciler.words import DOMAIN, FOLDER, LANGUAGES, preferred, translator

HELP_OPTIONS: Final = ["-h", "--help"]
_HELP: Final = ("help", "short_help", "epilog")
_english: dict[tuple[int, str], str] = {}
_chosen = "en"
_asked: str | None = None


class Speaking(click.Group):
    """A group that says its help, its errors and everything that is told in the language of the person who runs it."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Choose the language before anything is parsed, since parsing can fail with words."""
        given = list(sys.argv[1:] if args is None else args)
        _choose(self, given)
        return super().main(given, *rest, **options)


def tell(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a sentence in the chosen language, or any other text as it is."""
    click.echo(spoken(text), err=err, nl=nl)


def spoken(text: str) -> str:
    """A sentence in the chosen language."""
    return into(text, translate())


def translate() -> Translate:
    """What translates into the chosen language."""
    return translator(_chosen)


def document(language: str) -> Translate:
    """What translates a document: `--lang` if it was given, else the connection's `language`."""
    return translator(_asked or language)


def language_option(command: click.Command) -> None:
    """Let a command take `--lang`; it has been obeyed before anything is parsed."""
    command.params.append(
        click.Option(
            ["--lang"],
            type=click.Choice(LANGUAGES),
            expose_value=False,
            help="Language; default: LC_ALL, LC_MESSAGES or LANG, else English.",
        )
    )


def everything(command: click.Command) -> Iterator[click.Command]:
    """A command and all commands below it."""
    yield command
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from everything(below)


def helped(command: click.Command) -> Iterator[tuple[Any, str]]:
    """The places of a command that hold help for a person: objects and the names of their attributes."""
    for place in (command, *command.get_params(click.Context(command, help_option_names=HELP_OPTIONS))):
        yield from ((place, name) for name in _HELP if getattr(place, name, None))


def _choose(group: click.Group, args: Sequence[str]) -> None:
    global _asked, _chosen
    named = [after for before, after in pairwise(args) if before == "--lang"]
    named += [one.partition("=")[2] for one in args if one.startswith("--lang=")]
    _asked = next((one for one in reversed(named) if one in LANGUAGES), None)
    _chosen = _asked or preferred(os.environ)
    places = [(place, name) for command in everything(group) for place, name in helped(command)]
    for place, name in places:
        _english.setdefault((id(place), name), cleandoc(getattr(place, name)))
        setattr(place, name, translate()(_english[id(place), name]))
    os.environ["LANGUAGE"] = _chosen  # for click's own words, which it takes from gettext's domain
    gettext.bindtextdomain(DOMAIN, str(FOLDER))
    gettext.textdomain(DOMAIN)
