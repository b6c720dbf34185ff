"""One suite for both ways to a server: in process and over sockets. What a side shows, and what its writes do."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.model import Accepted, Code, Draft, Edit, Field, Presence, Refused
from reconciler.errors import NotApplied, SideClosed, Unclear
from reconciler.sandbox.server import Sandbox
from reconciler.sides.crm import CrmWriter
from reconciler.sides.http import Access
from tests.sides.rig import Rig, Seen

LAYOUT = "Mẫu tiêu chuẩn"


@pytest.fixture(params=["in process", "sockets"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made = Rig()
    if request.param == "in process":
        yield made
        await made.close()
    else:
        with Sandbox(made.crm_system, made.work_system) as box:
            made.crm_url, made.work_url = box.crm_url, box.work_url
            yield made
            await made.close()
    assert made.crm_system.violations == []
    assert made.work_system.violations == []


def draft(marker: str = "1001", title: str = "Gọi", project: str = "12", group: str = "31") -> Draft:
    values = {
        Field.TITLE: title,
        Field.DESCRIPTION: None,
        Field.START: "2026-03-02T08:00:00+07:00",
        Field.DUE: "2026-03-09T17:30:00+07:00",
        Field.OWNER: ("NV001",),
        Field.STATUS: "Chưa hoàn thành",
    }
    return Draft(values=values, project=project, group=group, marker=marker)


async def test_a_quiet_side_costs_one_request(rig: Rig) -> None:
    rig.crm_system.add()
    rig.work_system.add()
    for side, system in ((rig.crm(), rig.crm_system), (rig.work(), rig.work_system)):
        await side.changes(None, Seen())
        mark = system.mark()
        reading = await side.changes(rig.clock.now() - timedelta(minutes=2), Seen())
        assert reading.complete and not reading.full and reading.rows == 1
        assert len(system.log) == mark + 1


async def test_a_crm_row_as_a_record(rig: Rig) -> None:
    task = rig.crm_system.add(
        task_name="Gọi  An Phát ",
        description="a\nb",
        start_date="2026-03-02",
        priority="Cao",
        custom_field1="12",
        custom_field2="Cần làm",
        custom_field3="7001",
    )
    seen = Seen()
    await rig.crm().changes(None, seen)
    row = seen.rows[str(task)]
    assert row.values == {
        Field.TITLE: "Gọi  An Phát ",
        Field.DESCRIPTION: "a\nb",
        Field.START: "2026-03-02",
        Field.DUE: None,
        Field.OWNER: "Nguyễn Văn An (NV001)",
        Field.STATUS: "Chưa bắt đầu",
    }
    assert (row.project, row.group, row.marker, row.layout) == ("12", "Cần làm", "7001", LAYOUT)
    assert row.modified == row.created == datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
    assert row.author == row.creator == "Nguyễn Văn An (NV001) - CRM"
    assert row.traits["priority"] == "Cao" and row.presence is Presence.PRESENT and row.problems == ()


async def test_a_work_row_as_a_record(rig: Rig) -> None:
    item = rig.work_system.add(
        TaskName="Gọi",
        Deadline="2026-03-09T17:30:00+07:00",
        DoerCodes=["NV002", "NV001"],
        CustomFields={"crm_task_id": "1042"},
    )
    seen = Seen()
    await rig.work().changes(None, seen)
    row = seen.rows[str(item)]
    assert row.values == {
        Field.TITLE: "Gọi",
        Field.DESCRIPTION: None,
        Field.START: None,
        Field.DUE: "2026-03-09T17:30:00+07:00",
        Field.OWNER: ("NV002", "NV001"),
        Field.STATUS: "Chưa hoàn thành",
    }
    assert (row.project, row.group, row.marker, row.author) == ("12", "31", "1042", "NV001")
    assert row.presence is Presence.PRESENT and row.problems == ()


async def test_deleted_and_archived_rows_say_so(rig: Rig) -> None:
    task = rig.crm_system.add()
    rig.crm_system.delete(task)
    items = [rig.work_system.add(IsArchived=True), rig.work_system.add()]
    rig.work_system.delete(items[1])
    [row] = (await rig.crm().by_id([str(task)])).values()
    assert row.presence is Presence.DELETED
    rows = await rig.work().by_id([str(one) for one in items])
    assert [rows[str(one)].presence for one in items] == [Presence.ARCHIVED, Presence.DELETED]


async def test_by_id_takes_any_number_of_ids(rig: Rig) -> None:
    tasks = [rig.crm_system.add() for _ in range(230)]
    items = [rig.work_system.add() for _ in range(230)]
    for side, system, ids in ((rig.crm(), rig.crm_system, tasks), (rig.work(), rig.work_system, items)):
        rows = await side.by_id([*map(str, ids), "99999", "no number", str(ids[0]), str(2**60)])
        assert sorted(rows) == sorted(map(str, ids))
        assert len(system.reads()) == 3
        assert await side.by_id([]) == {}
        assert len(system.reads()) == 3, "nothing asked, nothing sent"


async def test_ids_beyond_what_a_double_can_hold(rig: Rig) -> None:
    big = 2**53 + 1
    rig.crm_system.add(id=big)
    rig.work_system.add(TaskID=big)
    crm, work = rig.crm(), rig.work()
    [row] = (await crm.by_id([str(big)])).values()
    assert await crm.update([Edit(id=row.id, values={Field.TITLE: "a"}, layout=row.layout)]) == [Accepted(id=str(big))]
    assert await work.update([Edit(id=str(big), values={Field.TITLE: "b"})]) == [Accepted(id=str(big))]
    assert str(big) in await work.by_id([str(big)])


async def test_a_crm_edit_sends_only_what_changed(rig: Rig) -> None:
    task = rig.crm_system.add()
    edit = Edit(
        id=str(task),
        values={Field.DUE: "2026-04-01", Field.OWNER: "NV002", Field.STATUS: "Hoàn thành"},
        layout=LAYOUT,
        marker="7001",
    )
    assert await rig.crm().update([edit]) == [Accepted(id=str(task))]
    [call] = rig.crm_system.writes()
    assert call.body == [
        {
            "id": task,
            "form_layout": LAYOUT,
            "due_date": "2026-04-01T00:00:00+07:00",
            "owner_name": "NV002",
            "status": "Hoàn thành",
            "custom_field3": "7001",
        }
    ]


async def test_a_date_is_cleared_with_null(rig: Rig) -> None:
    task = rig.crm_system.add(due_date="2026-03-09")
    item = rig.work_system.add(Deadline="2026-03-09T17:30:00+07:00")
    await rig.crm().update([Edit(id=str(task), values={Field.DUE: None}, layout=LAYOUT)])
    await rig.work().update([Edit(id=str(item), values={Field.DUE: None})])
    assert (rig.crm_system.rows[task]["due_date"], rig.work_system.rows[item]["Deadline"]) == (None, None)


async def test_work_items_are_created_in_order(rig: Rig) -> None:
    work = rig.work()
    first, wrong, last = await work.create([draft("1"), draft("2", project="99"), draft("3")])
    assert isinstance(first, Accepted) and isinstance(last, Accepted)
    assert isinstance(wrong, Refused) and wrong.code is Code.TARGET_NOT_FOUND and wrong.words
    rows = await work.by_id([first.id, last.id])
    assert [rows[one.id].marker for one in (first, last)] == ["1", "3"]
    assert rows[first.id].values == draft().values
    assert work.batch == 20


async def test_a_marker_is_merged_into_the_custom_fields(rig: Rig) -> None:
    item = rig.work_system.add(CustomFields={"other": "x"})
    await rig.work().update([Edit(id=str(item), values={}, marker="1042")])
    assert rig.work_system.rows[item]["CustomFields"] == {"other": "x", "crm_task_id": "1042"}


async def test_deletes_and_what_is_gone(rig: Rig) -> None:
    task, item = rig.crm_system.add(), rig.work_system.add()
    for side, known in ((rig.crm(), task), (rig.work(), item)):
        assert await side.delete([str(known)]) == [Accepted(id=str(known))]
        [again] = await side.delete([str(known)])
        assert isinstance(again, Refused) and again.gone and again.code is Code.LOST_SIGHT


async def test_nothing_creates_a_crm_task(rig: Rig) -> None:
    with pytest.raises(AssertionError):
        await rig.crm().create([draft()])
    assert rig.crm_system.log == []


@pytest.mark.parametrize(
    ("code", "expected", "field"),
    [
        ("NoPermission", Code.FORBIDDEN, None),
        ("TargetIsDepartment", Code.TARGET_IS_DEPARTMENT, None),
        ("ProjectArchived", Code.TARGET_ARCHIVED, None),
        ("ProjectNotFound", Code.TARGET_NOT_FOUND, None),
        ("GroupNotInProject", Code.GROUP_NOT_IN_PROJECT, None),
        ("TaskNotFound", Code.LOST_SIGHT, None),
        ("WaitingApproval", Code.WAITING_APPROVAL, Field.STATUS),
        ("MemberNotInProject", Code.PERSON_UNKNOWN, Field.OWNER),
        ("FieldTooLong", Code.FIELD_TOO_LONG, None),
        ("InvalidValue", Code.INVALID_VALUE, None),
        ("SomethingNew", Code.INVALID_VALUE, None),
    ],
)
async def test_work_refuses_one_element_and_takes_the_other(
    rig: Rig, code: str, expected: Code, field: Field | None
) -> None:
    items = [rig.work_system.add(), rig.work_system.add()]
    rig.work_system.faults.order(
        "update-tasks", "element", predicate=lambda sent: sent["TaskID"] == items[0], code=code, message="Không được"
    )
    edits = [Edit(id=str(one), values={Field.TITLE: "mới"}) for one in items]
    refused, taken = await rig.work().update(edits)
    assert isinstance(refused, Refused) and (refused.code, refused.field) == (expected, field)
    assert refused.words == "Không được"
    assert (refused.transient, refused.gone) == (code == "WaitingApproval", code == "TaskNotFound")
    assert taken == Accepted(id=str(items[1]))


async def test_the_crm_names_the_field_it_refuses(rig: Rig) -> None:
    task = rig.crm_system.add()
    [refused] = await rig.crm().update([Edit(id=str(task), values={Field.STATUS: "Lạ"}, layout=LAYOUT)])
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field, refused.words) == (
        Code.INVALID_VALUE,
        Field.STATUS,
        "Trạng thái không có trong danh sách",
    )


async def test_a_write_whose_answer_is_cut_is_unclear_and_sent_once(rig: Rig) -> None:
    task = rig.crm_system.add()
    crm, work = rig.crm(), rig.work()
    await crm.by_id([str(task)])
    for fault in ("drop_before", "drop_after", "truncate", "html"):
        rig.crm_system.faults.order("write", fault)
        rig.work_system.faults.order("write", fault)
        marks = rig.crm_system.mark(), rig.work_system.mark()
        with pytest.raises(Unclear):
            await crm.update([Edit(id=str(task), values={Field.TITLE: fault}, layout=LAYOUT)])
        with pytest.raises(Unclear):
            await work.create([draft()])
        assert [len(rig.crm_system.writes(marks[0])), len(rig.work_system.writes(marks[1]))] == [1, 1]


async def test_an_expired_token_is_renewed_for_a_read_and_costs_a_write(rig: Rig) -> None:
    task = rig.crm_system.add()
    crm = rig.crm()
    await crm.by_id([str(task)])
    rig.crm_system.expire_tokens()
    assert str(task) in await crm.by_id([str(task)])
    rig.crm_system.expire_tokens()
    edit = Edit(id=str(task), values={Field.TITLE: "mới"}, layout=LAYOUT)
    with pytest.raises(NotApplied):
        await crm.update([edit])
    assert await crm.update([edit]) == [Accepted(id=str(task))]
    assert [call.verb for call in rig.crm_system.log].count("token") == 3


async def test_many_calls_share_one_renewal(rig: Rig) -> None:
    tasks = [rig.crm_system.add() for _ in range(50)]
    crm = rig.crm(by_id=1)
    await crm.changes(None, Seen())
    rig.crm_system.expire_tokens()
    assert len(await crm.by_id([str(one) for one in tasks])) == 50
    assert [call.verb for call in rig.crm_system.log].count("token") == 2


async def test_the_token_is_renewed_before_it_ends(rig: Rig) -> None:
    crm = rig.crm()
    await crm.changes(None, Seen())
    rig.clock.tick(24 * 3600 - 310)
    await crm.changes(None, Seen())
    assert [call.verb for call in rig.crm_system.log].count("token") == 1
    rig.clock.tick(20)
    await crm.changes(None, Seen())
    assert [call.verb for call in rig.crm_system.log].count("token") == 2
    assert all(call.status == 200 for call in rig.crm_system.log)


async def test_wrong_credentials_close_a_side_at_once(rig: Rig) -> None:
    rig.crm_system.client_secret = rig.work_system.secret_key = "right"
    crm, work = rig.crm(), rig.work()
    rig.crm_system.client_secret = rig.work_system.secret_key = "other"
    for side, system in ((crm, rig.crm_system), (work, rig.work_system)):
        with pytest.raises(SideClosed) as closed:
            await side.changes(None, Seen())
        assert "right" not in str(closed.value) and str(closed.value).startswith(side.side.value)
        assert len(system.log) == 1, "no storm of attempts"


async def test_a_cut_connection_says_who_can_mend_it(rig: Rig) -> None:
    crm = rig.crm()
    await crm.changes(None, Seen())
    rig.crm_system.disconnect()
    mark = rig.crm_system.mark()
    with pytest.raises(SideClosed, match="administrator"):
        await crm.changes(None, Seen())
    assert len(rig.crm_system.log) == mark + 1
    with pytest.raises(SideClosed, match="administrator"):
        await crm.update([Edit(id="1001", values={Field.TITLE: "x"}, layout=LAYOUT)])
    rig.crm_system.reconnect()
    await crm.changes(None, Seen())


async def test_the_catalogue(rig: Rig) -> None:
    work = rig.work(page_size=2)
    projects = {one.id: one for one in await work.projects()}
    assert len(projects) == len(rig.work_system.projects)
    assert projects["12"].may_add and not projects["12"].archived and not projects["12"].department
    assert [one for one in projects.values() if one.department] and [one for one in projects.values() if one.archived]
    groups = await work.groups("12")
    assert all(one.project == "12" and one.name for one in groups) and "31" in {one.id for one in groups}
    assert "NV001" in await work.members("12")


async def test_a_place_that_is_gone_does_not_close_the_side(rig: Rig) -> None:
    work = rig.work()
    assert await work.groups("99") == []
    assert await work.members("99") == frozenset()


async def test_the_clock_of_the_server_is_known_to_a_second(rig: Rig) -> None:
    rig.crm_system.offset = timedelta(minutes=7)
    crm = rig.crm()
    assert crm.offset().value is None
    reading = await crm.changes(None, Seen())
    offset = crm.offset()
    assert offset.value is not None and abs(offset.value - timedelta(minutes=7)) <= offset.uncertainty
    assert offset.uncertainty <= timedelta(seconds=1)
    true = rig.clock.now() + timedelta(minutes=7)
    assert true - timedelta(seconds=2) <= reading.started <= true


async def test_without_a_date_a_reading_starts_a_minute_earlier(rig: Rig) -> None:
    rig.crm_system.date_header = False
    crm, begun = rig.crm(), rig.clock.now()
    reading = await crm.changes(None, Seen())
    assert crm.offset().value is None
    assert reading.started == begun - timedelta(seconds=60)


async def test_a_refused_connection_is_a_write_that_did_not_happen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    rig = Rig(crm_url=f"http://127.0.0.1:{port}", work_url=f"http://127.0.0.1:{port}")
    with pytest.raises(NotApplied):
        await rig.work().create([draft()])
    with pytest.raises(NotApplied):
        await rig.crm().update([Edit(id="1", values={Field.TITLE: "x"}, layout=LAYOUT)])
    await rig.close()


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
async def test_a_write_on_a_dead_kept_connection_is_not_sent_again(verb: str) -> None:
    """aiohttp repeats idempotent methods by itself unless told not to; no layer may repeat a write."""
    arrived: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            line, length = head.split("\r\n")[0], 0
            for header in head.split("\r\n"):
                if header.lower().startswith("content-length:"):
                    length = int(header.split(":")[1])
            await reader.readexactly(length)
            arrived.append(line.split()[0])
            if line.startswith(verb):
                break
            body = b'{"success": true, "data": "token"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        rig = Rig()
        crm = CrmWriter(
            Access(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "app", "secret"),
            rig.limits,
            clock=rig.clock,
            rng=random.Random(1),
        )
        with pytest.raises(Unclear):
            if verb == "PUT":
                await crm.update([Edit(id="1", values={Field.TITLE: "x"}, layout=LAYOUT)])
            else:
                await crm.delete(["1"])
        await crm.close()
    assert arrived == ["POST", verb]
