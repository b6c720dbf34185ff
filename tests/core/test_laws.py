"""The laws of the lenses for values that nobody thought of."""

from __future__ import annotations

import unicodedata
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.lenses import DayLens, DescriptionLens, Lens, OwnerLens, TitleLens, agree, put
from reconciler.core.merge import Settled, Triple, merge
from reconciler.core.model import Direction, Side, Value

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAME = st.text("AĂÂBCDĐEÊ aăâbcdđeê()", min_size=1, max_size=12)
CODE = st.from_regex(r"NV[0-9]{3}", fullmatch=True)
LABEL = st.one_of(st.none(), st.builds(lambda name, code: f"{name} ({code})", NAME, CODE))
DOERS = st.lists(CODE, max_size=4, unique=True).map(tuple)
DAY = st.one_of(st.none(), st.dates(date(1990, 1, 1), date(2090, 1, 1)).map(date.isoformat))
INSTANT = st.one_of(
    st.none(),
    st.datetimes()
    .filter(lambda when: 1990 < when.year < 2090)
    .map(lambda when: when.strftime("%Y-%m-%dT%H:%M:%S+07:00")),
)


def hold(lens: Lens, into: Side, value: Value, old: Value) -> None:
    """Keep, agree, and that a second put changes nothing."""
    result = put(lens, into, value, old)
    assert isinstance(result, str | tuple | None)
    if agree(lens, into.other, value, old):
        assert result == old
    assert agree(lens, into.other, value, result)
    assert put(lens, into, value, result) == result


@given(TEXT, TEXT, st.sampled_from(Side))
def test_texts(value: str, old: str, into: Side) -> None:
    for lens in (TitleLens(), DescriptionLens()):
        hold(lens, into, value, old)
        for form in ("NFC", "NFD"):
            assert lens.same(into, value, unicodedata.normalize(form, value))
    assert DescriptionLens().same(into, value, value.replace("\n", "\r\n").replace("\r\r\n", "\r\n"))


@given(DAY, INSTANT)
def test_days_keep_the_hour(day: str | None, instant: str | None) -> None:
    lens = DayLens("17:30")
    hold(lens, Side.WORK, day, instant)
    hold(lens, Side.CRM, instant, day)
    result = lens.to_work(day, instant)
    if day is not None and instant is not None:
        assert isinstance(result, str)
        assert result[10:] == instant[10:]


@given(LABEL, DOERS, st.dictionaries(CODE, CODE, max_size=2))
def test_owners_replace_the_first_doer_only(label: str | None, doers: tuple[str, ...], people: dict[str, str]) -> None:
    lens = OwnerLens(people)
    result = lens.to_work(label, doers)
    assert isinstance(result, tuple)
    assert lens.agree(label, result)
    if label is not None and doers:
        first = lens.code(label)
        assert result[0] == first or lens.agree(label, doers)
        assert list(result[1:]) == [doer for doer in doers[1:] if doer != first] or result == doers


@given(TEXT, TEXT, TEXT, TEXT, st.sampled_from(Direction))
def test_after_what_the_verdict_says_the_sides_are_settled(
    crm_base: str, crm: str, work_base: str, work: str, direction: Direction
) -> None:
    """Whatever happened, carrying the verdict out leaves nothing to do."""
    from reconciler.core.merge import Flow

    lens = DescriptionLens()
    triple = Triple(crm_base=crm_base, crm=crm, work_base=work_base, work=work)
    match merge(lens, direction, triple):
        case Flow(Side.CRM):
            done = put(lens, Side.WORK, crm, work)
            assert isinstance(done, str | None)
            after = Triple(crm_base=crm, crm=crm, work_base=done, work=done)
            assert merge(lens, direction, after) == Settled()
        case Flow(Side.WORK):
            done = put(lens, Side.CRM, work, crm)
            assert isinstance(done, str | None)
            after = Triple(crm_base=done, crm=done, work_base=work, work=work)
            assert merge(lens, direction, after) == Settled()
        case verdict:
            still = Triple(crm_base=crm, crm=crm, work_base=work, work=work)
            again = merge(lens, direction, still)
            assert (again == Settled()) is (verdict == Settled()) or not lens.agree(crm, work)
