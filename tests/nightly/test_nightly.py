"""The programme of the night: every command is one that exists, and a failure of one is a failure of all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.nightly.__main__ import ROOT, Part, programme, run_all

TORN = Part("tests.torn", ("--states", "2"))
UNKNOWN = Part("tests.torn", ("--nights",))


def test_each_part_is_a_command_that_knows_its_words() -> None:
    words: dict[str, set[str]] = {}
    for part in [*programme(release=False), *programme(release=True)]:
        words.setdefault(part.module, set()).update(part.words[::2])
    assert {f"tests.{name}" for name in ("simulation", "crashes", "mutants", "torn", "drill", "soak")} <= words.keys()
    for module, options in words.items():
        if options:
            command = [sys.executable, "-m", module, "--help"]
            said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
            assert options <= set(said.replace("]", " ").replace("[", " ").split()), module


def test_a_failed_part_fails_the_night_and_does_not_stop_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all([UNKNOWN, TORN]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FAILED  python -m tests.torn --nights")
    assert lines[-1].startswith("ok  python -m tests.torn --states 2")
    assert lines[-1].endswith("2 passed, 0 failed")


def test_different_outputs_under_two_hash_seeds_are_a_failure() -> None:
    hashes = ("-n", "1", "-r", "1", "-s", "print(hash('a'))")
    assert run_all([Part("timeit", hashes, hash_seeds=("1", "2"))]) == 1
    assert run_all([replace(TORN, hash_seeds=("1", "2"))]) == 0
