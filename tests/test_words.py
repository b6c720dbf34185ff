"""Both languages: every sentence for a person has a translation with the same values, compiled and shipped."""

from __future__ import annotations

import ast
import enum
import importlib.resources
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from reconciler.cli import main
from reconciler.cli.speaking import everything, helped
from reconciler.core import model
from reconciler.core.observe import Landed
from reconciler.report.columns import COUNTED
from reconciler.report.document import PHRASES
from reconciler.report.period import ROWS
from reconciler.report.summary import CANDIDATES
from reconciler.settings import Settings
from reconciler.words import DOMAIN, FOLDER, preferred, translator

PACKAGE = Path(str(importlib.resources.files("reconciler")))
SOURCE = FOLDER / "vi" / "LC_MESSAGES" / f"{DOMAIN}.po"
SPOKEN = (model.Side, model.Field, model.Presence, model.Code)
SAYING = {"say", "word", "_", "translate"}
CODES = {"kind", "reason", "outcome"}
"""Arguments of journal entries, halts and cycles that hold codes which reports say in words."""
ENTRIES = {"entry", "_entry"}
"""What makes a journal entry from its kind, given in place."""
SAME = re.compile(r"[^A-Za-z]*(\{\w+\}[^A-Za-z]*)*")
"""Patterns without a word of their own need no translation."""


def literals(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be: a literal, or one of two."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp():
            yield from literals(node.body)
            yield from literals(node.orelse)
        case _:
            pass


def sentences_of_code() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        if "migrations" in path.parts or ("sandbox" in path.parts and path.name != "orders.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in SAYING and node.args:
                yield from literals(node.args[0])
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ENTRIES:
                yield from (text for given in node.args for text in literals(given))
            for given in node.keywords:
                if given.arg in CODES:
                    yield from literals(given.value)


def sentences_of_templates() -> Iterator[str]:
    for path in PACKAGE.rglob("*.html"):
        yield from re.findall(r'_\("((?:[^"\\]|\\.)*)"\)', path.read_text(encoding="utf-8"))


def sentences_of_help() -> Iterator[str]:
    for command in everything(main):
        for place, name in helped(command):
            yield getattr(place, name)


def sentences_of_names() -> Iterator[str]:
    for names in SPOKEN:
        yield from (member.value for member in names)
    yield from model_words()
    for section in Settings.model_fields.values():
        inner: Any = section.annotation
        for info in getattr(inner, "model_fields", {}).values():
            if info.is_required() and info.description:
                yield info.description


def model_words() -> Iterator[str]:
    """Names that the reports count pairs and cycles under."""
    yield from ("linked", "equal", "accepted", "pending", "held", "set_aside", "frozen", "attention")
    yield from ("ok", "halted", "unavailable", "failed", "salesperson", "project_lead", "administrator")
    yield from ("changed_on_crm", "changed_on_work", "newer", "tie", "no_clock", "no_base", "one_directional")
    yield from ("create", "update", "delete", "unlink", "absent", "deleted", "deleted_elsewhere", "unchanged")
    yield from (
        "propagated",
        "delete_refused",
        "limit",
        "still_held",
        "emptied_side",
        "unproven",
        "other_tenant",
        "old_state",
        "new_state",
    )
    yield from ("operations", "updated_crm", "updated_work", "deleted_crm", "deleted_work", "left", "left_out")
    yield from ("missed", "unstamped", "running", *ROWS, "excluded", "waiting")
    yield from ("link", "text", "update_crm", "update_work", "no_outcome", "restored")
    yield from (f"would_{name}" for name in ("create", "update_work", "update_crm", "delete", "unlink"))
    yield from (landed.value for landed in Landed)
    yield from (name for name in (*COUNTED, *CANDIDATES) if name not in PHRASES)


def wanted() -> set[str]:
    found = {*sentences_of_code(), *sentences_of_templates(), *sentences_of_help(), *sentences_of_names()}
    return {text for text in found if text.strip() and not SAME.fullmatch(text)}


def catalogue() -> Catalog:
    with SOURCE.open("rb") as file:
        return read_po(file, abort_invalid=True)


def translations() -> dict[str, str]:
    return {str(one.id): str(one.string) for one in catalogue() if one.id}


def fields(pattern: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}


@cache
def clicks_own() -> set[str]:
    """The sentences of the command-line library that a person can meet."""
    folder = Path(click.__file__).parent
    return {one for row in extract_from_dir(folder, [("**.py", "python")]) for one in [row[2]] if isinstance(one, str)}


@pytest.fixture(autouse=True)
def english() -> None:
    """Help may have been said in another language by another test."""
    from click.testing import CliRunner

    CliRunner(env={"LC_ALL": "C"}).invoke(main, ["--version"])


def test_every_sentence_is_translated() -> None:
    assert sorted(wanted() - translations().keys()) == []
    assert [text for text, said in translations().items() if not said.strip()] == []


def test_the_catalogue_holds_nothing_that_nobody_says() -> None:
    assert sorted(translations().keys() - wanted() - clicks_own()) == []
    assert [str(one.id) for one in catalogue() if one.fuzzy and one.id] == []


def test_a_translation_has_the_same_values_and_the_same_space_around_it() -> None:
    for text, said in translations().items():
        if text in clicks_own():
            continue
        assert fields(text) == fields(said), text
        assert (text[: len(text) - len(text.lstrip())], text.endswith("\n")) == (
            said[: len(said) - len(said.lstrip())],
            said.endswith("\n"),
        ), text


def test_the_words_of_the_vendor_are_used() -> None:
    """MISA says Thêm, Sửa, Xóa, Xuất khẩu; the two sides are "bên Bán hàng" and "bên Công việc"."""
    assert translator("vi")("crm") == "bên Bán hàng"
    assert translator("vi")("work") == "bên Công việc"
    assert [translator("vi")(kind) for kind in ("create", "update", "delete")] == ["thêm", "sửa", "xóa"]
    assert [said for said in translations().values() if "tạo mới" in said or "cập nhật" in said] == []


def test_the_compiled_catalogue_is_the_one_in_the_source() -> None:
    with SOURCE.with_suffix(".mo").open("rb") as file:
        compiled = {str(one.id): str(one.string) for one in read_mo(file) if one.id}
    assert compiled == translations()


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "vi"}, "vi"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "vi_VN.UTF-8"}, "en"),
        ({"LC_MESSAGES": "vi_VN", "LANG": "en_US"}, "vi"),
        ({"LC_ALL": "", "LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "vie_XX"}, "en"),
    ],
)
def test_the_language_follows_the_environment(environ: dict[str, str], language: str) -> None:
    assert preferred(environ) == language


def test_every_command_says_its_help_in_both_languages() -> None:
    from click.testing import CliRunner

    for command in ((), *((one.name,) for one in main.commands.values() if one.name)):
        english = CliRunner(env={"LC_ALL": "C"}).invoke(main, [*command, "--help"]).stdout
        vietnamese = CliRunner(env={"LC_ALL": "vi_VN.UTF-8"}).invoke(main, [*command, "--help"]).stdout
        assert english.startswith("Usage:"), command
        assert vietnamese.startswith("Cách dùng:"), command
        assert "Show this message" in english
        assert "Show this message" not in vietnamese
        asked = CliRunner(env={"LC_ALL": "C"}).invoke(main, [*command, "--lang", "vi", "--help"]).stdout
        assert asked == vietnamese, command


def test_enumerations_are_said_in_words() -> None:
    for names in SPOKEN:
        assert issubclass(names, enum.Enum)
        for member in names:
            assert translator("vi")(member.value) != member.value
