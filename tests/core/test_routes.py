"""Which tasks a route takes: its conditions hold for what a person sees in the CRM, however it is spelled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.core.lenses import OwnerLens
from reconciler.core.model import Code, Field, Presence, Project, Record, Side, Target, TaskGroup, Values
from reconciler.core.route import Route, Unusable, find_group, target_of
from tests.core.case import NOON

PEOPLE = OwnerLens({"Chị Lan": "NV002"})
SALES = Target(project="12", group="31")


def task(values: Values | None = None, **more: object) -> Record:
    made: dict[str, object] = {"created": NOON, "values": values or {}, **more}
    return Record(side=Side.CRM, id="1", modified=NOON, **made)  # type: ignore[arg-type]  # keywords of a test


def route(key: str, *words: str, negated: bool = False) -> Route:
    return Route(target=SALES, when=((key, frozenset(words), negated),))


@pytest.mark.parametrize(
    ("when", "record", "taken"),
    [
        (route("status", "đang chờ"), task({Field.STATUS: " Đang Chờ "}), True),
        (route("status", "đang chờ"), task({Field.STATUS: None}), False),
        (route("status", "đang chờ", negated=True), task({}), True),
        (route("owner", "nv002"), task({Field.OWNER: "Chị Lan"}), True),
        (route("owner", "nv002"), task({Field.OWNER: "Lê An (NV001)"}), False),
        (route("creator", "nv001"), task(creator="Lê An (NV001) - CRM"), True),
        (route("creator", "nv002"), task(creator="Chị Lan - CRM"), True),
        (route("creator", "website"), task(creator="Website"), True),
        (route("creator", "website", negated=True), task(creator="Website"), False),
        (route("creator", "website"), task(), False),
        (route("task_type", "gọi điện"), task(traits={"task_type": "Gọi điện"}), True),
        (route("task_type", "gọi điện"), task(), False),
        (Route(target=SALES), task(), True),
    ],
)
def test_a_condition_means_the_person_or_the_word_and_not_its_spelling(
    when: Route, record: Record, taken: bool
) -> None:
    assert target_of(record, [when], NOON, PEOPLE) == (SALES if taken else None)


def test_a_route_takes_no_task_from_before_the_connection_and_no_archived_one() -> None:
    every = [Route(target=SALES)]
    assert target_of(task(created=NOON - timedelta(seconds=1)), every, NOON, PEOPLE) is None
    assert target_of(task(created=None), every, NOON, PEOPLE) is None
    assert target_of(task(), every, None, PEOPLE) is None
    assert target_of(task(presence=Presence.ARCHIVED), every, NOON, PEOPLE) is None


def test_what_the_salesperson_filled_in_goes_before_every_route_and_at_any_age() -> None:
    old = task(created=NOON - timedelta(days=900), project=" 7 ", group="Cần làm ")
    assert target_of(old, [Route(target=SALES)], NOON, PEOPLE) == Target(project="7", group="Cần làm")
    assert target_of(task(project="7"), [Route(target=SALES)], NOON, PEOPLE) == SALES


def test_a_name_that_several_task_groups_have_asks_for_the_id_and_the_id_or_both_spell_one() -> None:
    project = Project(id="12", name="Triển khai")
    names = {"31": "Đang làm", "32": "đang làm ", "33": "Xong"}
    groups = [TaskGroup(id=number, project="12", name=name) for number, name in names.items()]
    twice = find_group("Đang làm", project, groups)
    assert isinstance(twice, Unusable)
    assert twice.code is Code.TARGET_AMBIGUOUS
    assert [find_group(one, project, groups) for one in ("32", "Đang làm (31)", " XONG")] == [
        groups[1], groups[0], groups[2],
    ]  # fmt: skip
