"""`targets --format picklist`: what it prints is what the CRM's target fields may hold."""

from __future__ import annotations

from tests.cli.product import Product


def test_the_picklist_holds_usable_targets_only_one_a_line_projects_first(product: Product) -> None:
    assert product.run("targets", "--format", "picklist").out.splitlines() == [
        "Triển khai An Phát",
        "Chăm sóc Bình Minh",
        "Bảo trì (16)",
        "Bảo trì (17)",
        "",
        "Cần làm",
        "Đang làm",
        "Chờ duyệt",
        "Hạn trong ngày",
        "Hạn thứ Sáu",
        "Việc mới",
        "Việc bảo trì",
    ]


def test_a_task_that_chooses_from_the_picklist_gets_its_item_there(product: Product) -> None:
    task = product.crm.add(custom_field1="Bảo trì (17)", custom_field2="Việc bảo trì")
    product.once()
    [item] = product.work.by_marker(task)
    row = product.work.get(item)
    assert row is not None and (row["ProjectID"], row["TaskGroupID"]) == (17, 81)


def test_help_says_which_lines_belong_to_which_field(product: Product) -> None:
    said = " ".join(product.run("targets", "--help").out.split())
    assert "target_project_field, then, after an empty line, those of target_group_field" in said
