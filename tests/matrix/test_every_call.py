"""One fault at one call, over sockets: which error it is, how often it was asked, and what the server then holds."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from reconciler.core.model import Accepted, Code, Refused, Side
from reconciler.errors import NotApplied, SideClosed, SideDown, SideError, Unclear
from tests.matrix.calls import CALLS, READS, WRITES, Call, Scene
from tests.matrix.faults import FAULTS, Fault, Read, Write
from tests.matrix.served import RETRY_FOR, Served

READING = [(fault, call) for fault in FAULTS for call in READS if fault.only in (None, call.side)]
WRITING = [
    (fault, call, effect)
    for fault in FAULTS
    for call in WRITES
    if fault.only in (None, call.side)
    for effect in fault.effects
]
TOKENLESS = [fault for fault in FAULTS if fault.only in (None, Side.CRM)]
ERRORS = {Write.NOT_APPLIED: NotApplied, Write.UNCLEAR: Unclear, Write.CLOSED: SideClosed}


def test_the_matrix_has_three_hundred_cells() -> None:
    assert len(CALLS) == 13
    assert len(FAULTS) >= 60
    assert 2 * len(READING) + len(WRITING) + len(TOKENLESS) >= 300
    assert len({(str(fault), str(call)) for fault, call in READING}) == len(READING), "no cell twice"
    assert len({(str(fault), str(call), effect) for fault, call, effect in WRITING}) == len(WRITING)


def test_every_outcome_occurs() -> None:
    """A table in which nothing is ever refused would prove nothing about refusals."""
    assert {fault.read for fault in FAULTS} == set(Read)
    assert {fault.write for fault in FAULTS} == set(Write)


@asynccontextmanager
async def scene(served: Served, side: Side, *, hasty: bool = False, url: str = "") -> AsyncIterator[Scene]:
    made = Scene(served, side, served.adapter(side, hasty=hasty, url=url))
    served.clock.tick(60)
    try:
        yield made
    finally:
        await made.adapter.close()
    assert served.system(side).violations == []


def calls_of(stage: Scene, verb: str) -> int:
    return sum(one.verb == verb for one in stage.served.system(stage.side).log)


def expected(fault: Fault, call: Call) -> Read:
    return fault.token if call.verb == "token" and fault.token is not None else fault.read


@pytest.mark.parametrize(("fault", "call"), READING, ids=lambda one: str(one))
async def test_a_read_that_fails_once(served: Served, fault: Fault, call: Call) -> None:
    system, means = served.system(call.side), expected(fault, call)
    async with scene(served, call.side, hasty=fault.hasty) as stage:
        system.faults.order(call.verb, **fault.order(effect=False))
        begun = served.clock.now()
        try:
            found = await call.act(stage)
        except SideError as error:
            assert means in (Read.LEFT, Read.CLOSED), error
            assert type(error) is (SideClosed if means is Read.CLOSED else SideDown)
            assert error.side == call.side.value
            assert calls_of(stage, call.verb) == 1, "asking again would not help"
            if fault.says is not None:
                assert error.retry_after is not None and error.retry_after.total_seconds() == fault.says
        else:
            assert means in (Read.REPEATED, Read.RENEWED, Read.FINE)
            assert calls_of(stage, call.verb) == (1 if means is Read.FINE else 2)
            if call.verb != "token" and call.side is Side.CRM:
                assert calls_of(stage, "token") == (2 if means is Read.RENEWED else 1)
            assert (served.clock.now() - begun).total_seconds() >= fault.waits
            assert found and found == await call.act(stage), "as if nothing had been"
        assert system.writes() == [], "nobody was asked to change anything"


@pytest.mark.parametrize(("fault", "call"), READING, ids=lambda one: str(one))
async def test_a_read_that_fails_for_good(served: Served, fault: Fault, call: Call) -> None:
    system, means = served.system(call.side), expected(fault, call)
    async with scene(served, call.side, hasty=fault.hasty) as stage:
        begun = served.clock.now()
        system.faults.order(call.verb, times=None, **fault.order(effect=False))
        if means is Read.FINE:
            await call.act(stage)
            return
        with pytest.raises(SideError) as failed:
            await call.act(stage)
        closed = means in (Read.CLOSED, Read.RENEWED)
        assert type(failed.value) is (SideClosed if closed else SideDown)
        asked = calls_of(stage, call.verb)
        if means is Read.REPEATED:
            assert 2 <= asked <= 40, "with growing pauses, not in a storm"
        else:
            assert asked == (2 if means is Read.RENEWED else 1)
        assert served.clock.now() - begun <= RETRY_FOR
        assert system.writes() == []
        system.faults.clear()
        if call.verb != "token":
            assert await stage.adapter.by_id([stage.id]), "the next call finds the side usable"


@pytest.mark.parametrize(("fault", "call", "effect"), WRITING, ids=lambda one: str(one))
async def test_a_write_that_fails(served: Served, fault: Fault, call: Call, effect: bool) -> None:
    assert call.effect is not None
    async with scene(served, call.side, hasty=fault.hasty) as stage:
        system = served.system(call.side)
        await stage.adapter.by_id([stage.id])
        system.faults.order(call.verb, times=None, **fault.order(effect))
        slept = len(served.clock.slept)
        try:
            answers = await call.act(stage)
        except SideError as error:
            assert type(error) is ERRORS.get(fault.write)
            assert error.side == call.side.value
            if fault.says is not None:
                assert error.retry_after is not None and error.retry_after.total_seconds() == fault.says
        else:
            assert len(answers) == 1
            if fault.write is Write.FINE:
                assert isinstance(answers[0], Accepted)
            else:
                assert fault.write is Write.REFUSED
                assert isinstance(answers[0], Refused)
                assert answers[0].code is fault.code
                assert answers[0].words, "what the attention list can show"
        assert calls_of(stage, call.verb) == 1, "no write is repeated blindly"
        assert sum(served.clock.slept[slept:]) < 0.1, "nor is anything waited for with a write in hand"
        assert call.effect(stage) == effect
        system.faults.clear()
        assert await stage.adapter.by_id([stage.id]), "the side is usable for the read-back"


@pytest.mark.parametrize("fault", TOKENLESS, ids=str)
async def test_a_write_for_which_no_token_can_be_had_is_not_sent(served: Served, fault: Fault) -> None:
    means = fault.token or fault.read
    async with scene(served, Side.CRM, hasty=fault.hasty) as stage:
        served.crm.faults.order("token", times=None, **fault.order(effect=False))
        if means is Read.FINE:
            assert [type(one) for one in await stage.update()] == [Accepted]
            return
        with pytest.raises((NotApplied, SideClosed)) as failed:
            await stage.update()
        assert type(failed.value) is (SideClosed if means in (Read.CLOSED, Read.RENEWED) else NotApplied)
        assert calls_of(stage, "update") == 0
        assert not stage.updated


# --- the way there ----------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return int(gone.getsockname()[1])


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("way", ["nobody listens", "no TLS there"])
async def test_a_call_that_never_leaves_this_machine(served: Served, call: Call, way: str) -> None:
    url = {
        "nobody listens": f"http://127.0.0.1:{closed_port()}",
        "no TLS there": served.sandbox.url.replace("http:", "https:"),
    }[way]
    async with scene(served, call.side, url=url) as stage:
        with pytest.raises(SideError) as failed:
            await call.act(stage)
        assert type(failed.value) is (SideDown if call.effect is None else NotApplied)
        assert served.system(call.side).log == [], "nothing arrived, least of all in clear text"


# --- refused records --------------------------------------------------------------------------------------------------

REFUSALS = {
    "NoPermission": Code.FORBIDDEN,
    "TargetIsDepartment": Code.TARGET_IS_DEPARTMENT,
    "ProjectArchived": Code.TARGET_ARCHIVED,
    "ProjectNotFound": Code.TARGET_NOT_FOUND,
    "GroupNotInProject": Code.GROUP_NOT_IN_PROJECT,
    "TaskNotFound": Code.LOST_SIGHT,
    "WaitingApproval": Code.WAITING_APPROVAL,
    "ProgressComputed": Code.INVALID_VALUE,
    "MemberNotInProject": Code.PERSON_UNKNOWN,
    "FieldTooLong": Code.FIELD_TOO_LONG,
    "InvalidValue": Code.INVALID_VALUE,
    "SomethingNew": Code.INVALID_VALUE,
}


@pytest.mark.parametrize("call", [call for call in WRITES if call.side is Side.WORK], ids=str)
@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("whole", [False, True], ids=["in its element", "over the call"])
async def test_a_refused_item_of_work(served: Served, call: Call, code: str, whole: bool) -> None:
    assert call.effect is not None
    async with scene(served, Side.WORK) as stage:
        if whole:
            served.work.faults.order(call.verb, "status", status=400, error_code=code, message="không được")
        else:
            served.work.faults.order(call.verb, "element", code=code, message="không được")
        [answer] = await call.act(stage)
        assert isinstance(answer, Refused)
        assert (answer.code, answer.words) == (REFUSALS[code], "không được")
        assert answer.gone == (code == "TaskNotFound")
        assert answer.transient == (code == "WaitingApproval")
        assert calls_of(stage, call.verb) == 1
        assert not call.effect(stage)


@pytest.mark.parametrize("call", [call for call in WRITES if call.side is Side.CRM], ids=str)
@pytest.mark.parametrize(
    "name", ["task_name", "status", "due_date", "owner_name", "description", "custom_field3", "id"]
)
async def test_a_refused_record_of_the_crm(served: Served, call: Call, name: str) -> None:
    assert call.effect is not None
    async with scene(served, Side.CRM) as stage:
        served.crm.faults.order(call.verb, "element", field_name=name, message="không được")
        [answer] = await call.act(stage)
        assert isinstance(answer, Refused)
        assert (answer.words, answer.gone) == ("không được", name == "id")
        assert (answer.field is None) == (name in ("custom_field3", "id"))
        assert calls_of(stage, call.verb) == 1
        assert not call.effect(stage)
