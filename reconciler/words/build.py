"""Compiles the catalogues when the package is built (a hatchling build hook), and on request: `python build.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def compile_catalogues(folder: Path) -> list[Path]:
    """Write a `.mo` file beside each `.po` file below `folder`; returns the files written."""
    written = []
    for source in sorted(folder.rglob("*.po")):
        with source.open("rb") as file:
            catalogue = read_po(file, abort_invalid=True)
        target = source.with_suffix(".mo")
        with target.open("wb") as out:
            write_mo(out, catalogue)
        written.append(target)
    return written


class Catalogues(BuildHookInterface):  # type: ignore[type-arg]
    """Part of every build, editable ones too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the package are collected."""
        compile_catalogues(Path(self.root) / "reconciler" / "words")


if __name__ == "__main__":
    compile_catalogues(Path(__file__).parent)
