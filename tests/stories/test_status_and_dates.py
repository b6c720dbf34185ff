"""What the vendor promises and every careless engine breaks: statuses, hours, texts, round trips."""

from __future__ import annotations

import unicodedata

import pytest

from tests.world import World, fields_written


async def test_an_unrelated_edit_in_work_leaves_dang_thuc_hien_alone(world: World) -> None:
    task, item = await world.pair(status="Đang thực hiện")
    world.work.edit(item, TaskName="Tên mới")
    await world.once()
    assert world.task(task)["task_name"] == "Tên mới"
    assert world.task(task)["status"] == "Đang thực hiện"
    await world.quiet()


async def test_s6_reopening_in_work_gives_chua_bat_dau(world: World) -> None:
    task, item = await world.pair(status="Đang chờ")
    world.crm.edit(task, status="Hoàn thành")
    await world.once()
    assert world.item(item)["StatusName"] == "Đã hoàn thành"
    world.clock.tick(60)
    world.work.edit(item, StatusName="Chưa hoàn thành")
    await world.once()
    assert world.task(task)["status"] == "Chưa bắt đầu"
    await world.quiet()


async def test_ten_toggles_give_exactly_ten_writes(world: World) -> None:
    task, item = await world.pair(status="Đang thực hiện")
    mark = world.work.mark()
    for number in range(10):
        world.clock.tick(60)
        world.crm.edit(task, status="Hoàn thành" if number % 2 == 0 else "Đang thực hiện")
        await world.once()
    assert fields_written(world.work.writes(mark)) == [(str(item), frozenset({"StatusName"}))] * 10
    assert world.crm.writes(mark) == [] or all(not call.elements for call in world.crm.writes(mark))


async def test_status_moves_inside_one_class_write_nothing(world: World) -> None:
    task, item = await world.pair(status="Chưa bắt đầu")
    marks = world.crm.mark(), world.work.mark()
    for status in ("Đang thực hiện", "Đang chờ", "Tạm hoãn", "Chưa bắt đầu"):
        world.clock.tick(60)
        world.crm.edit(task, status=status)
        await world.once()
    assert world.crm.writes(marks[0]) == []
    assert world.work.writes(marks[1]) == []
    assert world.item(item)["StatusName"] == "Chưa hoàn thành"


async def test_rule_6_an_old_move_inside_a_class_does_not_undo_a_later_completion(world: World) -> None:
    """Without absorbing the first edit, the completion would be a conflict of an old CRM change against Work."""
    task, item = await world.pair(status="Chưa bắt đầu")
    world.crm.edit(task, status="Đang thực hiện")
    await world.once()
    world.clock.tick(3600)
    world.work.edit(item, StatusName="Đã hoàn thành", stamp=world.work.time().replace(microsecond=0))
    report = await world.report()
    assert report["conflicts"] == []
    await world.once()
    assert world.task(task)["status"] == "Hoàn thành"


async def test_a_toggle_there_and_back_vanishes(world: World) -> None:
    task, item = await world.pair(status="Đang thực hiện")
    world.work.edit(item, StatusName="Đã hoàn thành")
    world.work.edit(item, StatusName="Chưa hoàn thành")
    await world.quiet()
    assert world.task(task)["status"] == "Đang thực hiện"


async def test_due_dates_keep_their_day_and_the_hour_of_work_over_ten_round_trips(world: World) -> None:
    task, item = await world.pair(due_date="2026-03-09")
    assert world.item(item)["Deadline"].startswith("2026-03-09T17:30:00")
    for number in range(10):
        world.clock.tick(60)
        world.work.edit(item, Deadline=f"2026-04-{number + 10}T23:45:00+07:00")
        await world.once()
        assert world.task(task)["due_date"] == f"2026-04-{number + 10}"
        world.clock.tick(60)
        world.crm.edit(task, due_date=f"2026-05-{number + 10}")
        await world.once()
        assert world.item(item)["Deadline"].startswith(f"2026-05-{number + 10}T23:45:00")


async def test_rule_18_an_hour_in_work_survives_an_unrelated_crm_edit_and_never_competes(world: World) -> None:
    task, item = await world.pair(due_date="2026-03-09")
    world.work.edit(item, Deadline="2026-03-09T08:15:00+07:00")
    await world.once()
    world.clock.tick(60)
    world.crm.edit(task, description="Khác")
    await world.once()
    assert world.item(item)["Deadline"].startswith("2026-03-09T08:15:00")
    world.clock.tick(60)
    world.work.edit(item, Deadline="2026-03-09T09:00:00+07:00")
    world.crm.edit(task, due_date="2026-03-20")
    assert (await world.report())["conflicts"] == []
    await world.once()
    assert world.item(item)["Deadline"].startswith("2026-03-20T09:00:00")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (unicodedata.normalize("NFC", "Gọi khách hàng"), unicodedata.normalize("NFD", "Gọi khách hàng")),
        ("Gọi khách hàng", "  Gọi khách hàng "),
    ],
)
async def test_the_same_title_in_another_form_is_no_edit(world: World, first: str, second: str) -> None:
    task, _ = await world.pair(task_name=first)
    world.crm.edit(task, task_name=second)
    await world.quiet()


@pytest.mark.parametrize(
    ("first", "second"), [("một\nhai", "một\r\nhai"), ("một\nhai", "một  \nhai\n\n"), (None, ""), ("", None)]
)
async def test_the_same_description_in_another_form_is_no_edit(
    world: World, first: str | None, second: str | None
) -> None:
    task, _ = await world.pair(description=first)
    world.crm.edit(task, description=second)
    await world.quiet()


async def test_emoji_and_newlines_arrive_as_they_were_typed(world: World) -> None:
    task, item = await world.pair(description="Gọi lại 📞\nHỏi về báo giá 👨‍👩‍👧")
    assert world.item(item)["Description"] == "Gọi lại 📞\nHỏi về báo giá 👨‍👩‍👧"
    world.work.edit(item, Description="Đã gọi ✅\n\tXong")
    await world.once()
    assert world.task(task)["description"] == "Đã gọi ✅\n\tXong"


async def test_rule_8_a_description_over_works_limit_is_set_aside_never_cut_never_copied_back(world: World) -> None:
    task, item = await world.pair(description="ngắn")
    long = "dài " * 5000
    world.crm.edit(task, description=long, due_date="2026-04-01")
    result = await world.once()
    assert result.exit_code == 4
    assert world.item(item)["Description"] == "ngắn"
    assert world.item(item)["Deadline"].startswith("2026-04-01"), "the other fields go through"
    assert ("crm", str(task), "field_too_long") in world.attention()
    mark = world.work.mark()
    for _ in range(3):
        await world.once()
    assert world.work.writes(mark) == []
    assert world.task(task)["description"] == long
    world.clock.tick(60)
    world.crm.edit(task, description="vừa đủ")
    assert (await world.once()).exit_code == 0
    assert world.item(item)["Description"] == "vừa đủ"
    assert world.attention() == []


async def test_a_new_item_without_the_text_that_is_too_long_gets_it_once_it_fits(world: World) -> None:
    task = world.crm.add(description="dài " * 5000, custom_field1="12", custom_field2="31")
    assert (await world.once()).exit_code == 4
    [item] = world.work.by_marker(task)
    assert not world.item(item)["Description"]
    await world.quiet()
    assert world.task(task)["description"] == "dài " * 5000, "an empty value never replaces another"
    world.crm.edit(task, description="vừa đủ")
    await world.once()
    assert world.item(item)["Description"] == "vừa đủ"


async def test_a_null_status_is_never_mapped_and_never_overwrites(world: World) -> None:
    task, item = await world.pair(status="Hoàn thành")
    world.crm.edit(task, status=None)
    await world.quiet()
    assert world.item(item)["StatusName"] == "Đã hoàn thành"
    assert world.task(task)["status"] is None


async def test_rule_20_a_new_owner_goes_first_and_further_doers_stay(world: World) -> None:
    task, item = await world.pair(owner_name="NV001")
    world.work.edit(item, DoerCodes=["NV001", "NV003", "NV002"])
    await world.once()
    world.clock.tick(60)
    world.crm.edit(task, owner_name="NV002")
    await world.once()
    assert world.item(item)["DoerCodes"] == ["NV002", "NV003"]
    world.clock.tick(60)
    world.crm.edit(task, owner_name=None)
    await world.quiet()
    assert world.item(item)["DoerCodes"] == ["NV002", "NV003"]


async def test_an_owner_who_is_no_member_is_set_aside_and_the_rest_goes_through(world: World) -> None:
    task, item = await world.pair(owner_name="NV001")
    world.crm.edit(task, owner_name="NV009", task_name="Tên mới")
    assert (await world.once()).exit_code == 4
    row = world.item(item)
    assert (row["TaskName"], row["DoerCodes"]) == ("Tên mới", ["NV001"])
    assert ("crm", str(task), "person_unknown") in world.attention()
    world.work.members[12] = [*world.work.members[12], "NV009"]
    await world.once(sweep=True)
    assert world.item(item)["DoerCodes"] == ["NV009"]
    assert world.attention() == []
