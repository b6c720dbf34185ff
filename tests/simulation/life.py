"""One seeded life: people edit both sides, servers fail, the process dies, and afterwards nothing may be missing.

The checker reads what the two servers hold and what the journal says; it shares no code with the engine's decisions.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from reconciler.errors import ReconcilerError
from reconciler.sandbox.faults import FaultKind
from tests.world import World

CRM_STATUSES = ("Chưa bắt đầu", "Đang thực hiện", "Đang chờ", "Hoàn thành")
WORK_STATUSES = ("Chưa hoàn thành", "Đã hoàn thành")
WRITE_FAULTS: tuple[FaultKind, ...] = ("drop_before", "drop_after", "truncate", "late", "empty401")
READ_FAULTS: tuple[FaultKind, ...] = ("drop_before", "html", "truncate")


class Died(BaseException):
    """The process ends here."""


@dataclass
class Life:
    """`edits` are the texts that people typed: (side, record, field, value). Every one is unique."""

    seed: int
    folder: Path
    steps: int = 25
    edits: list[tuple[str, int, str, str]] = field(default_factory=list)
    pending: dict[str, bool] = field(default_factory=dict)
    deaths: int = 0
    faults: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.world = World(
            state=f"sqlite:///{self.folder / f'{self.seed}.db'}",
            seed=self.seed,
            safety={"max_update_percent": 100},
            limits={"resolve_after": "5m", "retry_for": "5s"},
        )
        self.world.crm.offset = timedelta(seconds=self.rng.choice((-180, -3, 0, 4, 240)))
        self.world.work.offset = timedelta(seconds=self.rng.choice((-200, -2, 0, 3, 90)))
        self.pairs: list[tuple[int, int]] = []
        self.tasks: list[int] = []

    async def live(self) -> list[str]:
        """Play the life; returns what is wrong, one sentence each."""
        world, rng = self.world, self.rng
        for _ in range(3):
            self._new_task()
        await self._cycle()
        for _ in range(self.steps):
            world.clock.tick(rng.choice((1, 5, 20, 60)))
            for _ in range(rng.randrange(4)):
                self._edit()
            if rng.random() < 0.1:
                self._new_task()
            if rng.random() < 0.4:
                self._order_fault()
            self._run_late()
            await self._cycle()
        return await self._judge()

    def _new_task(self) -> None:
        self.tasks.append(
            self.world.crm.add(task_name=f"Việc {len(self.tasks)}", custom_field1="12", custom_field2="31")
        )

    def _edit(self) -> None:
        world, rng = self.world, self.rng
        task = rng.choice(self.tasks)
        items = world.work.by_marker(task)
        word = f"chữ {self.seed}-{len(self.edits)}"
        name = rng.choice(("title", "description", "due", "status"))
        values: Any
        if rng.random() < 0.5 or not items:
            values = {
                "title": {"task_name": word},
                "description": {"description": word},
                "due": {"due_date": f"2026-0{rng.randrange(4, 9)}-1{rng.randrange(10)}"},
                "status": {"status": rng.choice(CRM_STATUSES)},
            }[name]
            world.crm.edit(task, **values)
            self.edits.append(("crm", task, name, word))
        else:
            values = {
                "title": {"TaskName": word},
                "description": {"Description": word},
                "due": {"Deadline": f"2026-0{rng.randrange(4, 9)}-1{rng.randrange(10)}T10:00:00+07:00"},
                "status": {"StatusName": rng.choice(WORK_STATUSES)},
            }[name]
            world.work.edit(items[0], **values)
            self.edits.append(("work", task, name, word))

    def _order_fault(self) -> None:
        system = self.rng.choice((self.world.crm, self.world.work))
        self.faults += 1
        if self.rng.random() < 0.35:
            when: FaultKind = self.rng.choice(("hook_before", "hook_after"))
            system.faults.order(
                self.rng.choice(("read", "write")), when, hook=self._die, skip=self.rng.randrange(3), times=1
            )
        elif self.rng.random() < 0.6:
            system.faults.order("write", self.rng.choice(WRITE_FAULTS), times=1)
        else:
            system.faults.order("read", self.rng.choice(READ_FAULTS), times=self.rng.choice((1, 30)))

    def _run_late(self) -> None:
        """What a server applies late it applies within two steps, which is less than `resolve_after`."""
        for system in (self.world.crm, self.world.work):
            if self.pending.pop(system.side, False) or self.rng.random() < 0.3:
                system.run_late()
            else:
                self.pending[system.side] = True

    def _die(self) -> None:
        raise Died

    async def _cycle(self) -> None:
        try:
            await self.world.once(tick=self.rng.choice((1, 10, 60)), sweep=self.rng.random() < 0.1)
        except Died:
            self.deaths += 1
            self.world.reopen()
        except ReconcilerError:
            pass
        self.world.crm.faults.clear()
        self.world.work.faults.clear()

    def _overwritten_late(self, word: str) -> bool:
        """The honest limit: a write of ours that the server applied late hit an edit that we could not know of."""
        calls = [*self.world.crm.log, *self.world.work.log]
        return any(
            call.late and word in map(str, element.before.values()) for call in calls for element in call.elements
        )

    async def _judge(self) -> list[str]:
        world = self.world
        world.clock.tick(700)
        world.crm.run_late()
        world.work.run_late()
        wrong: list[str] = []
        for _ in range(4):
            await world.once(tick=400)
        marks = world.crm.mark(), world.work.mark()
        for _ in range(2):
            await world.once(tick=60)
        writes = [*world.crm.writes(marks[0]), *world.work.writes(marks[1])]
        if writes:
            wrong.append(f"not quiet: {writes[0].verb} {writes[0].body}")
        history = world.history()
        kept = {str(row[name]) for row in history for name in ("old", "new")}
        for task in self.tasks:
            items = world.work.by_marker(task)
            if len(items) != 1:
                wrong.append(f"task {task} has {len(items)} items")
                continue
            row, item = world.task(task), world.item(items[0])
            now = {str(row["task_name"]), str(row["description"]), str(item["TaskName"]), str(item["Description"])}
            if row["task_name"] != item["TaskName"]:
                wrong.append(f"titles of {task} differ: {row['task_name']} / {item['TaskName']}")
            if (row["description"] or "") != (item["Description"] or ""):
                wrong.append(f"descriptions of {task} differ: {row['description']} / {item['Description']}")
            if (row["due_date"] or "") != (item["Deadline"] or "")[:10]:
                wrong.append(f"days of {task} differ: {row['due_date']} / {item['Deadline']}")
            fought = ("crm", str(task), "ping_pong") in world.attention()
            fought = fought or ("work", str(items[0]), "ping_pong") in world.attention()
            if (row["status"] == "Hoàn thành") is not (item["StatusName"] == "Đã hoàn thành") and not fought:
                wrong.append(f"statuses of {task} differ: {row['status']} / {item['StatusName']}")
            last: dict[tuple[str, str], str] = {}
            for side, edited, name, word in self.edits:
                if edited == task and name in ("title", "description"):
                    last[side, name] = word
            for (side, name), word in last.items():
                if word not in now and word not in kept and not self._overwritten_late(word):
                    wrong.append(f"the last {name} typed on {side} for {task} is nowhere: {word}")
        world.reopen()
        return wrong
