"""Histories that the simulation found: each broke an earlier engine, and is replayed here by hand.

Each test says in its first comment what went wrong.
"""

from __future__ import annotations


from tests.world import World


async def test_a_status_set_in_the_window_of_our_own_write_is_an_edit_and_no_rename(world: World) -> None:
    # The word was new to the state, and first seen in the read-back of a write of ours, with our own stamp: it was
    # taken for a renamed status, set aside, and never flowed.
    task, item = await world.pair()
    world.work.edit(item, TaskName="Gọi lại")
    world.crm.faults.order("update", "hook_before", hook=lambda: world.crm.edit(task, status="Hoàn thành"))
    await world.once()
    await world.once()
    assert world.item(item)["StatusName"] == "Đã hoàn thành"
    assert world.attention() == []


async def test_a_status_set_while_the_marker_is_written_is_no_rename_either(world: World) -> None:
    # The same, in the window of the marker's own update.
    await world.pair()
    other = world.crm.add(custom_field1="12", custom_field2="31")
    world.crm.faults.order("update", "hook_before", hook=lambda: world.crm.edit(other, status="Hoàn thành"))
    await world.once()
    await world.once()
    [item] = world.work.by_marker(other)
    assert world.item(item)["StatusName"] == "Đã hoàn thành"
    assert world.attention() == []
