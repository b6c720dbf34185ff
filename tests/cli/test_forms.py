"""What scripts and people read: report, status, history, check, help."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import COMMANDS, main
from tests.cli.product import Product

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


def test_the_json_report_has_every_key_of_the_contract(product: Product) -> None:
    product.crm.add(task_name="Mới", **TARGET)
    report = product.run("report", "--format", "json").json
    assert {
        "connection", "mode", "generated_at", "complete", "fingerprint", "watermarks", "summary", "operations",
        "conflicts", "differences", "held", "halted", "attention",
    } <= report.keys()  # fmt: skip
    assert (report["mode"], report["complete"]) == ("dry-run", True)
    [operation] = report["operations"]
    assert (operation["kind"], operation["side"], operation["work_id"]) == ("create", "work", None)
    assert {field["reason"] for field in operation["fields"]} == {"created"}
    assert report["generated_at"].endswith("Z")


def test_csv_parses_back_and_runs_no_formula(product: Product) -> None:
    product.crm.add(task_name='=HYPERLINK("x")', **TARGET)
    text = product.run("report", "--format", "csv").out
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert {row["title"] for row in rows if row["section"] == "planned"} == {'\'=HYPERLINK("x")'}
    assert all(not value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.risky: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.risky += [name for name, value in attrs if name.startswith("on") or name in ("src", "href")]


def test_html_is_one_file_without_script_and_escapes_what_people_typed(product: Product) -> None:
    product.crm.add(task_name="<script>alert(1)</script>", **TARGET)
    text = product.run("report", "--format", "html").out
    parsed = Tags()
    parsed.feed(text)
    assert "script" not in parsed.tags
    assert parsed.risky == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "default-src 'none'" in text


def test_a_report_file_is_for_its_owner_only(product: Product) -> None:
    file = product.folder / "report.json"
    product.run("report", "--format", "json", "--output", file)
    assert file.stat().st_mode & 0o077 == 0


def test_status_and_history_hold_what_the_contract_promises(product: Product) -> None:
    product.crm.add(task_name="Mới", **TARGET)
    product.run("once")
    status = product.run("status", "--format", "json").json
    assert {
        "connection",
        "last_cycle",
        "watermarks",
        "links",
        "pending",
        "attention",
        "paused",
        "halted",
    } <= status.keys()
    assert (status["links"], status["last_cycle"]["outcome"]) == (1, "ok")
    rows = product.run("history", "--format", "json").json
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert {
        "id", "at", "cycle", "kind", "crm_id", "work_id", "side", "field", "old", "new", "rule", "changed_by",
        "operator",
    } <= rows[0].keys()  # fmt: skip
    assert "created" in product.run("history").out
    assert product.run("history", "--format", "csv").out.startswith('\ufeff"id",')
    assert product.run("verify").code == 0


def test_a_saved_plan_is_applied_exactly_once(product: Product) -> None:
    kept, moved = (product.crm.add(task_name=f"Việc {number}", **TARGET) for number in range(2))
    file = product.folder / "plan.json"
    product.run("plan", "--output", file)
    product.clock.later(30)
    product.crm.edit(moved, task_name="Đổi sau kế hoạch")
    late = product.crm.add(task_name="Sau kế hoạch", **TARGET)
    outcome = product.run("apply", file, code=4)
    assert str(moved) in outcome.err
    assert len(product.work.by_marker(kept)) == 1
    assert product.work.by_marker(moved) == product.work.by_marker(late) == []
    product.run("apply", file, code=2)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("Việc 0", "Việc 9"), encoding="utf-8")
    assert "altered" in product.run("apply", file, code=2).err


def test_backup_is_a_state_of_its_own(product: Product) -> None:
    product.crm.add(**TARGET)
    product.run("once")
    copy = product.folder / "copy.db"
    product.run("backup", copy)
    product.write_config(state={"url": f"sqlite:///{copy}"})
    assert product.run("status", "--format", "json").json["links"] == 1


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_that_help_lists_exists_and_explains_itself(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert command in CliRunner().invoke(main, ["--help"]).stdout


def test_help_starts_without_loading_what_commands_need() -> None:
    script = (
        "import sys, reconciler.cli\n"
        "try:\n    reconciler.cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'sqlmodel', 'sqlalchemy', 'httpx', 'aiohttp', 'alembic', 'pydantic', 'rich', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
