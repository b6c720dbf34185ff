"""Rules 18 and 20: what a put preserves does not compete; an owner replaces the first doer and no one else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.lenses import DayLens, OwnerLens, StatusLens
from reconciler.core.merge import Accepted, Conflict, Flow, Settled, Triple, Verdict, merge
from reconciler.core.model import Direction, Side
from reconciler.core.status import KNOWN_CRM, KNOWN_WORK, StatusMaps

MAPS = StatusMaps(
    {"Hoàn thành": "Đã hoàn thành", "*": "Chưa hoàn thành"}, {"Đã hoàn thành": "Hoàn thành", "*": "Chưa bắt đầu"}
)
CODES = st.lists(st.sampled_from(["NV001", "NV002", "NV003", "NV004"]), unique=True, max_size=4).map(tuple)
DAYS = st.sampled_from(["2026-03-09", "2026-03-10", "2026-12-31"])
HOURS = st.sampled_from(["00:00:00", "07:45:00", "17:30:00", "23:59:59"])


@given(DAYS, DAYS, HOURS, HOURS)
def test_rule_18_an_hour_never_competes_with_a_day(day: str, other: str, hour: str, later: str) -> None:
    # broken by: `moved` comparing instants
    lens = DayLens("17:30")
    before, after = f"{day}T{hour}+07:00", f"{day}T{later}+07:00"
    verdict = merge(lens, Direction.BOTH, Triple(crm_base=day, crm=other, work_base=before, work=after))
    assert verdict == (Settled() if day == other else Flow(Side.CRM))
    put = lens.to_work(other, after)
    assert put == f"{other}T{later}+07:00"


@pytest.mark.parametrize("base", [status for status in KNOWN_CRM if status != "Hoàn thành"])
@pytest.mark.parametrize("moved", [status for status in KNOWN_CRM if status != "Hoàn thành"])
def test_rule_18_a_move_inside_a_class_competes_with_a_completion(base: str, moved: str) -> None:
    # broken by: `moved` comparing images
    verdict: Verdict = merge(
        StatusLens(MAPS),
        Direction.BOTH,
        Triple(crm_base=base, crm=moved, work_base=KNOWN_WORK[0], work=KNOWN_WORK[1]),
    )
    assert verdict == (Flow(Side.WORK) if base == moved else Conflict())


@given(CODES, st.sampled_from(["NV001", "NV002", "NV009"]))
def test_rule_20_the_owner_goes_first_his_duplicate_goes_and_the_others_stay(
    doers: tuple[str, ...], owner: str
) -> None:
    # broken by: appending, replacing all, or keeping the later duplicate
    after = OwnerLens({}).to_work(f"Ai Đó ({owner})", doers)
    assert isinstance(after, tuple)
    assert after[0] == owner
    assert after.count(owner) == 1
    rest = doers if doers[:1] == (owner,) else doers[1:]
    assert after[1:] == tuple(doer for doer in rest if doer != owner)


@pytest.mark.parametrize(
    ("doers", "verdict"),
    [(("NV001", "NV003"), Accepted("unchanged")), (("NV001",), Flow(Side.CRM))],
)
def test_rule_20_no_owner_is_no_value_while_further_doers_exist(doers: tuple[str, ...], verdict: Verdict) -> None:
    # broken by: mapping "nobody" over a team
    triple = Triple(crm_base="A (NV001)", crm=None, work_base=doers, work=doers)
    assert merge(OwnerLens({}), Direction.BOTH, triple) == verdict


def test_only_the_code_in_the_last_parentheses_of_a_label_counts() -> None:
    lens = OwnerLens({})
    labels = ("Lê Quốc Cường (HN) (NV003)", "Nhân viên (Lê Quốc Cường (NV003))", "NV003")
    assert [lens.code(label) for label in labels] == ["NV003"] * 3
    assert lens.code("Lê Quốc Cường") is None


def test_doers_are_the_same_only_in_their_order_and_labels_if_they_name_the_same_person() -> None:
    lens = OwnerLens({"Chị Bình": "NV002"})
    assert lens.same(Side.WORK, ("NV001", "NV002"), ("NV001", "NV002"))
    assert not lens.same(Side.WORK, ("NV001", "NV002"), ("NV001",))
    assert not lens.same(Side.WORK, ("NV001", "NV002"), ("NV002", "NV001"))
    assert lens.same(Side.CRM, "Chị Bình", "Trần Thị Bình (NV002)")
    assert not lens.same(Side.CRM, "Chị Bình", "Nguyễn Văn An (NV001)")
