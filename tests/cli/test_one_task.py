"""What a person asks for one task, and what `check` and `config` say: `unlink`, `link` again, `retry`."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from tests.cli.product import Product


def test_unlink_leaves_both_records_and_only_link_joins_them_again(product: Product) -> None:
    task, item = product.pair(task_name="Gọi")
    left, right, marks = product.crm.get(task), product.work.get(item), product.mark()
    product.run("unlink", task, "--reason", "Tách ra theo yêu cầu")
    assert (product.crm.get(task), product.work.get(item)) == (left, right)
    product.once()
    product.crm.edit(task, task_name="Chỉ ở CRM")
    product.work.edit(item, Description="Chỉ ở Work")
    product.once()
    product.once()
    assert product.writes(marks) == []
    assert product.run("status", "--format", "json").json["links"] == 0
    [entry] = [row for row in product.history("--task", task) if row["kind"] == "unlinked"]
    assert (entry["reason"], entry["work_id"]) == ("Tách ra theo yêu cầu", str(item))
    assert entry["operator"]

    product.crm.edit(task, task_name="Gọi")
    product.work.edit(item, Description=None)
    adopted = product.run("link", task, "--project", 13, "--group", 41)
    assert str(item) in adopted.out
    row = product.work.get(item)
    assert row is not None and (row["ProjectID"], row["TaskGroupID"]) == (12, 31)  # adopted, not moved
    assert len(product.work.rows) == 1
    product.once()
    assert product.run("status", "--format", "json").json["links"] == 1


def test_a_deleted_item_of_an_unlinked_task_is_made_anew_by_link(product: Product) -> None:
    task, item = product.pair()
    product.run("unlink", task)
    product.work.delete(item)
    product.run("link", task, "--project", 12, "--group", 31)
    [made] = product.work.by_marker(task)
    assert made != item


def test_unlink_twice_is_a_usage_error(product: Product) -> None:
    task, _ = product.pair()
    product.run("unlink", task)
    assert str(task) in product.run("unlink", task, code=2).err


def test_retry_releases_what_a_side_refused(product: Product) -> None:
    product.work.projects[12]["CanAddTask"] = False
    task = product.task()
    product.once(code=4)
    assert product.attention() == [("crm", str(task), "target_forbidden")]
    product.work.projects[12]["CanAddTask"] = True
    product.run("retry", "--all")
    product.once(code=0)
    assert len(product.work.by_marker(task)) == 1
    assert product.attention() == []


@pytest.mark.parametrize("how", ["task", "item", "all"])
def test_retry_releases_a_field_that_was_set_aside(product: Product, how: str) -> None:
    task, item = product.pair()
    order = product.work.faults.order(
        "update-tasks", "element", times=None, code="InvalidValue", message="Tên không hợp lệ"
    )
    product.crm.edit(task, task_name="Tên mới")
    product.once(code=4)
    [(side, id_, _)] = product.attention()
    assert (side, id_) in {("crm", str(task)), ("work", str(item))}
    tried = order.fired
    product.once(code=4)
    assert order.fired == tried, "a refused value is not sent again by itself"
    product.work.faults.clear()
    product.run("retry", *{"task": (task,), "item": ("--item", item), "all": ("--all",)}[how])
    product.once(code=0)
    row = product.work.get(item)
    assert row is not None and row["TaskName"] == "Tên mới"
    assert product.attention() == []


def test_history_is_one_journal_in_three_forms_and_can_be_narrowed(product: Product) -> None:
    task, item = product.pair(task_name='=HYPERLINK("x")')
    other, _ = product.pair(task_name="Khác")
    product.clock.later(60)
    product.crm.edit(task, task_name="=1+1")
    product.once()
    every = product.history()
    mine = product.history("--task", task)
    assert {row["crm_id"] for row in mine} == {str(task)}
    assert {row["crm_id"] for row in product.history("--item", item)} == {str(task)}
    assert len(mine) < len(every)
    changed = [row for row in mine if row["field"] == "title" and row["kind"] == "intent"]
    assert [(row["side"], row["old"], row["new"], row["work_id"]) for row in changed if row["work_id"]] == [
        ("work", '=HYPERLINK("x")', "=1+1", str(item))
    ]
    text = product.run("history", "--task", task).out
    assert len(text.splitlines()) == len(mine)
    assert "=1+1" in text
    table = product.run("history", "--format", "csv", "--task", task).out
    rows = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))
    assert [row["id"] for row in rows] == [str(row["id"]) for row in mine]
    assert "'=1+1" in {row["new"] for row in rows}
    assert product.history("--until", "2020-01-01") == []
    assert product.history("--since", "2020-01-01") == every
    assert str(other) not in text


def test_check_prints_both_clock_offsets(product: Product) -> None:
    said = product.run("check").out
    offsets = re.findall(r"^(crm|work): .*clock offset ([-+]\d+\.\d) s", said, re.MULTILINE)
    assert [side for side, _ in offsets] == ["crm", "work"]
    behind = product.clock.behind.total_seconds()
    assert all(abs(float(seconds) + behind) < 5 for _, seconds in offsets), said


@pytest.mark.parametrize(("section", "key"), [("crm", "client_secret"), ("work", "secret_key")])
def test_check_says_which_side_refuses_the_credentials(product: Product, section: str, key: str) -> None:
    product.write_config(**{section: {key: "wrong"}})
    done = product.run("check", code=6)
    assert f"{section}: " in done.err
    assert "Traceback" not in done.text
    other = "work" if section == "crm" else "crm"
    assert f"{other}: connected" in done.out, "the side that works is checked all the same"


def test_the_schema_is_printed_without_any_config() -> None:
    printed = CliRunner().invoke(main, ["config", "schema"])
    assert printed.exit_code == 0
    schema = json.loads(printed.stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"connection", "crm", "work", "state", "safety"} <= set(schema["properties"])


def test_the_group_lists_the_commands_that_exist_and_no_other() -> None:
    text = CliRunner().invoke(main, ["--help"]).stdout
    listed = re.findall(r"^  ([a-z]+)  +\S", text.split("Commands:")[1], re.MULTILINE)
    assert listed == sorted(main.commands)
    for name in listed:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0
    assert CliRunner().invoke(main, ["config", "schema", "--help"]).exit_code == 0
