"""The report over a period: every total equals what really happened, in the systems and in the journal."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler import linking
from reconciler.core.model import ZONE, Field, Side
from reconciler.halting import pause, resume
from reconciler.report.data import Json
from reconciler.report.period import (
    Period,
    lag_class,
    month,
    period_changes,
    period_commands,
    period_data,
    period_exceptions,
    sample,
)
from tests.store.samples import entry, link
from tests.world import MORNING, World, fields_written

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}
MARCH = month("2026-03")


def data(world: World, period: Period = MARCH) -> Json:
    return period_data(name="an-phat", state=world.store, period=period, generated_at=world.clock.now())


def changes(world: World, period: Period = MARCH) -> list[Json]:
    return list(period_changes(world.store, period))


def exceptions(world: World) -> list[Json]:
    return list(period_exceptions(world.store, MARCH))


def local(day: int, hour: int = 0, of: int = 3) -> datetime:
    return datetime(2026, of, day, hour, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-03", "2026-02-28T17:00:00Z", "2026-03-31T17:00:00Z"),
        ("2026-12", "2026-11-30T17:00:00Z", "2026-12-31T17:00:00Z"),
        ("2026-03-02", "2026-03-01T17:00:00Z", "2026-03-02T17:00:00Z"),
        ("2026", "2025-12-31T17:00:00Z", "2026-12-31T17:00:00Z"),
    ],
)
def test_a_period_is_whole_days_of_vietnam(text: str, since: str, until: str) -> None:
    period = month(text)
    assert (period.since, period.until) == (datetime.fromisoformat(since), datetime.fromisoformat(until))
    assert period.since in period
    assert period.until not in period


@pytest.mark.parametrize("text", ["2026-13", "03-2026", "2026-3", "", "2026-03-02-01", "tháng 3", "20-26"])
def test_anything_else_is_no_period(text: str) -> None:
    with pytest.raises(ValueError):
        month(text)


async def test_the_account_of_links_adds_up_even_for_a_period_that_is_over(world: World) -> None:
    first, _ = await world.pair(task_name="Trước kỳ")
    until = world.clock.now()
    before = Period(since=MORNING, until=until)
    second, _ = await world.pair(task_name="Trong kỳ")
    linking.unlink(world.store, world.clock.now(), str(first), "nhầm", "an")
    world.clock.tick(1)
    assert data(world, before)["links"] == {"opening": 0, "added": 1, "removed": 0, "closing": 1}
    assert data(world, Period(since=until, until=world.clock.now()))["links"] == {
        "opening": 1,
        "added": 1,
        "removed": 1,
        "closing": 1,
    }
    assert world.linked(second) is not None


async def test_every_candidate_counts_once(world: World) -> None:
    await world.pair(task_name="Liên kết")
    world.crm.add(task_name="Phòng ban", custom_field1="40", custom_field2="31")
    world.crm.add(task_name="Không có", custom_field1="999", custom_field2="31")
    unlinked, _ = await world.pair(task_name="Hủy")
    linking.unlink(world.store, world.clock.now(), str(unlinked), "", "an")
    counts = data(world)["candidates"]
    assert counts == {"candidates": 4, "linked": 1, "refused": 2, "excluded": 1, "waiting": 0}
    pairs = data(world)["pairs"]
    assert pairs["linked"] == sum(count for name, count in pairs.items() if name != "linked")


async def test_a_change_is_one_line_with_both_values_who_and_what_became_of_it(world: World) -> None:
    task, item = await world.pair(task_name="Cũ")
    since = world.clock.now()
    world.work.edit(item, TaskName="Mới")
    await world.once()
    [row] = changes(world, Period(since=since, until=world.clock.now() + timedelta(seconds=1)))
    assert (row["kind"], row["direction"], row["crm_id"], row["work_id"]) == (
        "update", "work_to_crm", str(task), str(item),
    )  # fmt: skip
    assert (row["title"], row["field"], row["before"], row["after"]) == ("Mới", "title", "Cũ", "Mới")
    assert (row["rule"], row["reason"], row["outcome"]) == ("title.to_crm", "changed_on_work", "confirmed")
    assert row["changed_by"] == world.item(item)["ModifiedBy"]
    assert row["work_modified"] is not None


async def test_totals_equal_what_the_two_systems_counted_with_failures_and_skips(world: World) -> None:
    """Elements that a server was sent, and those it refused, against the report's lines."""
    pairs = [await world.pair(task_name=f"Việc {number}") for number in range(4)]
    world.crm.add(task_name="Phòng ban", custom_field1="40", custom_field2="31")
    since, marks = world.clock.now(), (world.crm.mark(), world.work.mark())
    world.crm.edit(pairs[0][0], task_name="Đổi 0", description="mô tả")
    world.crm.edit(pairs[1][0], owner_name="Người Lạ (NV999)")
    world.work.edit(pairs[2][1], TaskName="Đổi 2", StatusName="Đã hoàn thành")
    world.crm.edit(pairs[3][0], task_name="x" * 300)
    world.crm.add(task_name="Mới", **TARGET)
    await world.once()
    await world.once()
    period = Period(since=since, until=world.clock.now() + timedelta(seconds=1))
    rows = changes(world, period)
    named = {"TaskName": "title", "Description": "description", "StatusName": "status", "task_name": "title",
             "status": "status", "DoerCodes": "owner", "StartDate": "start", "Deadline": "due"}  # fmt: skip
    sent = Counter[tuple[str, str]]()
    for side, system, mark in ((Side.CRM, world.crm, marks[0]), (Side.WORK, world.work, marks[1])):
        for _, fields in fields_written(system.writes(mark)):
            sent.update((side.value, named[one]) for one in fields if one in named)
    told = Counter((row["side"], row["field"]) for row in rows if row["kind"] in ("create", "update"))
    assert told == sent
    totals = data(world, period)
    done = sum(sum(counts.values()) for counts in totals["operations"].values())
    assert done == len(rows) == totals["rows"]["changes"]
    assert sum(sum(counts.values()) for counts in totals["by_day"].values()) == len(rows)
    assert totals["operations"]["update_crm"]["confirmed"] == 2
    assert totals["operations"]["create"].keys() == {"created"}


async def test_a_conflict_names_winner_and_loser_and_is_an_exception(world: World) -> None:
    task, item = await world.pair(task_name="Gốc")
    world.crm.edit(task, task_name="Bán hàng sửa")
    world.clock.tick(60)
    world.work.edit(item, TaskName="Công việc sửa")
    await world.once()
    [row] = [row for row in changes(world) if row["reason"] == "conflict"]
    assert (row["winner"], row["loser"], row["before"], row["after"]) == (
        "work", "crm", "Bán hàng sửa", "Công việc sửa",
    )  # fmt: skip
    assert data(world)["conflicts"] == [{"field": "title", "winner": "work", "reason": "newer", "count": 1}]
    assert "conflict" in {row["kind"] for row in exceptions(world)}


async def test_conflicts_count_by_what_decided_them_also_where_nobody_can_tell_any_more(world: World) -> None:
    pairs = [await world.pair(task_name=f"Việc {number}") for number in range(3)]
    for (task, item), seconds in zip(pairs, (60, 0, 60), strict=True):
        world.crm.edit(task, task_name=f"Bán hàng {task}")
        world.clock.tick(seconds)
        world.work.edit(item, TaskName=f"Công việc {task}")
        await world.once()
        world.clock.tick(600)
    found = {(one["reason"], one["count"]) for one in data(world)["conflicts"]}
    assert found == {("newer", 2), ("tie", 1)}
    erased = [one.id for one in world.store.journal() if one.crm_id == str(pairs[0][0])]
    with world.store.transaction() as tx:
        tx.erase(erased)
    found = {(one["reason"], one["count"]) for one in data(world)["conflicts"]}
    assert found == {("newer", 1), ("tie", 1), ("erased", 1)}


async def test_a_conflict_without_a_clock_is_counted_as_one(world: World) -> None:
    task, item = await world.pair(task_name="Gốc")
    world.work.date_header = False
    world.crm.edit(task, task_name="Bán hàng")
    world.clock.tick(60)
    world.work.edit(item, TaskName="Công việc")
    await world.once()
    assert [one["reason"] for one in data(world)["conflicts"]] == ["no_clock"]
    [row] = [row for row in changes(world) if row["reason"] == "conflict"]
    assert (row["work_modified"] is None, row["work_corrected"]) == (False, None)


async def test_stamps_are_corrected_by_the_clocks_of_their_moment_and_the_lag_with_them(world: World) -> None:
    """The CRM's clock is ten minutes ahead while the edit flows, and right again when the report is made."""
    task, item = await world.pair(task_name="Gốc")
    world.crm.offset = timedelta(minutes=10)
    await world.once()
    world.clock.tick(300)
    since = world.clock.now()
    world.crm.edit(task, task_name="Sửa")
    edited = world.clock.now()
    world.clock.tick(90)
    await world.once(tick=0)
    assert world.item(item)["TaskName"] == "Sửa"
    world.crm.offset = timedelta(0)
    period = Period(since=since, until=world.clock.now() + timedelta(seconds=1))
    [row] = changes(world, period)
    shown = datetime.fromisoformat(row["crm_modified"]) - datetime.fromisoformat(row["crm_corrected"])
    assert abs(shown - timedelta(minutes=10)) < timedelta(seconds=2)
    assert abs(datetime.fromisoformat(row["crm_corrected"]) - edited) < timedelta(seconds=2)
    assert {name: count for name, count in data(world, period)["lag"].items() if count} == {"2m": 1}


async def test_the_row_of_a_conflict_among_the_exceptions_has_its_corrected_stamps(world: World) -> None:
    task, item = await world.pair(task_name="Gốc")
    world.work.offset = timedelta(seconds=-200)
    world.crm.edit(task, task_name="Bán hàng")
    world.clock.tick(60)
    world.work.edit(item, TaskName="Công việc")
    await world.once()
    [row] = [row for row in exceptions(world) if row["kind"] == "conflict"]
    assert row["work_modified"] < row["crm_modified"], "by the servers' own clocks"
    assert row["work_corrected"] > row["crm_corrected"], "by ours"


async def test_a_row_shows_the_title_that_the_record_had_then(world: World) -> None:
    """Also of a pair that is gone; without a title edit in the journal, the present one."""
    task, item = await world.pair(task_name="Một", description="a")
    quiet, _ = await world.pair(task_name="Yên", description="a")
    for name, description in (("Một", "b"), ("Hai", "c"), ("Ba", "d")):
        world.crm.edit(task, task_name=name)
        await world.once(60)
        world.work.edit(item, Description=description)
        await world.once(60)
    world.crm.edit(quiet, description="b")
    await world.once(60)
    linking.unlink(world.store, world.clock.now(), str(task), "", "an")

    def titles(period: Period = MARCH) -> list[tuple[str, str]]:
        return [(row["title"], row["after"]) for row in changes(world, period) if row["field"] == "description"]

    written = [("Một", "a"), ("Yên", "a"), ("Một", "b"), ("Hai", "c"), ("Ba", "d"), ("Yên", "b")]
    assert titles() == written
    assert {row["title"] for row in changes(world) if row["kind"] in ("link", "unlink")} == {"Một", "Yên", "Ba"}
    late = next(row["at"] for row in changes(world) if row["after"] == "c")
    assert titles(Period(since=datetime.fromisoformat(late), until=local(31))) == written[3:]


def test_without_a_word_of_the_journal_the_present_title_is_shown(world: World) -> None:
    """And if a later entry says what it replaced, that."""
    with world.store.transaction() as tx:
        tx.save_links([link(1), link(2)])
        tx.append(
            entry(number, kind="user_edit", crm_id=task, at=MORNING, field=name, old=old, new=None, detail={})
            for number, (task, name, old) in enumerate(
                [("1", Field.DUE, None), ("2", Field.DUE, None), ("2", Field.TITLE, "Tên cũ"), ("2", Field.TITLE, None)]
            )
        )
    assert [row["title"] for row in exceptions(world)] == ["Gọi khách 1", "Tên cũ", "Tên cũ", "Gọi khách 2"]


async def test_commands_come_with_their_reasons(world: World) -> None:
    task, _ = await world.pair()
    pause(world.store, world.clock.now(), "kiểm kê", None, "an")
    world.clock.tick(3600)
    resume(world.store, world.clock.now(), "xong", "bình", None)
    linking.unlink(world.store, world.clock.now(), str(task), "nhầm", "an")
    rows = [(row["kind"], row["operator"], row["reason"]) for row in period_commands(world.store, MARCH)]
    assert rows == [("paused", "an", "kiểm kê"), ("resumed", "bình", "xong"), ("unlinked", "an", "nhầm")]
    [halt] = data(world)["halts"]
    assert (halt["kind"], halt["seconds"], halt["lifted_by"], halt["lift_reason"]) == ("paused", 3600, "bình", "xong")
    assert "unlinked" not in {row["kind"] for row in exceptions(world)}


async def test_a_halt_that_began_before_the_period_is_named_by_who_lifted_it(world: World) -> None:
    await world.once()
    since = world.clock.now()
    resume(world.store, since, "xem rồi", "an", None)
    [halt] = data(world, Period(since=since, until=since + timedelta(days=1)))["halts"]
    assert (halt["since"], halt["seconds"], halt["lifted_by"]) == (None, None, "an")


async def test_a_standing_halt_lasts_until_the_end_of_the_period(world: World) -> None:
    world.sections["safety"] = {"max_creates": 1}
    for number in range(3):
        world.crm.add(task_name=f"Việc {number}", **TARGET)
    await world.once()
    until = world.clock.now() + timedelta(hours=2)
    world.clock.tick(86400)
    [halt] = data(world, Period(since=MORNING, until=until))["halts"]
    assert (halt["kind"], halt["reason"], halt["count"], halt["until"]) == ("halted", "limit", 3, None)
    assert halt["seconds"] == 7200
    [halt] = data(world, Period(since=MORNING, until=until + timedelta(days=9)))["halts"]
    assert halt["seconds"] == 86400


async def test_days_without_a_cycle_and_gaps_show_but_no_day_before_the_connection_or_after_now(world: World) -> None:
    world.clock.time = local(2, 9).astimezone(UTC)
    await world.once()
    await world.once(tick=60)
    world.clock.time = local(4, 9).astimezone(UTC)
    await world.once()
    await world.once(tick=60)
    found = data(world, Period(since=local(1), until=local(6)))
    assert [(one["day"], one["cycles"]) for one in found["days"]] == [
        ("2026-03-02", 2), ("2026-03-03", 0), ("2026-03-04", 2),
    ]  # fmt: skip
    assert [(gap["since"], gap["seconds"] // 3600) for gap in found["gaps"]] == [("2026-03-02T02:01:10Z", 47)]
    assert data(world, Period(since=local(5), until=local(6)))["gaps"] == []
    assert len(data(world, Period(since=local(3), until=local(4)))["gaps"]) == 1


async def test_a_changed_config_shows_old_and_new(world: World) -> None:
    from reconciler.configured import record_config

    record_config(world.settings, world.store, world.clock.now())
    world.sections["safety"] = {"max_creates": 7}
    record_config(world.settings, world.store, world.clock.now())
    [row] = data(world)["config_changes"]
    assert (row["rule"], row["old"], row["new"]) == ("safety.max_creates", "500", "7")


async def test_an_intent_without_an_outcome_is_said_to_have_none(world: World) -> None:
    _, item = await world.pair()
    since = world.clock.now()
    world.work.edit(item, TaskName="Mới")
    await world.once()
    entries = [one for one in world.store.journal(since=since) if one.kind == "intent"]
    from reconciler.report.changes import changes as joined

    assert [row["outcome"] for row in joined(entries)] == ["no_outcome"]
    assert [row["outcome"] for row in joined(world.store.journal(since=since))] == ["confirmed"]


def test_a_sample_is_the_same_for_the_same_seed_whatever_the_order() -> None:
    rows: list[Json] = [{"id": number} for number in range(1000)]
    drawn = sample(rows, 25, 7)
    assert drawn == sample(reversed(rows), 25, 7)
    assert drawn != sample(rows, 25, 8)
    assert len({row["id"] for row in drawn}) == 25
    assert sample(rows[:10], 25, 7) == rows[:10]


@pytest.mark.parametrize(
    ("seconds", "name"), [(-5, "1m"), (60, "1m"), (61, "2m"), (300, "5m"), (3600, "1h"), (86400, "1d"), (86401, "more")]
)
def test_lag_falls_into_classes(seconds: int, name: str) -> None:
    assert lag_class(timedelta(seconds=seconds)) == name
