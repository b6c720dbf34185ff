"""One generated world: people and faults for a while, then fair weather with edits that are pending. A dry run looks at
it, exactly as `reconciler report` does; then the clock is put back, and the real cycle of that very moment runs.

The dry run must have foretold everything: the plan in the journal, the intents, and every write in the servers' logs.
And it must have been none: no call that changes anything, no byte of the state's files.

One thing only may be foretold and not done: an update of a pair of which a record is gone for good. No listing tells
that; the cycle's own reading by id, just before the write, does, and drops it. Anything else that is dropped is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconciler import app
from reconciler.core.model import Entry, Side
from reconciler.core.search import Selection
from reconciler.dryrun import dry_run
from reconciler.report.data import Json, plain
from reconciler.sandbox.calls import Call
from tests.simulation.fate import Fate
from tests.simulation.life import Life
from tests.simulation.seeds import Judgement
from tests.simulation.town import Town
from tests.simulation.weather import LATEST
from tests.worlds.writes import announced, differences, sent

LIMITS: Final[tuple[dict[str, Any], ...]] = (
    *({},) * 6,
    {"max_creates": 1},
    {"max_updates": 1},
    {"max_deletes": 1, "min_deletes": 1, "max_delete_percent": 1.0},
)
"""The limits under which the world ends up: mostly the usual ones, else some that hold operations back."""


@dataclass
class World(Judgement):
    """`operations` were foretold, by kind below; `held` were shown as held, and were. `gone` updates were dropped
    because a record exists no more. `idle` worlds had nothing to do; `beside` had the state open in another process
    while the dry run read it.
    """

    operations: int = 0
    creates: int = 0
    updates: int = 0
    unlinks: int = 0
    deletes: int = 0
    conflicts: int = 0
    held: int = 0
    gone: int = 0
    writes: int = 0
    idle: int = 0
    beside: int = 0


async def generate(seed: int, folder: Path) -> World:
    """Make the world of a seed, look at it, run its cycle, and judge; the same seed makes the same world."""
    return await Foretold(seed, folder).judged()


class Foretold:
    """A world before, while and after it was looked at."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.life = Life(seed, folder)
        self.town: Town = self.life.town
        self.town.sections["state"] = {"url": f"sqlite:///{self.town.path}"}
        self.rng = random.Random(f"foretold {seed}")
        self.found = World(seed)

    async def judged(self) -> World:
        """What is wrong with this world, and its figures."""
        async with AsyncExitStack() as stack:
            try:
                await self.life.storm(stack)
                self.pending()
                await self.life.stop(stack)
                self.town.fate = Fate()
                await self.check(await self.look())
            except Exception as error:
                self._blame(f"a bug: {error!r}")
        self.found.trace = self.life.trace()
        self.town.reopen()
        return self.found

    def pending(self) -> None:
        """The weather clears, everything on its way arrives, and people go on."""
        town, rng = self.town, self.rng
        self.life.clear_up()
        town.clock.tick(LATEST + rng.choice((30, 200, 1000)))
        for side in Side:
            town.system(side).run_late()
            town.note_arrivals(side)
        town.latency = lambda: 0.05
        for _ in range(rng.randrange(8)):
            self.life.people.act()
            town.clock.tick(rng.choice((0, 1, 20, 90)))
        town.sections["safety"] = dict(rng.choice(LIMITS))

    async def look(self) -> Json:
        """The dry run. The state may be open in a process that runs beside it; afterwards it is the same moment."""
        town = self.town
        if self.rng.random() < 0.5:
            town.reopen()
        else:
            self.found.beside = int(town.store is not None)
        bytes_before, marks = _files(town.path), {side: town.system(side).mark() for side in Side}
        rows_before, moment = self._rows(), town.clock.time
        settings = town.settings
        with app.reading_state(settings) as state:
            app.check_identity(settings, state)
            async with app.connect(settings, town.world) as connection:
                report = await dry_run(connection, state)
        if _files(town.path) != bytes_before:
            self._blame("the dry run changed the state's files")
        if self._rows() != rows_before:
            self._blame("the dry run changed a record")
        for side in Side:
            self.found.wrong += [
                f"the dry run wrote: {side} {one.verb}" for one in town.system(side).writes(marks[side])
            ]
        town.clock.time = moment
        return report

    async def check(self, foretold: Json) -> None:
        """Run the cycle and compare."""
        town, found = self.town, self.found
        marks = {side: town.system(side).mark() for side in Side}
        known, _ = town.store.head()
        async with town.process() as process:
            result = await process.cycle(first=True)
        calls = list(self._calls(marks))
        entries = [one for one in town.store.entries(Selection()) if one.id > known]
        found.wrong += _against_plan(foretold, entries)
        gone = [one for one in foretold["operations"] if one["kind"] == "update" and self._gone(one)]
        kept = [one for one in foretold["operations"] if one not in gone]
        found.gone = len(gone)
        found.wrong += _against_intents(kept, entries)
        found.wrong += _against_drops(gone, entries)
        done = list(sent(calls))
        found.wrong += differences(announced(kept), done)
        if not foretold["complete"]:
            self._blame("in fair weather the dry run could not read everything")
        halt = result.prospect.halt
        held = [one.crm_id for one in halt.held] if halt else []
        if [one["crm_id"] for one in foretold["held"]] != held:
            self._blame(f"foretold as held {foretold['held']}, held {held}")
        self._count(foretold, len(done))

    def _calls(self, marks: dict[Side, int]) -> Iterator[tuple[Side, Call]]:
        """The calls to both servers since then, in the order in which they arrived."""
        town = self.town
        for side in Side:
            town.note_arrivals(side)
        since = [
            (town.arrived[s][n], s, call) for s in Side for n, call in enumerate(town.system(s).log) if n >= marks[s]
        ]
        yield from ((side, call) for _, side, call in sorted(since, key=lambda one: one[0]))

    def _gone(self, operation: Json) -> bool:
        """Whether one of the two records exists no more."""
        return (
            int(operation["crm_id"]) not in self.town.crm.rows or int(operation["work_id"]) not in self.town.work.rows
        )

    def _rows(self) -> str:
        return repr([self.town.system(side).rows for side in Side])

    def _count(self, foretold: Json, writes: int) -> None:
        found, kinds = self.found, [one["kind"] for one in foretold["operations"]]
        found.operations, found.writes, found.idle = len(kinds), writes, int(not kinds)
        found.creates, found.updates = kinds.count("create"), kinds.count("update")
        found.unlinks, found.deletes = kinds.count("unlink"), kinds.count("delete")
        found.conflicts, found.held = len(foretold["conflicts"]), len(foretold["held"])

    def _blame(self, words: str) -> None:
        self.found.wrong.append(words)


def _files(state: Path) -> dict[str, bytes]:
    """The database and its WAL, and whatever else lies beside it; an empty WAL is none, and the memory that readers
    share is no part of the state."""
    found = {one.name: one.read_bytes() for one in state.parent.glob(f"{state.name}*")}
    return {name: content for name, content in found.items() if content and not name.endswith("-shm")}


def _against_plan(foretold: Json, entries: list[Entry]) -> Iterator[str]:
    """What the cycle wrote down that it was about to do."""
    outline = [
        [one["kind"], one["side"], one["crm_id"], one["work_id"], [change["name"] for change in one["fields"]]]
        for one in foretold["operations"]
    ]
    planned = [one.detail for one in entries if one.kind == "plan"]
    if [one["operations"] for one in planned] != ([outline] if outline else []):
        yield f"foretold {outline}, planned {[one['operations'] for one in planned]}"
    if any(one["fingerprint"] != foretold["fingerprint"] for one in planned):
        yield f"another fingerprint than {foretold['fingerprint']}: {planned}"


def _against_drops(gone: list[Json], entries: list[Entry]) -> Iterator[str]:
    """What the cycle's own readings made it leave out."""
    told = sorted((one["crm_id"], one["side"], change["name"]) for one in gone for change in one["fields"])
    dropped = sorted((str(one.crm_id), str(one.side), str(one.field)) for one in entries if one.kind == "dropped")
    if dropped != told:
        yield f"gone {told}, dropped {dropped}"


def _against_intents(operations: list[Json], entries: list[Entry]) -> Iterator[str]:
    """The values, field by field and to the letter, and the pairs that were unlinked."""
    for kind, side in (("update", Side.CRM), ("update", Side.WORK), ("create", Side.WORK)):
        told = [
            (one["crm_id"], change["name"], change["before"], change["after"], change["reason"], change["rule"])
            for one in operations
            if (one["kind"], one["side"]) == (kind, side.value)
            for change in one["fields"]
        ]
        meant = [
            (one.crm_id, one.field and one.field.value, plain(one.old), plain(one.new), one.reason, one.rule)
            for one in entries
            if one.kind == "intent" and one.side is side and (one.reason == "created") == (kind == "create")
            if one.field is not None
        ]
        if _once(meant) != told:
            yield f"{kind} on {side}: foretold {told}, meant {meant}"
    told_ends = [(one["crm_id"], one["reason"]) for one in operations if one["kind"] == "unlink"]
    deleted = {one["crm_id"] for one in operations if one["kind"] == "delete"}
    ends = [(one.crm_id, one.reason) for one in entries if one.kind == "unlinked" and one.crm_id not in deleted]
    if ends != told_ends:
        yield f"unlinked: foretold {told_ends}, done {ends}"


def _once(rows: list[Any]) -> list[Any]:
    """Without repetitions: what a server refused is announced again before it is sent again."""
    return [one for number, one in enumerate(rows) if one not in rows[:number]]
