"""Rule 32: a side that fails is left alone for longer and longer, asked once then, and nothing else is lost by it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from reconciler import app
from reconciler.core.model import Side
from reconciler.cycle import Result, run_cycle
from tests.world import World


async def patiently(world: World, tick: float) -> Result:
    """A cycle of the daemon, which leaves a failing side alone until its time has come."""
    world.clock.tick(tick)
    async with app.connect_writing(world.settings, world.world) as (connection, writers):
        return await run_cycle(connection, writers, world.store, patient=True)


@pytest.mark.parametrize("side", list(Side))
async def test_rule_32_a_failing_side_is_probed_ever_more_rarely_up_to_a_quarter_of_an_hour(
    world: World, side: Side
) -> None:
    # broken by: asking in every cycle, a wait that grows without end, or more than one probe
    task, item = await world.pair(task_name="Cũ")
    system = world.crm if side is Side.CRM else world.work
    verb = "list" if side is Side.CRM else "get-tasks"
    system.faults.order(verb, "status", status=400, times=None)
    probes = []
    for second in range(0, 7200, 30):
        mark = system.mark()
        assert (await patiently(world, 30)).exit_code == 6
        if system.reads(mark):
            probes.append(second)
    waits = [after - before for before, after in pairwise(probes)]
    assert waits == sorted(waits)
    assert waits[0] <= 120
    assert 840 <= waits[-1] <= 930
    assert len(probes) < 15
    world.crm.edit(task, task_name="Trong lúc hỏng")
    system.faults.clear()
    await patiently(world, timedelta(minutes=16).total_seconds())
    assert world.item(item)["TaskName"] == "Trong lúc hỏng"
    assert world.status()["sides"][side.value] is None
