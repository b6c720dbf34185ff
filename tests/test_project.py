"""The project's own shape: what lies at the top, the lock files, the README's commands, the built package."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
TOP = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "reconciler", "config", "tests", "deploy", *LOCKS}


def project_files() -> list[str]:
    """Every file that is, or would be, in the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).exists()]


def test_nothing_unexpected_lies_at_the_top() -> None:
    top = {name.split("/", 1)[0] for name in project_files()}
    assert {name for name in top if not name.startswith(".")} <= TOP


def test_ci_runs_the_two_commands_of_the_readme_word_for_word() -> None:
    commands = re.findall(r"^python3\.11 -m venv .*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("/reconciler demo --once")
    assert commands[1].endswith("/python -m tests")
    lines = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert all(command in lines for command in commands)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_hold_hashes_and_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    pins = re.split(r"\n(?=\S)", text.strip())
    assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_every_dependency_is_locked_and_kept_out_of_the_core() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names = [re.split(r"[><=\[]", line)[0] for line in config["project"]["dependencies"]]
    for lock in LOCKS:
        locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / lock).read_text("utf-8"), re.MULTILINE))
        assert set(names) <= locked, lock
    contract = next(c for c in config["tool"]["importlinter"]["contracts"] if c["name"].startswith("The core is pure"))
    assert {name.replace("-", "_") for name in names} <= set(contract["forbidden_modules"])


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in project_files() if name.startswith("reconciler/")} <= packed


def test_only_the_clock_asks_what_time_it_is() -> None:
    """A name such as `monotonic`, taken from `time`, would stand still under a frozen clock; and nothing else but the
    injected clock may tell the time."""
    asking = re.compile(r"^\s*(import time\b|from time import|.*\bdatetime\.now\(|.*\butcnow\()", re.MULTILINE)
    sources = [name for name in project_files() if name.startswith("reconciler/") and name.endswith(".py")]
    assert [name for name in sources if asking.search((ROOT / name).read_text("utf-8"))] == ["reconciler/clock.py"]
