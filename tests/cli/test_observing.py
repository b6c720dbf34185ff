"""`[connection] mode = "observe"` on the command line: it says what is due, and that nothing was written."""

from __future__ import annotations

from tests.cli.product import Product


def test_once_and_status_say_what_is_due_and_that_nothing_was_written(product: Product) -> None:
    product.write_config(connection={"mode": "observe"})
    task = product.task()
    before = product.mark()
    done = product.once()
    assert "only observing, nothing was written" in done.out
    assert "1 to create" in done.out
    said = product.run("status").out
    assert "observing: nothing is written" in said and "1 to create" in said
    assert product.run("status", "--format", "json").json["observing"]["create"] == 1
    assert product.writes(before) == []
    product.write_config(connection={"mode": "sync"})
    product.once()
    assert len(product.work.by_marker(task)) == 1
    assert product.run("status", "--format", "json").json["observing"] is None


def test_commands_that_write_are_refused_and_a_plan_is_not_used_up(product: Product) -> None:
    task = product.task()
    plan = product.folder / "plan.json"
    product.run("plan", "--output", plan)
    product.write_config(connection={"mode": "observe"})
    before = product.mark()
    refused = [
        product.run("apply", plan, code=2),
        product.run("link", task, "--project", 12, "--group", 31, code=2),
        product.run("backfill", "--yes", code=2),
    ]
    assert all('set mode = "sync"' in one.err for one in refused)
    assert product.writes(before) == []
    product.write_config(connection={"mode": "sync"})
    product.run("apply", plan)
    assert len(product.work.by_marker(task)) == 1
