"""Which value comes back when one cycle wrote a field more than once."""

from __future__ import annotations

import pytest

from reconciler.core.model import Field, Side, Value
from reconciler.core.undo import Overwritten, in_one
from tests.core.case import policy

LENSES = policy().lenses


def write(old: Value, new: Value, *, side: Side = Side.WORK, erased: bool = False) -> Overwritten:
    return Overwritten(
        entry=1, crm_id="1", work_id="2", side=side, field=Field.TITLE, old=old, written=(new,), erased=erased
    )


@pytest.mark.parametrize(
    ("writes", "back"),
    [
        ([("A", "B")], "A"),
        ([("A", "B"), ("B", "C")], "A"),
        ([("A", "B"), ("B", "C"), ("C", "D")], "A"),
        ([("A", "B"), ("X", "C")], "X"),
    ],
    ids=["once", "twice", "three times", "a person between"],
)
def test_the_first_old_value_comes_back_unless_a_person_edited_in_between(
    writes: list[tuple[str, str]], back: str
) -> None:
    [one] = in_one([write(*each) for each in writes], LENSES)
    assert (one.old, one.written) == (back, (writes[-1][1],))


def test_the_two_sides_are_apart() -> None:
    assert len(in_one([write("A", "B"), write("B", "C", side=Side.CRM)], LENSES)) == 2


def test_what_followed_an_erased_value_counts_as_erased() -> None:
    [one] = in_one([write(None, None, erased=True), write("B", "C")], LENSES)
    assert one.erased
