"""Opening: what is refused, what is created, and that a reader beside a writer changes nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from reconciler.errors import StateError
from reconciler.ports import Store
from reconciler.store import open_reader, open_store, verify
from reconciler.store.database import database_path, open_writer, private_copy
from tests.store.samples import at, bytes_from, candidate, entry, link

ROOT = Path(__file__).parents[2]


def opened(url: str) -> Store:
    return open_store(url, random_bytes=bytes_from("database"))


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of database and WAL, where an empty WAL is none."""
    found = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal") if Path(f"{path}{name}").exists()}
    return {name: data for name, data in found.items() if data}


def fill(store: Store, *numbers: int) -> None:
    with store.transaction() as transaction:
        transaction.save_links([link(number) for number in numbers])
        transaction.append([entry(number) for number in numbers])


def test_the_pragmas_of_the_writer(file_url: str) -> None:
    writer = open_writer(file_url)
    found = {
        name: writer.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema", "cell_size_check")
    }
    found["recursive_triggers"] = writer.connection.exec_driver_sql("PRAGMA recursive_triggers").scalar()
    writer.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "recursive_triggers": 1,
    }


def test_the_files_are_for_their_owner_only(file_url: str) -> None:
    store = opened(file_url)
    fill(store, 1)
    path = path_of(file_url)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("state.db*")} == {0o600}
    store.close()


def test_a_missing_folder_is_named_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="nowhere does not exist; create it"):
        opened(f"sqlite:///{tmp_path}/nowhere/state.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://db/x", "mysql is not supported"),
        ("not a url", "cannot be read"),
        ("sqlite:///x.db?mode=ro", "parameters"),
    ],
)
def test_other_urls_are_refused(url: str, words: str) -> None:
    with pytest.raises(StateError, match=words):
        opened(url)
    with pytest.raises(StateError, match=words):
        open_reader(url)


def test_urls_in_memory() -> None:
    assert database_path("sqlite://") is None
    assert database_path("sqlite:///:memory:") is None
    assert database_path("sqlite:////a/b.db") == Path("/a/b.db")


def test_odd_letters_in_the_path(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/Cong ty #1 & số.db"
    store = opened(url)
    fill(store, 1)
    assert open_and_count(url) == 1
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["Cong ty #1 & số.db"]


def open_and_count(url: str) -> int:
    reader = open_reader(url)
    linked = reader.tally().linked
    reader.close()
    return linked


def test_a_reader_without_a_file_creates_nothing(tmp_path: Path) -> None:
    reader = open_reader(f"sqlite:///{tmp_path}/state.db")
    assert reader.tally().linked == 0
    assert list(reader.journal()) == [] and reader.cycles() == [] and reader.fact("x") is None
    assert verify(reader) is None
    reader.close()
    reader.close()
    assert list(tmp_path.iterdir()) == []
    open_reader(f"sqlite:///{tmp_path}/nowhere/state.db").close()


def test_a_reader_keeps_its_snapshot_and_changes_no_byte(file_url: str) -> None:
    store = opened(file_url)
    fill(store, 1, 2)
    before = contents(path_of(file_url))
    reader = open_reader(file_url)
    assert reader.tally().linked == 2
    assert contents(path_of(file_url)) == before
    fill(store, 3)
    with store.transaction() as transaction:
        transaction.save_candidates([candidate(1)])
        assert open_and_count(file_url) == 3  # a transaction that is open does not keep readers out
    after = contents(path_of(file_url))
    assert reader.tally().linked == 2 and reader.candidates() == []
    assert len(list(reader.journal(since=at(0)))) == 2
    reader.close()
    assert open_and_count(file_url) == 3
    assert contents(path_of(file_url)) == after
    store.close()


def test_reading_a_state_at_rest_changes_no_byte(file_url: str) -> None:
    store = opened(file_url)
    fill(store, 1)
    store.close()
    before = contents(path_of(file_url))
    assert open_and_count(file_url) == 1
    assert contents(path_of(file_url)) == before
    assert set(before) == {""}


def test_a_reader_cannot_write(file_url: str) -> None:
    opened(file_url).close()
    reader = open_reader(file_url)
    with pytest.raises(StateError, match="cannot be written"):
        reader._rows(text("DELETE FROM fact"))  # type: ignore[attr-defined]
    reader.close()


def leave_behind_a_wal(url: str) -> None:
    """A writer that dies without closing, as kill -9 leaves it."""
    program = (
        "import os; from reconciler.store import open_store; from tests.store.samples import link, entry\n"
        f"store = open_store({url!r}, random_bytes=os.urandom)\n"
        "with store.transaction() as transaction:\n"
        "    transaction.save_links([link(1)]); transaction.append([entry(1)])\n"
        "os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 9


@pytest.mark.parametrize("shm", [True, False])
def test_the_wal_of_a_dead_writer_is_read_and_left(file_url: str, shm: bool) -> None:
    leave_behind_a_wal(file_url)
    path = path_of(file_url)
    if not shm:
        Path(f"{path}-shm").unlink()
    before = contents(path)
    assert set(before) == {"", "-wal"}
    assert open_and_count(file_url) == 1
    assert contents(path) == before


@contextmanager
def nobody() -> Iterator[None]:
    """Without root's right to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("wal", [True, False])
def test_a_folder_that_cannot_be_written_is_read_through_a_copy(wal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as copies:
        url = f"sqlite:///{name}/state.db"
        leave_behind_a_wal(url)
        if not wal:
            opened(url).close()
        Path(f"{name}/state.db-shm").unlink(missing_ok=True)
        for file in Path(name).iterdir():
            file.chmod(0o444)
        before = contents(Path(name, "state.db"))
        Path(name).chmod(0o555)
        Path(copies).chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", copies)
        with nobody():
            reader = open_reader(url)
            assert reader.tally().linked == 1
            assert len(list(Path(copies).iterdir())) == 1
            reader.close()
        assert list(Path(copies).iterdir()) == []
        assert contents(Path(name, "state.db")) == before
        assert not Path(f"{name}/state.db-shm").exists()
        Path(name).chmod(0o755)


def test_a_copy_is_only_taken_while_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"1")
    numbers = iter(range(100))
    monkeypatch.setattr("reconciler.store.database._identity", lambda file: next(numbers))
    (tmp_path / "copy").mkdir()
    with pytest.raises(StateError, match="being written all the time"):
        private_copy(path, tmp_path / "copy")


@pytest.mark.parametrize("damage", ["text", "pages", "cut"])
def test_a_damaged_file_is_refused(file_url: str, damage: str) -> None:
    store = opened(file_url)
    fill(store, *range(200))
    store.close()
    path = path_of(file_url)
    data = bytearray(path.read_bytes())
    if damage == "text":
        data[:] = b"this is a letter, not a database" * 100
    elif damage == "pages":
        data[4096 * 3 :] = b"\xff" * (len(data) - 4096 * 3)
    else:
        del data[4096 * 5 :]
    path.write_bytes(data)
    with pytest.raises(StateError, match="damaged"):
        opened(file_url)
    assert path.read_bytes() == data


def test_a_locked_state_is_a_state_error(file_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.store.database._WRITER_PRAGMAS", ("busy_timeout=0", "foreign_keys=ON"))
    store = opened(file_url)
    other = sqlite3.connect(path_of(file_url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="locked by another program"), store.transaction():
        raise AssertionError
    other.execute("ROLLBACK")
    other.close()
    with store.transaction() as transaction:
        transaction.set_fact("x", 1)
    store.close()


def test_a_full_disk_is_a_state_error_and_leaves_nothing(file_url: str) -> None:
    store = opened(file_url)
    fill(store, 1)
    store._connection.exec_driver_sql("PRAGMA max_page_count = 40")  # type: ignore[attr-defined]
    with pytest.raises(StateError, match="disk is full"), store.transaction() as transaction:
        transaction.save_links(link(number) for number in range(2, 3000))
    assert store.tally().linked == 1
    fill(store, 2)
    assert verify(store) is None
    store.close()


def test_a_state_that_may_not_be_read_leaves_no_copy_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as copies:
        url = f"sqlite:///{name}/state.db"
        opened(url).close()
        Path(name, "state.db").chmod(0)
        Path(name).chmod(0o555)
        Path(copies).chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", copies)
        with nobody(), pytest.raises(StateError, match="cannot be read"):
            open_reader(url)
        assert list(Path(copies).iterdir()) == []
        Path(name).chmod(0o755)


def test_a_reader_refuses_what_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"a letter" * 1000)
    with pytest.raises(StateError, match="not a database"):
        open_reader(f"sqlite:///{tmp_path}/state.db")


def test_a_state_that_cannot_be_made_or_reached_says_why() -> None:
    """In the words of the system, and before anything is read of either side: a person has to act."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        with nobody(), pytest.raises(StateError, match="cannot be created: Permission denied"):
            opened(f"sqlite:///{name}/state.db")
        Path(name).chmod(0o755)
        long = f"sqlite:///{name}/{'x' * 300}.db"
        with pytest.raises(StateError, match="cannot be reached: File name too long"):
            open_reader(long)
        with pytest.raises(StateError, match="File name too long"):
            opened(long)
        assert list(Path(name).iterdir()) == []
