"""A scenario, and what is played on: a town, the people's diary, and a process that may die at a chosen moment.

A scenario is a list of steps. A step that takes the stage alone is what people or servers do: it happens once. A step
that takes a process too is what the product does: if it dies, the next process does it again from the beginning, as a
person or a timer would.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from reconciler.core.model import Side
from reconciler.store import verify
from tests.simulation.checker import Checker
from tests.simulation.fate import Died, Fate
from tests.simulation.people import FIELDS, People
from tests.simulation.town import Process, Town, blank_state

Deed = Callable[["Stage"], None]
Work = Callable[["Stage", Process], Awaitable[None]]

CYCLES_TO_AGREE: Final = 3


@dataclass(frozen=True)
class Scenario:
    """`before` brings the town to where the story begins; nobody dies there. `sections` are settings."""

    name: str
    before: Sequence[Deed | Work]
    steps: Sequence[Deed | Work]
    sections: Mapping[str, Any] = field(default_factory=dict)


class Stage:
    """One performance of a scenario. `notes` is where steps leave ids for later steps."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        sections: dict[str, Any] = {
            "safety": {"max_update_percent": 100},
            "limits": {"resolve_after": "5m", "retry_for": "1ms", "requests_per_second": 1000.0},
        }
        self.town = Town(folder / "state.db", **sections)
        for name, values in scenario.sections.items():
            known = self.town.sections.get(name, {})
            self.town.sections[name] = {**known, **values} if isinstance(values, dict) else values
        self.people = People(self.town, random.Random(1), {"edit": 1})
        self.notes: dict[str, Any] = {}
        self.born: dict[Side, int] = dict.fromkeys(Side, 0)
        self.deaths = 0
        self.moments = 0

    # what steps use

    def task(self, **fields: Any) -> int:
        """A salesperson saves a task and chooses the group «Cần làm»."""
        named = {"task_name": "Gọi", "custom_field1": "12", "custom_field2": "31", **fields}
        return self.people.add_task(**named)

    def crm(self, task: int, **fields: Any) -> None:
        """Somebody edits a task."""
        self.people.set_fields(Side.CRM, task, fields)

    def work(self, item: int, **fields: Any) -> None:
        """Somebody edits a work item."""
        self.people.set_fields(Side.WORK, item, fields)

    def item(self, task: int) -> int:
        """The one living item of a task."""
        [found] = self.town.work.by_marker(task)
        return found

    def lose_the_state(self) -> None:
        """The database is gone; the next process finds an empty one."""
        self.town.reopen()
        for file in self.town.path.parent.glob(f"{self.town.path.name}*"):
            file.unlink()
        self.town.path.write_bytes(blank_state())
        self.born = {side: self.town.system(side).mark() for side in Side}

    # the performance

    async def play(self, *deaths: int) -> list[str]:
        """Play the scenario; the first process dies at moment deaths[0] of the steps, the next one at deaths[1] of its
        own, and so on. Returns what is wrong in the end.
        """
        try:
            for step in self.scenario.before:
                await self._perform(step, Fate())
            self.town.clock.tick(60)
            ends = iter(deaths)
            fate = Fate(next(ends, None))
            for step in self.scenario.steps:
                while True:
                    self.town.clock.tick(10)
                    try:
                        await self._perform(step, fate)
                        break
                    except Died:
                        self.deaths += 1
                        self.town.reopen()
                        fate = Fate(next(ends, None))
            self.moments = fate.passed
            return await self._close()
        finally:
            self.town.reopen()

    async def _perform(self, step: Deed | Work, fate: Fate) -> None:
        if inspect.iscoroutinefunction(step):
            async with self.town.process(fate) as process:
                await step(self, process)
        else:
            cast(Deed, step)(self)

    async def _close(self) -> list[str]:
        """The sun comes out: agreement within three cycles, then two silent ones, and the checker's judgement."""
        town = self.town
        for side in Side:
            town.system(side).faults.clear()
        town.clock.tick(1800)
        unequal: list[str] = []
        async with town.process() as process:
            for _ in range(CYCLES_TO_AGREE):
                town.clock.tick(60)
                await process.cycle(sweep=True, first=True)
                unequal = list(self.checker().disagreements(propagates=self.propagates))
                if not unequal:
                    break
            marks = {side: town.system(side).mark() for side in Side}
            for _ in range(2):
                town.clock.tick(60)
                await process.cycle()
            noise = [f"not silent: {c.verb} {c.body}" for side in Side for c in town.system(side).writes(marks[side])]
            left = [f"still open: {one}" for one in (*process.store.intents(), *process.store.sendings())]
        fault = verify(town.store)
        chain = [] if fault is None else [str(fault)]
        return [*unequal, *noise, *left, *chain, *self.checker().judge_writes().wrong]

    def checker(self) -> Checker:
        return Checker(self.town, self.people, born=self.born)

    @property
    def propagates(self) -> bool:
        return self.town.settings.deletes.policy == "propagate"

    def picture(self) -> dict[str, Any]:
        """What people see in the end: every mapped field and marker of every record, without stamps."""
        crm, work = FIELDS[Side.CRM].values(), FIELDS[Side.WORK].values()
        tasks = {
            number: [row["is_deleted"], row["custom_field3"], *(row[name] for name in crm)]
            for number, row in self.town.crm.rows.items()
        }
        items = {
            number: [row["IsDeleted"], row["CustomFields"], row["TaskGroupID"], *(row[name] for name in work)]
            for number, row in self.town.work.rows.items()
        }
        told = sorted((str(one.side), one.id, str(one.code)) for one in self.town.store.attention())
        return {"tasks": tasks, "items": items, "told": told}


def perform(scenario: Scenario, folder: Path, *deaths: int) -> tuple[Stage, list[str], dict[str, Any]]:
    """Play a scenario from the beginning; the stage, what is wrong, and the final picture."""
    stage = Stage(scenario, folder)
    wrong = asyncio.run(stage.play(*deaths))
    picture = stage.picture()
    stage.town.reopen()
    return stage, wrong, picture


def every_death(scenario: Scenario, folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Die at moment 1, 2, 3 and so on, until a performance ends without dying; what was wrong each time.

    The picture in the end must be that of the undisturbed performance.
    """
    _, wrong, wanted = perform(scenario, folder)
    yield 0, wrong
    number = 0
    while True:
        number += 1
        stage, wrong, picture = perform(scenario, folder, number)
        if not stage.deaths:
            return
        yield number, [*wrong, *differences(picture, wanted)]


def differences(picture: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What another ending of the same scenario looks like."""
    return [f"{name}: {picture[name]} instead of {wanted[name]}" for name in wanted if picture[name] != wanted[name]]
