"""Decisions store their inputs: from the journal alone the pure planner reaches every verdict again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from reconciler import app
from reconciler.core.creation import request_of
from reconciler.core.evidence import evidence_of
from reconciler.core.lenses import Unmapped
from reconciler.core.loss import loss_of
from reconciler.core.model import Code, Entry, Field
from reconciler.core.policy import Policy
from reconciler.core.route import Unusable
from reconciler.core.search import Selection
from reconciler.core.suspicion import suspicion_of
from reconciler.report.data import entry_data
from reconciler.report.fidelity import FOLLOWS
from reconciler.report.grounds import grounds
from tests.simulation.life import Life
from tests.simulation.town import Town, quick_folder
from tests.world import World

LIVES = 40
AT_ONCE = 20

EVERY = ("intent", "settled", "accepted", "conflict", "drafted", "set_aside", "refused_task", "unlinked", "delete")
"""What the planner can decide: to write, not to write, to make an item, to leave it, to end a pair."""


def replayed(town: World) -> Counter[str]:
    """Reach every verdict of a journal again; how many there were of each kind."""
    policy, seen = app.policy(town.settings), Counter[str]()
    entries = list(town.store.entries(Selection()))
    for number, entry in enumerate(entries):
        match entry.kind:
            case "drafted":
                again_drafted(entry, entries[number + 1 :], policy)
            case "set_aside" if entry.field is None:
                again_refused(entry, policy)
                seen["refused_task"] += 1
            case "set_aside" if "suspicion" in entry.detail:
                again_suspected(entry, policy)
                seen[entry.reason] += 1
            case "set_aside":
                again_set_aside(entry, policy)
            case "unlinked" if entry.operator is None and entry.reason not in FOLLOWS:
                again_lost(entry, "unlink")
            case "intent" if entry.reason == "deleted":
                again_lost(entry, "delete")
                seen["delete"] += 1
            case _ if over_a_field(entry):
                again_judged(entry, policy)
                if entry.kind == "conflict":
                    seen[str(entry.detail["decided"])] += 1
            case _:
                continue
        seen[entry.kind] += 1
    return seen


def over_a_field(entry: Entry) -> bool:
    """Whether the planner decided: a person's restore and the birth of an item are no verdicts over two edits."""
    if entry.kind in ("settled", "accepted", "conflict"):
        return True
    return entry.kind == "intent" and entry.work_id is not None and entry.reason not in ("restored", "deleted")


def again_judged(entry: Entry, policy: Policy) -> None:
    """Two values of a field: which one goes over, and as what; or that nothing is written."""
    assert entry.field is not None
    lens, evidence = policy.lenses[entry.field], evidence_of(entry)
    kind, giver, reason = evidence.verdict(lens)
    if entry.kind in ("settled", "accepted"):
        assert (kind, reason) == (entry.kind, entry.reason), entry
        return
    assert giver is not None and entry.side is giver.other, entry
    assert entry.reason == ("conflict" if kind == "conflict" else reason), entry
    assert (evidence.triple.now(entry.side), evidence.carried(lens, giver)) == (entry.old, entry.new), entry
    if entry.kind == "conflict":
        assert (entry.detail["winner"], entry.detail["decided"]) == (giver, reason), entry


def again_set_aside(entry: Entry, policy: Policy) -> None:
    """A value that cannot be brought over: from which side, and why not."""
    assert entry.field is not None
    lens, evidence = policy.lenses[entry.field], evidence_of(entry)
    _, giver, _ = evidence.verdict(lens)
    assert giver is not None and entry.side is giver.other, entry
    fault = evidence.carried(lens, giver)
    assert isinstance(fault, Unmapped) and fault.code == entry.reason, entry


def again_suspected(entry: Entry, policy: Policy) -> None:
    """A value that would go over, and that nobody is believed to have typed."""
    assert entry.field is not None
    suspect, (_, giver, _) = suspicion_of(entry), evidence_of(entry).verdict(policy.lenses[entry.field])
    assert giver is suspect.giver is not entry.side, entry
    assert suspect.verdict() == entry.reason, entry


def again_drafted(entry: Entry, after: Sequence[Entry], policy: Policy) -> None:
    """A new item: its place, its values as the intents behind the decision say them, and what was left out."""
    asked = request_of(entry)
    place = asked.place()
    assert not isinstance(place, Unusable), entry
    assert (place[0].id, place[1].id) == (entry.detail["project"], entry.detail["group"]), entry
    values, left_out = asked.payload(policy.lenses)
    own = takewhile(lambda one: one.kind == "intent" and one.crm_id == entry.crm_id, after)
    assert values == {one.field: one.new for one in own}, entry
    assert {name: fault.code for name, fault in left_out.items()} == entry.detail["left_out"], entry


def again_refused(entry: Entry, policy: Policy) -> None:
    """A task whose target cannot take it, or that the pilot leaves out."""
    asked = request_of(entry)
    if entry.reason == Code.OUTSIDE_PILOT:
        pilot, projects = policy.pilot, asked.places.projects
        pilot = pilot.knowing(pilot.looked_up(projects))
        owner = asked.source.get(Field.OWNER)
        assert not pilot.admits_new(asked.target.project, projects, owner, policy.people), entry
        return
    place = asked.place()
    assert isinstance(place, Unusable) and place.code == entry.reason, entry


def again_lost(entry: Entry, kind: str) -> None:
    """A pair of which a record is deleted or gone."""
    assert loss_of(entry).verdict() == (kind, entry.side, entry.reason), entry


def towns(seeds: range, folder: Path) -> Iterator[Town]:
    for seed in seeds:
        life = Life(seed, folder)
        asyncio.run(life.live())
        yield life.town


@pytest.mark.parametrize("start", range(1, LIVES + 1, AT_ONCE))
def test_every_decision_of_a_life_is_reached_again_from_the_journal(start: int) -> None:
    total: Counter[str] = Counter()
    with quick_folder() as folder:
        for town in towns(range(start, start + AT_ONCE), folder):
            total += replayed(town)
    assert [kind for kind in EVERY if not total[kind]] == [], total


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
    conflict = next(entry for entry in world.store.entries(Selection(kind="conflict")))
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
    [seen] = list(world.store.entries(Selection(kind="observed")))
    assert (seen.side, seen.field, seen.old, seen.new) == ("crm", "status", "Chưa bắt đầu", "Đang thực hiện")
    assert seen.crm_modified is not None
    [ruling] = [one for one in world.store.entries(Selection(kind="settled")) if one.id > seen.id]
    assert (ruling.field, ruling.inputs["crm"]) == ("status", "Đang thực hiện")


LONG = "dài " * 100


def told(world: World, task: int, kind: str) -> list[Entry]:
    return list(world.store.entries(Selection(crm_id=str(task), kind=kind)))


async def test_an_item_is_drafted_from_the_target_as_it_was_typed_and_what_is_left_out_is_named() -> None:
    world = World()
    task = world.crm.add(
        custom_field1="Triển khai An Phát",
        custom_field2="Cần làm",
        task_name=LONG,
        owner_name="NV009",
        due_date="2026-03-05",
    )
    await world.once()
    [drafted] = told(world, task, "drafted")
    assert drafted.inputs["target"] == {"project": "Triển khai An Phát", "group": "Cần làm"}
    assert (drafted.detail["project"], drafted.detail["group"]) == ("12", "31")
    assert drafted.detail["left_out"] == {"owner": "person_unknown", "title": "field_too_long"}
    assert {one.field for one in told(world, task, "intent")} == {"due", "status"}
    assert replayed(world)["drafted"] == 1


async def test_a_task_that_no_place_takes_is_told_once_and_again_when_it_asks_for_another() -> None:
    world = World()
    task = world.crm.add(custom_field1="10", custom_field2="31", task_name="Sai chỗ")
    await world.once()
    await world.once()
    assert [one.reason for one in told(world, task, "set_aside")] == ["target_is_department"]
    world.sections["people"] = {"Lan": "NV004"}
    await world.once()
    assert len(told(world, task, "set_aside")) == 1, "another config, the same answer"
    world.crm.edit(task, custom_field1="Không có")
    world.clock.tick(60)
    await world.once()
    assert [one.reason for one in told(world, task, "set_aside")] == ["target_is_department", "target_not_found"]
    assert replayed(world)["refused_task"] == 2


@pytest.mark.parametrize("pilot", [{"projects": ["13"]}, {"people": ["NV004"]}, {"projects": ["Không có"]}])
async def test_a_task_that_the_pilot_leaves_out_is_told_once(pilot: dict[str, Any]) -> None:
    world = World(pilot=pilot)
    task = world.crm.add(custom_field1="12", custom_field2="31", task_name="Gốc", owner_name="NV001")
    for _ in range(3):
        await world.once()
    assert [one.reason for one in told(world, task, "set_aside")] == ["outside_pilot"]
    assert replayed(world)["refused_task"] == 1


async def test_a_field_that_cannot_be_brought_over_is_told_once_with_what_is_known_there() -> None:
    world = World()
    task = world.crm.add(custom_field1="12", custom_field2="31", task_name="Gốc")
    await world.once()
    world.clock.tick(600)
    world.crm.edit(task, owner_name="NV009", task_name=LONG)
    world.clock.tick(60)
    for _ in range(3):
        await world.once()
    found = {one.field: one for one in told(world, task, "set_aside")}
    assert len(found) == len(told(world, task, "set_aside")) == 2
    assert found[Field.OWNER].detail["bounds"] == {"foreign": "12"}
    assert (found[Field.OWNER].reason, found[Field.OWNER].inputs["crm"]) == ("person_unknown", "Hoàng Minh Đức (NV009)")
    assert (found[Field.TITLE].reason, found[Field.TITLE].side) == ("field_too_long", "work")
    assert replayed(world)["set_aside"] == 2


async def test_a_value_that_flips_and_a_renamed_status_are_told_once_with_what_made_them_suspect() -> None:
    world = World()
    task, item = await world.pair(task_name="A", status="Hoàn thành")
    world.crm.edit(task, task_name="B")
    for number in range(8):
        await world.once(tick=60)
        if world.item(item)["TaskName"] != "A":
            world.work.edit(item, TaskName="A", by="NV003")
        if number % 2 and world.task(task)["task_name"] == "A":
            world.crm.edit(task, task_name="B", by="NV004")
    world.crm.statuses.append("Đã xong")
    world.crm.edit(task, keep_stamp=True, status="Đã xong")
    await world.once(sweep=True)
    await world.once()
    seen = replayed(world)
    assert (seen["ping_pong"], seen["status_unknown"], seen["set_aside"]) == (1, 1, 2)
    found = {entry.reason: suspicion_of(entry) for entry in told(world, task, "set_aside")}
    assert len(found["ping_pong"].reverts) == 3
    assert "hoàn thành" in found["status_unknown"].known
    said = [line for one in told(world, task, "set_aside") for line in grounds(entry_data(one))]
    assert any("was undone" in line and line.count("02/03/2026") == 3 for line in said), said
    assert any("status words" in line and "hoàn thành" in line for line in said), said


@pytest.mark.parametrize(
    ("propagates", "edited", "kind", "reason"),
    [
        (False, False, "unlinked", "deleted"),
        (False, True, "unlinked", "deleted_elsewhere"),
        (True, True, "unlinked", "deleted_elsewhere"),
        (True, False, "intent", "deleted"),
    ],
)
async def test_the_end_of_a_pair_tells_what_was_there_and_when_it_was_edited(
    propagates: bool, edited: bool, kind: str, reason: str
) -> None:
    world = World(deletes={"policy": "propagate" if propagates else "unlink"})
    task = world.crm.add(custom_field1="12", custom_field2="31", task_name="Gốc")
    await world.once()
    [item] = world.work.by_marker(task)
    await world.once()
    world.clock.tick(600)
    if edited:
        world.work.edit(item, TaskName="Sửa sau")
    world.crm.edit(task, is_deleted=True)
    world.clock.tick(60)
    await world.once()
    [entry] = [one for one in told(world, task, kind) if one.reason == reason]
    assert entry.detail["presence"] == {"crm": "deleted", "work": "present"}
    assert entry.detail["propagates"] is propagates
    seen = replayed(world)
    assert (seen["unlinked"], seen["delete"]) == ((0, 1) if kind == "intent" else (1, 0))
