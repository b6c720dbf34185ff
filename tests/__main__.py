"""Every check of this project in one command: `python -m tests [pytest arguments]`.

Names each step, runs it from the project's root, and stops at the first that fails. Nothing follows a step's own
words, so that the last line is pytest's closing one, or what the failed step said.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = (
    ("python", "reconciler/words/build.py"),
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-logo"),
    ("pytest", "-n", "2"),
)


def main(extra: list[str]) -> int:
    """Run all steps; `extra` goes to pytest. Returns 1 at the first failure, 0 if all is well."""
    tools = Path(sys.executable).parent  # not resolved: a venv's interpreter is a link to one outside of it
    path = os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)])
    for step in STEPS:
        command = [*step, *extra] if step[0] == "pytest" else list(step)
        print(f"==> {shlex.join(command)}", flush=True)
        run = [str(tools / command[0]), *command[1:]]
        if subprocess.run(run, cwd=ROOT, env={**os.environ, "PATH": path}).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
