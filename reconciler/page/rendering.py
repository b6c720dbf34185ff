"""Templates, the stylesheet, and how values look in a language. Everything is escaped; nothing is marked as safe."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from reconciler.core.model import ZONE, Side
from reconciler.message import Translate, into
from reconciler.report.document import PHRASES, address, phrase, shown
from reconciler.report.render import rule_words, span
from reconciler.words import translator

STYLE: Final = (files("reconciler.page") / "page.css").read_bytes()
STYLE_VERSION: Final = hashlib.sha256(STYLE).hexdigest()[:12]
"""Goes into the stylesheet's address, so that browsers may keep it and still never see an old one."""

_ENGLISH: Final = {"crm": "CRM", "work": "Work", **PHRASES}
CODE: Final = re.compile(r"[a-z]+(_[a-z]+)+")


def render(template: str, language: str, values: Mapping[str, Any]) -> str:
    """A page in a language."""
    return _environment(language).get_template(template).render(values)


@cache
def _environment(language: str) -> Environment:
    translate = translator(language)
    environment = Environment(
        loader=PackageLoader("reconciler.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"_": translate, "address": _address, "language": language, "style": STYLE_VERSION}
    environment.filters |= {
        "day": lambda day: "/".join(reversed(day.split("-"))),
        "minute": _minute,
        "second": _second,
        "count": lambda number: _count(number, language),
        "said": lambda text: into(text, translate),
        "shown": partial(_shown, translate),
        "span": lambda seconds: into(span(seconds), translate),
        "rule": lambda rule: into(rule_words(rule), translate),
        "word": lambda code: _word(code, language) if code else "",
    }
    return environment


def _address(pages: Mapping[str, str], side: str, identifier: str | None) -> str | None:
    return address(pages, Side(side), identifier)


def _shown(translate: Translate, value: object, field: str | None = None) -> str:
    return into(shown(value, field), translate)


def _word(code: str, language: str) -> str:
    """One of our codes in words; English has no catalogue, its codes are words already."""
    if language != "en":
        return into(phrase(code), translator(language))
    return _ENGLISH.get(code) or (code.replace("_", " ") if CODE.fullmatch(code) else code)


def _minute(moment: str | None) -> str:
    return _local(moment, "%d/%m/%Y %H:%M")


def _second(moment: str | None) -> str:
    return _local(moment, "%d/%m/%Y %H:%M:%S")


def _local(moment: str | None, form: str) -> str:
    return "-" if moment is None else datetime.fromisoformat(moment).astimezone(ZONE).strftime(form)


def _count(number: int, language: str) -> str:
    grouped = f"{number:,}"
    return grouped.replace(",", ".") if language == "vi" else grouped
