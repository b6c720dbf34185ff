"""The units in deploy/: understood by systemd to the last word, and hardened."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parent.parent / "deploy"
ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def analyze() -> str:
    if ANALYZE is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze must be installed in CI")
        pytest.skip("systemd-analyze is not installed")
    return ANALYZE


def test_systemd_understands_every_line(analyze: str, tmp_path: Path) -> None:
    for unit in DEPLOY.glob("*@.*"):
        text = unit.read_text(encoding="utf-8").replace("/opt/reconciler/.venv/bin/reconciler", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    units = sorted(str(unit) for unit in tmp_path.iterdir())
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_service_is_hardened(analyze: str) -> None:
    unit = str(DEPLOY / "reconciler-once@.service")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--threshold=15", unit], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-300:]
