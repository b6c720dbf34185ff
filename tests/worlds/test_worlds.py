"""A hundred worlds for every change: a dry run foretells what the cycle does. For more: `python -m tests.worlds`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model import Side
from reconciler.report.data import Json
from reconciler.sandbox.calls import Call, Element
from tests.simulation.people import FIELDS
from tests.worlds.__main__ import foretell
from tests.worlds.foretold import Foretold
from tests.worlds.writes import Write, announced, differences, sent

SEEDS = 100
AT_ONCE = 20


@pytest.mark.parametrize("start", range(1, SEEDS + 1, AT_ONCE))
def test_the_dry_run_foretells_the_cycle_to_the_letter_and_changes_nothing(start: int) -> None:
    worlds = foretell(range(start, start + AT_ONCE))
    assert {one.seed: one.wrong for one in worlds if one.wrong} == {}
    assert sum(one.writes for one in worlds) > AT_ONCE
    assert sum(one.idle for one in worlds) < AT_ONCE / 2
    assert 0 < sum(one.beside for one in worlds) < AT_ONCE


class Overtaken(Foretold):
    """A salesperson saves one more task between the dry run and the cycle."""

    async def check(self, foretold: Json) -> None:
        self.life.people.add_task(custom_field1="12", custom_field2="31", task_name="Chen ngang")
        await super().check(foretold)


class Disturbed(Foretold):
    """Every call of the dry run changes a record and the state, as a dry run that writes would."""

    async def look(self) -> Json:
        def disturb(side: Side) -> None:
            self.life.people.add_task(task_name="Ai đó")
            with self.town.store.transaction() as tx:
                tx.set_fact("disturbed", True)

        self.town.meanwhile = disturb
        try:
            return await super().look()
        finally:
            self.town.meanwhile = lambda side: None


async def test_an_operation_that_was_not_foretold_is_named(tmp_path: Path) -> None:
    found = await Overtaken(1, tmp_path).judged()
    assert [one.split(":")[0].split(" ")[0] for one in found.wrong][:2] == ["foretold", "another"]
    assert any("foretold None, done Write(kind='create'" in one for one in found.wrong)
    assert any(one.startswith("create on work") and "Chen ngang" in one for one in found.wrong)


async def test_an_update_of_a_record_that_is_gone_for_good_is_dropped_and_counted(tmp_path: Path) -> None:
    found = await Foretold(1079, tmp_path).judged()
    assert (found.wrong, found.operations, found.gone, found.writes) == ([], 2, 1, 1)


class Typing(Foretold):
    """Somebody types in a field that was foretold, while the cycle runs."""

    async def check(self, foretold: Json) -> None:
        update = next(one for one in foretold["operations"] if not self._gone(one))
        name, side = update["fields"][0]["name"], Side(update["side"])
        record = int(update["crm_id"] if side is Side.CRM else update["work_id"])
        verb = "by-id" if side is Side.CRM else "get-tasks-by-id"

        def typing() -> None:
            people = self.life.people
            people.set_fields(side, record, {FIELDS[side][name]: people._value(side, name, record)})

        self.town.system(side).faults.order(verb, "hook_before", times=None, hook=typing)
        await super().check(foretold)


async def test_an_update_that_was_dropped_for_anything_else_is_named(tmp_path: Path) -> None:
    found = await Typing(1079, tmp_path).judged()
    assert any(one.startswith("gone [") for one in found.wrong)


async def test_a_dry_run_that_changes_something_is_named(tmp_path: Path) -> None:
    found = await Disturbed(1, tmp_path).judged()
    assert {"the dry run changed the state's files", "the dry run changed a record"} <= set(found.wrong)


# --- the comparison ---------------------------------------------------------------------------------------------------

FORETOLD: Sequence[dict[str, Any]] = (
    {"kind": "create", "side": "work", "crm_id": "3", "work_id": None, "project": "12", "group": "31",
     "fields": [{"name": "title", "after": "Ba"}]},
    {"kind": "update", "side": "work", "crm_id": "1", "work_id": "71", "fields": [{"name": "title", "after": "Một"}]},
    {"kind": "unlink", "side": "crm", "crm_id": "4", "work_id": "74", "fields": []},
    {"kind": "update", "side": "crm", "crm_id": "2", "work_id": "72", "fields": [{"name": "due", "after": None}]},
    {"kind": "delete", "side": "crm", "crm_id": "5", "work_id": "75", "fields": []},
)  # fmt: skip


def call(side: Side, verb: str, id: int, *, ok: bool = True, **fields: Any) -> tuple[Side, Call]:
    element = Element(id=id, fields=fields, changed=frozenset(), ok=ok)
    return side, Call(side.value, verb, "write", None, 200, (element,), at=None)  # type: ignore[arg-type]  # not looked at


DONE = (
    call(Side.CRM, "update", 2, due_date=None, form_layout="A"),
    call(Side.WORK, "update-tasks", 71, TaskName="Một"),
    call(Side.WORK, "insert-tasks", 73, TaskName="Ba", ProjectID=12, TaskGroupID=31, CustomFields={"crm_task_id": "3"}),
    call(Side.CRM, "update", 3, custom_field3="73", form_layout="A"),
    call(Side.CRM, "delete", 5),
)


def test_the_same_writes_are_no_difference_whatever_marks_and_repetitions_are_between() -> None:
    refused = call(Side.WORK, "update-tasks", 71, ok=False, TaskName="Một")
    assert list(differences(announced(FORETOLD), list(sent(DONE)))) == []
    assert list(differences(announced(FORETOLD), list(sent((DONE[0], refused, *DONE[1:]))))) == []


@pytest.mark.parametrize(
    "done",
    [
        DONE[1:],
        (DONE[1], DONE[0], *DONE[2:]),
        (*DONE, call(Side.CRM, "update", 9, task_name="Thêm")),
        (*DONE, DONE[1]),
        (call(Side.CRM, "update", 2, due_date="2026-03-04"), *DONE[1:]),
        (call(Side.CRM, "update", 2, due_date=None, task_name="Thêm"), *DONE[1:]),
        (call(Side.CRM, "update", 2, due_date=None, priority="Cao"), *DONE[1:]),
        (call(Side.CRM, "update", 8, due_date=None), *DONE[1:]),
    ],
    ids=["missing", "order", "more", "twice", "value", "field", "unmapped", "record"],
)
def test_any_other_write_is_a_difference(done: tuple[tuple[Side, Call], ...]) -> None:
    assert list(differences(announced(FORETOLD), list(sent(done)))) != []


def test_another_place_is_a_difference() -> None:
    foretold = announced(FORETOLD)
    moved = [replace(one, place=("12", "32")) if one.place else one for one in foretold]
    assert [type(one) for one in moved] == [Write] * len(foretold)
    assert len(list(differences(foretold, moved))) == 1
