"""One rule broken: a few words of one function of the product are replaced while a test runs, and only then.

Nothing in the product knows of this. The changed function is made from the present source, so a mutant that no longer
fits it says so instead of passing for another.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import Any

PRODUCT = "reconciler"
POSTPONED = "from __future__ import annotations\n"
READERS = (PRODUCT, "tests")
"""Packages whose modules may have imported what a mutant changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`place` is "module:function" or "module:Class.method", below `reconciler`; `old` occurs in it exactly once.

    `rule` says what the words in place of `old` give up. `killers` are pytest node ids; each of them must fail.
    """

    name: str
    rule: str
    place: str
    old: str
    new: str
    killers: tuple[str, ...]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The product with this rule broken, wherever it has imported the function. Raises `Unfit`."""
        module_name, _, path = self.place.partition(":")
        module = import_module(f"{PRODUCT}.{module_name}")
        *owners, name = path.split(".")
        owner = reduce(getattr, owners, module)
        original = vars(owner)[name]
        changed = self._changed(original, vars(module), name)
        holders = [(owner, name)] if owners else _holders(original)
        for holder, known_as in holders:
            setattr(holder, known_as, changed)
        try:
            yield
        finally:
            for holder, known_as in holders:
                setattr(holder, known_as, original)

    def _changed(self, original: Any, names: dict[str, Any], name: str) -> Any:
        function: Any = original.fget if isinstance(original, property) else original
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(self.old) != 1:
            raise Unfit(f"{self.name}: {self.place} holds {self.old!r} {source.count(self.old)} times, not once")
        broken = POSTPONED + source.replace(self.old, self.new)
        code = compile(broken, f"<{self.name}>", "exec", dont_inherit=True)
        made: dict[str, Any] = {}
        exec(code, names, made)
        return made[name]


class Unfit(Exception):
    """The function that a mutant changes does not read as it did when the mutant was written."""


def _holders(original: Any) -> list[tuple[Any, str]]:
    """Every name in the loaded product and its tests that stands for this function."""
    return [
        (module, name)
        for path, module in list(sys.modules.items())
        if path.partition(".")[0] in READERS
        for name, value in list(vars(module).items())
        if value is original
    ]
