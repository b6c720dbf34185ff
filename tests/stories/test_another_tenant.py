"""Rule 35: another address or client id is another company until the pairs prove otherwise, one by one."""

from __future__ import annotations

import pytest

from reconciler import app
from reconciler.errors import Halted
from reconciler.requests import Means, Resume, Said, perform
from tests.world import World


async def resume(world: World) -> Said:
    means = Means(
        store=world.store,
        clock=world.clock,
        sides=lambda: app.connect_writing(world.settings, world.world),
        identity=app.identity(world.settings),
        people=world.settings.people,
    )
    return await perform(Resume(reason="máy chủ mới"), "lan", means)


async def moved(pairs: int) -> tuple[World, list[tuple[int, int]]]:
    """A connection with some pairs, whose addresses change."""
    world = World()
    made = [await world.pair(task_name=f"Việc {number}") for number in range(pairs)]
    with world.store.transaction() as tx:
        tx.set_fact("identity", app.identity(world.settings))
    world.sections["crm"]["base_url"] = "http://127.0.0.1:3"
    return world, made


async def test_rule_35_the_same_company_behind_a_new_address_goes_on() -> None:
    world, [(task, item), *_] = await moved(3)
    with pytest.raises(Halted, match="resume"):
        app.check_identity(world.settings, world.store)
    world.work.edit(item, TaskName="Sửa trong lúc chuyển máy chủ")
    said = await resume(world)
    assert (said.exit_code, said.out[0]) == (0, "3 of 3 linked pairs are proven behind the new address")
    app.check_identity(world.settings, world.store)
    await world.once()
    assert world.task(task)["task_name"] == "Sửa trong lúc chuyển máy chủ"
    await world.quiet()
    [proof] = [row for row in world.history() if row["kind"] == "tenant_proven"]
    assert (proof["operator"], proof["reason"]) == ("lan", "máy chủ mới")


async def test_rule_35_another_company_has_the_same_ids_and_stays_halted() -> None:
    """Its task 1001 and its item 7001 exist, but nothing there carries our marker."""
    world, made = await moved(3)
    for _, item in made:
        world.work.edit(item, CustomFields={"crm_task_id": ""})
    before = [(world.task(task), world.item(item)) for task, item in made]
    said = await resume(world)
    assert said.exit_code == 5
    assert "0 of 3" in said.err[0]
    with pytest.raises(Halted):
        app.check_identity(world.settings, world.store)
    assert [(world.task(task), world.item(item)) for task, item in made] == before
    assert all(world.linked(task) for task, _ in made)


async def test_rule_35_a_marker_alone_proves_nothing_when_the_contents_differ() -> None:
    """Both records were edited by people since, and say different things: nothing shows that it is the same pair."""
    world, made = await moved(2)
    for task, item in made:
        world.clock.tick(60)
        world.crm.edit(task, task_name=f"Công ty khác {task}")
        world.work.edit(item, TaskName=f"Việc khác {item}")
    assert (await resume(world)).exit_code == 5


async def test_rule_35_the_few_that_are_not_proven_are_unlinked_and_reported() -> None:
    world, made = await moved(20)
    task, item = made[0]
    world.work.edit(item, CustomFields={"crm_task_id": ""})
    said = await resume(world)
    assert said.out[0] == "19 of 20 linked pairs are proven behind the new address"
    await world.once()
    assert world.linked(task) is None
    assert ("crm", str(task), "lost_sight") in world.attention()
    assert len(world.work.by_marker(task)) <= 1
    assert all(world.linked(other) for other, _ in made[1:])
    await world.quiet()


async def test_rule_35_a_side_that_is_down_proves_nothing_and_changes_nothing() -> None:
    world, _ = await moved(2)
    world.work.faults.order("read", "status", status=503, times=None)
    said = await resume(world)
    assert said.exit_code == 6
    with pytest.raises(Halted):
        app.check_identity(world.settings, world.store)


async def test_rule_35_a_changed_secret_is_no_change_of_tenant() -> None:
    world, _ = await moved(1)
    world.sections["crm"]["base_url"] = "http://127.0.0.1:1"
    world.sections["crm"]["client_secret"] = "another secret"
    app.check_identity(world.settings, world.store)
