"""Rule 17: the stamp of a field is evidence only where the record's stamp really moved, and not by our own write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.lenses import lenses
from reconciler.core.model import Field, Record, Side
from reconciler.core.observe import first_sight, observe
from reconciler.core.status import StatusMaps

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OURS, PERSON = "API", "NV001"
LENSES = lenses(
    maps=StatusMaps(
        {"Hoàn thành": "Đã hoàn thành", "*": "Chưa hoàn thành"}, {"Đã hoàn thành": "Hoàn thành", "*": "Chưa bắt đầu"}
    ),
    start_hour="08:00",
    due_hour="17:30",
    people={},
)


def record(second: int, author: str = PERSON, **texts: str) -> Record:
    values = {Field(name): value for name, value in texts.items()}
    return Record(side=Side.WORK, id="7001", values=values, modified=NOON + timedelta(seconds=second), author=author)


def test_rule_17_a_field_keeps_the_stamp_of_its_first_sighting() -> None:
    # broken by: stamping every field with every observation
    half = first_sight(record(0, title="A", description="a"))
    half = observe(half, record(10, title="B", description="a"), LENSES, OURS)
    half = observe(half, record(20, title="B", description="b"), LENSES, OURS)
    assert half.stamps == {Field.TITLE: NOON + timedelta(seconds=10), Field.DESCRIPTION: NOON + timedelta(seconds=20)}


def test_rule_17_another_form_of_the_same_text_is_no_new_value() -> None:
    # broken by: comparing raw values
    half = first_sight(record(0, title="A", description="a\nb"))
    half = observe(half, record(10, title=" A ", description="a  \r\nb\n"), LENSES, OURS)
    assert set(half.stamps.values()) == {NOON}


@pytest.mark.parametrize(
    ("second", "author", "own", "evidence"),
    [
        (10, PERSON, None, True),
        (0, PERSON, None, False),
        (10, OURS, 10, False),
        (10, PERSON, 10, True),
        (10, OURS, 5, True),
    ],
    ids=["moved", "unmoved", "our own", "a person in our second", "our account, not our write"],
)
def test_rule_17_no_evidence_where_the_stamp_did_not_move_or_is_our_own(
    second: int, author: str, own: int | None, evidence: bool
) -> None:
    # broken by: either exception missing
    half = first_sight(record(0, title="A"))
    half = replace(half, own_stamp=None if own is None else NOON + timedelta(seconds=own))
    half = observe(half, record(second, author, title="B"), LENSES, OURS)
    assert half.seen[Field.TITLE] == "B"
    assert half.stamps[Field.TITLE] == (NOON + timedelta(seconds=second) if evidence else None)


def test_rule_11_a_field_that_is_not_shown_keeps_value_and_stamp() -> None:
    # broken by: taking an absent key for an empty value
    half = first_sight(record(0, title="A", description="a"))
    half = observe(half, record(10, title="B"), LENSES, OURS)
    assert (half.seen[Field.DESCRIPTION], half.stamps[Field.DESCRIPTION]) == ("a", NOON)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ABC")), min_size=1, max_size=12))
def test_rule_17_the_stamp_is_never_newer_than_the_first_sighting_of_the_value(steps: list[tuple[int, str]]) -> None:
    # broken by: moving the stamp while the value stays
    second, half = 0, first_sight(record(0, title="A"))
    value, since = "A", 0
    for more, text in steps:
        second += more
        if text != value:
            value, since = text, second
        half = observe(half, record(second, title=text), LENSES, OURS)
        stamp = half.stamps[Field.TITLE]
        assert stamp is None or stamp <= NOON + timedelta(seconds=since)
