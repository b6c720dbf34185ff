"""One fault in one cycle, over sockets: nothing is written twice, no edit is lost, and the next cycles set it right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import pytest

from reconciler.core.model import Side
from reconciler.cycle import Result
from reconciler.sandbox.calls import Request
from tests.matrix.deeds import CREATE, DEEDS, MARK, NEW, NEWER, UPDATE_CRM, UPDATE_WORK, Deed, Stage
from tests.matrix.faults import FAULTS, Fault, Read, Write
from tests.matrix.served import Served, ServedWorld

NAMES = {fault.name for fault in FAULTS}
TYPICAL = {
    "400", "403", "404", "409", "503", "302 elsewhere", "401 bare", "401 signature", "cut by an administrator",
    "429 for 3 s", "429 for a minute", "login page", "200 and {}", "cut short (content-length)", "reset before",
    "reset after", "silence", "a byte order mark",
}  # fmt: skip
"""One of each sort; what the others mean for a call is told in `test_every_call`."""

SAMPLE = tuple(fault for fault in FAULTS if fault.name in TYPICAL)
WRITING = [
    (deed, fault, effect)
    for deed in DEEDS
    for fault in SAMPLE
    if fault.only in (None, deed.side)
    for effect in fault.effects
]
POLLS = [
    (side, verb, fault)
    for side, verb in ((Side.CRM, "token"), (Side.CRM, "list"), (Side.WORK, "get-tasks"))
    for fault in SAMPLE
    if fault.only in (None, side) and fault.read is not Read.FINE and not fault.hasty
]
OldNews = Literal["lag", "stale"]
BY_ID = {Side.CRM: "by-id", Side.WORK: "get-tasks-by-id"}
UNREADABLE = tuple(fault for fault in SAMPLE if fault.name in ("404", "503", "login page", "429 for a minute"))


def test_the_sample_holds_every_sort_of_fault() -> None:
    assert TYPICAL <= NAMES
    assert {fault.write for fault in SAMPLE} == set(Write)
    assert {fault.read for fault in SAMPLE} == set(Read)
    assert len(WRITING) >= 100


def finish(stage: Stage) -> None:
    """What holds at the end of every cell."""
    assert stage.world.crm.violations == []
    assert stage.world.work.violations == []
    stage.world.reopen()


async def recovered(stage: Stage) -> None:
    """The servers are well again, and every wait that was asked for or is ours is over. Two cycles, then silence."""
    world = stage.world
    world.crm.faults.clear()
    world.work.faults.clear()
    world.clock.tick(1000)
    for _ in range(2):
        await world.once(60)
    await world.quiet(cycles=1)


def unavailable(world: ServedWorld, result: Result, side: Side) -> bool:
    """The cycle says so, the state says so, and nobody else is blamed."""
    return result.exit_code == 6 and result.down.keys() == {side} and bool(world.status()["sides"][side.value])


# --- writes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deed", "fault", "effect"), WRITING, ids=lambda one: str(one))
async def test_a_write_of_a_cycle_that_fails(served: Served, deed: Deed, fault: Fault, effect: bool) -> None:
    world = ServedWorld(served, hasty=fault.hasty, sections=deed.sections)
    stage = await deed.begin(world)
    world.clock.tick(60)
    deed.people(stage)
    system = served.system(deed.side)
    mark = system.mark()
    system.faults.order(deed.verb, times=None, **fault.order(effect))

    result = await world.once()
    sent = deed.writes(stage, mark)
    assert deed.done(stage, sent) == effect
    judge(world, deed, fault, effect, result, len(sent))
    if fault.write is Write.UNCLEAR:
        assert system.log[-1].kind == "read", "what became of it is read at once"

    if fault.write is Write.REFUSED and deed.survives:
        await refused(stage, deed, mark)
    elif fault.write is Write.REFUSED:
        await refused_deletion(stage, deed, mark, len(sent))
    else:
        await failed(stage, deed, mark, len(sent))
    finish(stage)


def judge(world: ServedWorld, deed: Deed, fault: Fault, effect: bool, result: Result, sent: int) -> None:
    """How the cycle with the fault must end, and how often it may have sent."""
    once_more = fault.says is None
    match fault.write:
        case Write.FINE:
            assert (result.exit_code, sent) == (0, 1)
        case Write.NOT_APPLIED:
            assert unavailable(world, result, deed.side)
            assert sent == (2 if once_more else 1), "once more in the same cycle, from fresh reads, and no third time"
        case Write.UNCLEAR:
            assert sent == 1, "never again before its outcome is known"
            if effect and once_more:
                assert result.exit_code == 0, "the read-back shows it"
            else:
                assert unavailable(world, result, deed.side)
        case Write.CLOSED:
            assert unavailable(world, result, deed.side)
            assert sent == 1
        case Write.REFUSED:
            assert result.exit_code == 4
            assert not result.down, "the side is well, the record is not"
            assert sent <= (2 if deed is CREATE else 1), "a create once more without its optional fields"
    assert bool(world.attention()) == (fault.write is Write.REFUSED)


async def failed(stage: Stage, deed: Deed, mark: int, sent: int) -> None:
    """A failure of the side: meanwhile somebody edits something else, and in the end all of it is there, once."""
    paired = deed.survives and bool(stage.world.work.by_marker(stage.task))
    if deed.survives:
        stage.describe(deed.side if paired else Side.CRM, "Khách bận tuần này")
    await recovered(stage)
    writes = deed.writes(stage, mark)
    assert deed.done(stage, writes) == 1, "once, whatever happened"
    assert len([call for call in writes if _same_as_first(call.body, writes[0].body)]) <= sent + 1
    if deed.survives:
        assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEW
        assert stage.descriptions() == {"Khách bận tuần này"}
        assert stage.world.linked(stage.task) is not None


async def refused_deletion(stage: Stage, deed: Deed, mark: int, sent: int) -> None:
    """A refusal to delete: not sent again; the record stays, unlinked and told."""
    await recovered(stage)
    assert len(deed.writes(stage, mark)) == sent
    assert deed.done(stage, deed.writes(stage, mark)) == 0
    assert stage.world.linked(stage.task) is None


def _same_as_first(body: object, first: object) -> bool:
    return body == first


async def refused(stage: Stage, deed: Deed, mark: int) -> None:
    """A refusal: not sent again by itself, and sent when a person has changed what was refused."""
    sent = len(deed.writes(stage, mark))
    await recovered(stage)
    assert len(deed.writes(stage, mark)) == sent
    if deed is MARK:
        assert stage.world.linked(stage.task) is not None, "the link stands without its marker in the CRM"
    giver = Side.CRM if deed is CREATE else deed.side.other
    stage.title(giver, NEWER)
    await stage.world.once(60)
    assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEWER
    assert len(stage.world.work.by_marker(stage.task)) == 1


# --- reads ------------------------------------------------------------------------------------------------------------


async def edited(world: ServedWorld) -> Stage:
    """A pair of which people have changed different fields on both sides."""
    stage = await UPDATE_WORK.begin(world)
    stage.title(Side.CRM, NEW)
    stage.describe(Side.WORK, "Khách bận tuần này")
    return stage


@pytest.mark.parametrize(("side", "verb", "fault"), POLLS, ids=lambda one: str(one))
async def test_a_side_that_cannot_be_polled(served: Served, side: Side, verb: str, fault: Fault) -> None:
    world = ServedWorld(served, hasty=fault.hasty)
    stage = await edited(world)
    served.system(side).faults.order(verb, times=None, **fault.order(effect=False))
    marks = world.crm.mark(), world.work.mark()
    assert unavailable(world, await world.once(), side)
    assert [*world.crm.writes(marks[0]), *world.work.writes(marks[1])] == []
    assert world.linked(stage.task) is not None, "what cannot be read is not gone"
    assert world.attention() == []
    await recovered(stage)
    assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEW
    assert stage.descriptions() == {"Khách bận tuần này"}
    assert not world.status()["sides"][side.value]
    finish(stage)


@pytest.mark.parametrize("side", list(Side), ids=str)
@pytest.mark.parametrize("fault", [one for one in SAMPLE if one.read is Read.REPEATED and one.only is None], ids=str)
async def test_a_read_that_fails_once_is_not_even_noticed(served: Served, side: Side, fault: Fault) -> None:
    world = ServedWorld(served, hasty=fault.hasty)
    stage = await edited(world)
    for verb in ("list", "get-tasks", *BY_ID.values()):
        served.system(side).faults.order(verb, **fault.order(effect=False))
    assert (await world.once()).exit_code == 0
    assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEW
    assert stage.descriptions() == {"Khách bận tuần này"}
    finish(stage)


def just_before(served: Served, side: Side, deed: Deed) -> Callable[[Request], bool]:
    """The reads by id before anything was written."""
    mark = served.system(deed.side).mark()
    return lambda request: request.verb == BY_ID[side] and not served.system(deed.side).writes(mark)


def just_after(served: Served, deed: Deed) -> Callable[[Request], bool]:
    """The reads by id once the deed's write was sent."""
    system = served.system(deed.side)
    mark = system.mark()
    return lambda request: (
        request.verb == BY_ID[deed.side] and any(call.verb == deed.verb for call in system.writes(mark))
    )


@pytest.mark.parametrize("fault", UNREADABLE, ids=str)
@pytest.mark.parametrize("side", list(Side), ids=str)
@pytest.mark.parametrize("deed", [UPDATE_WORK, UPDATE_CRM], ids=str)
async def test_what_cannot_be_read_again_is_not_written(served: Served, deed: Deed, side: Side, fault: Fault) -> None:
    world = ServedWorld(served)
    stage = await deed.begin(world)
    deed.people(stage)
    mark = served.system(deed.side).mark()
    served.system(side).faults.order(just_before(served, side, deed), times=None, **fault.order(effect=False))
    assert unavailable(world, await world.once(), side)
    assert deed.writes(stage, mark) == []
    await recovered(stage)
    assert deed.done(stage, deed.writes(stage, mark)) == 1
    assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEW
    finish(stage)


@pytest.mark.parametrize("fault", UNREADABLE, ids=str)
@pytest.mark.parametrize("deed", [CREATE, MARK, UPDATE_WORK, UPDATE_CRM], ids=str)
async def test_what_cannot_be_read_back_is_not_written_again(served: Served, deed: Deed, fault: Fault) -> None:
    world = ServedWorld(served)
    stage = await deed.begin(world)
    world.clock.tick(60)
    deed.people(stage)
    mark = served.system(deed.side).mark()
    served.system(deed.side).faults.order(just_after(served, deed), times=None, **fault.order(effect=False))
    assert unavailable(world, await world.once(), deed.side)
    assert len(deed.writes(stage, mark)) == 1
    await recovered(stage)
    assert len(deed.writes(stage, mark)) == 1, "the next cycle sees that it is there"
    assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEW
    assert len(world.work.by_marker(stage.task)) == 1
    finish(stage)


# --- writes that arrive later, and news that is old -------------------------------------------------------------------


@pytest.mark.parametrize("status", [None, 202, 504], ids=["silence", "202", "504"])
@pytest.mark.parametrize("cycles", [0, 1, 2])
@pytest.mark.parametrize("deed", [CREATE, UPDATE_WORK, UPDATE_CRM], ids=str)
async def test_a_write_that_takes_effect_later(served: Served, deed: Deed, cycles: int, status: int | None) -> None:
    """Its answer said nothing of use; the effect comes before the next cycle, or that many cycles later."""
    world = ServedWorld(served, hasty=status is None)
    stage = await deed.begin(world)
    world.clock.tick(60)
    deed.people(stage)
    system = served.system(deed.side)
    mark = system.mark()
    args: dict[str, Any] = {} if status is None else {"status": status}
    system.faults.order(deed.verb, "late", **args)
    assert unavailable(world, await world.once(), deed.side)
    for _ in range(cycles):
        await world.once()
        assert len(deed.writes(stage, mark)) == 1, "not before it is known that the first cannot arrive any more"
    assert system.run_late() == 1
    await recovered(stage)
    assert len(deed.writes(stage, mark)) == 1
    assert len(world.work.by_marker(stage.task)) == 1
    assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEW
    finish(stage)


@pytest.mark.parametrize("deed", [UPDATE_WORK, UPDATE_CRM], ids=str)
async def test_a_late_write_of_ours_does_not_undo_a_newer_edit(served: Served, deed: Deed) -> None:
    world = ServedWorld(served)
    stage = await deed.begin(world)
    world.clock.tick(60)
    deed.people(stage)
    system = served.system(deed.side)
    system.faults.order(deed.verb, "late", status=504)
    assert unavailable(world, await world.once(), deed.side)
    stage.title(deed.side.other, NEWER)
    await world.once()
    assert system.run_late() == 1
    await recovered(stage)
    assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEWER
    finish(stage)


@pytest.mark.parametrize("kind", get_args(OldNews))
@pytest.mark.parametrize("verb", ["list", "by-id", "get-tasks", "get-tasks-by-id"])
@pytest.mark.parametrize("deed", [CREATE, UPDATE_WORK, UPDATE_CRM], ids=str)
async def test_old_news_makes_nothing_twice(served: Served, deed: Deed, verb: str, kind: OldNews) -> None:
    """For two cycles one kind of read shows the rows as they were half a minute ago, as a replica or a cache does."""
    world = ServedWorld(served)
    stage = await deed.begin(world)
    world.clock.tick(60)
    deed.people(stage)
    for system in (world.crm, world.work):
        system.faults.order(verb, kind, seconds=30, times=None)
    for _ in range(2):
        await world.once()
    await recovered(stage)
    assert stage.title(Side.CRM) == stage.title(Side.WORK) == NEW
    assert len(world.work.by_marker(stage.task)) == 1
    finish(stage)
