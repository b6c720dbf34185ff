"""The lease of a state on PostgreSQL, its fence, its readers, its journal's guards, and its copies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from reconciler.errors import LeaseHeld, StateError
from reconciler.ports import Store
from reconciler.store import back_up, hold, open_reader, open_store, schema, verify
from reconciler.store.migrations import downgrade, upgrade
from reconciler.store.postgres import LEASE_SECONDS, open_connection
from reconciler.store.tables import METADATA
from tests.postgres import POSTGRES, administrator
from tests.store.samples import Fixed, at, bytes_from, entry, link

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from reconciler.store import hold, open_store
from tests.store.samples import Fixed, bytes_from, entry
with hold(sys.argv[1], Fixed()) as generation:
    store = open_store(sys.argv[1], random_bytes=bytes_from("holder"), generation=generation)
    print("held", flush=True)
    sys.stdin.readline()
    try:
        with store.transaction() as transaction:
            transaction.append([entry(1)])
        print("written", flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""


HELD = "UPDATE lease SET holder = :said, token = 7, expires_at = clock_timestamp() + interval '30 s'"


@contextmanager
def another(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease, writes an entry when it is told to, and says what came of it."""
    command = [sys.executable, "-c", HOLDER, url]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def ask(url: str, question: str, **values: Any) -> Any:
    """What the server itself says, or one change behind the product's back."""
    with administrator(url).connect() as connection:
        result = connection.execute(text(question), values)
        return result.scalar() if result.returns_rows else None


def expire(url: str) -> None:
    """The lease's time passes: nobody has to wait for it here."""
    ask(url, "UPDATE lease SET expires_at = expires_at - make_interval(secs => :s)", s=LEASE_SECONDS + 1)


@contextmanager
def writing(url: str) -> Iterator[Store]:
    with hold(url, Fixed()) as generation:
        store = open_store(url, random_bytes=bytes_from("postgres"), generation=generation)
        yield store
        store.close()


def test_a_second_holder_is_told_who_has_it_until_it_is_given_back(postgres_url: str) -> None:
    with hold(postgres_url, Fixed()) as first, pytest.raises(LeaseHeld, match=f"process {os.getpid()}, since 2025"):
        hold(postgres_url, Fixed()).__enter__()
    with pytest.raises(ZeroDivisionError), hold(postgres_url, Fixed()) as second:
        raise ZeroDivisionError
    with hold(postgres_url, Fixed()) as third:
        assert first < second < third


def test_a_lease_lasts_thirty_seconds_by_the_servers_clock_and_each_transaction_renews_it(postgres_url: str) -> None:
    left = "SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM lease"
    with writing(postgres_url) as store:
        assert 25 < ask(postgres_url, left) <= 30
        ask(postgres_url, "UPDATE lease SET expires_at = clock_timestamp() + interval '1 second'")
        with store.transaction():
            pass
        assert 25 < ask(postgres_url, left) <= 30


def test_a_holder_that_was_killed_on_this_host_is_replaced_at_once(postgres_url: str) -> None:
    with another(postgres_url) as process:
        with pytest.raises(LeaseHeld, match=f"process {process.pid},"):
            hold(postgres_url, Fixed()).__enter__()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with hold(postgres_url, Fixed()):
            pass


@pytest.mark.parametrize("machine", [{"machine": "another"}, {}])
def test_a_holder_of_another_host_is_replaced_after_its_time(postgres_url: str, machine: dict[str, str]) -> None:
    """Whatever process of ours has its number."""
    said = json.dumps({"host": "elsewhere", "pid": 1, "since": "y", "started": "0"} | machine)
    with hold(postgres_url, Fixed()):
        pass
    ask(postgres_url, HELD, said=said)
    with pytest.raises(LeaseHeld, match="host elsewhere, process 1"):
        hold(postgres_url, Fixed()).__enter__()
    expire(postgres_url)
    with hold(postgres_url, Fixed()) as generation:
        assert generation == 8


def test_a_leader_that_was_paused_beyond_its_time_writes_nothing(postgres_url: str) -> None:
    with another(postgres_url) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        expire(postgres_url)
        with writing(postgres_url) as store:
            process.send_signal(signal.SIGCONT)
            assert process.stdin is not None and process.stdout is not None
            print(file=process.stdin, flush=True)
            assert process.stdout.readline() == "LeaseHeld\n"
            assert list(store.journal()) == []
            with store.transaction() as transaction:
                transaction.append([entry(2)])


def test_nobody_takes_the_lease_in_the_midst_of_a_transaction(postgres_url: str) -> None:
    with writing(postgres_url) as store:
        with store.transaction() as transaction:
            transaction.append([entry(1)])
            with pytest.raises(LeaseHeld):
                hold(postgres_url, Fixed()).__enter__()
        assert verify(store) is None


def test_a_transaction_that_the_server_ended_leaves_nothing_and_the_next_one_works(postgres_url: str) -> None:
    """So the server does to who stands still in one for as long as a lease lasts."""
    with writing(postgres_url) as store:
        connection = store._connection  # type: ignore[attr-defined]
        assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == f"{LEASE_SECONDS}s"
        connection.rollback()
        with pytest.raises(StateError, match="database server"), store.transaction() as transaction:
            transaction.append([entry(1)])
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            ask(postgres_url, "SELECT pg_terminate_backend(:pid, 5000)", pid=pid)
        with store.transaction() as transaction:
            assert transaction.append([entry(2)]) == [1]


def test_without_the_lease_nothing_is_written(postgres_url: str) -> None:
    store = open_store(postgres_url, random_bytes=bytes_from("x"))
    with pytest.raises(LeaseHeld), store.transaction():
        raise AssertionError
    store.close()


def test_a_reader_keeps_its_snapshot_and_cannot_write(postgres_url: str) -> None:
    with writing(postgres_url) as store:
        with store.transaction() as transaction:
            transaction.append([entry(1)])
        reader = open_reader(postgres_url)
        assert reader.head()[0] == 1
        with store.transaction() as transaction:
            transaction.append([entry(2)])
        assert (reader.head()[0], store.head()[0]) == (1, 2)
        with pytest.raises(StateError, match="only reads"):
            reader._rows(text("DELETE FROM fact"))  # type: ignore[attr-defined]
        reader.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM journal",
        "TRUNCATE journal",
        "UPDATE journal SET reason = 'x'",
        "UPDATE journal SET inputs_seal = 'x'",
        "UPDATE journal SET operator = 'x'",
        "UPDATE journal SET inputs = '1'",
    ],
)
def test_the_journal_is_append_only(postgres_url: str, statement: str) -> None:
    with writing(postgres_url) as store:
        with store.transaction() as transaction:
            transaction.append([entry(1)])
        with pytest.raises(IntegrityError, match="journal"):
            ask(postgres_url, statement)
        with store.transaction() as transaction:
            assert transaction.erase([1]) == 1
        assert store.rewrite() and store.empty_log()
        assert verify(store) is None


def test_rewriting_says_so_where_a_reader_keeps_the_old_state(postgres_url: str) -> None:
    with writing(postgres_url) as store:
        reader = open_reader(postgres_url)
        assert reader.links() == []
        assert store.rewrite() is False
        reader.close()
        assert store.rewrite() is True


def test_the_migrations_give_the_tables_down_and_up_again(postgres_url: str) -> None:
    opened = open_connection(postgres_url, writing=True)
    for _ in range(2):
        assert schema.revision(opened.connection) == schema.HEAD
        context = MigrationContext.configure(opened.connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        downgrade(opened.connection, "base")
        assert ask(postgres_url, "SELECT count(*) FROM pg_proc WHERE proname LIKE 'journal%'") == 0
        upgrade(opened.connection)
    opened.close()


def test_an_older_schema_is_migrated_by_the_holder_only(postgres_url: str) -> None:
    opened = open_connection(postgres_url, writing=True)
    downgrade(opened.connection, "0002")
    opened.close()
    with pytest.raises(StateError, match="older schema"):
        open_reader(postgres_url)
    with pytest.raises(LeaseHeld):
        open_store(postgres_url, random_bytes=bytes_from("x"))
    assert ask(postgres_url, "SELECT version_num FROM alembic_version") == "0002"
    with writing(postgres_url):
        assert ask(postgres_url, "SELECT version_num FROM alembic_version") == schema.HEAD


def test_a_database_of_another_program_is_left_alone(postgres_url: str) -> None:
    ask(postgres_url, "DROP TABLE alembic_version")
    for call in (lambda: hold(postgres_url, Fixed()).__enter__(), lambda: open_reader(postgres_url)):
        with pytest.raises(StateError, match="another program"):
            call()


def test_a_copy_is_a_state_of_its_own_that_goes_on_counting(postgres_url: str, tmp_path: Path) -> None:
    with writing(postgres_url) as store:
        with store.transaction() as transaction:
            saved = transaction.save_links([link(1, dirty_since=at(2)), link(2)])
            transaction.drop_links([saved[1].key])
            transaction.append([entry(number) for number in range(1, 700)])
        back_up(postgres_url, tmp_path / "copy.db")
        with pytest.raises(StateError, match="cannot be made"):
            back_up(postgres_url, tmp_path / "copy.db")
    assert [file.name for file in tmp_path.iterdir()] == ["copy.db"]
    copy = open_store(f"sqlite:///{tmp_path}/copy.db", random_bytes=bytes_from("copy"))
    assert copy.links() == saved[:1]
    assert (copy.head()[0], verify(copy)) == (699, None)
    with copy.transaction() as transaction:
        [new] = transaction.save_links([link(3)])
    assert new.key > saved[1].key
    copy.close()


@pytest.mark.parametrize("call", [lambda url: hold(url, Fixed()).__enter__(), open_reader])
def test_a_url_that_cannot_be_read_and_a_missing_driver_are_explained(
    call: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StateError, match="cannot be read; it looks like postgresql://") as refused:
        call("postgresql://u:canary-7f3a@host:port/x")
    assert "canary" not in str(refused.value)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StateError, match=r"install the driver: pip install 'reconciler\[postgres\]'"):
        call("postgresql://host/x")


@pytest.mark.parametrize(("ci", "code", "words"), [("true", 1, "CI runs on PostgreSQL too"), ("", 0, "1 skipped")])
def test_without_a_server_tests_are_skipped_but_never_in_ci(ci: str, code: int, words: str) -> None:
    this = f"{__file__}::{test_without_the_lease_nothing_is_written.__name__}"
    outside = {name: value for name, value in os.environ.items() if name != POSTGRES}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", this],
        cwd=ROOT,
        env=outside | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, words in done.stdout) == (code, True), done.stdout
