"""sd_notify: what goes over the socket that systemd names."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from reconciler.daemon.notify_socket import Notifier


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_one_message_with_a_line_for_each_word(tmp_path: Path, kind: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        named = str(tmp_path / "notify") if kind == "file" else f"@reconciler-test-{os.getpid()}"
        heard.bind(named.replace("@", "\0", 1))
        Notifier({"NOTIFY_SOCKET": named}).say(ready=1, status="an-phat: in step\nEVIL=1")
        assert heard.recv(1000) == b"READY=1\nSTATUS=an-phat: in step EVIL=1"


def test_without_a_socket_or_with_a_dead_one_nothing_happens(tmp_path: Path) -> None:
    Notifier({}).say(ready=1)
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nowhere")}).say(ready=1)


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_for_the_process_it_names(env: dict[str, str], seconds: float | None) -> None:
    assert Notifier(env).watchdog == seconds
