"""Readings of lists that move: whatever people do between two pages, a reading that says complete has lost no row.

What a complete reading owes: every row that still exists and is not older than `since` was shown, or its stamp is so
new that the next reading, which starts no later than this one began, meets it.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model import Reading
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.work import WorkSystem
from tests.sides.rig import Rig, Seen

SECOND = timedelta(seconds=1)
SEEDS = 500

Move = tuple[str, int, int]
"""What somebody does just before a request is answered: what, to which row, and how many seconds pass then."""

moves = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["edit", "edit", "purge", "create", "bulk", "wait"]), st.integers(0, 40), st.integers(0, 2)
        ),
        max_size=4,
    ),
    max_size=14,
)
ages = st.lists(st.integers(0, 6), max_size=16)
bounds = st.one_of(st.none(), st.integers(0, 7))


def stamp_of(row: dict[str, Any]) -> Any:
    return row.get("modified_date", row.get("ModifiedDate"))


def key_of(row: dict[str, Any]) -> int:
    return int(row.get("id", row.get("TaskID", 0)))


class Unrest:
    """Applies one list of moves before each answer to a listing."""

    def __init__(self, rig: Rig, system: CrmSystem | WorkSystem, script: list[list[Move]]) -> None:
        self.rig, self.system, self.script, self.asked = rig, system, list(script), 0

    def __call__(self) -> None:
        self.asked += 1
        for kind, index, seconds in self.script.pop(0) if self.script else ():
            ids = sorted(self.system.rows)
            if kind == "create":
                self.system.add()
            elif kind == "bulk":
                for one in ids[index % 3 :: 2]:
                    self.touch(one)
            elif ids and kind == "edit":
                self.touch(ids[index % len(ids)])
            elif ids and kind == "purge":
                self.system.purge(ids[index % len(ids)])
            self.rig.clock.tick(seconds)

    def touch(self, one: int) -> None:
        if isinstance(self.system, CrmSystem):
            self.system.edit(one, priority="Cao")
        else:
            self.system.edit(one, Progress=40)


async def read(kind: str, ages: list[int], bound: int | None, script: list[list[Move]]) -> tuple[Rig, Reading, Seen]:
    rig = Rig()
    rig.limited(timeout=timedelta(minutes=10))  # the moves take their time inside a request
    system: CrmSystem | WorkSystem = rig.crm_system if kind == "crm" else rig.work_system
    side = rig.crm(page_size=3) if kind == "crm" else rig.work(page_size=3)
    now = rig.clock.now()
    for age in ages:
        system.add(modified=now - timedelta(seconds=10 + age))
    unrest = Unrest(rig, system, script)
    system.faults.order("list" if kind == "crm" else "get-tasks", "hook_before", times=None, hook=unrest)
    since = None if bound is None else now - timedelta(seconds=10 + bound)
    seen = Seen()
    reading = await side.changes(since, seen)
    await rig.close()
    if reading.complete:
        owed = {
            str(key_of(row)): stamp_of(row)
            for row in system.snapshot()
            if (since is None or stamp_of(row) >= since) and stamp_of(row) < reading.started - SECOND
        }
        assert owed.keys() <= seen.rows.keys(), f"lost {owed.keys() - seen.rows.keys()} of {kind}"
    assert reading.started <= now, "never later than the server's time when it began"
    return rig, reading, seen


@pytest.mark.parametrize("kind", ["crm", "work"])
@settings(max_examples=250, deadline=None)
@given(ages=ages, bound=bounds, script=moves)
def test_a_complete_reading_has_lost_nothing(
    kind: str, ages: list[int], bound: int | None, script: list[list[Move]]
) -> None:
    asyncio.run(read(kind, ages, bound, script))


@pytest.mark.parametrize("kind", ["crm", "work"])
@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 16), bound=bounds)
def test_a_quiet_list_of_different_stamps_is_always_proven(kind: str, count: int, bound: int | None) -> None:
    _, reading, seen = asyncio.run(read(kind, list(range(count)), bound, []))
    assert reading.complete, reading.note
    assert reading.full is (bound is None)
    assert len(seen.rows) >= (count if bound is None else min(count, bound + 1))


def rough(seed: int) -> tuple[list[int], int | None, list[list[Move]]]:
    """A list and its moves that Hypothesis, which likes small things, would rarely think of."""
    rng = random.Random(seed)
    kinds = rng.choice([["purge", "create"], ["purge", "create", "edit"], ["edit", "wait", "purge", "create", "bulk"]])
    script = [
        [(rng.choice(kinds), rng.randrange(40), rng.randrange(3)) for _ in range(rng.randrange(4))]
        for _ in range(rng.randrange(14))
    ]
    widest = rng.choice([1, 3, 8])
    ages = sorted(rng.randrange(widest) for _ in range(rng.randrange(17)))
    return ages, rng.choice([None, 0, 3, 5]), script


@pytest.mark.parametrize("kind", ["crm", "work"])
def test_purges_hidden_behind_creates_are_seen_through(kind: str) -> None:
    """A purge above pulls a row over the border of two pages while a create keeps the total as it was.

    Counting every new enough id against the rank lost a row in 1 of 130 of these: what came after the rank was taken
    made up the number for the row that was missed.
    """
    proven = 0
    for seed in range(SEEDS):
        ages, bound, script = rough(seed)
        _, reading, _ = asyncio.run(read(kind, ages, bound, script))
        proven += reading.complete
    assert proven > SEEDS / 2, "the law must not hold by proving nothing"
