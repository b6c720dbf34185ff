"""Lives whose database and write-ahead log are kept as a power cut would find them, commit by commit.

SQLite's log is a header of 32 bytes and frames of a header of 24 bytes and a page; a frame counts while its salts are
those of the log's header, and a frame with a size of the database in its header ends a commit.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import sqlite3
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.store import open_store, verify
from tests.simulation.life import Life

HEADER: Final = 32
FRAME_HEADER: Final = 24
OF_EACH: Final = 50
"""Torn states of one life."""


@dataclass
class Log:
    """One write-ahead log, from its first commit to the last before it was emptied or begun anew.

    `base` is the database file as it was all the while; `commits` are the states, each by the length in bytes that the
    log had when it was durable, the first one with length 0.
    """

    salt: bytes
    base: bytes
    commits: list[tuple[int, str]]
    content: bytes = b""

    def state_at(self, length: int) -> str:
        """The state after the last commit that lies within so many bytes of the log."""
        return [state for end, state in self.commits if end <= length][-1]


@dataclass
class Witness:
    """Looks at the database after every commit; `logs` is what it has seen."""

    path: Path
    logs: list[Log] = field(default_factory=list)
    state: str = field(init=False)

    def __post_init__(self) -> None:
        self.state = state_of(self.path)

    def __call__(self) -> None:
        before, self.state = self.state, state_of(self.path)
        content = self.path.with_name(f"{self.path.name}-wal").read_bytes()
        salt = content[16:24]
        if not self.logs or self.logs[-1].salt != salt:
            self.logs.append(Log(salt, self.path.read_bytes(), [(0, before)]))
        log = self.logs[-1]
        log.content = durable(content)
        log.commits.append((len(log.content), self.state))


def frame_size(content: bytes) -> int:
    """Bytes of a frame of this log."""
    [page] = struct.unpack(">I", content[8:12])
    return FRAME_HEADER + int(page)


def durable(content: bytes) -> bytes:
    """A log up to the end of its last commit; what follows in the file is of an earlier log."""
    frame, salt, end = frame_size(content), content[16:24], HEADER
    for start in range(HEADER, len(content) - frame + 1, frame):
        if content[start + 8 : start + 16] != salt:
            break
        if content[start + 4 : start + 8] != bytes(4):
            end = start + frame
    return content[:end]


def state_of(path: Path) -> str:
    """A digest of every row of every table, by a reader that changes nothing."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        tables = [name for [name] in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")]
        rows = [(name, sorted(map(repr, database.execute(f'SELECT * FROM "{name}"')))) for name in tables]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def logs_of(seed: int, folder: Path) -> list[Log]:
    """All logs of one simulated life."""
    life = Life(seed, folder)
    life.town.committed = witness = Witness(life.town.path)
    asyncio.run(life.live())
    return witness.logs


def lengths(log: Log) -> Iterator[int]:
    """Where a log can be cut: at the end of every frame, and somewhere in every header and every page."""
    yield from (0, HEADER // 2, HEADER)
    frame = frame_size(log.content)
    for start in range(HEADER, len(log.content), frame):
        yield from (
            start + FRAME_HEADER // 2,
            start + FRAME_HEADER,
            start + frame // 2,
            start + frame - 1,
            start + frame,
        )


TAILS: Final[Mapping[str, Callable[[bytes, random.Random], bytes]]] = {
    "nothing": lambda missing, chance: b"",
    "zeros": lambda missing, chance: bytes(len(missing)),
    "noise": lambda missing, chance: chance.randbytes(len(missing)),
}
"""What stands in the file behind the cut: a disk may lengthen a file before it fills it."""


def torn_states(start: int, count: int, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """So many torn states, 50 of each life from seed `start` on: their names, and what is wrong with them."""
    for seed in range(start, start + -(-count // OF_EACH)):
        chance = random.Random(seed)
        cuts = [(log, length) for log in logs_of(seed, folder) for length in lengths(log)]
        wanted = min(OF_EACH, count - (seed - start) * OF_EACH)
        for log, length in chance.sample(cuts, wanted):
            tail = chance.choice(tuple(TAILS))
            yield f"seed {seed}, cut at {length}, then {tail}", tear(log, length, tail, folder, chance)


def tear(log: Log, length: int, tail: str, folder: Path, chance: random.Random) -> list[str]:
    """What is wrong with the state that a log leaves whose last part was not written."""
    path = folder / "torn.db"
    for old in folder.glob("torn.db*"):
        old.unlink()
    path.write_bytes(log.base)
    rest = log.content[length : length + frame_size(log.content)]
    path.with_name("torn.db-wal").write_bytes(log.content[:length] + TAILS[tail](rest, chance))
    with closing(open_store(f"sqlite:///{path}", random_bytes=chance.randbytes)) as store:
        fault = verify(store)
        found = state_of(path)
    wrong = [] if fault is None else [f"the journal is broken: {fault}"]
    if found != log.state_at(length):
        known = [number for number, (_, state) in enumerate(log.commits) if state == found]
        wrong.append(f"the state is that of commit {known[-1]}" if known else "the state is that of no commit")
    return wrong
