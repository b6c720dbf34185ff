"""`report` is the real planner without the apply step: it writes nothing and tells exactly what `once` would do."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.sandbox.calls import Call
from tests.cli.product import MARKER_FIELD, Product
from tests.cli.test_exit_codes import held

FORMS = ("text", "json", "csv", "html")
CRM_NAMES = {
    "task_name": "title",
    "description": "description",
    "start_date": "start",
    "due_date": "due",
    "owner_name": "owner",
    "status": "status",
}
WORK_NAMES = {
    "TaskName": "title",
    "Description": "description",
    "StartDate": "start",
    "Deadline": "due",
    "DoerCodes": "owner",
    "StatusName": "status",
}

Written = tuple[str, str, str, dict[str, Any]]


def busy(product: Product) -> None:
    """Something of everything: a create, updates of both sides, a conflict, an unlink, a refused target."""
    pairs = [product.pair(task_name=f"Việc {number}", due_date="2026-03-09") for number in range(4)]
    product.clock.later(60)
    product.crm.edit(pairs[0][0], task_name="Đổi ở CRM", status="Hoàn thành", due_date="2026-03-20", owner_name="NV003")
    product.work.edit(pairs[1][1], StatusName="Đã hoàn thành", Description="Đổi ở Work\nhai dòng")
    product.crm.edit(pairs[2][0], task_name="Tranh chấp CRM")
    product.clock.later(30)
    product.work.edit(pairs[2][1], TaskName="Tranh chấp Work", Deadline="2026-03-15T08:00:00+07:00")
    product.work.delete(pairs[3][1])
    product.task(task_name="Mới", description="Một\nhai", start_date="2026-03-02", due_date="2026-03-05")
    product.crm.add(task_name="Sai", custom_field1="10", custom_field2="31")


def planned(report: dict[str, Any]) -> list[Written]:
    """The report's operations that write to a system."""
    return sorted(
        (row["side"], row["kind"], row["crm_id"], {one["name"]: one["after"] for one in row["fields"]})
        for row in report["operations"]
        if row["kind"] != "unlink"
    )


def written(product: Product, calls: list[Call]) -> list[Written]:
    """What calls wrote, in the words of the report; the CRM's link marker is no field of the plan."""
    found: list[Written] = []
    crm_ids = {item: row["CustomFields"].get("crm_task_id") for item, row in product.work.rows.items()}
    for call in calls:
        for element in call.elements:
            assert element.ok and element.id is not None
            names = CRM_NAMES if call.side == "crm" else WORK_NAMES
            fields = {names[name]: value for name, value in element.fields.items() if name in names}
            extra = set(element.fields) - set(names)
            assert extra <= {MARKER_FIELD, "CustomFields", "ProjectID", "TaskGroupID"}, extra
            if fields:
                kind = "create" if call.verb == "insert-tasks" else "update"
                crm_id = str(element.id if call.side == "crm" else crm_ids[element.id])
                found.append((call.side, kind, crm_id, fields))
    return sorted(found)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_the_report_writes_anything(product: Product, form: str) -> None:
    busy(product)
    marks, state = product.mark(), product.stored()
    output = product.folder / "report.out"
    product.run("report", "--format", form, code=4)
    product.run("report", "--format", form, "--output", output, "--exit-code", code=3)
    assert product.writes(marks) == []
    assert product.stored() == state
    assert output.stat().st_mode & 0o777 == 0o600
    assert list(product.folder.glob(".report.out*")) == []


@pytest.mark.parametrize("form", FORMS)
def test_without_a_state_nothing_is_created(product: Product, form: str) -> None:
    product.task()
    before = sorted(product.folder.iterdir())
    product.run("report", "--format", form)
    assert sorted(product.folder.iterdir()) == before
    assert product.writes() == []


def test_what_is_planned_is_what_once_writes_field_by_field(product: Product) -> None:
    busy(product)
    said = product.report(code=4)
    marks = product.mark()
    product.once(code=4)
    assert planned(said) == written(product, product.writes(marks))
    assert len(planned(said)) == 4


def test_the_first_cycle_of_all_is_foretold_too(product: Product) -> None:
    for number in range(3):
        product.task(task_name=f"Việc {number}", status="Hoàn thành", owner_name="NV002", due_date="2026-03-09")
    said = product.report()
    product.run("once")
    assert planned(said) == written(product, product.writes())
    assert len(planned(said)) == 3


def test_every_value_before_is_what_the_side_shows_now(product: Product) -> None:
    busy(product)
    for row in product.report(code=4)["operations"]:
        names = CRM_NAMES if row["side"] == "crm" else WORK_NAMES
        stored = product.crm.get(int(row["crm_id"])) if row["side"] == "crm" else None
        if row["side"] == "work" and row["work_id"]:
            stored = product.work.get(int(row["work_id"]))
        for one in row["fields"]:
            native = next(name for name, ours in names.items() if ours == one["name"])
            assert one["before"] == (stored[native] if stored else None), row
            assert one["reason"] in ("changed_on_crm", "changed_on_work", "conflict", "created", "restored")


def test_an_unlink_is_foretold(product: Product) -> None:
    busy(product)
    said = product.report(code=4)
    unlinked = [row for row in said["operations"] if row["kind"] == "unlink"]
    assert [row["crm_id"] for row in unlinked] == ["1004"]
    assert said["summary"]["unlink"] == 1
    links = product.run("status", "--format", "json").json["links"]
    product.once(code=4)
    assert product.run("status", "--format", "json").json["links"] == links  # one unlinked, one created


def test_the_fingerprint_is_of_the_operations_alone(product: Product) -> None:
    busy(product)
    first = product.report(code=4)
    product.clock.later(7)
    second = product.report(code=4)
    assert first["fingerprint"] == second["fingerprint"]
    assert first["fingerprint"].startswith("sha256:")
    assert first["operations"] == second["operations"]
    product.task(task_name="Thêm một")
    assert product.report(code=4)["fingerprint"] != first["fingerprint"]


def test_it_works_while_a_writer_holds_the_lease(product: Product) -> None:
    busy(product)
    alone = product.report(code=4)
    with held(product):
        beside = product.report(code=4)
    assert beside["operations"] == alone["operations"]
    assert beside["fingerprint"] == alone["fingerprint"]


def test_it_works_in_a_process_of_its_own(product: Product) -> None:
    busy(product)
    state, marks = product.stored(), product.mark()
    here = product.report(code=4)
    there = product.process("report", "--format", "json", code=4).json
    assert there["fingerprint"] == here["fingerprint"]
    assert product.stored() == state
    assert product.writes(marks) == []


def test_a_folder_that_cannot_be_written_is_no_obstacle(product: Product) -> None:
    product.pair()
    product.task()
    state = product.stored()
    product.folder.chmod(0o555)
    try:
        product.report()
    finally:
        product.folder.chmod(0o755)
    assert product.stored() == state


def test_a_side_that_is_down_reports_nothing_as_deleted(product: Product) -> None:
    task, item = product.pair()
    product.work.hide(item)
    product.work.faults.order("read", "status", times=None)
    said = product.report(code=6)
    assert (said["complete"], said["operations"]) == (False, [])
    assert "work" in said["unavailable"]
    assert str(task) not in str(said["operations"])
