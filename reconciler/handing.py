"""Handing over: the holder of a lease listens on a Unix socket beside the state for what a person asks meanwhile.

One connection carries one line to the holder and one line back. Only the holder's own user and root may connect: the
socket has mode 0600, and the kernel says who is at the other end. What a line means is not known here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError, StateError, UsageError
from reconciler.message import say

REQUEST_LIMIT: Final = 64 * 1024
ANSWER_LIMIT: Final = 4 * 1024 * 1024
PATIENCE: Final = 5.0
"""Seconds that a caller has to send its line."""
AT_ONCE: Final = 32
"""Callers that wait at the same time; one more is turned away."""
_LONGEST: Final = 100
"""Bytes of a path that surely fit into a socket address (108 on Linux)."""

_SILENT: Final = say("the daemon ended before it answered; `history` shows what was done")

Answer = Callable[[str, Callable[[], bool]], Awaitable[str]]
"""Answers one line. The second argument tells whether the caller still waits."""


class Unanswered(ReconcilerError):
    """The holder took the request and ended before it answered: whether it was carried out is in the journal."""


def socket_path(database: Path) -> Path:
    return database.with_name(database.name + ".sock")


def ask(database: Path, line: str) -> str | None:
    """Hand one line to the holder of the state's lease and wait for its answer; None if nobody listens.

    Raises `Unanswered`, `UsageError` for too long a line, `StateError` if the socket may not be used.
    """
    request = line.encode() + b"\n"
    if len(request) > REQUEST_LIMIT:
        raise UsageError(say("the request is longer than {limit} bytes", limit=REQUEST_LIMIT))
    with socket.socket(socket.AF_UNIX) as channel, _address(socket_path(database)) as address:
        try:
            channel.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise StateError(
                say(
                    "the running daemon cannot be asked over {path}: {reason}; run the command as the daemon's user",
                    path=socket_path(database),
                    reason=error.strerror,
                )
            ) from error
        try:
            with suppress(BrokenPipeError):  # a refusal may come before all of it was read
                channel.sendall(request)
            return _answer(channel)
        except OSError as error:
            raise Unanswered(_SILENT) from error


def _answer(channel: socket.socket) -> str:
    content = bytearray()
    while not content.endswith(b"\n") and (chunk := channel.recv(65536)):
        content += chunk
        if len(content) > ANSWER_LIMIT:
            raise Unanswered(say("the daemon's answer is too long to be one"))
    if not content.endswith(b"\n"):
        raise Unanswered(_SILENT)
    return content.decode("utf-8", "replace").rstrip("\n")


@asynccontextmanager
async def listening(database: Path, answer: Answer, refuse: Callable[[ReconcilerError], str]) -> AsyncIterator[None]:
    """Answer callers while the block runs; the lease is held. `refuse` words an error as an answer.

    Raises `StateError` if no socket can be made.
    """
    path = socket_path(database)
    callers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        callers.add(task)
        try:
            line = await _line(reader)
            if len(callers) > AT_ONCE:
                raise UsageError(say("too many commands wait already; try again"))
            if not _trusted(writer.get_extra_info("socket")):
                raise UsageError(say("only the user that runs the daemon, and root, may ask it"))
            said = await answer(line, lambda: not reader.at_eof() and not writer.is_closing())
        except UsageError as error:
            said = refuse(error)
        finally:
            callers.discard(task)
        with suppress(ConnectionError):  # the caller may have gone
            writer.write(said.encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, sock=_bind(path), limit=REQUEST_LIMIT)
    try:
        yield
    finally:
        server.close()
        with suppress(FileNotFoundError):
            path.unlink()
        if callers:
            await asyncio.wait(callers, timeout=PATIENCE)


async def _line(reader: asyncio.StreamReader) -> str:
    """The caller's line. Raises `UsageError` if none comes."""
    try:
        async with asyncio.timeout(PATIENCE):
            line = await reader.readline()
        if line.endswith(b"\n"):
            return line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(say("the request is not UTF-8")) from None
    except ValueError:
        raise UsageError(say("the request is longer than {limit} bytes", limit=REQUEST_LIMIT)) from None
    except (TimeoutError, ConnectionError):
        pass
    raise UsageError(say("no whole request came within {seconds} seconds", seconds=f"{PATIENCE:g}"))


def _trusted(channel: socket.socket) -> bool:
    credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user in (0, os.geteuid())


def _bind(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600. What lies there from a process that died is removed."""
    try:
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(path) as address:
                channel.bind(address)
            path.chmod(0o600)  # nobody can connect before it listens
            channel.setblocking(False)
        except BaseException:
            channel.close()
            raise
    except OSError as error:
        raise StateError(say("the socket {path} cannot be made: {reason}", path=path, reason=error.strerror)) from error
    return channel


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path as a socket address; a long one goes by way of its open folder."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
