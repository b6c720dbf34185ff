"""`reconciler run` as a process of its own: its log, and what it tells systemd."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds that a busy machine has to make something true."""


def until(what: str, condition: Callable[[], T]) -> T:
    """Wait until a condition holds, and give what it gave."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE:g} s: {what}")


class Service:
    """A running daemon. `told` are the messages that systemd would have got, `log` the lines of the log."""

    def __init__(self, *configs: Path, folder: Path, env: dict[str, str] | None = None) -> None:
        self.told: list[dict[str, str]] = []
        self.raw: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"\0reconciler-test-{os.getpid()}-{id(self)}"
        self._socket.bind(address)
        options = [word for config in configs for word in ("--config", str(config))]
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from reconciler.cli import main; main()", "run", *options],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            cwd=folder,
            env={
                **os.environ,
                "NOTIFY_SOCKET": "@" + address[1:],
                "WATCHDOG_USEC": "600000",
                "PYTHONUTF8": "1",
                **(env or {}),
            },
        )
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read_log, self._read_told)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.raw.append(line.rstrip("\n"))

    def _read_told(self) -> None:
        while message := self._socket.recv(65536):
            self.told.append(dict(line.split("=", 1) for line in message.decode().splitlines()))

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.raw)]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in self.log if line["event"] == name]

    def logged(self, name: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait for an event in the log."""
        return until(
            f"{name} in the log: {self.raw}", lambda: found if len(found := self.events(name)) >= times else []
        )

    def get(self, path: str) -> tuple[int, str]:
        """What the daemon answers over HTTP: status and body."""
        [line] = self.logged("web.listening")
        channel = http.client.HTTPConnection("127.0.0.1", line["port"], timeout=PATIENCE)
        with closing(channel):
            channel.request("GET", path)
            answer = channel.getresponse()
            return answer.status, answer.read().decode("utf-8")

    def words(self, name: str) -> list[str]:
        """The values of one variable that systemd was told, in order."""
        return [message[name] for message in list(self.told) if name in message]

    def ready(self) -> Service:
        """Wait until systemd is told that the daemon runs."""
        until(f"READY: {self.raw}", lambda: self.words("READY"))
        return self

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and wait; its exit code."""
        self.send(number)
        return self.process.wait(timeout=PATIENCE)
