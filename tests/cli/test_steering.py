"""What a person steers with: pause and resume, ack, restore, saved plans, old tasks, and the places to choose from."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler import app
from reconciler.planfile import plan_file
from tests.cli.product import Product


def test_a_pause_holds_writes_until_resume_and_status_says_who_and_why(product: Product) -> None:
    task, item = product.pair(task_name="Cũ")
    product.crm.edit(task, task_name="Mới")
    product.run("pause", "--reason", "Đang chuyển dữ liệu", "--until", "2099-01-01")
    marks = product.mark()
    product.once(code=None)
    assert product.writes(marks) == []
    assert "Đang chuyển dữ liệu" in product.run("status", code=None).out
    product.run("resume", "--reason", "Xong")
    product.once()
    row = product.work.get(item)
    assert row is not None and row["TaskName"] == "Mới"


def test_a_pause_whose_time_has_come_ends_by_itself(product: Product) -> None:
    task, item = product.pair(task_name="Cũ")
    product.crm.edit(task, task_name="Mới")
    product.run("pause", "--reason", "Tối qua", "--until", "2020-01-01T09:00")
    product.once()
    row = product.work.get(item)
    assert row is not None and row["TaskName"] == "Mới"


@pytest.mark.parametrize("words", [("pause", "--reason", "x", "--until", "mai"), ("pause",), ("ack", "--reason", "x")])
def test_what_says_too_little_or_nonsense_changes_nothing(product: Product, words: tuple[str, ...]) -> None:
    product.pair()
    before = product.run("status", "--format", "json").json
    product.run(*words, code=2)
    assert product.run("status", "--format", "json").json["paused"] == before["paused"] is None


def test_what_is_dismissed_stays_so_until_its_content_changes(product: Product) -> None:
    task = product.task(custom_field2="không có")
    product.once(code=4)
    product.run("ack", task, "--reason", "Biết rồi")
    product.once(code=0)
    product.clock.later(60)
    product.crm.edit(task, custom_field2="cũng không có")
    product.once(code=4)
    product.run("ack", 999_999, "--reason", "Nhầm", code=2)


def test_restore_brings_an_overwritten_value_back_and_refuses_what_overwrote_nothing(product: Product) -> None:
    task, item = product.pair(task_name="Giữ tên này")
    product.crm.edit(task, task_name="Lỡ tay")
    product.once()
    [entry] = [row for row in product.history("--task", task) if row["kind"] == "intent" and row["new"] == "Lỡ tay"]
    product.run("restore", entry["id"])
    product.once()
    left, right = product.crm.get(task), product.work.get(item)
    assert left is not None and right is not None
    assert left["task_name"] == right["TaskName"] == "Giữ tên này"
    assert "already" in product.run("restore", entry["id"]).out
    other = next(row["id"] for row in product.history() if row["kind"] != "intent")
    for number in (other, 10**9):
        assert str(number) in product.run("restore", number, code=2).err
    product.run("unlink", task)
    assert "no longer linked" in product.run("restore", entry["id"], code=2).err


def test_a_value_whose_record_cannot_be_seen_is_not_restored(product: Product) -> None:
    task, item = product.pair(task_name="Cũ")
    product.crm.edit(task, task_name="Mới")
    product.once()
    [entry] = [row for row in product.history("--task", task) if row["kind"] == "intent" and row["new"] == "Mới"]
    product.work.hide(item)
    assert "cannot be seen" in product.run("restore", entry["id"], code=2).err
    product.work.reveal(item)
    product.work.faults.order("update-tasks", "status", status=404, times=None)
    assert "not restored" in product.run("restore", entry["id"], code=6).err


def test_revert_brings_a_cycle_back_after_a_dry_run_and_leaves_alone_what_changed_since(product: Product) -> None:
    (task, item), (other, _) = product.pair(task_name="Cũ"), product.pair(task_name="Khác")
    product.crm.edit(task, task_name="Nhầm")
    product.crm.edit(other, task_name="Nhầm")
    product.once()
    cycle = next(row["cycle"] for row in product.history("--task", task) if row["new"] == "Nhầm")
    product.clock.later(60)
    product.crm.edit(other, task_name="Sửa sau")
    before = product.stored()
    shown = product.run("revert", cycle, "--dry-run", code=4)
    assert f"title of work {item}: «Nhầm» -> «Cũ»\n" in shown.out
    assert "was changed since" in shown.err
    assert product.stored() == before
    assert "--reason" in product.run("revert", cycle, code=2).err
    done = product.run("revert", cycle, "--reason", "Sai hàng loạt", code=4)
    assert (done.out.startswith("1 values are brought back"), done.err) == (True, shown.err)
    product.once()
    left, right = product.crm.get(task), product.work.get(item)
    assert left is not None and right is not None
    assert left["task_name"] == right["TaskName"] == "Cũ"
    assert "nothing was changed" in product.run("revert", cycle, "--reason", "Lại", code=4).out
    for words in (("--reason", "x"), ("--dry-run",)):
        assert "no cycle" in product.run("revert", 10**9, *words, code=2).err


def test_a_revert_over_the_limits_ends_with_5_and_one_without_a_side_with_6(product: Product) -> None:
    (task, _), (other, _) = product.pair(task_name="Cũ"), product.pair(task_name="Khác")
    product.crm.edit(task, task_name="Nhầm")
    product.crm.edit(other, task_name="Nhầm")
    product.once()
    cycle = next(row["cycle"] for row in product.history("--task", task) if row["new"] == "Nhầm")
    product.run("pause", "--reason", "x")
    assert "nothing was written" in product.run("revert", cycle, "--reason", "x", code=5).err
    product.run("resume", "--reason", "x")
    product.write_config(safety={"max_updates": 1})
    held = product.run("revert", cycle, "--reason", "x", code=5).err
    assert ("at most 1" in held, "[safety]" in held, "restore ENTRY" in held) == (True, True, True)
    product.write_config(safety={"max_updates": 300})
    product.work.faults.order("update-tasks", "status", status=404, times=None)
    assert "was not restored" in product.run("revert", cycle, "--reason", "x", code=6).err


# --- saved plans ------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(product: Product, tmp_path: Path) -> Path:
    """A plan file that would rename one item."""
    task, _ = product.pair(task_name="Cũ")
    product.crm.edit(task, task_name="Mới")
    file = tmp_path / "plan.json"
    product.run("plan", "--output", file)
    return file


def test_a_plan_is_carried_out_once_and_never_if_it_was_touched(product: Product, saved: Path) -> None:
    text = saved.read_text("utf-8")
    saved.write_text(text.replace("Mới", "Khác"), "utf-8")
    marks = product.mark()
    assert "altered" in product.run("apply", saved, code=2).err
    assert product.writes(marks) == []
    saved.write_text(text, "utf-8")
    product.run("apply", saved)
    assert "already" in product.run("apply", saved, code=2).err


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00"])
def test_what_is_no_plan_is_refused_with_the_way_to_make_one(product: Product, tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    assert "plan --output" in product.run("apply", file, code=2).err
    assert "cannot be read" in product.run("apply", tmp_path / "none.json", code=2).err


def test_a_plan_of_another_connection_or_of_another_time_is_refused(product: Product, tmp_path: Path) -> None:
    identity, now = app.identity(app.load(str(product.config), {})), product.clock.system.now()
    file = tmp_path / "plan.json"
    for whose, moment, why in (
        ({**identity, "name": "khác"}, now, "another connection"),
        (identity, now - timedelta(days=9), "too old"),
        (identity, now + timedelta(days=9), "too old"),
    ):
        file.write_text(plan_file([], whose, moment), "utf-8")
        assert why in product.run("apply", file, code=2).err
    file.write_text(plan_file([], identity, now), "utf-8")
    product.run("apply", file)


# --- old tasks --------------------------------------------------------------------------------------------------------


def routed(product: Product) -> None:
    """From now on every task goes to one group."""
    product.sections["routes"] = [{"project": 12, "group": 31}]
    product.write_config()


TERMINAL = "from reconciler.cli import main; main()"


def on_a_terminal(product: Product, *words: str, answer: bytes = b"") -> tuple[int, str]:
    """A command whose three streams are a terminal; its exit code and what was seen there."""
    master, slave = pty.openpty()
    command = [sys.executable, "-c", TERMINAL, words[0], "--config", str(product.config), *words[1:]]
    env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        os.write(master, answer)
        seen = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        process.wait(timeout=60)
    os.close(master)
    return process.returncode, seen.decode(errors="replace")


def test_more_than_fifty_old_tasks_are_asked_about_on_a_terminal_and_shown_as_they_go(product: Product) -> None:
    for number in range(51):
        product.crm.add(task_name=f"Việc cũ {number}")
    product.once()
    routed(product)
    listed = product.run("backfill", "--dry-run", "--limit", 3)
    assert "3 tasks would be linked" in listed.out
    assert listed.out.count("-> 12 / 31") == 3
    code, seen = on_a_terminal(product, "backfill", answer=b"n\n")
    assert (code, product.work.rows) == (1, {})
    assert "51 tasks?" in seen
    code, seen = on_a_terminal(product, "backfill", answer=b"y\n")
    assert (code, len(product.work.rows)) == (0, 51)
    assert "51/51" in seen
    assert "0 of 0 tasks" in product.run("backfill").out


def test_a_backfill_that_a_side_cuts_short_says_so_and_goes_on_later(product: Product) -> None:
    product.crm.add(task_name="Việc cũ")
    product.once()
    routed(product)
    product.work.faults.order("insert-tasks", "status", status=404, times=None)
    assert "run it again" in product.run("backfill", "--yes", code=6).err
    product.work.faults.clear()
    assert "1 of 1 tasks" in product.run("backfill", "--yes").out


# --- places, journal --------------------------------------------------------------------------------------------------


def test_targets_are_the_same_places_in_every_form(product: Product) -> None:
    rows = json.loads(product.run("targets", "--format", "json").out)
    text = product.run("targets").out.splitlines()
    assert [f"{one['id']}  {one['name']}" for one in rows] == [line for line in text if not line.startswith(" ")]
    groups = [f"    {group['id']}  {group['name']}" for one in rows for group in one["groups"]]
    assert groups == [line for line in text if line.startswith(" ")]
    assert "12" in {one["id"] for one in rows}
    assert "14" not in {one["id"] for one in rows}, "an archived project takes no tasks"


def test_a_config_that_a_pilot_names_wrongly_and_a_user_without_rights_are_found_by_check(product: Product) -> None:
    product.write_config(pilot={"projects": ["Không có dự án này"]})
    assert "Không có dự án này" in product.run("check", code=2).err
    for project in product.work.projects.values():
        project["CanAddTask"] = False
    assert "grant the connection's user the right" in product.run("check", code=None).err


def test_a_journal_that_was_touched_is_named_by_its_first_wrong_entry(product: Product) -> None:
    product.pair()
    assert "intact" in product.run("verify").out
    with closing(sqlite3.connect(product.state)) as state:
        [(number,)] = state.execute("SELECT min(id) FROM journal WHERE kind = 'created'").fetchall()
        for (guard,) in state.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            state.execute(f'DROP TRIGGER "{guard}"')
        state.execute("UPDATE journal SET reason = 'x' WHERE id = ?", (number,))
        state.commit()
    assert f"entry {number}" in product.run("verify", code=1).err


def test_a_copy_of_the_state_is_made_once_and_is_a_state(product: Product, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert "no state" in product.run("backup", copy, code=2).err
    task, _ = product.pair()
    product.run("backup", copy)
    assert copy.stat().st_mode & 0o077 == 0
    assert "cannot be made" in product.run("backup", copy, code=2).err
    product.write_config(state={"url": f"sqlite:///{copy}"})
    assert product.run("status", "--format", "json").json["links"] == 1
    assert f"CRM task {task} <->" in product.run("why", task).out


def test_a_damaged_state_is_refused_before_anything_is_written(product: Product) -> None:
    task, _ = product.pair()
    content = bytearray(product.state.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    for file in product.folder.glob("state.db-*"):
        file.unlink()
    product.state.write_bytes(content)
    product.crm.edit(task, task_name="Mới")
    marks = product.mark()
    assert "restore it from a backup" in product.run("once", code=2).err
    assert product.writes(marks) == []


# --- limits -----------------------------------------------------------------------------------------------------------


def test_what_a_limit_holds_is_applied_by_its_fingerprint_and_what_changed_since_is_named(product: Product) -> None:
    product.write_config(safety={"max_updates": 2})
    pairs = [product.pair(task_name=f"Việc {number}") for number in range(3)]
    for task, _ in pairs:
        product.crm.edit(task, task_name=f"Mới {task}")
    product.once(code=5)
    told = product.run("status", code=None).out
    halted = product.run("status", "--format", "json", code=None).json["halted"]
    assert halted["count"] == 3
    assert f"resume --reason .. --approve {halted['fingerprint']}" in told
    product.run("resume", "--reason", "Nhầm dấu", "--approve", "sha256:0", code=2)
    (edited, _), *others = pairs
    product.clock.later(60)
    product.crm.edit(edited, task_name="Sửa lại sau khi bị giữ")
    done = product.run("resume", "--reason", "Đã xem", "--approve", halted["fingerprint"], code=4)
    assert "skipped, changed meanwhile" in done.err
    rows = [product.work.get(item) for _, item in others]
    assert [row["TaskName"] for row in rows if row] == [f"Mới {task}" for task, _ in others]
    product.once()
    [item] = product.work.by_marker(edited)
    row = product.work.get(item)
    assert row is not None and row["TaskName"] == "Sửa lại sau khi bị giữ"


# --- the story of one task --------------------------------------------------------------------------------------------


def test_why_tells_what_waits_what_differs_and_how_it_ended(product: Product) -> None:
    product.write_config(fields={"description": "off"})
    task, item = product.pair(description="chỉ ở CRM")
    product.work.edit(item, Description="chỉ ở Work")
    product.work.faults.order("update-tasks", "element", times=None, code="InvalidValue", message="không nhận tên này")
    product.crm.edit(task, task_name="Tên khác")
    product.once(code=4)
    told = product.run("why", task).out
    assert f"CRM task {task} <-> work item {item}" in told
    assert "accepted difference in description: off" in told
    assert "không nhận tên này" in told
    product.run("unlink", task, "--reason", "Không cần nữa")
    told = product.run("why", task).out
    assert f"CRM task {task}: not linked" in told
    assert f"unlinked from item {item}" in told
