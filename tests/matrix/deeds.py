"""The table of deeds: what people do, so that one cycle must write, and how to tell that it was written once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model import Side
from reconciler.sandbox.calls import Call
from tests.matrix.served import Sections, ServedWorld

NEW, NEWER = "Gọi lại cho anh Tuấn", "Gọi lại cho chị Hoa"


@dataclass
class Stage:
    """A world with a pair in it, or a task that waits for its item."""

    world: ServedWorld
    task: int
    item: int | None

    def title(self, side: Side, text: str | None = None) -> str:
        """The title on one side; with `text` a person changes it first."""
        world = self.world
        if side is Side.CRM:
            if text:
                world.crm.edit(self.task, task_name=text)
            return str(world.task(self.task)["task_name"])
        [item] = world.work.by_marker(self.task)
        if text:
            world.work.edit(item, TaskName=text)
        return str(world.item(item)["TaskName"])

    def describe(self, side: Side, text: str) -> None:
        """A person writes a description on one side."""
        if side is Side.CRM:
            self.world.crm.edit(self.task, description=text)
        else:
            [item] = self.world.work.by_marker(self.task)
            self.world.work.edit(item, Description=text)

    def descriptions(self) -> set[Any]:
        [item] = self.world.work.by_marker(self.task)
        return {self.world.task(self.task)["description"], self.world.item(item)["Description"]}


@dataclass(frozen=True)
class Deed:
    """`verb` is the write on `side` that the people's doing calls for; `done` counts what it has effected there."""

    name: str
    side: Side
    verb: str
    people: Callable[[Stage], object]
    done: Callable[[Stage, list[Call]], int]
    linked: bool = True
    survives: bool = True
    """Whether there is still a pair afterwards."""
    sections: Sections = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    async def begin(self, world: ServedWorld) -> Stage:
        if self.linked:
            return Stage(world, *(await world.pair()))
        await world.once()
        return Stage(world, 0, None)

    def writes(self, stage: Stage, mark: int) -> list[Call]:
        """The calls of the deed's verb since a mark, with or without effect; late effects are no calls."""
        system = stage.world.served.system(self.side)
        return [call for call in system.writes(mark) if call.verb == self.verb and not call.late]


def _asked(stage: Stage) -> None:
    stage.task = stage.world.crm.add(task_name=NEW, custom_field1="12", custom_field2="31")


def _effects(name: str) -> Callable[[Stage, list[Call]], int]:
    """How many elements have really changed that field."""
    return lambda stage, calls: sum(name in one.changed for call in calls for one in call.elements if one.ok)


PROPAGATE: Sections = {"deletes": {"policy": "propagate"}}

CREATE = Deed(
    "create", Side.WORK, "insert-tasks", _asked, lambda stage, _: len(stage.world.work.by_marker(stage.task)), False
)
MARK = Deed("mark", Side.CRM, "update", _asked, _effects("custom_field3"), False)
UPDATE_WORK = Deed(
    "update of Work", Side.WORK, "update-tasks", lambda stage: stage.title(Side.CRM, NEW), _effects("TaskName")
)
UPDATE_CRM = Deed(
    "update of the CRM", Side.CRM, "update", lambda stage: stage.title(Side.WORK, NEW), _effects("task_name")
)
DELETE_WORK = Deed(
    "deletion in Work",
    Side.WORK,
    "delete-tasks",
    lambda stage: stage.world.crm.delete(stage.task),
    _effects("IsDeleted"),
    survives=False,
    sections=PROPAGATE,
)
DELETE_CRM = Deed(
    "deletion in the CRM",
    Side.CRM,
    "delete",
    lambda stage: stage.world.work.delete(stage.item or 0),
    _effects("is_deleted"),
    survives=False,
    sections=PROPAGATE,
)
DEEDS = (CREATE, MARK, UPDATE_WORK, UPDATE_CRM, DELETE_WORK, DELETE_CRM)
