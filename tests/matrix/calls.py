"""The table of calls: every call that the product makes to either system. (It never creates a CRM task.)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model import Draft, Edit, Field, Side
from reconciler.sides.crm import CrmWriter
from reconciler.sides.work import WorkWriter
from tests.matrix.served import Served

LAYOUT, OLD, NEW, MARKER = "Mẫu tiêu chuẩn", "Gọi khách hàng", "Gọi lại", "1042"


@dataclass
class Scene:
    """One record on the side that is called, and the adapter that calls."""

    served: Served
    side: Side
    adapter: CrmWriter | WorkWriter
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.id = str(self.served.system(self.side).add())

    @property
    def work(self) -> WorkWriter:
        assert isinstance(self.adapter, WorkWriter)
        return self.adapter

    @property
    def row(self) -> dict[str, Any]:
        found = self.served.system(self.side).get(int(self.id))
        assert found is not None
        return found

    async def listed(self) -> Any:
        seen: dict[str, Any] = {}
        reading = await self.adapter.changes(None, lambda rows: seen.update((row.id, row) for row in rows))
        return reading.complete, seen

    async def update(self) -> Any:
        return await self.adapter.update([Edit(id=self.id, values={Field.TITLE: NEW}, layout=LAYOUT)])

    async def insert(self) -> Any:
        return await self.work.create([Draft(values={Field.TITLE: NEW}, project="12", group="31", marker=MARKER)])

    @property
    def updated(self) -> int:
        return int(self.row.get("task_name", self.row.get("TaskName")) == NEW)

    @property
    def deleted(self) -> int:
        return int(bool(self.row.get("is_deleted", self.row.get("IsDeleted"))))

    @property
    def inserted(self) -> int:
        return len(self.served.work.by_marker(MARKER))


@dataclass(frozen=True)
class Call:
    """`verb` is the sandbox's name of it; `effect` counts what a write has done (None: a read)."""

    side: Side
    verb: str
    act: Callable[[Scene], Awaitable[Any]]
    effect: Callable[[Scene], int] | None = None

    def __str__(self) -> str:
        return f"{self.side} {self.verb}"


CALLS: tuple[Call, ...] = (
    Call(Side.CRM, "token", lambda scene: scene.adapter.by_id([scene.id])),
    Call(Side.CRM, "list", Scene.listed),
    Call(Side.CRM, "by-id", lambda scene: scene.adapter.by_id([scene.id])),
    Call(Side.CRM, "update", Scene.update, lambda scene: scene.updated),
    Call(Side.CRM, "delete", lambda scene: scene.adapter.delete([scene.id]), lambda scene: scene.deleted),
    Call(Side.WORK, "get-tasks", Scene.listed),
    Call(Side.WORK, "get-tasks-by-id", lambda scene: scene.adapter.by_id([scene.id])),
    Call(Side.WORK, "get-projects", lambda scene: scene.work.projects()),
    Call(Side.WORK, "get-task-groups", lambda scene: scene.work.groups("12")),
    Call(Side.WORK, "get-project-members", lambda scene: scene.work.members("12")),
    Call(Side.WORK, "insert-tasks", Scene.insert, lambda scene: scene.inserted),
    Call(Side.WORK, "update-tasks", Scene.update, lambda scene: scene.updated),
    Call(Side.WORK, "delete-tasks", lambda scene: scene.adapter.delete([scene.id]), lambda scene: scene.deleted),
)
READS = tuple(call for call in CALLS if call.effect is None)
WRITES = tuple(call for call in CALLS if call.effect is not None)
