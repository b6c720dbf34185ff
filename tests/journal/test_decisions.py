"""Decisions store their inputs: from the journal alone the pure planner reaches every verdict again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler import app
from reconciler.core.evidence import evidence_of
from reconciler.core.lenses import put
from reconciler.core.model import Entry
from reconciler.core.search import Selection
from tests.simulation.life import Life
from tests.simulation.town import Town, quick_folder
from tests.world import World

LIVES = 20


def replayed(town: World) -> Counter[str]:
    """Reach every verdict of a journal again; how many there were of each kind."""
    lenses, seen = app.policy(town.settings).lenses, Counter[str]()
    for entry in town.store.journal():
        if not planned(entry):
            continue
        assert entry.field is not None
        lens, evidence = lenses[entry.field], evidence_of(entry)
        kind, giver, reason = evidence.verdict(lens)
        if entry.kind in ("settled", "accepted"):
            assert (kind, reason) == (entry.kind, entry.reason), entry
        else:
            assert giver is not None and entry.side is giver.other, entry
            assert entry.reason == ("conflict" if kind == "conflict" else reason), entry
            assert put(lens, entry.side, evidence.triple.now(giver), evidence.triple.now(entry.side)) == entry.new
            assert evidence.triple.now(entry.side) == entry.old
        if entry.kind == "conflict":
            assert (entry.detail["winner"], entry.detail["decided"]) == (giver, reason), entry
            seen[reason] += 1
        seen[entry.kind] += 1
    return seen


def planned(entry: Entry) -> bool:
    """Whether the planner decided: a person's restore and the birth of an item are no verdicts over two edits."""
    if entry.kind in ("settled", "accepted", "conflict"):
        return True
    return entry.kind == "intent" and entry.work_id is not None and entry.reason not in ("restored", "deleted")


def towns(seeds: range, folder: Path) -> Iterator[Town]:
    for seed in seeds:
        life = Life(seed, folder)
        asyncio.run(life.live())
        yield life.town


@pytest.mark.parametrize("start", range(1, LIVES + 1, 10))
def test_every_decision_of_a_life_is_reached_again_from_the_journal(start: int) -> None:
    total: Counter[str] = Counter()
    with quick_folder() as folder:
        for town in towns(range(start, start + 10), folder):
            total += replayed(town)
    assert all(total[kind] > 2 for kind in ("intent", "settled", "conflict")), total


async def test_a_conflict_a_tie_and_an_accepted_difference_hold_all_they_were_decided_on() -> None:
    world = World(fields={"description": "crm_to_work"})
    task = world.crm.add(custom_field1="12", custom_field2="31", task_name="Gốc", description="Gốc")
    await world.once()
    [item] = world.work.by_marker(task)
    world.clock.tick(600)
    world.crm.edit(task, task_name="Bên Bán hàng")
    world.clock.tick(600)
    world.work.edit(item, TaskName="Bên Công việc", Description="Chỉ ở Công việc")
    world.clock.tick(60)
    await world.once()
    world.clock.tick(600)
    world.crm.edit(task, task_name="Cùng lúc A")
    world.work.edit(item, TaskName="Cùng lúc B")
    world.clock.tick(60)
    await world.once()
    seen = replayed(world)
    assert (seen["newer"], seen["tie"], seen["accepted"]) == (1, 1, 1)
    conflict = next(entry for entry in world.store.forward(Selection(kind="conflict")))
    assert conflict.inputs["crm_base"] == "Gốc"
    assert (conflict.inputs["crm"], conflict.inputs["work"]) == ("Bên Bán hàng", "Bên Công việc")
    assert {"tolerance", "tie", "crm", "work"} == set(conflict.detail["clocks"])  # type: ignore[call-overload]


async def test_every_edit_is_journalled_as_it_was_observed_also_where_nothing_is_written() -> None:
    world = World()
    task = world.crm.add(custom_field1="12", custom_field2="31", task_name="Gốc", status="Chưa bắt đầu")
    await world.once()
    world.clock.tick(600)
    world.crm.edit(task, status="Đang thực hiện")
    world.clock.tick(60)
    await world.once()
    [seen] = list(world.store.forward(Selection(kind="observed")))
    assert (seen.side, seen.field, seen.old, seen.new) == ("crm", "status", "Chưa bắt đầu", "Đang thực hiện")
    assert seen.crm_modified is not None
    [ruling] = [one for one in world.store.forward(Selection(kind="settled")) if one.id > seen.id]
    assert (ruling.field, ruling.inputs["crm"]) == ("status", "Đang thực hiện")
