"""The whole table of one field: every base, every present value of both sides, every direction, every clock order.

Expected verdicts are worked out here from the rule's own words, not from the code: what changed since the base, whether
the sides agree, who may give.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.lenses import DayLens, DescriptionLens, Lens, OwnerLens, StatusLens, TitleLens, agree, put
from reconciler.core.merge import Accepted, Conflict, Flow, Settled, Triple, Verdict, merge
from reconciler.core.model import Direction, Offset, Side, Value
from reconciler.core.resolve import Clocks, resolve
from reconciler.core.status import KNOWN_CRM, KNOWN_WORK, StatusMaps

MAPS = StatusMaps(
    {"Hoàn thành": "Đã hoàn thành", "*": "Chưa hoàn thành"}, {"Đã hoàn thành": "Hoàn thành", "*": "Chưa bắt đầu"}
)
STATUS = StatusLens(MAPS)
TITLE = TitleLens()

STATUS_ROWS = list(itertools.product(KNOWN_CRM, KNOWN_CRM, KNOWN_WORK, KNOWN_WORK))
TEXT_ROWS = list(itertools.product("abc", repeat=4))


def done(crm: Value) -> bool:
    return crm == "Hoàn thành"


def done_in_work(work: Value) -> bool:
    return work == "Đã hoàn thành"


def expected(crm_changed: bool, work_changed: bool, agreeing: bool, direction: Direction) -> Verdict:
    """The rule in words: agreement settles; one giving side flows; two giving sides conflict; else it is accepted."""
    if agreeing:
        return Settled()
    if direction is Direction.OFF:
        return Accepted("off")
    crm_gives = crm_changed and direction in (Direction.BOTH, Direction.CRM_TO_WORK)
    work_gives = work_changed and direction in (Direction.BOTH, Direction.WORK_TO_CRM)
    if crm_gives and work_gives:
        return Conflict()
    if crm_gives:
        return Flow(Side.CRM)
    if work_gives:
        return Flow(Side.WORK)
    return Accepted("one_directional" if crm_changed or work_changed else "unchanged")


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(("crm_base", "crm", "work_base", "work"), STATUS_ROWS)
def test_status_of_every_base_and_both_sides(
    crm_base: str, crm: str, work_base: str, work: str, direction: Direction
) -> None:
    triple = Triple(crm_base=crm_base, crm=crm, work_base=work_base, work=work)
    agreeing = done(crm) is done_in_work(work)
    assert merge(STATUS, direction, triple) == expected(crm != crm_base, work != work_base, agreeing, direction)


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(("crm_base", "crm", "work_base", "work"), TEXT_ROWS)
def test_text_of_every_base_and_both_sides(
    crm_base: str, crm: str, work_base: str, work: str, direction: Direction
) -> None:
    triple = Triple(crm_base=crm_base, crm=crm, work_base=work_base, work=work)
    assert merge(TITLE, direction, triple) == expected(crm != crm_base, work != work_base, crm == work, direction)


DAYS = (None, "2026-03-09", "2026-03-10")
INSTANTS = (None, "2026-03-09T08:00:00+07:00", "2026-03-09T17:30:00+07:00", "2026-03-10T17:30:00+07:00")


@pytest.mark.parametrize(("crm_base", "crm"), list(itertools.product(DAYS, DAYS)))
@pytest.mark.parametrize(("work_base", "work"), list(itertools.product(INSTANTS, INSTANTS)))
def test_the_hour_of_a_deadline_never_competes(
    crm_base: str | None, crm: str | None, work_base: str | None, work: str | None
) -> None:
    triple = Triple(crm_base=crm_base, crm=crm, work_base=work_base, work=work)
    day, day_base = (work or "")[:10] or None, (work_base or "")[:10] or None
    assert merge(DayLens("17:30"), Direction.BOTH, triple) == expected(
        crm != crm_base, day != day_base, crm == day, Direction.BOTH
    )


@pytest.mark.parametrize("direction", [Direction.BOTH, Direction.CRM_TO_WORK, Direction.WORK_TO_CRM])
@pytest.mark.parametrize(("crm", "work"), [("", "x"), ("x", ""), ("", ""), ("x", "y"), ("x", "x")])
def test_without_a_base_an_empty_value_never_replaces_another(crm: str, work: str, direction: Direction) -> None:
    verdict = merge(
        DescriptionLens(), direction, Triple(crm_base=None, crm=crm, work_base=None, work=work, based=False)
    )
    if crm == work:
        assert verdict == Settled()
    elif crm and not work and direction is not Direction.WORK_TO_CRM:
        assert verdict == Flow(Side.CRM)
    elif work and not crm and direction is not Direction.CRM_TO_WORK:
        assert verdict == Flow(Side.WORK)
    else:
        assert verdict == Accepted("no_base")


@pytest.mark.parametrize("nothing", [None, "", "  "])
@pytest.mark.parametrize("base", KNOWN_CRM)
@pytest.mark.parametrize("work", KNOWN_WORK)
def test_a_missing_status_is_never_mapped_and_never_wins(nothing: str | None, base: str, work: str) -> None:
    unchanged = Triple(crm_base=base, crm=nothing, work_base=work, work=work)
    assert merge(STATUS, Direction.BOTH, unchanged) == Accepted("unchanged")
    for other in KNOWN_WORK:
        changed = Triple(crm_base=base, crm=nothing, work_base=other, work=work)
        wanted = Flow(Side.WORK) if other != work else Accepted("unchanged")
        assert merge(STATUS, Direction.BOTH, changed) == wanted


# --- the laws over their whole finite space ---------------------------------------------------------------------------


def spaces() -> Iterator[tuple[str, Lens, list[Value], list[Value]]]:
    yield "status", STATUS, list(KNOWN_CRM), list(KNOWN_WORK)
    yield "title", TITLE, ["a", " a ", "b"], ["a", "b", "b "]
    yield "description", DescriptionLens(), [None, "", "a\r\nb ", "c"], [None, "", "a\nb", "c"]
    yield "day", DayLens("17:30"), list(DAYS), list(INSTANTS)
    labels: list[Value] = [None, "An (NV001)", "Lê Quốc Cường (HN) (NV003)", "Chị Bình", "Cũ (NV008)"]
    doers: list[Value] = [(), ("NV001",), ("NV003", "NV001"), ("NV002",), ("NV008", "NV001")]
    yield "owner", OwnerLens({"Chị Bình": "NV002", "NV008": "NV001"}), labels, doers


SPACES = [
    pytest.param(lens, into, value, old, id=f"{name}: {value!r} into {into} over {old!r}")
    for name, lens, crm_values, work_values in spaces()
    for into in Side
    for value in (crm_values if into is Side.WORK else work_values)
    for old in (work_values if into is Side.WORK else crm_values)
]


@pytest.mark.parametrize(("lens", "into", "value", "old"), SPACES)
def test_laws_keep_and_agree(lens: Lens, into: Side, value: Value, old: Value) -> None:
    result = put(lens, into, value, old)
    if agree(lens, into.other, value, old):
        assert result == old, "keep: a put into an agreeing side changes nothing"
    assert agree(lens, into.other, value, result), "agree: after a put both sides agree"  # type: ignore[arg-type]


@pytest.mark.parametrize("crm", KNOWN_CRM)
@pytest.mark.parametrize("old", KNOWN_WORK)
def test_s3_s4_completion_and_everything_else_into_work(crm: str, old: str) -> None:
    assert STATUS.to_work(crm, old) == ("Đã hoàn thành" if done(crm) else "Chưa hoàn thành")


@pytest.mark.parametrize("work", KNOWN_WORK)
@pytest.mark.parametrize("old", KNOWN_CRM)
def test_s5_s6_completion_and_reopening_into_the_crm(work: str, old: str) -> None:
    if done(old) is done_in_work(work):
        assert STATUS.to_crm(work, old) == old
    else:
        assert STATUS.to_crm(work, old) == ("Hoàn thành" if done_in_work(work) else "Chưa bắt đầu")


def test_a_map_whose_image_does_not_come_back_is_refused() -> None:
    broken = StatusMaps({"Hoàn thành": "Đã hoàn thành", "*": "Chưa hoàn thành"}, {"*": "Hoàn thành"})
    assert {fault.split("»")[0] for fault in broken.broken_laws()} == {
        "«Chưa bắt đầu", "«Đang thực hiện", "«Đang chờ", "«Tạm hoãn",
    }  # fmt: skip
    assert MAPS.broken_laws() == []


# --- who is later -----------------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
SURE = Offset(value=timedelta(0), uncertainty=timedelta(milliseconds=300))


def clocks(crm: Offset = SURE, work: Offset = SURE, tie: Side = Side.CRM) -> Clocks:
    return Clocks(crm=crm, work=work, tolerance=timedelta(seconds=2), tie=tie)


@pytest.mark.parametrize("tie", list(Side))
@pytest.mark.parametrize("later_by", [-3600, -3, -2, -1, 0, 1, 2, 3, 3600])
@pytest.mark.parametrize("minutes", [-7, 0, 5])
def test_the_later_field_stamp_wins_after_correction_and_a_near_one_is_a_tie(
    later_by: int, minutes: int, tie: Side
) -> None:
    skewed = Offset(value=timedelta(minutes=minutes), uncertainty=timedelta(milliseconds=300))
    crm = NOON + timedelta(minutes=minutes, seconds=later_by)
    decision = resolve(crm, NOON, clocks(crm=skewed, tie=tie))
    if abs(later_by) <= 2:
        assert (decision.winner, decision.reason) == (tie, "tie")
    else:
        assert (decision.winner, decision.reason) == (Side.CRM if later_by > 0 else Side.WORK, "newer")


@pytest.mark.parametrize("tie", list(Side))
def test_no_stamp_is_a_tie_and_no_clock_says_so(tie: Side) -> None:
    assert resolve(None, NOON, clocks(tie=tie)).reason == "tie"
    blind = resolve(NOON + timedelta(hours=1), NOON, clocks(work=Offset(), tie=tie))
    assert (blind.winner, blind.reason) == (tie, "no_clock")


def test_an_uncertain_clock_widens_the_tie() -> None:
    vague = Offset(value=timedelta(0), uncertainty=timedelta(seconds=30))
    assert resolve(NOON + timedelta(seconds=20), NOON, clocks(crm=vague)).reason == "tie"
    assert resolve(NOON + timedelta(seconds=40), NOON, clocks(crm=vague)).reason == "newer"
