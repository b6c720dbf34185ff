"""`[pilot]` on the command line: what is left out is said by every command that looks."""

from __future__ import annotations

from tests.cli.product import Product


def test_once_status_and_report_name_what_is_left_out(product: Product) -> None:
    task, item = product.pair(task_name="Gọi khách")
    product.write_config(pilot={"projects": [13]})
    product.work.edit(item, TaskName="Gọi lại")
    assert "1 left out by [pilot]" in product.once().out
    assert "1 pairs and tasks with news are left out by [pilot]" in product.run("status").out
    assert product.run("report", "--format", "json").json["left_out"] == [
        {"crm_id": str(task), "work_id": str(item), "title": "Gọi khách"}
    ]
    told = product.run("report").out.partition("Left out by the pilot:")[2].strip().splitlines()[0]
    assert told.strip() == f"CRM task: {task}; Work item: {item}; Title: Gọi khách"
    assert "Ngoài phạm vi chạy thử" in product.run("report", "--format", "html", "--lang", "vi").out


def test_check_names_a_project_of_the_pilot_that_work_does_not_show(product: Product) -> None:
    product.write_config(pilot={"projects": ["Triển khai An Phát", 13]})
    product.run("check")
    product.write_config(pilot={"projects": ["Triển khai An Phat"]})
    assert "«Triển khai An Phat»" in product.run("check", code=2).err


def test_backfill_lists_and_links_only_what_the_pilot_takes_in(product: Product) -> None:
    product.write_config(pilot={"people": ["NV001"]})
    product.sections["routes"] = [{"project": 12, "group": 31}]
    product.write_config()
    inside, outside = product.crm.add(owner_name="NV001"), product.crm.add(owner_name="NV003")
    product.once()
    assert "1 tasks would be linked" in product.run("backfill", "--dry-run").out
    product.run("backfill", "--yes")
    assert (len(product.work.by_marker(inside)), product.work.by_marker(outside)) == (1, [])
