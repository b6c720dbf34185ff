"""S7 to S11 sentence by sentence: saving and syncing, the choice of project and task group, and tasks from before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.product import Product

UNIT = "related_users"
"""A text of the sandbox's tasks that stands in for the organisation unit, which it does not have."""

AN, BINH = "Nguyễn Văn An (NV001) - CRM", "Trần Thị Bình (NV002) - CRM"

TRAITS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "owner": ({"owner_name": "NV001"}, {"owner_name": "NV002"}, ["NV001"]),
    "status": ({"status": "Đang chờ"}, {"status": "Tạm hoãn"}, ["đang chờ"]),
    "priority": ({"priority": "Cao"}, {"priority": "Thấp"}, ["Cao"]),
    "unit": ({UNIT: "Phòng Kinh doanh 1"}, {UNIT: "Phòng Nhân sự"}, ["Phòng Kinh doanh 1"]),
    "form_layout": ({"form_layout": "Mẫu dự án"}, {"form_layout": "Mẫu tiêu chuẩn"}, ["Mẫu dự án"]),
    "creator": ({"created_by": AN}, {"created_by": BINH}, ["NV001"]),
}
"""A condition of a route: a task for which it holds, one for which it does not, and the words in the config."""


def routed(product: Product, *routes: dict[str, Any]) -> None:
    """A connected product with these routes, later than which every further task is."""
    product.sections["routes"] = list(routes)
    product.write_config(wire={"crm": {"unit": UNIT}})
    product.once()
    product.clock.later(60)


def place(product: Product, task: int) -> tuple[int, int] | None:
    """Project and task group of the one item of a task; None if it has none."""
    items = product.work.by_marker(task)
    assert len(items) <= 1
    row = product.work.get(items[0]) if items else None
    return None if row is None else (row["ProjectID"], row["TaskGroupID"])


# --- S7 -----------------------------------------------------------------------------------------------------------


def test_s7_the_task_stays_saved_in_the_crm_and_its_item_gets_everything_that_both_know(product: Product) -> None:
    given = {
        "task_name": "Báo giá máy nén khí",
        "description": "Theo mẫu\nGiảm 5%",
        "start_date": "2026-03-02",
        "due_date": "2026-03-09",
        "owner_name": "NV003",
        "status": "Hoàn thành",
        "priority": "Cao",
    }
    task = product.task(**given)
    product.once()
    left = product.crm.get(task)
    assert left is not None and {name: left[name] for name in given} == given
    [item] = product.work.by_marker(task)
    right = product.work.get(item)
    assert right is not None
    assert (right["TaskName"], right["Description"]) == (given["task_name"], given["description"])
    assert (right["StartDate"], right["Deadline"]) == ("2026-03-02T08:00:00+07:00", "2026-03-09T17:30:00+07:00")
    assert (right["DoerCodes"], right["StatusName"]) == (["NV003"], "Đã hoàn thành")


@pytest.mark.parametrize("half", [{"custom_field1": "12"}, {"custom_field2": "31"}, {}])
def test_s7_a_task_that_is_only_saved_or_chooses_half_a_target_stays_in_the_crm(
    product: Product, half: dict[str, Any]
) -> None:
    task = product.crm.add(**half)
    product.once()
    assert place(product, task) is None
    assert product.attention() == []


@pytest.mark.parametrize("name", TRAITS)
def test_s7_a_route_takes_the_tasks_for_which_its_condition_holds(product: Product, name: str) -> None:
    matching, other, words = TRAITS[name]
    routed(product, {"project": 12, "group": 31, "when": {name: words}})
    taken, left = product.crm.add(**matching), product.crm.add(**other)
    product.once()
    assert (place(product, taken), place(product, left)) == ((12, 31), None)


@pytest.mark.parametrize("name", TRAITS)
def test_s7_a_negated_condition_takes_all_the_others(product: Product, name: str) -> None:
    matching, other, words = TRAITS[name]
    routed(product, {"project": "Triển khai An Phát", "group": "Cần làm", "when": {f"not_{name}": words}})
    left, taken = product.crm.add(**matching), product.crm.add(**other)
    product.once()
    assert (place(product, taken), place(product, left)) == ((12, 31), None)


def test_s7_every_condition_must_hold_the_first_route_wins_and_no_match_is_not_synced(product: Product) -> None:
    routed(
        product,
        {"project": 12, "group": 31, "when": {"owner": ["NV001", "NV002"], "not_priority": ["Thấp"]}},
        {"project": 13, "group": 41, "when": {"owner": ["NV001"]}},
        {"project": 12, "group": 32, "when": {"status": ["Đang chờ"]}},
    )
    both = product.crm.add(owner_name="NV002", priority="Cao", status="Đang chờ")
    one = product.crm.add(owner_name="NV001", priority="Thấp", status="Đang chờ")
    third = product.crm.add(owner_name="NV003", status="Đang chờ")
    none = product.crm.add(owner_name="NV003")
    product.once()
    assert [place(product, task) for task in (both, one, third, none)] == [(12, 31), (13, 41), (12, 32), None]


def test_s7_the_salespersons_choice_comes_before_every_route(product: Product) -> None:
    routed(product, {"project": 12, "group": 31})
    task = product.crm.add(custom_field1="13", custom_field2="41")
    product.once()
    assert place(product, task) == (13, 41)


def test_s7_a_later_edit_that_makes_a_route_match_is_polled_like_a_new_task(product: Product) -> None:
    routed(product, {"project": 12, "group": 31, "when": {"priority": ["Cao"]}})
    task = product.crm.add(priority="Thấp")
    product.once()
    assert place(product, task) is None
    product.clock.later(60)
    product.crm.edit(task, priority="Cao")
    product.once()
    assert place(product, task) == (12, 31)


# --- S8, S9, S10 --------------------------------------------------------------------------------------------------


def offered(product: Product) -> list[tuple[int, str, list[tuple[int, str]]]]:
    return [
        (int(row["id"]), row["name"], [(int(group["id"]), group["name"]) for group in row["groups"]])
        for row in product.run("targets", "--format", "json").json
    ]


def test_s8_targets_offers_exactly_where_the_connection_may_add_and_each_offer_takes_a_task(product: Product) -> None:
    may = {
        id_
        for id_, row in product.work.projects.items()
        if row["CanAddTask"] and row["Type"] == 2 and not row["IsArchived"]
    }
    found = offered(product)
    assert {project for project, _, _ in found} == may
    tasks = {
        product.crm.add(custom_field1=str(project), custom_field2=str(group)): (project, group)
        for project, _, groups in found
        for group, _ in groups
    }
    product.once()
    assert {task: place(product, task) for task in tasks} == tasks


@pytest.mark.parametrize("spelled", ["id", "name"])
def test_s8_s9_whatever_targets_does_not_offer_is_refused_by_id_and_by_name(product: Product, spelled: str) -> None:
    codes = {10: "target_is_department", 14: "target_archived", 15: "target_forbidden"}
    groups = {10: "31", 14: "51", 15: "61"}
    assert set(codes) == set(product.work.projects) - {project for project, _, _ in offered(product)}
    tasks = {
        product.crm.add(
            custom_field1=str(project) if spelled == "id" else product.work.projects[project]["ProjectName"],
            custom_field2=groups[project],
        ): code
        for project, code in codes.items()
    }
    product.once(code=4)
    assert sorted(product.attention()) == [("crm", str(task), code) for task, code in sorted(tasks.items())]
    assert product.work.rows == {}


def test_s8_two_projects_of_one_name_must_be_told_apart_by_id(product: Product) -> None:
    task = product.crm.add(custom_field1="Bảo trì", custom_field2="Việc bảo trì")
    done = product.once(code=4)
    assert product.attention() == [("crm", str(task), "target_ambiguous")]
    assert "16" in done.err and "17" in done.err
    product.clock.later(60)
    product.crm.edit(task, custom_field1="17")
    product.once()
    assert place(product, task) == (17, 81)


@pytest.mark.parametrize("chosen", ["11", "Tổ bán hàng miền Bắc"])
def test_s9_a_sub_department_is_refused_like_a_department_and_the_reason_names_it(
    product: Product, chosen: str
) -> None:
    product.work.projects[11] = {
        **product.work.projects[10],
        "ProjectID": 11,
        "ProjectName": "Tổ bán hàng miền Bắc",
        "DepartmentID": 10,
    }
    task = product.crm.add(custom_field1=chosen, custom_field2="Cần làm")
    done = product.once(code=4)
    assert product.attention() == [("crm", str(task), "target_is_department")]
    assert "«Tổ bán hàng miền Bắc» is a department or sub-department" in done.err
    assert 11 not in {project for project, _, _ in offered(product)}


def test_s9_a_department_never_makes_the_name_of_a_project_ambiguous(product: Product) -> None:
    product.work.projects[10]["ProjectName"] = "Chăm sóc Bình Minh"
    product.work.projects[14]["ProjectName"] = "Chăm sóc Bình Minh"
    task = product.crm.add(custom_field1="Chăm sóc Bình Minh", custom_field2="Việc mới")
    product.once()
    assert place(product, task) == (13, 41)


@pytest.mark.parametrize("group", ["41", "Việc mới", "999", "Không có"])
def test_s10_only_the_groups_of_the_chosen_project_are_taken_and_the_reason_lists_them(
    product: Product, group: str
) -> None:
    task = product.crm.add(custom_field1="12", custom_field2=group)
    done = product.once(code=4)
    assert product.attention() == [("crm", str(task), "group_not_in_project")]
    assert "Cần làm (31)" in done.err and "Hạn thứ Sáu (35)" in done.err
    assert product.writes() == []


def test_s10_one_groups_name_in_two_projects_means_that_of_the_chosen_one(product: Product) -> None:
    tasks = {product.crm.add(custom_field1=project, custom_field2="Việc bảo trì"): project for project in ("16", "17")}
    product.once()
    assert [place(product, task) for task in tasks] == [(16, 71), (17, 81)]


# --- a target that is lost ----------------------------------------------------------------------------------------


def vanish(product: Product) -> None:
    del product.work.projects[13]


def archive(product: Product) -> None:
    product.work.projects[13]["IsArchived"] = True


def forbid(product: Product) -> None:
    product.work.projects[13]["CanAddTask"] = False


def empty(product: Product) -> None:
    del product.work.groups[41]


@pytest.mark.parametrize(
    ("loss", "code"),
    [
        (vanish, "target_not_found"),
        (archive, "target_archived"),
        (forbid, "target_forbidden"),
        (empty, "group_not_in_project"),
    ],
)
@pytest.mark.parametrize("by", ["field", "route"])
def test_s8_s10_a_target_that_is_lost_becomes_an_entry_while_the_others_go_on(
    product: Product, loss: Any, code: str, by: str
) -> None:
    routed(product, {"project": 13, "group": 41, "when": {"priority": ["Cao"]}}, {"project": 12, "group": 31})
    before: dict[str, Any] = {"custom_field1": "13", "custom_field2": "41"} if by == "field" else {"priority": "Cao"}
    good = product.crm.add(**before)
    product.once()
    assert place(product, good) == (13, 41)
    projects, groups = dict(product.work.projects), dict(product.work.groups)
    kept = {id_: dict(row) for id_, row in projects.items()}
    loss(product)
    product.clock.later(60)
    lost, other = product.crm.add(**before), product.crm.add(priority="Thấp")
    done = product.once(code=4)
    assert product.attention() == [("crm", str(lost), code)]
    assert f"{lost} {code}: " in done.err
    assert (place(product, lost), place(product, other)) == (None, (12, 31))
    product.work.projects.update(kept)
    product.work.groups.update(groups)
    product.clock.later(60)
    product.run("once", "--sweep")
    assert (place(product, lost), product.attention()) == ((13, 41), [])


def test_s8_a_right_that_is_lost_between_the_check_and_the_write_is_reported_with_the_servers_words(
    product: Product,
) -> None:
    good, bad = product.task(), product.task(custom_field1="13", custom_field2="41")
    product.work.faults.order("insert-tasks", "hook_before", hook=lambda: forbid(product))
    product.once(code=4)
    assert place(product, good) == (12, 31)
    assert product.attention() == [("crm", str(bad), "forbidden")]


# --- S11 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [("12", "31"), ("Triển khai An Phát", "Cần làm"), ("triển khai an phát", "31")])
def test_s11_an_old_task_is_linked_on_request_with_the_same_two_choices(
    product: Product, given: tuple[str, str]
) -> None:
    old, other = product.crm.add(), product.crm.add()
    routed(product, {"project": 13, "group": 41})
    product.once()
    assert product.work.rows == {}, "a route never takes what is older than the connection"
    product.run("link", old, "--project", given[0], "--group", given[1])
    assert (place(product, old), place(product, other)) == ((12, 31), None)


def test_s11_backfill_links_the_routed_old_tasks_and_says_beforehand_which(product: Product) -> None:
    taken, other = product.crm.add(task_name="Việc cũ", owner_name="NV001"), product.crm.add(owner_name="NV002")
    routed(product, {"project": 12, "group": 31, "when": {"owner": ["NV001"]}})
    before = product.mark()
    foreseen = product.run("backfill", "--dry-run").out
    assert str(taken) in foreseen and "Việc cũ" in foreseen and str(other) not in foreseen
    assert product.writes(before) == []
    product.run("backfill", "--yes")
    assert (place(product, taken), place(product, other)) == ((12, 31), None)


def test_s11_the_target_fields_count_at_any_age(product: Product) -> None:
    product.once()
    long_ago = product.clock.now().replace(year=2021)
    task = product.crm.add(created=long_ago, custom_field1="12", custom_field2="31")
    product.once()
    assert place(product, task) == (12, 31)
