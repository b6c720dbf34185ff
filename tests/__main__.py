"""Every check of this project in one command: `python -m tests [pytest arguments]`.

Runs each step from the project's root and stops at the first that fails, with a summary of what passed before it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-logo"),
    ("pytest", "-n", "2"),
)


def main(extra: list[str]) -> int:
    """Run all steps; `extra` goes to pytest. Returns the exit code of the first failure, 0 if all is well."""
    tools = Path(sys.executable).parent  # not resolved: a venv's interpreter is a link to one outside of it
    path = os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)])
    passed: list[str] = []
    for step in STEPS:
        command = [*step, *extra] if step[0] == "pytest" else list(step)
        shown = shlex.join(command)
        print(f"==> {shown}", flush=True)
        code = subprocess.run(
            [str(tools / command[0]), *command[1:]], cwd=ROOT, env={**os.environ, "PATH": path}
        ).returncode
        if code:
            print(f"FAILED: {shown} (exit {code}); passed before it: {', '.join(passed) or 'nothing'}", flush=True)
            return code
        passed.append(shown)
    print(f"All passed: {', '.join(passed)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
