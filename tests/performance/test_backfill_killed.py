"""P12 and P4: a backfill that dies again and again redoes at most a batch each time, doubles nothing, asks little."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from reconciler import app
from reconciler.backfill import backfill, find_old
from tests.performance.killed import BATCH, PACE, asked, repeats, run
from tests.world import World


def test_p12_a_backfill_killed_by_the_kernel_five_times_ends_with_one_item_a_task(tmp_path: Path) -> None:
    figures = run(tmp_path, tasks=300, kills=5, seed=1)
    print(figures)
    assert figures.kills >= 4, "nearly every shot found its process alive"
    assert (figures.items, figures.linked, figures.doubled) == (300, 300, 0)
    assert figures.created_again <= BATCH * figures.kills
    assert figures.marked_again <= BATCH * figures.kills
    assert figures.requests <= figures.allowed + figures.listings
    assert (figures.journal, figures.quiet_writes) == ("journal intact", 0)


SEED = 13


class Died(BaseException):
    """The process ends here."""


def die(*_: object) -> None:
    raise Died


@contextmanager
def dying_at_commit(skip: int) -> Iterator[None]:
    """The process dies where it was about to commit, after `skip` commits that pass."""
    left = [skip]

    def commit(connection: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Died

    event.listen(Engine, "commit", commit)
    try:
        yield
    finally:
        event.remove(Engine, "commit", commit)


async def work_off(world: World) -> None:
    async with app.connect_writing(world.settings, world.world) as (connection, writers):
        await backfill(connection, writers, world.store, await find_old(connection, world.store))


async def die_somewhere(world: World, rng: random.Random, writes: int) -> None:
    """Backfill until the process dies: before or after a call, or at a commit."""
    system, verb = rng.choice(((world.work, "insert-tasks"), (world.work, "get-tasks-by-id"), (world.crm, "update")))
    if rng.random() < 0.4:
        with dying_at_commit(rng.randrange(2 * writes)), pytest.raises(Died):
            await work_off(world)
    else:
        when = rng.choice(("hook_before", "hook_after"))
        system.faults.order(verb, when, hook=die, skip=rng.randrange(writes))  # type: ignore[arg-type]
        with pytest.raises(Died):
            await work_off(world)
    world.reopen()
    world.clock.tick(600)


@pytest.mark.timeout(400)
async def test_p4_p12_ten_thousand_tasks_with_five_deaths(tmp_path: Path) -> None:
    """The figure holds where no two rows of one stamp lie on both sides of a page's end, as with this seed; where they
    do, that listing of the CRM is walked again (protocol 12) and costs 300 requests more.
    """
    count, deaths, rng = 10_000, 5, random.Random(SEED)
    world = World(state=f"sqlite:///{tmp_path / 'state.db'}")
    world.sections["routes"] = [{"project": 12, "group": 31}]  # type: ignore[assignment]
    day = world.clock.now() - timedelta(days=400)
    for number in range(count):
        moment = day + timedelta(seconds=number)
        world.crm.add(task_name=f"Việc {number}", owner_name="NV001", created=moment, modified=moment)
    for system, verb in ((world.crm, "update"), (world.work, "insert-tasks")):
        system.faults.order(verb, "hook_before", hook=lambda: world.clock.tick(PACE), times=None)
    for _ in range(deaths):
        await die_somewhere(world, rng, count // BATCH // (deaths + 1))
    await work_off(world)
    requests = len(asked(world.crm, world.work))
    await world.once(tick=60)
    assert (await world.once(tick=600)).exit_code == 0
    await world.quiet(1)
    found = repeats(world.crm, world.work)
    print(f"{count} tasks, {deaths} deaths: {found}, {requests} requests")
    assert (found["items"], found["doubled"], world.status()["links"]) == (count, 0, count)
    assert found["created_again"] <= BATCH * deaths
    assert found["marked_again"] <= BATCH * deaths
    assert requests <= 0.40 * count + 10
