"""Backfill: work items for tasks that are older than the connection, on request, in batches, open tasks first.

It can be stopped at any moment and started again: what is linked is skipped, what was under way is searched by its
marker like any other create.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from reconciler.connection import Connection, Writers
from reconciler.core.lenses import StatusLens
from reconciler.core.model import Candidate, Field, Reading, Record, Side
from reconciler.core.plan import COMPLETED
from reconciler.core.route import target_of
from reconciler.core.text import word
from reconciler.cycle import Result, carry_out
from reconciler.errors import Halted
from reconciler.message import say
from reconciler.ports import StateReader, Store
from reconciler.prospect import look_for
from reconciler.rebuilding import list_work
from reconciler.survey import Remembered

ROUND: Final = 100
"""Tasks that are planned together; writes go out in batches of what the server takes."""

ANY_TIME: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """An old task that a route or its target fields would link. `open` tasks go first, then the newer ones."""

    candidate: Candidate
    open: bool
    created: datetime

    @property
    def rank(self) -> tuple[bool, float, int, str]:
        age = -self.created.timestamp() if self.created > ANY_TIME else 0.0
        return (not self.open, age, len(self.candidate.crm_id), self.candidate.crm_id)


async def find_old(
    connection: Connection, state: StateReader, *, since: datetime | None = None, limit: int | None = None
) -> list[Candidate]:
    """The unlinked tasks, created at or after `since`, that backfill would link; at most `limit`, in its order.

    Errors: `SideDown`, `SideClosed`; `Halted` if the listing could not be proven complete.
    """
    found: dict[str, Old] = {}
    policy, now = connection.policy, connection.clock.now()
    projects = await connection.catalogue.projects() if policy.pilot.by_project else []
    pilot = policy.pilot.knowing(policy.pilot.looked_up(projects))

    def visit(rows: Sequence[Record]) -> None:
        linked = state.links_by(Side.CRM, [row.id for row in rows])
        buried = {grave.crm_id for grave in state.tombstones(crm_ids=[row.id for row in rows])}
        for row in rows:
            found.pop(row.id, None)
            target = target_of(row, policy.routes, ANY_TIME, policy.people)
            if target is None or row.id in linked or row.id in buried:
                continue
            if not pilot.admits_new(target.project, projects, row.values.get(Field.OWNER), policy.people):
                continue
            created = row.created or ANY_TIME
            if since is not None and created < since:
                continue
            title = row.values.get(Field.TITLE)
            candidate = Candidate(
                crm_id=row.id,
                target=target,
                since=now,
                title=title if isinstance(title, str) else "",
                on_request=True,
            )
            found[row.id] = Old(candidate=candidate, open=not _completed(connection, row), created=created)

    reading = await connection.readers[Side.CRM].changes(None, visit)
    if not reading.complete:
        raise Halted(
            "unproven", say("the list of CRM tasks could not be proven complete ({note}); try again", note=reading.note)
        )
    ordered = sorted(found.values(), key=lambda old: old.rank)
    return [old.candidate for old in ordered[:limit]]


def _completed(connection: Connection, row: Record) -> bool:
    lens, status = connection.policy.lenses[Field.STATUS], row.values.get(Field.STATUS)
    image = lens.maps.to_work(status) if isinstance(lens, StatusLens) and isinstance(status, str) else None
    return image is not None and word(image) == word(COMPLETED)


async def backfill(
    connection: Connection,
    writers: Writers,
    store: Store,
    candidates: Sequence[Candidate],
    *,
    progress: Callable[[int], None] = lambda done: None,
    guard: Callable[[], None] = lambda: None,
) -> tuple[int, Result | None]:
    """Link the candidates, a round at a time; `progress` gets the number of tasks dealt with so far.

    Work is searched for markers once, before the first round: nobody but the holder of the lease adds any. Its places
    are read once, too. Returns how many have an item now, and the result of the last round; a side that fails ends it
    early.
    """
    await list_work(connection, store)
    connection = replace(connection, catalogue=Remembered(connection.catalogue))
    linked, dealt = 0, 0
    result: Result | None = None
    searched: Reading | None = None
    for batch in rounds(candidates):
        started = connection.clock.now()
        prospect = await look_for(connection, store, [replace(one, since=started) for one in batch], searched)
        reading = prospect.news.readings.get(Side.WORK)
        searched = reading if reading is not None and reading.complete else None
        named = {candidate.crm_id for candidate in batch}
        result = await carry_out(connection, writers, store, prospect, started, guard=guard, among=named)
        linked += len(store.links_by(Side.CRM, named))
        dealt += len(batch)
        progress(dealt)
        if result.down:
            break
    return linked, result


def rounds(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """The candidates in order, `ROUND` at a time."""
    for start in range(0, len(candidates), ROUND):
        yield candidates[start : start + ROUND]
