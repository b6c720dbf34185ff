"""Safety limits: what is held, what goes on, and that nothing is lost between the two."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Field, Side, Value
from reconciler.core.operations import Delete, FieldChange, Operation, Unlink, Update, canonical, fingerprint
from reconciler.core.safety import EVERYTHING, Circumstances, check, kind_of
from tests.core.case import LIMITS

CALM = Circumstances(linked=1000, open_pairs=1000, lost={})


def update(key: int, side: Side, after: Value = "b") -> Operation:
    change = FieldChange(field=Field.TITLE, before="a", after=after, source=after, reason="", rule="")
    return Update(side=side, crm_id=str(key), work_id=str(7000 + key), title="", changes=(change,))


def clearing(key: int, side: Side) -> Operation:
    return update(key, side, after=None)


def unlink(key: int, side: Side) -> Operation:
    return Unlink(side=side, crm_id=str(key), work_id=str(7000 + key), title="", reason="absent")


def delete(key: int, side: Side) -> Operation:
    return Delete(side=side, crm_id=str(key), work_id=str(7000 + key), title="")


MAKERS: list[Callable[[int, Side], Operation]] = [update, clearing, unlink, delete]
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(MAKERS), st.integers(1, 60), st.sampled_from(Side)), max_size=80, unique=True
).map(lambda made: [make(key, side) for make, key, side in made])


def many(make: Callable[[int, Side], Operation], count: int) -> list[Operation]:
    return [make(key, Side.WORK) for key in range(1, count + 1)]


@given(OPERATIONS, st.integers(0, 300), st.sets(st.sampled_from(["update_work", "delete_crm", EVERYTHING])))
def test_every_operation_goes_on_or_is_held_and_a_kind_is_held_whole(
    operations: list[Operation], pairs: int, still_held: set[str]
) -> None:
    around = Circumstances(linked=pairs, open_pairs=pairs, lost={}, still_held=still_held)
    checked = check(operations, LIMITS, around)
    held = checked.halt.held if checked.halt else ()
    assert sorted(one.canonical for one in (*checked.operations, *held)) == sorted(one.canonical for one in operations)
    assert {kind_of(one) for one in held}.isdisjoint(kind_of(one) for one in checked.operations)


@given(OPERATIONS, st.integers(0, 300))
def test_what_a_person_approved_is_never_held_again(operations: list[Operation], pairs: int) -> None:
    around = Circumstances(linked=pairs, open_pairs=pairs, lost={}, still_held=[EVERYTHING])
    approved = frozenset(one.canonical for one in operations)
    checked = check(operations, LIMITS, replace(around, approved=approved))
    assert (checked.operations, checked.halt) == (tuple(operations), None)


@pytest.mark.parametrize(
    ("make", "count", "pairs", "held"),
    [
        (update, 19, 20, False),
        (update, 20, 60, True),
        (update, 20, 70, False),
        (update, 501, 10_000, True),
        (clearing, 4, 4, False),
        (clearing, 5, 40, True),
        (unlink, 5, 50, False),
        (unlink, 5, 49, True),
        (delete, 51, 10_000, True),
    ],
)
def test_a_share_counts_from_the_minimum_on_and_the_maximum_always(
    make: Callable[[int, Side], Operation], count: int, pairs: int, held: bool
) -> None:
    """Updates 30 % from 20 on, at most 500; deletions, unlinks and cleared fields 10 % from 5 on, at most 50."""
    checked = check(many(make, count), LIMITS, replace(CALM, linked=pairs, open_pairs=pairs))
    assert (checked.halt is not None) is held
    assert len(checked.operations) == (0 if held else count)


def test_the_sentence_names_the_numbers_that_a_person_decides_by() -> None:
    halt = check(many(update, 30), LIMITS, replace(CALM, open_pairs=60)).halt
    assert halt is not None
    assert all(number in halt.message for number in ("30 updates", "30 %", "60 open pairs"))
    halt = check(many(unlink, 6), LIMITS, replace(CALM, linked=20)).halt
    assert halt is not None
    assert all(number in halt.message for number in ("6 deletions", "10 %", "20 pairs"))


def test_days_of_standstill_raise_the_limit_of_updates_and_no_other() -> None:
    """After a long weekend much has changed for good reasons; nothing makes many deletions plausible."""
    weekend = replace(CALM, down_for=timedelta(days=3), open_pairs=40, linked=40)
    assert check(many(update, 40), LIMITS, weekend).halt is None
    assert check(many(update, 40), LIMITS, replace(weekend, down_for=timedelta(0))).halt is not None
    assert check(many(delete, 40), LIMITS, weekend).halt is not None


@given(OPERATIONS, st.randoms(use_true_random=False))
def test_an_approval_holds_whatever_the_order_and_for_nothing_else(
    operations: list[Operation], chance: random.Random
) -> None:
    mixed = list(operations)
    chance.shuffle(mixed)
    assert fingerprint(mixed) == fingerprint(operations)
    assert len({one.canonical for one in operations}) == len(operations)
    if operations:
        assert canonical(operations[1:]) != canonical(operations)
        assert fingerprint([*operations[1:], update(99, Side.CRM, "khác")]) != fingerprint(operations)
