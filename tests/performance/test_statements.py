"""How many statements and commits a cycle makes: by batches, never by rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.store.state import SqlStore
from tests.performance.test_counts import TARGET, asked, linked, marks
from tests.world import World


@contextmanager
def traced(world: World) -> Iterator[Counter[str]]:
    """The first word of every statement that SQLite itself runs, by the driver's own trace."""
    seen: Counter[str] = Counter()
    store = world.store
    assert isinstance(store, SqlStore)
    driver = store._connection.connection.driver_connection
    assert driver is not None

    def note(statement: str) -> None:
        if not statement.startswith("--"):  # the statements of triggers
            seen[statement.split(None, 1)[0].upper()] += 1

    driver.set_trace_callback(note)
    try:
        yield seen
    finally:
        driver.set_trace_callback(None)


async def world_of(folder: Path, links: int) -> tuple[World, list[tuple[int, int]]]:
    world = World(state=f"sqlite:///{folder / f'{links}.db'}", safety={"max_update_percent": 100})
    return world, await linked(world, links)


def assert_flat(counts: list[tuple[int, int]]) -> None:
    """Twenty rows cost what one costs: as many commits, and at most three SELECTs more (a question that one row did
    not raise, such as for an echo that was still in sight)."""
    (selects, commits), (more_selects, more_commits) = counts
    assert more_commits == commits
    assert more_selects - selects <= 3


def change(world: World, pairs: list[tuple[int, int]], side: str) -> None:
    for task, item in pairs:
        if side == "crm":
            world.crm.edit(task, due_date="2026-04-01")
        else:
            world.work.edit(item, Deadline="2026-04-01T10:00:00+07:00")


@pytest.mark.parametrize("side", ["crm", "work"])
async def test_p8_one_changed_pair_and_a_whole_batch_make_the_same_selects(tmp_path: Path, side: str) -> None:
    world, pairs = await world_of(tmp_path, 60)
    counts = []
    for first, count in ((0, 1), (1, 20)):
        change(world, pairs[first : first + count], side)
        with traced(world) as seen:
            before = marks(world)
            await world.once()
        assert len([call for call in asked(world, before) if call.kind == "write"]) == 1
        counts.append((seen["SELECT"], seen["COMMIT"]))
        await world.quiet(1)
        world.clock.tick(300)
    world.reopen()
    assert_flat(counts)


async def test_p8_one_new_task_and_a_whole_batch_make_the_same_selects(tmp_path: Path) -> None:
    world, _ = await world_of(tmp_path, 5)
    counts = []
    for count in (1, 20):
        for number in range(count):
            world.crm.add(task_name=f"Mới {count} {number}", **TARGET)
        with traced(world) as seen:
            await world.once()
        counts.append((seen["SELECT"], seen["COMMIT"]))
        await world.quiet(2)
        world.clock.tick(300)
    world.reopen()
    assert_flat(counts)


@pytest.mark.parametrize("kind", ["updates", "creates"])
async def test_p8_four_more_batches_cost_at_most_three_commits_each(tmp_path: Path, kind: str) -> None:
    world, pairs = await world_of(tmp_path, 120)
    selects, commits, writes = [], [], []
    for first, count in ((0, 20), (20, 100)):
        if kind == "updates":
            change(world, pairs[first : first + count], "crm")
        else:
            for number in range(count):
                world.crm.add(task_name=f"Mới {count} {number}", **TARGET)
        before = marks(world)
        with traced(world) as seen:
            await world.once()
        writes.append(len([call for call in asked(world, before) if call.kind == "write"]))
        selects.append(seen["SELECT"])
        commits.append(seen["COMMIT"])
        await world.quiet(2)
        world.clock.tick(300)
    world.reopen()
    batches = writes[1] - writes[0]
    assert batches == (4 if kind == "updates" else 8)  # a create's marker is a second batch
    assert commits[1] - commits[0] <= 3 * batches
    assert selects[1] - selects[0] <= 8 * batches


async def test_p8_an_idle_cycle_costs_the_same_with_any_number_of_links(tmp_path: Path) -> None:
    counts = []
    for links in (5, 300):
        world, _ = await world_of(tmp_path, links)
        world.clock.tick(300)
        with traced(world) as seen:
            await world.once(tick=300)
        counts.append(seen)
        world.reopen()
    assert counts[0] == counts[1]


@pytest.mark.parametrize("side", ["crm", "work"])
async def test_p4_an_echo_never_causes_a_write(side: str) -> None:
    world = World(safety={"max_update_percent": 100})
    pairs = await linked(world, 100)
    change(world, pairs, side)
    before = marks(world)
    await world.once()
    after = marks(world)
    for _ in range(3):
        await world.once(tick=60)
    assert [call for call in asked(world, after) if call.kind == "write"] == []
    polls = 2 * 2  # the echo is read once or twice more; later cycles are idle
    assert len(asked(world, before)) - polls <= 0.26 * 100 + 8
    assert world.crm.violations == world.work.violations == []


@pytest.mark.parametrize("links", [5, 300])
async def test_p1_an_idle_cycle_reads_twice_with_few_and_with_many_links(links: int) -> None:
    world = World(safety={"max_update_percent": 100})
    await linked(world, links)
    for _ in range(3):
        before = marks(world)
        await world.once(tick=300)
        assert sorted(call.verb for call in asked(world, before)) == ["get-tasks", "list"]
