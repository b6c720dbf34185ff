"""What a read-back proves: our write, a server's rewriting of it, or a person who was quicker."""

from __future__ import annotations

import html
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.lenses import DescriptionLens
from reconciler.core.model import Field, Link, Record, Side, Values
from reconciler.core.observe import Landed, judge
from reconciler.core.pair import newborn
from reconciler.core.seed import seed
from tests.core.case import CRM, NOON, WORK, edited, pair, planned, policy, written

SENT = " Báo giá <20 triệu> & gửi anh Bình "
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: bool(text.strip())
)


def landed(sent: str, read: str, *, before: str = "trước đó", by_us: bool | None = None) -> Landed:
    return judge(
        DescriptionLens(), Field.DESCRIPTION, Side.WORK, sent=sent, before=before, read=read, by_us=by_us
    )  # fmt: skip


@pytest.mark.parametrize(
    "read",
    [SENT.strip(), html.escape(SENT), html.escape(SENT).strip(), "Báo giá <20", unicodedata.normalize("NFD", SENT)[1:]],
    ids=["trimmed", "with entities", "both", "cut", "another form, trimmed"],
)
def test_what_a_server_does_to_a_text_is_no_edit(read: str) -> None:
    # broken by: taking it for a person's edit, which would carry the spoiled text back over the good one
    assert landed(SENT, read) is Landed.SERVER_ANSWER


@pytest.mark.parametrize("read", ["", "Báo giá 30 triệu", "x" + SENT], ids=["cleared", "other words", "longer"])
def test_anything_else_is_a_person_who_was_quicker(read: str) -> None:
    assert landed(SENT, read) is Landed.USER_EDIT


@given(TEXTS, st.integers(1, 40), st.booleans())
def test_no_trim_cut_or_escaping_is_ever_an_edit(sent: str, length: int, escaped: bool) -> None:
    read = (html.escape(sent) if escaped else sent.strip()[:length]).strip()
    assert landed(sent, read, before=sent + "|") in (Landed.SERVER_ANSWER, Landed.CONFIRMED)


@given(TEXTS, TEXTS)
def test_a_known_author_decides_before_any_likeness(sent: str, read: str) -> None:
    found = landed(sent, read, before=sent + "|", by_us=False)
    same = DescriptionLens().same(Side.WORK, sent, read)
    unmoved = DescriptionLens().same(Side.WORK, sent + "|", read)
    assert found is (Landed.CONFIRMED if same else Landed.UNCONFIRMED if unmoved else Landed.USER_EDIT)


def born(item: Values) -> Link:
    """The pair right after our create, whose new item shows these values."""
    return newborn(
        Record(side=Side.CRM, id="1", values=CRM, modified=NOON),
        Record(side=Side.WORK, id="7001", values=item, modified=NOON, marker="1", project="12"),
        sent=WORK,
        source=CRM,
        omitted={},
        by_us=lambda _: True,
        lenses=policy().lenses,
        now=NOON,
    )


def test_a_field_that_the_new_item_does_not_show_gets_no_base() -> None:
    """Once it shows, whatever it then says is compared without a base: an empty value clears nothing."""
    # broken by: taking what was sent, or nothing at all, for what both agreed on
    link = born({name: value for name, value in WORK.items() if name is not Field.DESCRIPTION})
    assert Field.DESCRIPTION not in {**link.crm.base, **link.work.base}
    link = replace(link, crm=replace(link.crm, marker="7001"))
    assert planned(link).operations == ()
    shown = edited(link, Side.WORK, {Field.DESCRIPTION: None})
    assert written(planned(shown).operations) == [("work", {"description": CRM[Field.DESCRIPTION]})]


def test_first_bases_are_given_only_to_what_both_sides_have_shown() -> None:
    """Seeding a field that one side never showed would make its first sight an edit."""
    link = pair()
    bare = replace(link, crm=replace(link.crm, base={}), work=replace(link.work, base={}, seen={Field.TITLE: "Khác"}))
    seeded = seed(bare, policy().lenses, dict.fromkeys(Field), NOON)
    assert (set(seeded.link.crm.base), set(seeded.link.work.base)) == ({Field.TITLE}, {Field.TITLE})
    assert seeded.accepted == (Field.TITLE,)
