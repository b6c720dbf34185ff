"""The command line against both sandbox systems over sockets: `product.run("once")` is what a person would type."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from reconciler.cli import main
from reconciler.clock import SystemClock
from reconciler.sandbox.calls import Call
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.work import WorkSystem

MARKER_FIELD = "custom_field3"


class ServerClock:
    """The real time, moved back so far that a test can let time pass without reaching the future."""

    def __init__(self) -> None:
        self.system = SystemClock()
        self.behind = timedelta(hours=2)

    def now(self) -> datetime:
        return self.system.now() - self.behind

    def later(self, seconds: float) -> None:
        self.behind -= timedelta(seconds=seconds)
        assert self.behind > timedelta(0)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def toml(sections: Mapping[str, Any]) -> str:
    """A config file: every section's plain keys, then its tables; lists of tables last."""
    lines: list[str] = []

    def table(name: str, values: Mapping[str, Any], *, array: bool = False) -> None:
        lines.append(f"[[{name}]]" if array else f"[{name}]")
        lines.extend(
            f"{json.dumps(key, ensure_ascii=False)} = {json.dumps(value, ensure_ascii=False)}"
            for key, value in values.items()
            if not isinstance(value, dict)
        )
        for key, value in values.items():
            if isinstance(value, dict):
                table(f"{name}.{key}", value)

    for name, values in sections.items():
        for one in values if isinstance(values, list) else [values]:
            table(name, one, array=isinstance(values, list))
    return "\n".join(lines) + "\n"


class Product:
    """One connection: a config file and a state in `folder`, and the two systems that it names."""

    def __init__(self, folder: Path, *, crm_secret: str = "sandbox-secret", work_key: str = "sandbox-key") -> None:
        self.folder = folder
        self.clock = ServerClock()
        self.crm = CrmSystem(now=self.clock.now, rng=random.Random(1), client_secret=crm_secret)
        self.work = WorkSystem(now=self.clock.now, rng=random.Random(2), secret_key=work_key)
        self.sandbox = Sandbox(self.crm, self.work)
        self.config = folder / "reconciler.toml"
        self.state = folder / "state.db"
        self.sections: dict[str, Any] = {}
        self.outcomes: list[Outcome] = []

    def __enter__(self) -> Product:
        self.sandbox.__enter__()
        self.sections = {
            "connection": {"name": "an-phat"},
            "crm": {
                "base_url": self.sandbox.crm_url,
                "client_id": self.crm.client_id,
                "client_secret": self.crm.client_secret,
                "target_project_field": "custom_field1",
                "target_group_field": "custom_field2",
                "link_field": MARKER_FIELD,
            },
            "work": {
                "base_url": self.sandbox.work_url,
                "client_id": self.work.client_id,
                "secret_key": self.work.secret_key,
            },
            "state": {"url": f"sqlite:///{self.state}"},
            "watermark": {"settle": "0s"},
            "deletes": {"confirm_after": "0s"},
            "limits": {"requests_per_second": 500, "retry_for": "1s", "resolve_after": "0s"},
        }
        self.write_config()
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.__exit__(None, None, None)

    def write_config(self, **sections: dict[str, Any]) -> str:
        """Write the config file with these changes, and say what it holds."""
        for name, values in sections.items():
            self.sections.setdefault(name, {}).update(values)
        text = toml(self.sections)
        self.config.write_text(text, encoding="utf-8")
        return text

    def run(self, *args: object, code: int | None = 0, env: Mapping[str, str] | None = None) -> Outcome:
        """One command in this process; `code` is the exit code that it must end with, None for any."""
        command, *rest = self._words(args)
        result = CliRunner(env=dict(env or {})).invoke(main, [command, "--config", str(self.config), *rest])
        outcome = Outcome(result.exit_code, result.stdout, result.stderr)
        return self._checked(outcome, code, args)

    def process(self, *args: object, code: int | None = 0) -> Outcome:
        """The same in a process of its own."""
        command, *rest = self._words(args)
        done = subprocess.run(
            [sys.executable, "-c", "from reconciler.cli import main; main()", command, "--config", self.config, *rest],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
            timeout=60,
            check=False,
        )
        return self._checked(Outcome(done.returncode, done.stdout, done.stderr), code, args)

    def _words(self, args: tuple[object, ...]) -> list[str]:
        return [str(word) for word in args]

    def _checked(self, outcome: Outcome, code: int | None, args: tuple[object, ...]) -> Outcome:
        self.outcomes.append(outcome)
        if code is not None:
            assert outcome.code == code, f"{args} ended with {outcome.code}: {outcome.text}"
        return outcome

    def once(self, code: int | None = 0) -> Outcome:
        """One cycle, a minute of the servers' time later."""
        self.clock.later(60)
        return self.run("once", code=code)

    def task(self, **fields: Any) -> int:
        """A salesperson saves a task and chooses the group «Cần làm» of «Triển khai An Phát»."""
        return self.crm.add(**{"custom_field1": "12", "custom_field2": "31", **fields})

    def pair(self, **fields: Any) -> tuple[int, int]:
        """A task and its work item, in step. Returns both ids."""
        task = self.task(**fields)
        self.once()
        [item] = self.work.by_marker(task)
        self.clock.later(60)
        return task, item

    def mark(self) -> tuple[int, int]:
        return self.crm.mark(), self.work.mark()

    def writes(self, since: tuple[int, int] = (0, 0)) -> list[Call]:
        """What was written to either system since a mark."""
        return [*self.crm.writes(since[0]), *self.work.writes(since[1])]

    def report(self, *args: object, code: int | None = 0) -> Any:
        return self.run("report", "--format", "json", *args, code=code).json

    def history(self, *args: object) -> list[dict[str, Any]]:
        rows = self.run("history", "--format", "json", *args).json
        assert isinstance(rows, list)
        return rows

    def attention(self) -> list[tuple[str, str, str]]:
        listed = self.run("status", "--format", "json").json["attention"]
        return [(row["side"], row["id"], row["code"]) for row in listed]

    def stored(self) -> dict[str, bytes]:
        """The bytes of the state: the database and its WAL (an empty WAL is none)."""
        files = (self.state, self.state.with_name(self.state.name + "-wal"))
        return {file.name: content for file in files if file.exists() and (content := file.read_bytes())}

    def forget(self) -> None:
        """The state is lost."""
        for file in self.folder.glob("state.db*"):
            file.unlink()
