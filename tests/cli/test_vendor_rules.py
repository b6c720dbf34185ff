"""The rules that the vendor documents of its own integration, each through the command line."""

from __future__ import annotations

import pytest

from tests.cli.product import Product

OTHER_STATUSES = ("Chưa bắt đầu", "Đang thực hiện", "Đang chờ", "Tạm hoãn")


def test_s1_a_day_of_edits_on_both_sides_ends_with_one_truth(product: Product) -> None:
    task, item = product.pair(task_name="Gọi khách hàng", due_date="2026-03-09")
    product.crm.edit(task, task_name="Gọi khách hàng An Phát", owner_name="NV002")
    product.work.edit(item, Deadline="2026-03-12T10:00:00+07:00", Description="Mang theo báo giá")
    product.once()
    left, right = product.crm.get(task), product.work.get(item)
    assert left is not None and right is not None
    assert right["TaskName"] == left["task_name"] == "Gọi khách hàng An Phát"
    assert right["DoerCodes"] == ["NV002"]
    assert (left["due_date"], left["description"]) == ("2026-03-12", "Mang theo báo giá")
    assert right["Deadline"] == "2026-03-12T10:00:00+07:00"
    before = product.mark()
    product.once()
    product.once()
    assert product.writes(before) == []


def test_s2_the_connection_is_set_up_once_and_check_proves_it(product: Product) -> None:
    before = product.mark()
    checked = product.run("check")
    assert "is valid" in checked.out
    assert "crm: connected" in checked.out
    assert "work: connected" in checked.out
    assert product.writes(before) == []
    assert not product.state.exists()
    product.pair()
    product.run("check")


def test_s3_a_completed_task_completes_the_work_item(product: Product) -> None:
    task, item = product.pair(status="Đang thực hiện")
    product.crm.edit(task, status="Hoàn thành")
    product.once()
    row = product.work.get(item)
    assert row is not None
    assert (row["StatusName"], row["IsCompleted"]) == ("Đã hoàn thành", True)


@pytest.mark.parametrize("status", OTHER_STATUSES)
def test_s4_every_other_status_is_not_completed_in_work(product: Product, status: str) -> None:
    task, item = product.pair(status="Hoàn thành")
    row = product.work.get(item)
    assert row is not None and row["StatusName"] == "Đã hoàn thành"
    product.crm.edit(task, status=status)
    product.once()
    row = product.work.get(item)
    assert row is not None and row["StatusName"] == "Chưa hoàn thành"
    left = product.crm.get(task)
    assert left is not None and left["status"] == status


def test_s5_a_completed_work_item_completes_the_task(product: Product) -> None:
    task, item = product.pair(status="Đang chờ")
    product.work.edit(item, StatusName="Đã hoàn thành")
    product.once()
    row = product.crm.get(task)
    assert row is not None and row["status"] == "Hoàn thành"


def test_s6_a_reopened_work_item_puts_the_task_back_to_not_started(product: Product) -> None:
    task, item = product.pair(status="Đang thực hiện")
    product.work.edit(item, StatusName="Đã hoàn thành")
    product.once()
    product.clock.later(60)
    product.work.edit(item, StatusName="Chưa hoàn thành")
    product.once()
    row = product.crm.get(task)
    assert row is not None and row["status"] == "Chưa bắt đầu"


def test_s6_another_edit_in_work_leaves_the_finer_status_alone(product: Product) -> None:
    task, item = product.pair(status="Đang thực hiện")
    product.work.edit(item, TaskName="Gọi lại")
    product.once()
    row = product.crm.get(task)
    assert row is not None and (row["task_name"], row["status"]) == ("Gọi lại", "Đang thực hiện")


@pytest.mark.parametrize(("project", "group"), [("12", "32"), ("Triển khai An Phát", "Đang làm"), ("12", " đang LÀM ")])
def test_s7_a_task_with_both_target_fields_is_created_in_work(product: Product, project: str, group: str) -> None:
    task = product.crm.add(task_name="Báo giá", custom_field1=project, custom_field2=group)
    lone = product.crm.add(task_name="Chỉ ở CRM")
    product.once()
    [item] = product.work.by_marker(task)
    row = product.work.get(item)
    assert row is not None
    assert (row["TaskName"], row["ProjectID"], row["TaskGroupID"]) == ("Báo giá", 12, 32)
    left = product.crm.get(task)
    assert left is not None and left["custom_field3"] == str(item)
    assert product.work.by_marker(lone) == []


@pytest.mark.parametrize(
    ("rule", "project", "group", "code"),
    [
        ("s8 no right to add", "15", "61", "target_forbidden"),
        ("s9 a department", "10", "31", "target_is_department"),
        ("s9 a department by name", "Phòng Kinh doanh", "Cần làm", "target_is_department"),
        ("s10 a group of another project", "12", "41", "group_not_in_project"),
    ],
)
def test_s8_s9_s10_a_target_that_cannot_take_the_task_is_refused_before_any_write(
    product: Product, rule: str, project: str, group: str, code: str
) -> None:
    task = product.crm.add(task_name="Khảo sát", custom_field1=project, custom_field2=group)
    good = product.task()
    done = product.once(code=4)
    assert product.attention() == [("crm", str(task), code)], rule
    assert f"crm {task} {code}: " in done.err
    assert len(done.err.split(f"{code}: ")[1].strip()) > 20  # says why and what to do
    assert len(product.work.rows) == 1
    assert product.work.by_marker(good) != []
    assert all(element.ok for call in product.writes() for element in call.elements)
    product.clock.later(60)
    product.crm.edit(task, custom_field1="12", custom_field2="31")
    product.once()
    assert len(product.work.by_marker(task)) == 1
    assert product.attention() == []


@pytest.mark.parametrize(
    ("project", "group", "code"),
    [("15", "61", "target_forbidden"), ("10", "31", "target_is_department"), ("12", "41", "group_not_in_project")],
)
def test_s8_s9_s10_link_refuses_the_same_targets(product: Product, project: str, group: str, code: str) -> None:
    task = product.crm.add()
    before = product.mark()
    done = product.run("link", task, "--project", project, "--group", group, code=4)
    assert str(task) in done.err
    assert product.attention() == [("crm", str(task), code)]
    assert product.writes(before) == []


def test_s11_link_creates_the_item_of_an_old_task(product: Product) -> None:
    task = product.crm.add(task_name="Việc cũ", status="Đang chờ")
    product.once()
    product.once()
    assert product.work.rows == {}
    done = product.run("link", task, "--project", "Triển khai An Phát", "--group", "Cần làm")
    [item] = product.work.by_marker(task)
    assert str(item) in done.out
    row = product.work.get(item)
    assert row is not None and (row["TaskName"], row["TaskGroupID"]) == ("Việc cũ", 31)
    product.run("link", task, "--project", 12, "--group", 31)
    assert len(product.work.rows) == 1
    before = product.mark()
    product.once()
    assert product.writes(before) == []


def test_s11_link_joins_an_old_task_and_an_existing_item(product: Product) -> None:
    task = product.crm.add(task_name="Việc cũ", description="Từ CRM")
    item = product.work.add(TaskName="Việc cũ (Work)", TaskGroupID=32)
    other = product.work.add(TaskName="Khác")
    product.once()
    product.run("link", task, "--item", item)
    row = product.work.get(item)
    assert row is not None
    assert (row["TaskName"], row["Description"], row["TaskGroupID"]) == ("Việc cũ", "Từ CRM", 32)
    product.run("link", task, "--item", item)
    refused = product.run("link", task, "--item", other, code=2)
    assert str(item) in refused.err
    before = product.mark()
    product.once()
    assert product.writes(before) == []


def test_s11_filling_in_the_target_fields_links_an_old_task(product: Product) -> None:
    task = product.crm.add()
    product.once()
    product.clock.later(60)
    product.crm.edit(task, custom_field1="12", custom_field2="31")
    product.once()
    assert len(product.work.by_marker(task)) == 1


def test_s12_once_reads_only_what_changed_since_the_watermark(product: Product) -> None:
    old = product.clock.now().replace(year=2020)
    for number in range(250):
        product.crm.add(task_name=f"Việc {number}", modified=old, created=old)
        product.work.add(TaskName=f"Việc {number}", modified=old, created=old)
    task, item = product.pair()
    before = product.run("status", "--format", "json").json["watermarks"]
    product.once()
    product.clock.later(600)
    marks = product.mark()
    product.once()
    assert len(product.crm.reads(marks[0])) == 1
    assert len(product.work.reads(marks[1])) == 1
    product.work.edit(item, TaskName="Gọi lại")
    product.once()
    row = product.crm.get(task)
    assert row is not None and row["task_name"] == "Gọi lại"
    after = product.run("status", "--format", "json").json["watermarks"]
    assert before["crm"] < after["crm"]
    assert before["work"] < after["work"]


@pytest.mark.parametrize("later", ["crm", "work"])
def test_s13_the_later_edit_wins_and_the_other_value_is_in_the_history(product: Product, later: str) -> None:
    task, item = product.pair(task_name="Cũ")
    first, second = product.clock.now(), product.clock.now()
    product.clock.later(60)
    second = product.clock.now()
    product.crm.edit(task, task_name="Tên từ CRM", stamp=second if later == "crm" else first)
    product.work.edit(item, TaskName="Tên từ Work", stamp=second if later == "work" else first)
    winner, loser = ("Tên từ CRM", "Tên từ Work") if later == "crm" else ("Tên từ Work", "Tên từ CRM")
    product.once()
    left, right = product.crm.get(task), product.work.get(item)
    assert left is not None and right is not None
    assert left["task_name"] == right["TaskName"] == winner
    lost = [row for row in product.history("--task", task) if row["old"] == loser]
    assert lost != []
    assert {(row["field"], row["new"], row["crm_id"], row["work_id"]) for row in lost} == {
        ("title", winner, str(task), str(item))
    }
    assert {row["side"] for row in lost} == {"work" if later == "crm" else "crm"}


def test_s14_the_dry_run_tells_the_auditor_what_the_next_cycle_does(product: Product) -> None:
    task, item = product.pair()
    product.work.edit(item, StatusName="Đã hoàn thành")
    said = product.report()
    [operation] = said["operations"]
    assert (operation["side"], operation["kind"], operation["crm_id"]) == ("crm", "update", str(task))
    assert [(one["name"], one["after"]) for one in operation["fields"]] == [("status", "Hoàn thành")]
    product.once()
    row = product.crm.get(task)
    assert row is not None and row["status"] == "Hoàn thành"
