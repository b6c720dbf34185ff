"""Deletions, absences, limits and quiet: what must happen when something is gone, and what must not when nothing is."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.halting import pause, resume
from reconciler.linking import ack, retry
from reconciler.report.dry_document import dry_document
from reconciler.report.render import status_text
from reconciler.report.text import document_text
from reconciler.requests import sentence
from reconciler.undoing import restore
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


async def pairs(world: World, count: int, **fields: Any) -> list[tuple[int, int]]:
    tasks = [world.crm.add(task_name=f"Việc {number}", **TARGET, **fields) for number in range(count)]
    await world.once()
    await world.once()
    world.clock.tick(300)
    return [(task, world.work.by_marker(task)[0]) for task in tasks]


@pytest.mark.parametrize("side", ["crm", "work"])
async def test_a_flagged_deletion_unlinks_and_leaves_the_other_record(world: World, side: str) -> None:
    task, item = await world.pair()
    world.crm.delete(task) if side == "crm" else world.work.delete(item)
    marks = world.crm.mark(), world.work.mark()
    assert (await world.once()).exit_code == 0
    assert world.linked(task) is None
    assert world.crm.writes(marks[0]) == []
    assert world.work.writes(marks[1]) == []
    await world.quiet(3)
    assert len(world.work.snapshot()) == 1, "and nothing is created again"


async def test_an_edit_beats_a_deletion_and_waits_for_a_person(world: World) -> None:
    task, item = await world.pair()
    world.work.delete(item)
    world.clock.tick(10)
    world.crm.edit(task, task_name="Vẫn cần")
    assert (await world.once()).exit_code == 4
    assert ("crm", str(task), "deleted_elsewhere") in world.attention()
    assert world.task(task)["task_name"] == "Vẫn cần"


async def test_rule_27_an_item_hidden_with_its_project_is_out_of_sight_and_not_deleted(world: World) -> None:
    task, item = await world.pair(task_name="Gọi khách")
    project = world.work.projects.pop(12)
    world.work.hide(item)
    for _ in range(3):
        assert (await world.once(sweep=True)).exit_code in (0, 4)
    assert world.linked(task) is not None
    assert world.attention() == [("work", str(item), "lost_sight")]
    await world.quiet()
    world.crm.edit(task, task_name="Sửa trong lúc khuất")
    await world.once()
    world.work.projects[12] = project
    world.work.reveal(item)
    await world.once(sweep=True)
    await world.once()
    assert world.attention() == []
    assert world.item(item)["TaskName"] == "Sửa trong lúc khuất"
    await world.quiet()


async def test_rule_27_absence_is_believed_only_twice_in_two_cycles_and_only_by_id(world: World) -> None:
    task, item = await world.pair()
    world.work.purge(item)
    await world.quiet()
    assert world.linked(task) is not None, "a listing never proves absence"
    await world.once(sweep=True)
    assert world.linked(task) is not None
    await world.once(sweep=True)
    assert world.linked(task) is None
    assert world.crm.get(task) is not None
    assert len(world.work.snapshot()) == 0
    await world.quiet()


async def test_a_record_that_was_hidden_for_a_while_is_kept(world: World) -> None:
    task, item = await world.pair()
    world.work.hide(item)
    await world.once(sweep=True)
    world.work.reveal(item)
    await world.once(sweep=True)
    assert world.linked(task) is not None
    world.clock.tick(60)
    world.crm.edit(task, task_name="Mới")
    await world.once()
    assert world.item(item)["TaskName"] == "Mới"


async def test_a_restored_record_is_attached_again(world: World) -> None:
    task, item = await world.pair()
    world.crm.delete(task)
    await world.once()
    world.clock.tick(60)
    world.crm.restore(task)
    await world.once()
    link = world.linked(task)
    assert link is not None
    assert link.work.id == str(item)
    assert len(world.work.snapshot()) == 1


async def test_the_sweep_finds_and_counts_an_edit_that_did_not_move_the_stamp(world: World) -> None:
    task, item = await world.pair()
    await world.once(tick=600)
    world.crm.edit(task, keep_stamp=True, task_name="Không dấu vết")
    result = await world.once(sweep=True)
    assert world.item(item)["TaskName"] == "Không dấu vết"
    assert result.counts["unstamped"] == 1


async def test_an_emptied_side_halts_whatever_the_limits(world: World) -> None:
    made = await pairs(world, 4)
    for _, item in made:
        world.work.purge(item)
    assert (await world.once(sweep=True)).exit_code == 5
    assert world.status()["halted"]["reason"] == "emptied_side"
    assert all(world.linked(task) is not None for task, _ in made)


async def limited(count: int) -> tuple[World, list[tuple[int, int]]]:
    world = World(safety={"max_updates": 5})
    return world, await pairs(world, count)


async def test_rule_28_a_tripped_limit_holds_its_kind_and_direction_and_everything_else_flows() -> None:
    world, made = await limited(8)
    for number, (task, item) in enumerate(made):
        if number < 6:
            world.crm.edit(task, task_name=f"Mới {number}")
        else:
            world.work.edit(item, TaskName=f"Work {number}")
    foreseen = await world.report()
    assert (foreseen["halted"]["count"], len(foreseen["held"])) == (6, 6)
    assert (await world.once()).exit_code == 5
    assert [world.item(item)["TaskName"] for _, item in made[:6]] == [f"Việc {n}" for n in range(6)]
    assert [world.task(task)["task_name"] for task, _ in made[6:]] == ["Work 6", "Work 7"]
    halted = world.status()["halted"]
    assert halted["fingerprint"] == foreseen["halted"]["fingerprint"]
    assert (await world.once()).exit_code == 5, "one halt, until a person looks"
    assert len([row for row in world.history() if row["kind"] == "halted"]) == 1
    with pytest.raises(UsageError):
        resume(world.store, world.clock.now(), "sai", "test", "sha256:0")
    world.crm.edit(made[0][0], task_name="Đổi sau khi giữ")
    resume(world.store, world.clock.now(), "đã xem", "test", halted["fingerprint"])
    result = await world.once()
    assert [world.item(item)["TaskName"] for _, item in made[1:6]] == [f"Mới {n}" for n in range(1, 6)]
    assert world.item(made[0][1])["TaskName"] == "Đổi sau khi giữ", "one new operation meets the normal limits"
    assert result.exit_code == 0
    assert world.status()["halted"] is None


async def test_a_pause_lets_reads_go_on_and_writes_wait(world: World) -> None:
    task, item = await world.pair()
    pause(world.store, world.clock.now(), "kiểm tra", None, "test")
    world.crm.edit(task, task_name="Chờ")
    mark = world.work.mark()
    assert (await world.once()).exit_code == 0
    assert world.work.writes(mark) == []
    resume(world.store, world.clock.now(), "xong", "test", None)
    await world.once(tick=300)
    assert world.item(item)["TaskName"] == "Chờ"


async def test_rule_30_a_value_that_flips_without_a_user_is_set_aside(world: World) -> None:
    task, item = await world.pair(task_name="A")
    world.crm.edit(task, task_name="B")
    mark = world.crm.mark()
    for number in range(8):
        await world.once(tick=60)
        if world.item(item)["TaskName"] != "A":
            world.work.edit(item, TaskName="A", by="NV003")
        if number % 2 and world.task(task)["task_name"] == "A":
            world.crm.edit(task, task_name="B", by="NV004")
    assert len(world.crm.writes(mark)) <= 4
    await world.once(tick=60)
    assert "ping_pong" in [code for _, _, code in world.attention()]
    [entry] = [one for one in world.store.attention() if one.code == "ping_pong"]
    assert "«A»" in entry.message
    assert "«B»" in entry.message


async def test_rule_26_a_renamed_status_reopens_nothing(world: World) -> None:
    task, item = await world.pair(status="Hoàn thành")
    world.crm.statuses.append("Đã xong")
    world.crm.edit(task, keep_stamp=True, status="Đã xong")
    assert (await world.once(sweep=True)).exit_code == 4
    assert world.item(item)["StatusName"] == "Đã hoàn thành"
    assert ("crm", str(task), "status_unknown") in world.attention()


async def test_restore_brings_a_lost_value_back_and_it_flows_across(world: World) -> None:
    from reconciler import app

    task, item = await world.pair(task_name="Gốc")
    world.crm.edit(task, task_name="Đè lên")
    await world.once()
    intents = [row for row in world.history() if row["kind"] == "intent" and row["field"] == "title"]
    [entry] = [row for row in intents if row["old"] == "Gốc"]
    world.clock.tick(60)
    async with app.connect_writing(world.settings, world.world) as (connection, writers):
        done = await restore(connection, writers, world.store, entry["id"], operator="test")
    assert done.exit_code == 0
    assert world.item(item)["TaskName"] == "Gốc"
    await world.once(tick=60)
    assert world.task(task)["task_name"] == "Gốc"
    await world.quiet()


async def test_ack_dismisses_until_the_content_changes_and_retry_releases(world: World) -> None:
    task = world.crm.add(custom_field1="10", custom_field2="31")
    assert (await world.once()).exit_code == 4
    ack(world.store, world.clock.now(), "test", "biết rồi", task=str(task), item=None)
    assert (await world.once()).exit_code == 0
    world.clock.tick(60)
    world.crm.edit(task, custom_field1="15")
    assert (await world.once()).exit_code == 4
    world.work.projects[15]["CanAddTask"] = True
    retry(world.store, world.clock.now(), "test", task=str(task))
    world.crm.edit(task, custom_field2="61")
    await world.once(tick=60)
    assert len(world.work.by_marker(task)) == 1


async def test_an_archived_project_freezes_its_pairs_and_goes_on_afterwards(world: World) -> None:
    task, item = await world.pair()
    world.work.archive_project(12)
    await world.once(sweep=True)
    world.clock.tick(60)
    world.crm.edit(task, task_name="Trong kho")
    mark = world.work.mark()
    assert (await world.once()).exit_code == 0
    assert world.work.writes(mark) == []
    assert world.status()["pairs"]["frozen"] == 1
    world.work.projects[12]["IsArchived"] = False
    await world.once(sweep=True)
    assert world.item(item)["TaskName"] == "Trong kho"


async def test_a_changed_target_moves_nothing_and_is_reported(world: World) -> None:
    task, item = await world.pair()
    world.crm.edit(task, custom_field1="13", custom_field2="41")
    assert (await world.once()).exit_code == 4
    assert ("crm", str(task), "target_changed") in world.attention()
    assert world.item(item)["ProjectID"] == 12


# --- quiet ------------------------------------------------------------------------------------------------------------


def rows_of(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return {table: connection.execute(f"select * from {table}").fetchall() for table in tables}


async def test_two_quiet_cycles_write_nothing_and_change_no_state_but_watermarks_and_cycles(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    world = World(state=f"sqlite:///{file}")
    await pairs(world, 30)
    world.crm.add(custom_field1="10", custom_field2="31")
    await world.once()
    await world.once()
    before = rows_of(file)
    await world.quiet(2)
    after = rows_of(file)
    for table in before:
        if table == "fact":
            changed = set(map(str, after[table])) ^ set(map(str, before[table]))
            assert all("watermark." in row or row.startswith("('today'") for row in changed), changed
        elif table not in ("cycle", "sqlite_sequence"):
            assert after[table] == before[table], table
    world.reopen()


@pytest.mark.parametrize("side", ["crm", "work"])
async def test_a_flagged_deletion_is_propagated_only_if_the_config_says_so(side: str) -> None:
    world = World(deletes={"policy": "propagate"})
    task, item = await world.pair()
    world.crm.delete(task) if side == "crm" else world.work.delete(item)
    assert (await world.once()).exit_code == 0
    assert world.task(task)["is_deleted"]
    assert world.item(item)["IsDeleted"]
    assert world.linked(task) is None
    await world.quiet()


async def test_absence_alone_is_never_propagated() -> None:
    world = World(deletes={"policy": "propagate"})
    task, item = await world.pair()
    world.work.purge(item)
    for _ in range(3):
        await world.once(sweep=True)
    assert not world.task(task)["is_deleted"]
    assert world.linked(task) is None


async def test_an_edit_stops_the_propagation_of_a_deletion() -> None:
    world = World(deletes={"policy": "propagate"})
    task, item = await world.pair()
    world.crm.delete(task)
    world.work.faults.order("get-tasks-by-id", "hook_before", hook=lambda: world.work.edit(item, TaskName="Vẫn cần"))
    world.clock.tick(5)
    await world.once()
    await world.once()
    assert not world.item(item)["IsDeleted"]
    assert ("work", str(item), "deleted_elsewhere") in world.attention()


async def test_a_sweep_says_how_much_polling_missed_and_that_the_overlap_is_too_small(world: World) -> None:
    _, item = await world.pair(task_name="Gọi khách")
    for _ in range(3):
        await world.once(tick=300)
    world.work.edit(item, TaskName="Gọi lại", stamp=world.work.time() - timedelta(minutes=10))
    await world.quiet()
    result = await world.once(sweep=True)
    assert result.counts["missed"] == 1
    assert "1 edits that polling had missed: [watermark] overlap is too small" in sentence(result)


async def test_after_days_of_downtime_the_report_says_how_long_is_caught_up(world: World) -> None:
    task, _ = await world.pair(task_name="Gọi khách")
    world.clock.tick(3 * 86400)
    world.crm.edit(task, task_name="Gọi lại")
    report = "".join(document_text(dry_document(await world.report()), str))
    assert "this catches up 3 days" in report


async def test_every_entry_of_the_attention_list_says_who_can_fix_it_and_since_when(world: World) -> None:
    world.crm.add(task_name="Nhầm", custom_field1="Phòng Kinh doanh", custom_field2="31")
    await world.once()
    [entry] = world.status()["attention"]
    assert entry["who"] == "salesperson"
    assert entry["since"].startswith("2026-03-02T")
    assert "[salesperson, since 02/03/2026" in status_text(world.status(), str)


async def test_a_refused_deletion_is_not_sent_again_and_the_record_stays_unlinked() -> None:
    world = World(deletes={"policy": "propagate"})
    task, item = await world.pair(task_name="Gọi khách")
    world.work.faults.order("delete-tasks", "element", times=None, code="NoPermission", message="Không có quyền xóa")
    world.crm.delete(task)
    await world.once()
    mark = world.work.mark()
    for _ in range(3):
        await world.once()
    assert world.work.writes(mark) == []
    assert world.linked(task) is None
    assert world.work.get(item) is not None
    assert world.attention() == [("work", str(item), "forbidden")]


async def test_what_was_set_aside_is_nobodys_matter_once_the_pair_has_ended() -> None:
    """Found by the soak: the entry of an unknown owner stayed for ever when both records were gone."""
    world = World()
    task, item = await world.pair(owner_name="NV009")
    assert [code for *_, code in world.attention()] == ["person_unknown"]
    world.crm.purge(task)
    world.work.purge(item)
    for _ in range(3):
        await world.once(sweep=True)
    assert world.linked(task) is None
    assert world.attention() == []


async def test_what_survived_a_deletion_leaves_the_list_when_it_is_deleted_too(world: World) -> None:
    # In a soak of thirty days the entries of records that nobody had any more piled up.
    task, item = await world.pair()
    world.work.edit(item, TaskName="Vẫn cần")
    world.crm.delete(task)
    await world.once()
    assert ("work", str(item), "deleted_elsewhere") in world.attention()
    world.work.delete(item)
    await world.once()
    assert world.attention() == []
