"""`python -m tests.mutants.mechanical [--share S] [--seed N] [--jobs J] [module ..]`: the core's code, changed blindly.

Comparisons, conditions, signs and constants of the modules of `reconciler.core` that decide (diff, plan, watermark,
creates, lenses) are changed one at a time, and the core's tests are run, then the stories. Whatever no test notices is
printed with its line; the last line is `N passed, M failed`, where a mutant passes if it was noticed. The exit code is
1 if fewer than nine in ten were: the rest is for a person to look at, because some changes change nothing.
"""

from __future__ import annotations

import argparse
import ast
import io
import multiprocessing
import os
import random
import signal
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
CORE: Final = ROOT / "reconciler" / "core"
DECIDING: Final = ("merge", "resolve", "plan", "watermark", "creation", "pair", "seed", "observe", "lenses", "safety")
TESTS: Final = (("tests/core",), ("tests/stories",))
"""What is asked whether it notices, the quick ones first."""
QUIET: Final = ("-x", "-q", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider")
PATIENCE: Final = 900
"""Seconds after which a mutant that makes the tests run for ever counts as noticed."""
ENOUGH: Final = 0.9

COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
SIGNS: Final[dict[type[ast.operator], type[ast.operator]]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """The n-th place of a module of the core at which code can be changed."""

    module: str
    number: int


def variants(tree: ast.Module) -> Iterator[tuple[ast.AST, str, object]]:
    """Every change to a tree: the node, its attribute and what that would be. How a class is decorated says
    nothing about what it does."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    spared = {id(part) for one in classes for word in one.decorator_list for part in ast.walk(word)}
    for node in ast.walk(tree):
        match node:
            case _ if id(node) in spared:
                continue
            case ast.Compare(ops=[op]):
                yield node, "ops", [COMPARED[type(op)]()]
            case ast.BoolOp(op=op):
                yield node, "op", ast.Or() if isinstance(op, ast.And) else ast.And()
            case ast.BinOp(op=op) if type(op) in SIGNS:
                yield node, "op", SIGNS[type(op)]()
            case ast.If(test=test) | ast.IfExp(test=test):
                yield node, "test", ast.UnaryOp(op=ast.Not(), operand=test)
            case ast.Constant(value=bool(value)):
                yield node, "value", not value
            case ast.Constant(value=int(value)):
                yield node, "value", value + 1


def changed(change: Change) -> tuple[ast.Module, str]:
    """The module with this change, and a line that says which it is."""
    tree = ast.parse((CORE / f"{change.module}.py").read_text(encoding="utf-8"))
    node, name, new = list(variants(tree))[change.number]
    before = ast.unparse(node)
    setattr(node, name, new)
    ast.fix_missing_locations(tree)
    line = getattr(node, "lineno", 0)
    return tree, f"{change.module}.py:{line}: {before[:100]}  ->  {ast.unparse(node)[:100]}"


def noticed(change: Change) -> tuple[Change, bool]:
    """Whether a test fails once the product is imported with this change; to be called in a process of its own."""
    signal.alarm(PATIENCE)
    name = f"reconciler.core.{change.module}"
    assert not any(loaded.startswith("reconciler") for loaded in sys.modules)
    __import__("reconciler.core")
    tree, _ = changed(change)
    module = types.ModuleType(name)
    module.__file__ = str(CORE / f"{change.module}.py")
    sys.modules[name] = module
    os.chdir(ROOT)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            exec(compile(tree, module.__file__, "exec", dont_inherit=True), vars(module))
        except Exception:  # whatever it is: a module that cannot be imported is noticed
            return change, True
        setattr(sys.modules["reconciler.core"], change.module, module)
        return change, any(pytest.main([*QUIET, *nodes]) != pytest.ExitCode.OK for nodes in TESTS)


def _alone(change: Change, answers: multiprocessing.SimpleQueue[tuple[Change, bool]]) -> None:
    answers.put(noticed(change))


def judge(changes: Sequence[Change], jobs: int) -> Iterator[tuple[Change, bool]]:
    """Each change with whether it was noticed, in whatever order. One that kills its process, or never ends, was."""
    fork = multiprocessing.get_context("fork")
    waiting, running = list(reversed(changes)), list[tuple[Change, BaseProcess]]()
    answers: multiprocessing.SimpleQueue[tuple[Change, bool]] = fork.SimpleQueue()
    while waiting or running:
        while waiting and len(running) < jobs:
            change = waiting.pop()
            running.append((change, fork.Process(target=_alone, args=(change, answers))))
            running[-1][1].start()
        change, process = running.pop(0)
        process.join()
        yield (change, True) if process.exitcode else answers.get()


def main() -> int:
    """Judge the changes, and print those that nothing noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=DECIDING, help="modules of reconciler.core")
    parser.add_argument("--share", type=float, default=1.0, help="the part of all changes that is tried")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    every = [
        Change(module, number)
        for module in given.modules
        for number, _ in enumerate(variants(ast.parse((CORE / f"{module}.py").read_text(encoding="utf-8"))))
    ]
    chosen = sorted(random.Random(given.seed).sample(every, round(given.share * len(every))))
    missed = 0
    for change, seen in judge(chosen, given.jobs):
        if not seen:
            missed += 1
            print(changed(change)[1], flush=True)
    print(f"{len(chosen)} of {len(every)} changes to {len(given.modules)} modules")
    print(f"{len(chosen) - missed} passed, {missed} failed")
    return 1 if len(chosen) - missed < ENOUGH * len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
