"""A signed checkpoint comes once a day and after every thousand entries, as long as the journal grows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler import app, minisign
from reconciler.audit import checkpoint
from reconciler.audit.verifying import Piece, Trust, Witness, examine
from reconciler.core.model import Checkpoint
from tests.journal.pieces import secret_text, signing_key
from tests.store.samples import entry
from tests.world import MORNING, World

KEY = signing_key()
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def signing(world: World) -> World:
    world.sections["journal"] = {"signing_key": secret_text(KEY)}
    return world


def grown(world: World, entries: int, after: timedelta = timedelta()) -> list[int]:
    """Time passes, the journal grows, a cycle ends; the entries that checkpoints name then."""
    world.clock.time += after
    with world.store.transaction() as tx:
        tx.append(entry(number) for number in range(entries))
    app.upkeep(world.settings, world.store, world.world)
    return [one.entry for one in world.store.checkpoints()]


def test_the_first_comes_with_the_first_entries_and_not_before(signing: World) -> None:
    assert grown(signing, 0) == []
    assert grown(signing, 3) == [3]


def test_the_next_comes_after_a_day_if_the_journal_has_grown(signing: World) -> None:
    assert grown(signing, 1) == [1]
    assert grown(signing, 1, DAY - INSTANT) == [1]
    assert grown(signing, 0, INSTANT) == [1, 2]
    assert grown(signing, 0, 3 * DAY) == [1, 2], "nothing new, nothing to state"
    assert grown(signing, 1) == [1, 2, 3], "the day is over since long"


def test_the_next_comes_after_a_thousand_entries_within_the_day(signing: World) -> None:
    assert grown(signing, 1) == [1]
    assert grown(signing, 999) == [1]
    assert grown(signing, 1) == [1, 1001]
    assert grown(signing, 2500) == [1, 1001, 3501]


def test_a_clock_that_was_set_back_is_no_reason_to_wait(signing: World) -> None:
    assert grown(signing, 1, 300 * DAY) == [1]
    assert grown(signing, 1, -300 * DAY) == [1, 2]
    assert grown(signing, 1) == [1, 2]


def test_without_a_key_there_is_none(world: World) -> None:
    assert grown(world, 1) == []
    assert grown(world, 1500, 2 * DAY) == []


def test_each_states_the_journal_of_its_moment_and_bears_the_signature(signing: World) -> None:
    for entries, after in ((1, timedelta()), (1, DAY), (1000, timedelta())):
        grown(signing, entries, after)
    found = signing.store.checkpoints()
    hashes = {row["id"]: row["hash"] for row in signing.store.chain()}
    assert [stated(one) for one in found] == [
        checkpoint.Statement("an-phat", 1, hashes[1], MORNING),
        checkpoint.Statement("an-phat", 2, hashes[2], MORNING + DAY),
        checkpoint.Statement("an-phat", 1002, hashes[1002], MORNING + DAY),
    ]
    for one in found:
        made = minisign.signature(one.signature)
        assert minisign.holds(KEY.public, one.document.encode(), made)
        assert not minisign.holds(signing_key("another").public, one.document.encode(), made)
    witnesses = [Witness(one.document, one.signature) for one in found]
    shown = examine(Piece(signing.store.chain()), witnesses, Trust(KEY.public, given=True))
    assert (shown.fault, shown.signed, len(shown.confirmed)) == (None, 3, 3)


def stated(one: Checkpoint) -> checkpoint.Statement | None:
    """What its document says; the row's own columns say the same."""
    found = checkpoint.read(one.document)
    assert found is not None
    assert (one.entry, one.at) == (found.entries, found.at)
    return found
