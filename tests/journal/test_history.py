"""`history` answers for any period and filter in every form; `why` tells one task on one screen."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.report.data import entry_data
from reconciler.report.journal import why_text
from tests.cli.product import Product
from tests.cli.test_steering import on_a_terminal
from tests.store.samples import entry


@pytest.fixture
def told(product: Product) -> tuple[Product, int, int]:
    """A pair with an edit on each side and a conflict, and another task."""
    task, item = product.pair(task_name="Gốc")
    product.pair(task_name="Việc khác")
    product.clock.later(60)
    product.crm.edit(task, task_name="Lần một")
    product.once()
    product.clock.later(60)
    product.work.edit(item, TaskName="Bên Công việc")
    product.clock.later(600)
    product.crm.edit(task, task_name="Bên Bán hàng")
    product.once()
    product.run("pause", "--reason", "Thử")
    product.run("resume", "--reason", "Xong")
    return product, task, item


def test_every_filter_gives_what_it_names_and_all_of_it(told: tuple[Product, int, int]) -> None:
    product, task, item = told
    rows = product.history()
    operator = next(row["operator"] for row in rows if row["kind"] == "paused")
    cycle = next(row["cycle"] for row in rows if row["kind"] == "conflict")
    author = next(row["changed_by"] for row in rows if row["kind"] == "conflict")
    filters: dict[tuple[str, ...], Callable[[dict[str, Any]], bool]] = {
        ("--task", str(task)): lambda row: row["crm_id"] == str(task),
        ("--item", str(item)): lambda row: row["work_id"] == str(item),
        ("--field", "title"): lambda row: row["field"] == "title",
        ("--kind", "conflict"): lambda row: row["kind"] == "conflict",
        ("--side", "work"): lambda row: row["side"] == "work",
        ("--operator", operator): lambda row: row["operator"] == operator,
        ("--person", author[1:]): lambda row: author[1:] in (row["changed_by"] or "") + (row["operator"] or ""),
        ("--cycle", str(cycle)): lambda row: row["cycle"] == cycle,
        ("--since", "2001-01-01", "--until", "2001-01-02"): lambda row: False,
    }
    for words, holds in filters.items():
        assert product.history(*words) == [row for row in rows if holds(row)], words
        assert len(product.history(*words)) < len(rows), words
    assert product.history("--limit", 3) == rows[-3:]
    assert product.history("--kind", "intent", "--limit", 2) == [row for row in rows if row["kind"] == "intent"][-2:]
    both = product.history("--task", task, "--field", "title", "--kind", "observed")
    assert sorted((row["side"], row["old"], row["new"]) for row in both) == [
        ("crm", "Gốc", "Lần một"),
        ("crm", "Lần một", "Bên Bán hàng"),
        ("work", "Lần một", "Bên Công việc"),
    ]


def test_every_form_tells_the_same_entries(told: tuple[Product, int, int], tmp_path: Path) -> None:
    product, _, _ = told
    ids = [str(row["id"]) for row in product.history()]
    assert [line.split()[0] for line in product.run("history").out.splitlines()] == ids
    table = list(csv.DictReader(io.StringIO(product.run("history", "--format", "csv").out.removeprefix("\ufeff"))))
    assert [row["id"] for row in table] == ids
    page = product.run("history", "--format", "html").out
    assert [number for number in ids if f'id="entry-{number}"' in page] == ids
    for form in ("text", "json", "csv", "html"):
        file = tmp_path / form
        product.run("history", "--format", form, "--output", file)
        assert file.read_text("utf-8").splitlines() == product.run("history", "--format", form).out.splitlines()
        assert file.stat().st_mode & 0o077 == 0
    assert product.history("--task", "999999") == []


def test_what_somebody_typed_is_no_markup_and_no_formula(product: Product) -> None:
    product.pair(task_name="<script>alert(1)</script>", description="=1+1")
    page = product.run("history", "--format", "html").out
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert '"\'=1+1"' in product.run("history", "--format", "csv").out


def test_why_tells_link_edits_decisions_with_their_inputs_and_the_present_state(
    told: tuple[Product, int, int],
) -> None:
    product, task, item = told
    lines = product.run("why", task).out.splitlines()
    assert lines[0] == f"CRM task {task} <-> work item {item}"
    assert any("title: CRM «Bên Bán hàng»  Work «Bên Bán hàng»" in line for line in lines)
    assert any("observed" in line and "Lần một -> Bên Công việc" in line for line in lines)
    conflict = next(number for number, line in enumerate(lines) if " conflict " in line)
    assert "CRM «Lần một» -> «Bên Bán hàng», Work «Lần một» -> «Bên Công việc»" in lines[conflict + 1]
    assert "crm wins: newer" in lines[conflict + 2]
    assert "tolerance 2 s" in lines[conflict + 2]
    assert all(str(task) in line for line in lines if line[:1].isdigit())
    vietnamese = product.run("why", task, "--lang", "vi").out
    assert "căn cứ: bên Bán hàng «Lần một»" in vietnamese


def test_a_terminal_shows_how_far_the_work_is(told: tuple[Product, int, int], tmp_path: Path) -> None:
    product, _, _ = told
    count = len(product.history())
    code, seen = on_a_terminal(product, "verify")
    assert (code, f"{count}/{count}" in seen) == (0, True)
    code, seen = on_a_terminal(product, "export", "--output", str(tmp_path / "bundle"))
    assert (code, f"{count}/{count}" in seen) == (0, True)
    assert on_a_terminal(product, "history", "--output", str(tmp_path / "history"))[0] == 0


def test_days_and_instants_read_as_people_write_them(product: Product) -> None:
    task, item = product.pair(due_date="2026-03-09")
    product.work.edit(item, Deadline="2026-04-01T10:30:00+07:00")
    product.once()
    for told in (product.run("why", str(task)).out, product.run("history").out):
        assert "01/04/2026" in told
        assert "2026-04-01" not in told
    [row] = [row for row in product.history("--field", "due") if row["kind"] == "confirmed"]
    assert row["new"] == "2026-04-01", "a program gets the value itself"


def test_why_tells_what_a_new_item_an_aside_a_refusal_and_an_end_were_decided_on(product: Product) -> None:
    task = product.crm.add(
        custom_field1="12", custom_field2="31", task_name="Gốc", owner_name="NV009", due_date="2026-03-09"
    )
    product.once(code=4)
    lost = product.crm.add(custom_field1="Không có", custom_field2="31", task_name="Lạc")
    product.clock.later(60)
    product.crm.edit(task, task_name="dài " * 100)
    product.once(code=4)
    product.crm.edit(task, is_deleted=True)
    product.clock.later(60)
    product.once(code=4)
    story, refused = (product.run("why", one, code=None).out for one in (task, lost))
    for words in (
        "decided on: target «12» / «31»; found: projects Triển khai An Phát (12); task groups Cần làm (31)",
        "title «Gốc»",
        "due «09/03/2026»",
        "left out: owner (person_unknown)",
        "title [field_too_long]",
        "decided on: CRM «Gốc» -> «dài dài",
        "known there: at most 255 characters",
        "decided on: CRM task deleted, work item present; the other record: last edit ",
        "deletions are not propagated",
    ):
        assert words in story, words
    assert "[target_not_found]" in refused
    assert "decided on: target «Không có» / «31»; found: projects (empty); task groups (empty)" in refused
    vietnamese = "".join(product.run("why", one, "--lang", "vi", code=None).out for one in (task, lost))
    for words in (
        "căn cứ: nơi nhận «12» / «31»",
        "để lại: Người thực hiện (bên kia không biết người này)",
        "đã biết ở bên đó: nhận tối đa 255 ký tự",
        "căn cứ: Nhiệm vụ đã xóa, Công việc còn đó",
        "[dự án hoặc nhóm công việc đã chọn không tồn tại]",
    ):
        assert words in vietnamese, words


def test_why_tells_an_entry_that_holds_no_evidence_as_it_is() -> None:
    older = [
        replace(entry(1), kind=kind, crm_id="7", field=None, old=None, inputs={}, detail={}, reason=reason)
        for kind, reason in (("unlinked", "deleted"), ("intent", "deleted"), ("drafted", "created"), ("set_aside", ""))
    ]
    untold: dict[str, Any] = {"fields": {}, "modified": {}, "differences": [], "tombstone": [], "attention": []}
    data = {"task": "7", "item": None, "pending_since": None, **untold}
    told = why_text(data, [entry_data(one) for one in older], str)
    assert len(told.splitlines()) == 1 + len(older)
