"""The totals of a period against what the two servers themselves counted: taken, refused, and without an answer."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from reconciler.core.model import Side
from reconciler.report.period import month, period_changes, period_data
from tests.world import World

TARGET: Final[dict[str, Any]] = {"custom_field1": "12", "custom_field2": "31"}
MARCH: Final = month("2026-03")
NAMES: Final = {Side.CRM: ("task_name", "description"), Side.WORK: ("TaskName", "Description")}


def counted(world: World) -> dict[tuple[str, bool], int]:
    """Titles and descriptions that each server was sent in updates, by whether it took them."""
    found = Counter[tuple[str, bool]]()
    for side, system in ((Side.CRM, world.crm), (Side.WORK, world.work)):
        for call in system.writes(0):
            if call.verb in ("update", "update-tasks"):
                for element in call.elements:
                    for name in NAMES[side]:
                        if name in element.fields:
                            found[side.value, element.ok] += 1
    return dict(found)


async def test_what_the_servers_took_and_refused_is_what_the_report_says(world: World) -> None:
    pairs = [await world.pair(task_name=f"Việc {number}") for number in range(4)]
    for number, (task, item) in enumerate(pairs):
        world.crm.edit(task, task_name=f"Bán hàng {number}")
        world.work.edit(item, Description=f"Công việc {number}")
    world.work.faults.order("update-tasks", "element", times=2)
    world.crm.faults.order("update", "element", times=1)
    await world.once()
    world.crm.edit(pairs[0][0], task_name="Bán hàng, sửa lại")
    world.work.edit(pairs[1][1], Description="Công việc, sửa lại")
    await world.once(tick=900)
    told = Counter(
        (row["side"], row["outcome"] != "refused")
        for row in period_changes(world.store, MARCH)
        if row["kind"] == "update" and row["field"] in ("title", "description")
    )
    sent = counted(world)
    assert told == sent
    assert sent["work", False] > 0 and sent["crm", False] > 0
    totals = period_data(name="x", state=world.store, period=MARCH, generated_at=world.clock.now())["operations"]
    assert totals["update_work"]["refused"] == sent["work", False]
    assert totals["update_crm"]["confirmed"] == sent["crm", True]
