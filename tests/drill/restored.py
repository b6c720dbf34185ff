"""A simulated life in which the state is backed up at one cycle, and the backup is put in its place at a later one."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.core.model import Side
from reconciler.errors import Halted
from reconciler.halting import resume
from reconciler.store import back_up, verify
from tests.simulation.checker import Checker
from tests.simulation.fate import Fate
from tests.simulation.life import Life
from tests.simulation.town import Process


@dataclass
class Drill:
    """What a restored life was like. `forgotten` is the number of writes of which the backup knew nothing, `halts` how
    often the daemon stopped for a person, `voided` of how many pairs the bases were given up, and `unseen` how many
    pairs had been written meanwhile without a proof: people edited them again, so the author is not ours.
    """

    seed: int
    forgotten: int = 0
    halts: int = 0
    voided: int = 0
    unseen: int = 0
    wrong: list[str] = field(default_factory=list)


class RestoredLife(Life):
    """Backed up before cycle `taken` and restored before cycle `restored`.

    A person restores while both servers answer, does what a halt asks for, and lets the daemon go on. What was deleted
    meanwhile is gone without the old state having seen it go: like a record that was out of sight.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, folder)
        chance = random.Random(f"drill {seed}")
        self.taken = chance.randrange(2, self.steps)
        self.restored = chance.randrange(self.taken + 1, self.steps + 1)
        self.backup = folder / f"{seed}.backup"
        self.drill = Drill(seed)
        self.marks = self.born = dict.fromkeys(Side, 0)
        self.gone: set[tuple[Side, int]] = set()
        self.forgot: set[int] = set()

    async def _cycle(self, stack: AsyncExitStack, fate: Fate) -> None:
        number = self.verdict.cycles + 1
        if number == self.taken:
            back_up(f"sqlite:///{self.town.path}", self.backup)
            self.marks, self.gone = self._marks(), self._gone()
        if number == self.restored:
            await self._restore(stack)
        await super()._cycle(stack, fate)

    async def _restore(self, stack: AsyncExitStack) -> None:
        town = self.town
        await self.stop(stack)
        town.reopen()
        for file in town.path.parent.glob(f"{town.path.name}-*"):
            file.unlink()
        self.backup.replace(town.path)
        for side in Side:
            town.system(side).faults.clear()
        self.born = self._marks()
        self.weather.lost |= self._gone() - self.gone
        self.drill.forgotten = sum(len(town.system(side).writes(self.marks[side])) for side in Side)
        await self._first_cycle(await self._start(stack))
        self.first = False

    async def _first_cycle(self, process: Process) -> None:
        try:
            await process.cycle(first=True)
        except Halted as halt:
            self.drill.halts += 1
            if halt.reason == "old_state":
                resume(process.store, self.town.clock.now(), "an old backup, seen", "test", None)
            else:
                await self.town.rebuild()
            await process.cycle(first=True)
        voided = {int(one.crm_id) for one in process.store.journal() if one.kind == "bases_voided" and one.crm_id}
        self.forgot = self._written_meanwhile() - voided
        self.drill.voided, self.drill.unseen = len(voided), len(self.forgot)

    def _written_meanwhile(self) -> set[int]:
        """The CRM ids of the pairs that were written between the backup and its restore."""
        tasks = {item: task for task, item in self._checker().paired.items()}
        return {
            element.id if side is Side.CRM else tasks.get(element.id, 0)
            for side in Side
            for call in self.town.system(side).log[self.marks[side] : self.born[side]]
            for element in call.elements
            if call.kind == "write" and element.ok and element.id is not None
        }

    def _marks(self) -> dict[Side, int]:
        return {side: self.town.system(side).mark() for side in Side}

    def _gone(self) -> set[tuple[Side, int]]:
        """The records that are deleted or no longer there."""
        flags = {Side.CRM: "is_deleted", Side.WORK: "IsDeleted"}
        rows = {side: self.town.system(side).rows for side in Side}
        return {
            (side, record)
            for side, record in self._checker().records
            if record not in rows[side] or rows[side][record][flags[side]]
        }

    def _checker(self) -> Checker:
        weather = self.weather
        return Checker(
            self.town,
            self.people,
            clocks_tell=weather.clocks_tell,
            lost=weather.lost,
            dismissed=self.dismissed,
            born=self.born,
            forgot=self.forgot,
        )


def drill(seed: int, folder: Path) -> Drill:
    """Live a life with a restore in it; what came of it."""
    life = RestoredLife(seed, folder)
    verdict = asyncio.run(life.live())
    fault = verify(life.town.store)
    life.town.reopen()
    broken = [] if fault is None else [f"the journal is broken: {fault}"]
    return replace(life.drill, wrong=[*verdict.wrong, *broken])
