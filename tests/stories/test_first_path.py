"""The thinnest path: one CRM task appears in Work, and edits flow both ways."""

from __future__ import annotations

from tests.world import World


async def test_s7_a_task_with_both_targets_appears_in_work_and_then_it_is_quiet(world: World) -> None:
    task = world.crm.add(task_name="Gọi khách hàng An Phát", custom_field1="12", custom_field2="31")
    result = await world.once()
    assert result.exit_code == 0
    [item] = world.work.by_marker(task)
    row = world.item(item)
    assert row is not None
    assert (row["TaskName"], row["ProjectID"], row["TaskGroupID"]) == ("Gọi khách hàng An Phát", 12, 31)
    await world.quiet(3)
    assert world.crm.violations == []
    assert world.work.violations == []
