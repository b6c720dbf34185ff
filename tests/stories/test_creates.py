"""Never two, never lost: creates that die half-way, markers that were copied, states that were lost or are old."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import Halted
from reconciler.halting import resume
from reconciler.store import back_up
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}


class Died(BaseException):
    """The process ends here; no handler of the product sees it."""


def die() -> None:
    raise Died


@pytest.fixture
def stored(tmp_path: Path) -> World:
    """A world whose state is a file, so that it can be closed, copied and lost."""
    return World(state=f"sqlite:///{tmp_path / 'state.db'}")


async def dies(world: World) -> None:
    with pytest.raises(Died):
        await world.once()
    world.reopen()
    world.crm.faults.clear()
    world.work.faults.clear()


@pytest.mark.parametrize("when", ["hook_before", "hook_after"])
@pytest.mark.parametrize("verb", ["insert-tasks", "get-tasks-by-id", "update"])
async def test_rules_3_4_9_a_create_survives_death_at_every_call(stored: World, verb: str, when: str) -> None:
    world = stored
    await world.once()
    tasks = [world.crm.add(task_name=f"Việc {number}", **TARGET) for number in range(25)]
    system = world.crm if verb == "update" else world.work
    system.faults.order(verb, when, hook=die)  # type: ignore[arg-type]
    await dies(world)
    for _ in range(4):
        await world.once(tick=200)
    for task in tasks:
        [item] = world.work.by_marker(task)
        assert world.task(task)["custom_field3"] == str(item)
    assert len(world.work.snapshot()) == 25
    await world.quiet()


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html"])
async def test_an_unclear_create_is_searched_at_once_and_adopted(world: World, kind: str) -> None:
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("insert-tasks", kind, **({"after": True} if kind == "html" else {}))  # type: ignore[arg-type]
    await world.once()
    assert len(world.work.by_marker(task)) == 1
    assert world.linked(task) is not None
    await world.once()
    await world.quiet()


async def test_an_unclear_create_is_sent_again_only_after_resolve_after(world: World) -> None:
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("insert-tasks", "drop_before")
    await world.once()
    mark = world.work.mark()
    for _ in range(3):
        await world.once(tick=60)
    assert world.work.writes(mark) == []
    await world.once(tick=200)
    assert len(world.work.by_marker(task)) == 1
    await world.once()
    await world.quiet()


async def test_a_create_that_takes_effect_late_is_adopted_not_repeated(world: World) -> None:
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("insert-tasks", "late")
    await world.once()
    world.clock.tick(100)
    world.work.run_late()
    for _ in range(4):
        await world.once(tick=200)
    assert len(world.work.by_marker(task)) == 1


async def test_rule_3_a_create_whose_item_was_deleted_meanwhile_is_not_sent_again(world: World) -> None:
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("insert-tasks", "late")
    await world.once()
    world.work.run_late()
    [item] = world.work.by_marker(task)
    world.work.delete(item)
    for _ in range(4):
        await world.once(tick=200)
    assert len(world.work.snapshot()) == 1
    assert world.linked(task) is None


async def test_rule_9_an_edit_made_before_adoption_flows_as_an_edit(world: World) -> None:
    await world.pair()  # so that our author is known
    task = world.crm.add(task_name="Như đã gửi", **TARGET)
    world.work.faults.order("insert-tasks", "late")
    await world.once()
    world.work.run_late()
    [item] = world.work.by_marker(task)
    world.clock.tick(30)
    world.work.edit(item, TaskName="Người sửa trước khi nhận")
    for _ in range(3):
        await world.once(tick=200)
    assert world.task(task)["task_name"] == "Người sửa trước khi nhận"


async def test_rule_4_a_task_that_dies_between_poll_and_create_is_not_created(world: World) -> None:
    await world.once()
    task = world.crm.add(**TARGET)
    world.work.faults.order("get-project-members", "hook_after", hook=lambda: world.crm.delete(task))
    await world.once()
    assert world.work.snapshot() == []


async def test_rule_24_a_copied_crm_task_gets_an_item_of_its_own_and_its_marker_is_overwritten(world: World) -> None:
    task, item = await world.pair()
    copy = world.crm.add(task_name="Bản sao", custom_field3=str(item), **TARGET)
    await world.once()
    [own] = world.work.by_marker(copy)
    assert own != item
    assert world.task(copy)["custom_field3"] == str(own)
    assert world.linked(task) is not None
    await world.once()
    await world.quiet()


async def test_rule_24_a_copied_work_item_is_reported_and_never_linked(world: World) -> None:
    task, item = await world.pair()
    copy = world.work.add(TaskName="Bản sao", CustomFields={"crm_task_id": str(task)})
    assert (await world.once()).exit_code == 4
    assert ("work", str(copy), "duplicate_marker") in world.attention()
    link = world.linked(task)
    assert link is not None
    assert link.work.id == str(item)
    await world.quiet()


async def test_rule_33_a_new_state_that_meets_our_markers_halts_until_rebuild(stored: World, tmp_path: Path) -> None:
    world = stored
    task, item = await world.pair(status="Đang thực hiện")
    world.reopen()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    marks = world.crm.mark(), world.work.mark()
    with pytest.raises(Halted):
        await world.once()
    assert (await world.report())["halted"]["reason"] == "new_state"
    assert await world.rebuild() == (1, 0)
    await world.once()
    assert world.crm.writes(marks[0]) == []
    assert world.work.writes(marks[1]) == []
    world.clock.tick(60)
    world.work.edit(item, StatusName="Đã hoàn thành")
    await world.once()
    assert world.task(task)["status"] == "Hoàn thành"


async def test_rule_22_rebuild_overwrites_nothing_in_silence(stored: World, tmp_path: Path) -> None:
    world = stored
    task, item = await world.pair(task_name="Gốc")
    world.crm.edit(task, task_name="CRM sửa")
    world.work.edit(item, TaskName="Work sửa")
    world.reopen()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    assert await world.rebuild() == (1, 1)
    assert ("crm", str(task), "no_base") in world.attention()
    await world.quiet(3)
    assert world.task(task)["task_name"] == "CRM sửa"
    assert world.item(item)["TaskName"] == "Work sửa"
    world.clock.tick(60)
    world.crm.edit(task, task_name="CRM sửa lần nữa")
    await world.once()
    assert world.item(item)["TaskName"] == "CRM sửa lần nữa"


async def test_an_older_state_never_creates_again(stored: World, tmp_path: Path) -> None:
    world = stored
    await world.pair()
    world.reopen()
    kept = tmp_path / "kept"
    kept.mkdir()
    for file in tmp_path.glob("state.db*"):
        shutil.copy(file, kept)
    task = world.crm.add(task_name="Sau bản sao lưu", **TARGET)
    await world.once()
    await world.once()
    world.reopen()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy(file, tmp_path)
    for _ in range(3):
        await world.once(tick=60)
    assert len(world.work.by_marker(task)) == 1
    assert world.linked(task) is not None


async def test_rule_3_an_unlinked_task_with_targets_stays_unlinked_until_link(world: World) -> None:
    from reconciler.linking import unlink

    task, item = await world.pair()
    unlink(world.store, world.clock.now(), str(task), "thử", "test")
    await world.quiet(3)
    assert world.linked(task) is None
    done = await world.link(task)
    assert (done.exit_code, world.work.by_marker(task)) == (0, [item])
    assert world.linked(task) is not None


async def test_a_refused_optional_field_does_not_stop_the_create(world: World) -> None:
    world.work.faults.order(
        "insert-tasks",
        "element",
        times=None,
        predicate=lambda element: "Description" in element,
        code="InvalidValue",
        message="mô tả không hợp lệ",
    )
    task = world.crm.add(description="xấu", due_date="2026-03-09", **TARGET)
    assert (await world.once()).exit_code == 0 or world.work.by_marker(task)
    [item] = world.work.by_marker(task)
    await world.once(tick=60)
    await world.once(tick=60)
    assert world.item(item)["Deadline"][:10] == "2026-03-09"
    await world.once()
    await world.quiet()


@pytest.mark.parametrize(
    ("project", "group", "code"),
    [
        ("10", "31", "target_is_department"),
        ("999", "31", "target_not_found"),
        ("14", "51", "target_archived"),
        ("15", "61", "target_forbidden"),
        ("12", "41", "group_not_in_project"),
        ("Bảo trì", "71", "target_ambiguous"),
    ],
)
async def test_s8_s9_s10_an_unusable_target_is_refused_before_any_write_and_others_go_on(
    world: World, project: str, group: str, code: str
) -> None:
    bad = world.crm.add(custom_field1=project, custom_field2=group)
    good = world.crm.add(**TARGET)
    assert (await world.once()).exit_code == 4
    assert ("crm", str(bad), code) in world.attention()
    assert len(world.work.by_marker(good)) == 1
    assert world.work.by_marker(bad) == []
    assert not any(str(bad) in str(call.body) for call in world.work.writes())
    await world.quiet()
    world.clock.tick(60)
    world.crm.edit(bad, custom_field1=" triển khai an phát ", custom_field2="cần làm")
    assert (await world.once()).exit_code == 0
    assert len(world.work.by_marker(bad)) == 1


async def test_a_first_start_with_old_tasks_creates_nothing_by_itself(world: World) -> None:
    for _ in range(250):
        world.crm.add()
    assert (await world.once()).exit_code == 0
    assert world.work.snapshot() == []
    await world.quiet()


async def test_s11_link_item_joins_unequal_records_and_the_crm_gives(world: World) -> None:
    task = world.crm.add(task_name="CRM", status="Đang thực hiện", description="từ CRM")
    item = world.work.add(TaskName="Work", StatusName="Đã hoàn thành", Description="từ Work")
    assert (await world.link_item(task, item)).exit_code == 0
    row = world.item(item)
    assert (row["TaskName"], row["StatusName"], row["Description"]) == ("CRM", "Chưa hoàn thành", "từ CRM")
    assert world.task(task)["status"] == "Đang thực hiện"
    assert "Work" in [entry["old"] for entry in world.history()]
    assert (await world.link_item(task, item)).exit_code == 0
    await world.once()
    await world.quiet()


@pytest.mark.parametrize("pairs", [2, 4])
async def test_rule_23_an_old_backup_shows_itself_and_undoes_nothing(stored: World, tmp_path: Path, pairs: int) -> None:
    """With the old bases our own later writes would look like edits of Work and undo the CRM's newer ones."""
    world = stored
    made = [await world.pair(task_name=f"Gốc {number}") for number in range(pairs)]
    world.reopen()
    kept = tmp_path / "kept"
    kept.mkdir()
    for file in tmp_path.glob("state.db*"):
        shutil.copy(file, kept)
    for task, _ in made:
        world.crm.edit(task, task_name=f"Một {task}")
    await world.once()
    world.clock.tick(600)
    for task, _ in made:
        world.crm.edit(task, task_name=f"Hai {task}")
    world.clock.tick(60)
    world.reopen()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy(file, tmp_path)
    if pairs >= 3:
        with pytest.raises(Halted):
            await world.once()
        resume(world.store, world.clock.now(), "đã xem", "test", None)
    for _ in range(3):
        await world.once(tick=60)
    for task, item in made:
        assert world.task(task)["task_name"] == f"Hai {task}"
        assert world.item(item)["TaskName"] == f"Hai {task}"


@pytest.mark.parametrize("outages", [0, 30])
async def test_rule_23_an_old_backup_shows_itself_also_when_a_side_was_down_at_first(
    stored: World, tmp_path: Path, outages: int
) -> None:
    """Our forgotten write of another field has a later stamp than the person's edit: by old bases it would win."""
    world = stored
    task, item = await world.pair(task_name="Gốc")
    world.reopen()
    kept = tmp_path / "kept"
    kept.mkdir()
    for file in tmp_path.glob("state.db*"):
        shutil.copy(file, kept)
    world.crm.edit(task, task_name="Một")
    await world.once()

    def meanwhile() -> None:
        world.crm.edit(task, task_name="Hai")
        world.clock.tick(60)

    world.crm.edit(task, due_date="2026-04-01")
    world.work.faults.order("update-tasks", "hook_before", hook=meanwhile)
    await world.once(tick=600)
    assert (world.item(item)["TaskName"], world.item(item)["Deadline"][:10]) == ("Một", "2026-04-01")
    world.reopen()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy(file, tmp_path)
    world.work.faults.order("read", "status", times=None, status=503)
    for _ in range(outages):
        assert (await world.once(tick=60)).exit_code == 6
    world.work.faults.clear()
    for _ in range(3):
        await world.once(tick=60)
    assert world.task(task)["task_name"] == "Hai"


async def test_rule_23_an_old_value_of_a_side_that_a_person_touched_undoes_no_edit_under_our_forgotten_write(
    stored: World, tmp_path: Path
) -> None:
    """The CRM's last author is our account, which wrote the title; the status below is a person's edit all the same."""
    world = stored
    task, item = await world.pair(task_name="Gốc", status="Hoàn thành", due_date="2026-04-09")
    backup = tmp_path / "kept.db"
    back_up(world.state, backup)
    world.clock.tick(300)
    world.crm.edit(task, status="Đang chờ")
    world.work.edit(item, TaskName="Mới")
    world.work.faults.order("update-tasks", "status", times=None, status=503)
    await world.once()
    world.work.faults.clear()
    assert (world.task(task)["task_name"], world.item(item)["StatusName"]) == ("Mới", "Đã hoàn thành")
    world.clock.tick(60)
    world.work.edit(item, Description="Ghi chú", Deadline=None)
    world.reopen()
    for file in tmp_path.glob("state.db-*"):
        file.unlink()
    backup.replace(tmp_path / "state.db")
    for _ in range(3):
        await world.once(tick=60)
    assert "bases_voided" in [entry["kind"] for entry in world.history()]
    assert world.task(task)["status"] == "Đang chờ"
    assert ("crm", str(task), "no_base") in world.attention() or ("work", str(item), "no_base") in world.attention()
    assert world.task(task)["description"] == "Ghi chú"
    assert world.item(item)["Deadline"] is None, "what a person emptied stays so"


async def test_a_refused_link_stays_on_the_list_until_it_can_be_done(world: World) -> None:
    task = world.crm.add()
    done = await world.link(task, "10", "31")
    assert done.exit_code == 4
    for _ in range(2):
        assert (await world.once()).exit_code == 4
    assert ("crm", str(task), "target_is_department") in world.attention()
    assert (await world.link(task)).exit_code == 0
    assert world.attention() == []
    assert (await world.once()).exit_code == 0
