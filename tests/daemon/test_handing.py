"""The socket between a command and the holder of the lease."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.errors import ReconcilerError, StateError, UsageError
from reconciler.handing import AT_ONCE, REQUEST_LIMIT, Unanswered, ask, listening, socket_path
from reconciler.message import say
from reconciler.requests import Said, parse_said, said_line


def refuse(error: ReconcilerError) -> str:
    return f"refused: {error}"


async def echo(line: str, waiting: Callable[[], bool]) -> str:
    return f"{line.strip()} {waiting()}"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.mark.parametrize("folders", [(), ("a" * 100, "b" * 100)], ids=["near", "far"])
async def test_a_line_goes_there_and_a_line_comes_back(tmp_path: Path, folders: tuple[str, ...]) -> None:
    database = tmp_path.joinpath(*folders, "state.db")
    database.parent.mkdir(parents=True, exist_ok=True)
    async with listening(database, echo, refuse):
        assert stat.S_IMODE(socket_path(database).stat().st_mode) == 0o600
        assert await asyncio.to_thread(ask, database, "chào") == "chào True"
    assert not socket_path(database).exists()


def test_nobody_listens(database: Path) -> None:
    assert ask(database, "x") is None


async def test_what_a_dead_holder_left_is_no_holder_and_is_replaced(database: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path(database)))
    assert ask(database, "x") is None
    async with listening(database, echo, refuse):
        assert await asyncio.to_thread(ask, database, "x") == "x True"


async def test_a_file_of_that_name_that_is_no_socket_is_left_alone(database: Path) -> None:
    socket_path(database).write_text("mine")
    with pytest.raises(StateError, match="cannot be made"):
        async with listening(database, echo, refuse):
            pass
    assert socket_path(database).read_text() == "mine"


async def test_a_holder_that_ends_before_it_answers(database: Path) -> None:
    with socket.create_server(str(socket_path(database)), family=socket.AF_UNIX) as server:

        def die() -> None:
            server.accept()[0].close()

        dying = asyncio.ensure_future(asyncio.to_thread(die))
        with pytest.raises(Unanswered, match="history"):
            await asyncio.to_thread(ask, database, "x")
        await dying


async def test_a_request_that_is_too_long_is_not_even_sent(database: Path) -> None:
    async with listening(database, echo, refuse):
        with pytest.raises(UsageError, match="longer than"):
            await asyncio.to_thread(ask, database, "x" * REQUEST_LIMIT)


async def test_too_many_at_once_are_turned_away(database: Path) -> None:
    gate = asyncio.Event()

    async def slow(line: str, waiting: Callable[[], bool]) -> str:
        await gate.wait()
        return "done"

    async def call() -> str:
        reader, writer = await asyncio.open_unix_connection(str(socket_path(database)))
        writer.write(b"x\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer.decode().strip()

    async with listening(database, slow, refuse):
        calls = {asyncio.ensure_future(call()) for _ in range(AT_ONCE + 3)}
        turned_away: set[asyncio.Future[str]] = set()
        while len(turned_away) < 3:
            done, calls = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            turned_away |= done
        gate.set()
        answered = [await one for one in calls]
    assert {await one for one in turned_away} == {"refused: too many commands wait already; try again"}
    assert answered == ["done"] * AT_ONCE


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of this machine can enter."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o600, 0o666])
async def test_another_user_is_not_heard(open_folder: Path, mode: int) -> None:
    heard: list[str] = []

    async def hear(line: str, waiting: Callable[[], bool]) -> str:
        heard.append(line)
        return "done"

    database = open_folder / "state.db"
    script = (
        "import os, socket, sys\n"
        "os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
        "channel = socket.socket(socket.AF_UNIX)\n"
        "channel.connect(sys.argv[1])\n"
        "channel.sendall(b'x\\n')\n"
        "print(channel.recv(1000).decode())"
    )
    async with listening(database, hear, refuse):
        socket_path(database).chmod(mode)
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-I", "-c", script, str(socket_path(database))],
            capture_output=True,
            text=True,
            check=False,
        )
    assert heard == []
    assert ("PermissionError" in done.stderr) if mode == 0o600 else done.stdout.startswith("refused: only the user")


def test_an_answer_keeps_its_sentences() -> None:
    said = Said(out=(say("{count} created", count=3), "plain"), err=('{"say": "x"}',), exit_code=4)
    read = parse_said(said_line(said))
    assert read == said
    assert getattr(read.out[0], "pattern", None) == "{count} created"


@pytest.mark.parametrize("line", ["", "x", "[]", "{}", '{"out": 1, "err": [], "code": 0}', '{"out": [], "err": []}'])
def test_what_is_no_answer_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        parse_said(line)
