"""What a plan leaves alone for now, and that this is reported, kept, and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.model import Aside, Code, Field, Half, Link, Side
from reconciler.core.observe import with_half
from reconciler.core.status import StatusMaps
from tests.core.case import NOON, edited, moment, pair, planned, policy, written

STARLESS = StatusMaps(
    {"Hoàn thành": "Đã hoàn thành", "Đang thực hiện": "Chưa hoàn thành", "Chưa bắt đầu": "Chưa hoàn thành"},
    {"Đã hoàn thành": "Hoàn thành", "Chưa hoàn thành": "Chưa bắt đầu"},
)


def test_an_owner_who_is_nobody_known_waits_for_a_person_and_holds_nothing_else_back() -> None:
    link = edited(pair(), Side.CRM, {Field.OWNER: "Chị Lan", Field.TITLE: "Gọi lại"})
    first = planned(link)
    assert written(first.operations) == [("work", {"title": "Gọi lại"})]
    assert [(one.side, one.id, one.code, one.field) for one in first.raised] == [
        (Side.CRM, "1", Code.PERSON_UNKNOWN, Field.OWNER)
    ]
    again = planned(first.links["1"])
    assert again.raised == (), "it is said once"
    named = policy(people={"Chị Lan": "NV002"}, config="second")
    assert written(planned(first.links["1"], named).operations) == [
        ("work", {"title": "Gọi lại", "owner": ("NV002",)}),
    ]


@pytest.mark.parametrize(
    ("side", "word"), [(Side.CRM, "Chờ duyệt"), (Side.WORK, "Tạm ngưng")], ids=["from the CRM", "from Work"]
)
def test_a_status_without_an_image_is_reported_and_never_guessed(side: Side, word: str) -> None:
    done = planned(edited(pair(), side, {Field.STATUS: word}), policy(maps=STARLESS))
    assert done.operations == ()
    [told] = done.raised
    assert (told.code, told.side, told.field) == (Code.STATUS_UNKNOWN, side, Field.STATUS)
    assert word in told.message


def test_a_status_that_the_maps_leave_out_breaks_no_law_and_is_no_part_of_a_collapse() -> None:
    """It may never occur; if it does, it is reported then. Refusing the config for it would stop everything else."""
    assert STARLESS.broken_laws() == []
    assert {row.work: set(row.crm) for row in STARLESS.collapses()} == {
        "Chưa hoàn thành": {"Chưa bắt đầu", "Đang thực hiện"},
        "Đã hoàn thành": {"Hoàn thành"},
    }


def without(link: Link, side: Side, name: Field) -> Link:
    """The pair if `side` has never shown the field."""
    half: Half = link.half(side)
    seen = {other: value for other, value in half.seen.items() if other is not name}
    return with_half(link, side, replace(half, seen=seen))


@pytest.mark.parametrize("side", list(Side))
def test_a_field_that_a_side_has_never_shown_is_not_an_empty_one(side: Side) -> None:
    # broken by: reading a missing key as None, which would clear the other record
    link = without(edited(pair(), side.other, {Field.DESCRIPTION: "Đã có báo giá"}), side, Field.DESCRIPTION)
    assert planned(link).operations == ()


def test_a_pair_whose_server_failed_is_left_alone_and_not_forgotten() -> None:
    link = edited(pair(), Side.WORK, {Field.TITLE: "Gọi lại"})
    backing = replace(link, not_before=NOON + timedelta(minutes=1), tries=1)
    waiting = planned(backing)
    assert waiting.operations == ()
    assert waiting.links["1"].dirty_since == NOON
    later = planned(waiting.links["1"], when=moment(NOON + timedelta(minutes=1)))
    assert written(later.operations) == [("crm", {"title": "Gọi lại"})]


def test_a_fight_that_ended_is_forgotten() -> None:
    """Three reverts set the field aside; once both sides agree again, the next edit is an ordinary one."""
    # broken by: releasing the field without its count, so that the next edit is taken for a fourth revert
    fought = replace(
        pair(),
        aside={Field.TITLE: Aside(side=Side.WORK, code=Code.PING_PONG, words="", value="x", since=NOON)},
        reverts={Field.TITLE: (NOON, NOON, NOON)},
    )
    calm = planned(fought)
    assert [(one.code, one.field) for one in calm.cleared] == [(Code.PING_PONG, Field.TITLE)]
    after = planned(edited(calm.links["1"], Side.CRM, {Field.TITLE: "Gọi lại"}))
    assert written(after.operations) == [("work", {"title": "Gọi lại"})]
    assert after.raised == ()


@pytest.mark.parametrize("moved", [True, False], ids=["the stamp moved", "the stamp stood still"])
def test_a_new_status_word_is_an_edit_only_if_the_record_was_edited(moved: bool) -> None:
    """A renamed status shows on all records at once and moves no stamp: it must not complete or re-open any of them."""
    link = edited(pair(), Side.CRM, {Field.STATUS: "Xong"}, NOON if moved else None)
    maps = StatusMaps({"Xong": "Đã hoàn thành", "*": "Chưa hoàn thành"}, {"Đã hoàn thành": "Xong", "*": "Chưa bắt đầu"})
    known = moment(statuses={Side.CRM: frozenset({"đang thực hiện"}), Side.WORK: frozenset({"chưa hoàn thành"})})
    done = planned(link, policy(maps=maps), known)
    if moved:
        assert written(done.operations) == [("work", {"status": "Đã hoàn thành"})]
    else:
        assert done.operations == ()
        assert [one.code for one in done.raised] == [Code.STATUS_UNKNOWN]
