"""One process at a time, by a lock that dies with its holder."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.core.model import Tally
from reconciler.errors import LeaseHeld, StateError
from reconciler.store import hold, open_reader
from reconciler.store.lease import lock_path
from tests.store.samples import T0, Fixed

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from reconciler.store import hold
from tests.store.samples import Fixed
with hold(sys.argv[1], Fixed()):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def file_of(url: str) -> Path:
    return lock_path(Path(url.removeprefix("sqlite:///")))


def test_the_lock_file_lies_beside_the_database_and_stays(file_url: str) -> None:
    with hold(file_url, Fixed()):
        path = file_of(file_url)
        assert path.name == "state.db.lock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        said = json.loads(path.read_text())
        assert said == {"host": socket.gethostname(), "pid": os.getpid(), "since": T0.isoformat()}
    assert path.exists() and path.read_text() == ""
    assert open_reader(file_url).tally() == Tally(), "the database has no content yet"
    with hold(file_url, Fixed()):
        pass


def test_a_second_holder_is_told_who_has_it(file_url: str) -> None:
    words = f"host {socket.gethostname()}, process {os.getpid()}, since 2025-03-04"
    with hold(file_url, Fixed()), pytest.raises(LeaseHeld, match=words):
        hold(file_url, Fixed()).__enter__()


def test_another_process_has_it_until_it_is_killed(file_url: str) -> None:
    with another(file_url) as process:
        with pytest.raises(LeaseHeld, match=f"process {process.pid},"):
            hold(file_url, Fixed()).__enter__()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with hold(file_url, Fixed()):
            pass


def test_what_the_file_says_never_decides(file_url: str) -> None:
    file_of(file_url).write_text(json.dumps({"host": "x", "pid": os.getpid(), "since": "y"}))
    with hold(file_url, Fixed()):
        file_of(file_url).write_text("")
        with pytest.raises(LeaseHeld, match="has not said which"):
            hold(file_url, Fixed()).__enter__()


def test_it_is_given_back_when_the_block_fails(file_url: str) -> None:
    with pytest.raises(ZeroDivisionError), hold(file_url, Fixed()):
        raise ZeroDivisionError
    with hold(file_url, Fixed()):
        pass


def test_a_database_in_memory_needs_none() -> None:
    with hold("sqlite://", Fixed()), hold("sqlite://", Fixed()):
        pass


def test_a_missing_folder_and_a_link_are_refused(file_url: str, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="does not exist; create it"):
        hold(f"sqlite:///{tmp_path}/nowhere/state.db", Fixed()).__enter__()
    file_of(file_url).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="cannot be opened"):
        hold(file_url, Fixed()).__enter__()
    assert not (tmp_path / "elsewhere").exists()


def test_removing_the_lock_file_lets_nobody_in(file_url: str) -> None:
    with another(file_url):
        file_of(file_url).unlink()
        with pytest.raises(LeaseHeld), hold(file_url, Fixed()):
            pass
        file_of(file_url).unlink()
        with pytest.raises(LeaseHeld), hold(file_url, Fixed()):
            pass
    with hold(file_url, Fixed()):
        assert json.loads(file_of(file_url).read_text())["pid"] == os.getpid()
