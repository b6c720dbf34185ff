"""How each command ends, as the contract lists it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.clock import SystemClock
from reconciler.store import hold
from tests.cli.product import Product

HOLD = """
import sys
from reconciler.clock import SystemClock
from reconciler.store import hold
with hold(sys.argv[1], SystemClock()):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(product: Product) -> Iterator[int]:
    """Another process is at work on the connection; its id."""
    command = [sys.executable, "-c", HOLD, f"sqlite:///{product.state}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process.pid
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def test_0_done(product: Product) -> None:
    product.pair()
    for command in ("once", "report", "status", "history", "check"):
        assert "Traceback" not in product.run(command, code=0).text


@pytest.mark.parametrize(
    "words",
    [
        ("once", "--nonsense"),
        ("nonsense",),
        ("report", "--format", "pdf"),
        ("link", "1001"),
        ("link", "1001", "--project", "12"),
        ("link", "1001", "--project", "12", "--group", "31", "--item", "7001"),
        ("link", "999999", "--project", "12", "--group", "31"),
        ("link", "1001", "--item", "999999"),
        ("unlink", "999999"),
        ("retry",),
        ("retry", "1001", "--all"),
        ("history", "--since", "gestern"),
    ],
)
def test_2_usage(product: Product, words: tuple[str, ...]) -> None:
    product.crm.add()
    before = product.mark()
    done = product.run(*words, code=2)
    assert done.out == ""
    assert done.err.strip() != ""
    assert "Traceback" not in done.err
    assert product.writes(before) == []


def test_3_only_report_with_exit_code_says_that_changes_are_pending(product: Product) -> None:
    product.pair()
    product.run("report", "--exit-code", code=0)
    task = product.task()
    product.run("report", "--exit-code", code=3)
    product.run("report", code=0)
    assert product.work.by_marker(task) == []
    product.crm.add(custom_field1="15", custom_field2="61")
    product.run("report", code=4)
    product.run("report", "--exit-code", code=3)


def test_4_done_but_a_person_is_needed(product: Product) -> None:
    product.crm.add(custom_field1="10", custom_field2="31")
    product.once(code=4)
    product.once(code=4)
    product.run("report", code=4)
    for command in ("status", "history"):
        product.run(command, code=0)


def test_5_a_new_state_that_meets_our_markers_is_halted_until_rebuild(product: Product) -> None:
    task, item = product.pair()
    other, _ = product.pair(task_name="Khác")
    product.forget()
    product.crm.edit(task, task_name="Đã đổi trong lúc mất")
    marks = product.mark()
    halted = product.once(code=5)
    assert "rebuild" in halted.err
    assert product.run("report", code=5).out != ""
    product.run("link", product.crm.add(), "--project", 12, "--group", 31, code=5)
    assert product.writes(marks) == []
    product.crm.edit(task, task_name="Gọi khách hàng")
    rebuilt = product.run("rebuild", code=0)
    assert "2 links" in rebuilt.out
    assert product.run("status", "--format", "json").json["links"] == 2
    product.once(code=0)
    product.once(code=0)
    assert product.writes(marks) == []
    assert (product.work.by_marker(task), len(product.work.by_marker(other))) == ([item], 1)


@pytest.mark.parametrize("side", ["crm", "work"])
@pytest.mark.parametrize("fault", ["status", "html", "drop_before", "empty401", "success_false", "truncate"])
def test_6_a_side_that_cannot_be_read_is_named_and_nothing_is_lost(product: Product, side: str, fault: str) -> None:
    task, item = product.pair()
    product.crm.edit(task, task_name="Từ CRM")
    product.work.edit(item, Description="Từ Work")
    system = product.crm if side == "crm" else product.work
    marks = product.mark()
    system.faults.order("read", fault, times=None)  # type: ignore[arg-type]
    down = product.once(code=6)
    assert f"{side} unavailable" in down.text
    assert "Traceback" not in down.text
    said = product.run("report", "--format", "json", code=6).json
    assert (said["complete"], said["operations"]) == (False, [])
    product.run("status", code=0)
    product.run("history", code=0)
    assert product.writes(marks) == []
    system.faults.clear()
    product.once(code=0)
    left, right = product.crm.get(task), product.work.get(item)
    assert left is not None and right is not None
    assert (right["TaskName"], left["description"]) == ("Từ CRM", "Từ Work")


def test_6_nobody_listens_at_the_address(product: Product) -> None:
    product.pair()
    product.write_config(limits={"retry_for": "100ms"})
    product.sandbox.__exit__(None, None, None)
    try:
        down = product.run("once", code=6)
    finally:
        product.sandbox.__enter__()
    assert "unavailable" in down.text
    assert "Traceback" not in down.text


@pytest.mark.parametrize(("section", "key"), [("crm", "client_secret"), ("work", "secret_key")])
@pytest.mark.parametrize("command", ["once", "report", "check"])
def test_6_credentials_are_refused(product: Product, section: str, key: str, command: str) -> None:
    product.write_config(**{section: {key: "wrong-one-entirely"}})
    refused = product.run(command, code=6)
    assert section in refused.text
    assert "Traceback" not in refused.text
    assert "wrong-one-entirely" not in refused.text
    asked = len(product.crm.log) + len(product.work.log)
    assert asked <= 8  # no storm of repeats


def test_6_an_administrator_cut_the_connection(product: Product) -> None:
    product.pair()
    product.crm.disconnect()
    assert "crm unavailable" in product.once(code=6).text
    product.crm.reconnect()
    product.once(code=0)


def test_6_reading_is_not_permitted(product: Product) -> None:
    product.pair()
    product.work.faults.order("get-tasks", "status", times=None, status=403)
    assert "work unavailable" in product.once(code=6).text
    product.work.faults.clear()
    product.once(code=0)


def test_7_another_process_holds_the_lease(product: Product) -> None:
    product.pair()
    with held(product) as process:
        refused = product.run("once", code=7)
        assert str(process) in refused.err
        product.run("rebuild", code=7)
        for command in ("report", "status", "history", "check"):
            product.run(command, code=0)
    product.run("once", code=0)


def test_7_a_holder_that_was_killed_leaves_nothing_to_clean_up(product: Product) -> None:
    product.pair()
    command = [sys.executable, "-c", HOLD, f"sqlite:///{product.state}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        product.run("once", code=7)
        process.kill()
        process.wait(timeout=30)
    product.run("once", code=0)


def test_2_comes_before_7(product: Product) -> None:
    product.pair()
    product.write_config(schedule={"poll": "never"})
    with held(product):
        product.run("once", code=2)


def test_6_comes_before_4(product: Product) -> None:
    product.crm.add(custom_field1="10", custom_field2="31")
    product.once(code=4)
    product.work.faults.order("read", "status", times=None)
    product.once(code=6)


def test_the_state_of_another_connection_is_halted(product: Product) -> None:
    product.pair()
    product.write_config(crm={"client_id": "another-app"})
    product.crm.client_id = "another-app"
    marks = product.mark()
    assert "another connection" in product.run("once", code=5).err
    product.run("report", code=5)
    assert product.writes(marks) == []


def test_real_processes_end_with_the_same_codes(product: Product) -> None:
    product.task()
    assert product.process("report", "--exit-code", code=3).out != ""
    assert "1 created" in product.process("once", code=0).out
    product.crm.add(custom_field1="10", custom_field2="31")
    assert "target_is_department" in product.process("once", code=4).err
    with hold(f"sqlite:///{product.state}", SystemClock()):
        product.process("once", code=7)
    product.write_config(schedule={"poll": "soon"})
    assert "Traceback" not in product.process("once", code=2).err
