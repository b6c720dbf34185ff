"""A few tests, run by pytest within this process, with or without a mutant in the product."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.mutants.mutant import Mutant

ALONE: Final = ("-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--timeout=0", "-q")
"""What a run inside of another one must leave to the outer one."""

MISHAPS: Final = (NameError, TypeError, AttributeError, ImportError)
"""What a carelessly written mutant ends with; no test has noticed anything then."""


@dataclass(slots=True)
class Trial:
    """What became of each test, by node id: how it failed, or nothing. `mishaps` say what broke besides."""

    mutant: Mutant | None = None
    outcomes: dict[str, str] = field(default_factory=dict)
    mishaps: list[str] = field(default_factory=list)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        with nullcontext() if self.mutant is None else self.mutant.applied():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        if call.when == "call":
            self.outcomes[item.nodeid] = "" if call.excinfo is None else call.excinfo.typename
        if call.excinfo is not None and (call.when != "call" or call.excinfo.errisinstance(MISHAPS)):
            self.mishaps.append(f"{item.nodeid}: {call.excinfo.exconly()}")
        return (yield)

    def passed(self, node: str) -> bool:
        """Whether everything that the node id stands for was run and passed."""
        found = [
            how for each, how in self.outcomes.items() if each == node or each.startswith((f"{node}[", f"{node}::"))
        ]
        return found != [] and not any(found)


def run(nodes: Iterable[str], mutant: Mutant | None = None) -> Trial:
    """Run the tests of these node ids. Raises `AssertionError` with pytest's own words if one cannot be run at all."""
    trial, said = Trial(mutant), io.StringIO()
    with redirect_stdout(said):
        code = pytest.main([*ALONE, *nodes], plugins=[trial])
    assert code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), said.getvalue()
    return trial
