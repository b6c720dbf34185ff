"""Rule 2: which present value is our own write arriving late, and which one a person chose."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.model import Field, Link, Side, Value, Wanted
from reconciler.core.observe import absorb_late, with_half
from tests.core.case import NOON, YESTERDAY, pair, policy

US, PERSON = "API", "Lê An (NV001)"
LENSES = policy().lenses


def wanted(name: Field, value: Value, source: Value) -> Wanted:
    later = NOON + timedelta(minutes=5)
    return Wanted(field=name, side=Side.CRM, value=value, source=source, sent=NOON, hold=later, expires=later)


def after_the_write(author: str, **shown: Value) -> Link:
    """Status and title were written with an unclear answer; the record shows them now, last edited by `author`."""
    link = pair()
    values = {Field.STATUS: "Hoàn thành", Field.TITLE: "Mới"} | {Field(name): value for name, value in shown.items()}
    stamps = {**dict.fromkeys(link.crm.stamps, YESTERDAY), **dict.fromkeys(values, NOON)}
    half = replace(link.crm, seen={**link.crm.seen, **values}, stamps=stamps, author=author, modified=NOON)
    wants = (wanted(Field.STATUS, "Hoàn thành", "Đã hoàn thành"), wanted(Field.TITLE, "Mới", "Mới"))
    return replace(with_half(link, Side.CRM, half), wanted=wants)


def absorbed(link: Link) -> set[Field]:
    """The fields whose base moved to the present value."""
    settled = absorb_late(link, LENSES, dict.fromkeys(Side, US))
    return {name for name in link.crm.seen if settled.crm.base[name] != link.crm.base[name]}


def test_what_shows_with_our_name_is_ours() -> None:
    assert absorbed(after_the_write(US)) == {Field.STATUS, Field.TITLE}


def test_a_status_with_a_persons_name_is_that_persons_if_nothing_else_can_be() -> None:
    assert absorbed(after_the_write(PERSON)) == {Field.TITLE}


def test_a_status_is_ours_if_the_person_changed_something_else() -> None:
    assert absorbed(after_the_write(PERSON, description="Sửa")) == {Field.STATUS, Field.TITLE}


def test_what_the_person_changed_must_bear_the_records_present_stamp() -> None:
    link = after_the_write(PERSON, description="Sửa trước đó")
    half = replace(link.crm, stamps={**link.crm.stamps, Field.DESCRIPTION: YESTERDAY})
    assert absorbed(with_half(link, Side.CRM, half)) == {Field.TITLE}


def test_what_a_person_typed_stays_that_persons_under_our_next_write() -> None:
    link = absorb_late(after_the_write(PERSON), LENSES, dict.fromkeys(Side, US))
    assert [want.typed for want in link.wanted] == [True]
    after = with_half(link, Side.CRM, replace(link.crm, author=US))
    assert absorbed(after) == set()
    status = link.crm.base[Field.STATUS]
    gone = with_half(after, Side.CRM, replace(after.crm, seen={**after.crm.seen, Field.STATUS: status}))
    gone = absorb_late(gone, LENSES, dict.fromkeys(Side, US))
    assert [want.typed for want in gone.wanted] == [False]
    back = with_half(gone, Side.CRM, replace(gone.crm, seen={**gone.crm.seen, Field.STATUS: "Hoàn thành"}))
    assert absorbed(back) == {Field.STATUS}


@pytest.mark.parametrize("name", [Field.TITLE, Field.DUE])
def test_another_value_than_the_one_that_was_sent_is_never_ours(name: Field) -> None:
    link = after_the_write(US, **{name.value: "2026-09-09"})
    assert name not in absorbed(link)
