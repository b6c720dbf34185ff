"""The two languages: which one to speak, and the catalogues that say our sentences in it.

Sources hold English sentences; `vi/LC_MESSAGES/reconciler.po` says each in Vietnamese and is compiled when the package
is built (`build.py`). A sentence without a translation stays English, which a test makes impossible.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("vi", "en")
DOMAIN: Final = "reconciler"
FOLDER: Final = Path(__file__).parent


def preferred(environ: Mapping[str, str]) -> str:
    """The language of the first of LC_ALL, LC_MESSAGES and LANG that is set, if it is Vietnamese; else English."""
    chosen = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "vi" if chosen.lower().split(".")[0].split("_")[0] == "vi" else "en"


@cache
def translator(language: str) -> Callable[[str], str]:
    """What says an English sentence in `language` ("vi" or "en"); an unknown sentence stays as it is."""
    return gettext.translation(DOMAIN, str(FOLDER), [language], fallback=True).gettext
