"""Every check of this project in one command: `python -m tests [pytest arguments]`.

Names each step, runs it from the project's root, and stops at the first that fails. All tests together must cover 95 %
of the branches of the product and every one of `reconciler/core`; with arguments for pytest only a part of them runs,
and nothing is measured. Nothing follows a step's own words.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = (
    ("python", "reconciler/words/build.py"),
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-logo"),
)
TESTS = ("pytest", "-n", "2")
LONG = ("tests/simulation", "tests/mutants")
"""What takes three times as long when its branches are watched, and reaches none that the other tests do not."""
MEASURED = (
    (*TESTS, *LONG),
    ("coverage", "erase"),  # what an interrupted run left
    ("coverage", "run", "-m", *TESTS, *(f"--ignore={folder}" for folder in LONG)),
    ("coverage", "combine", "-q"),
    ("coverage", "report", "--skip-covered", "--fail-under=95"),
    ("coverage", "report", "--skip-covered", "--include=reconciler/core/*", "--fail-under=100"),
)


def main(extra: list[str]) -> int:
    """Run all steps; `extra` goes to pytest, unmeasured. Returns 1 at the first failure, 0 if all is well."""
    tools = Path(sys.executable).parent  # not resolved: a venv's interpreter is a link to one outside of it
    path = os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)])
    for step in (*CHECKS, *([(*TESTS, *extra)] if extra else MEASURED)):
        print(f"==> {shlex.join(step)}", flush=True)
        run = [str(tools / step[0]), *step[1:]]
        if subprocess.run(run, cwd=ROOT, env={**os.environ, "PATH": path}).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
