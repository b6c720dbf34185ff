"""What a task asks for: its place, its values, what is left out; the same again from the journal's entry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.bounds import Bounds
from reconciler.core.creation import Request, request, request_of
from reconciler.core.model import (
    Candidate,
    Code,
    Direction,
    Entry,
    Field,
    Project,
    Record,
    Side,
    Target,
    TaskGroup,
    Value,
)
from reconciler.core.operations import Create
from reconciler.core.plan import Plan, Workload, plan
from reconciler.core.policy import Policy
from reconciler.core.route import Places, Unusable
from tests.core.case import CRM, NOON, moment, policy

HERE = Target(project="Triển khai", group="Cần làm")
PLACES = Places(
    projects=(
        Project(id="12", name="Triển khai"),
        Project(id="13", name="Khác"),
        Project(id="14", name="Phòng", department=True),
        Project(id="15", name="Bảo trì"),
        Project(id="16", name="Bảo trì"),
    ),
    groups={"12": (TaskGroup(id="31", project="12", name="Cần làm"), TaskGroup(id="32", project="12", name="Xong"))},
    members={"12": frozenset({"NV001"})},
)


def task(**values: Value) -> Record:
    return Record(
        side=Side.CRM, id="1", values={**CRM, **{Field(name): one for name, one in values.items()}}, modified=NOON
    )


def kept(asked: Request) -> Request:
    """What the journal gives back: JSON, in which a field is its name."""
    return request_of(Entry(kind="drafted", at=NOON, inputs=asked.inputs, detail=asked.detail))


def made(one: Record, target: Target = HERE, rules: Policy | None = None, *, before: Candidate | None = None) -> Plan:
    candidate = before or Candidate(crm_id=one.id, target=target, since=NOON)
    return plan(Workload(candidates=[(candidate, one)]), rules or policy(), moment(), PLACES)


@pytest.mark.parametrize(
    ("asking", "rules", "left_out"),
    [
        (task(), policy(), {}),
        (task(owner=None, due=None, description=""), policy(), {}),
        (task(owner="Trần Bình (NV002)"), policy(), {Field.OWNER: Code.PERSON_UNKNOWN}),
        (task(owner="Không mã"), policy(), {Field.OWNER: Code.PERSON_UNKNOWN}),
        (
            task(title="quá dài"),
            replace(policy(), lengths={Side.CRM: {}, Side.WORK: {Field.TITLE: 3}}),
            {Field.TITLE: Code.FIELD_TOO_LONG},
        ),
        (task(), replace(policy(), directions={**policy().directions, Field.OWNER: Direction.OFF}), {}),
    ],
    ids=["whole", "empty fields", "no member", "no code", "too long", "a direction is off"],
)
def test_a_create_is_what_its_evidence_says_also_after_the_journal_kept_it(
    asking: Record, rules: Policy, left_out: dict[Field, Code]
) -> None:
    [operation] = made(asking, rules=rules).operations
    assert isinstance(operation, Create) and operation.evidence is not None
    assert {name: aside.code for name, aside in operation.omitted.items()} == left_out
    for asked in (operation.evidence, kept(operation.evidence)):
        place = asked.place()
        assert not isinstance(place, Unusable)
        assert (place[0].id, place[1].id) == (operation.project, operation.group) == ("12", "31")
        values, faults = asked.payload(rules.lenses)
        assert values == operation.values
        assert {name: fault.code for name, fault in faults.items()} == left_out


def test_only_the_places_that_the_answer_depends_on_are_kept_and_no_member_by_name() -> None:
    asked = request(task(), HERE, policy(), PLACES)
    assert [project.id for project in asked.places.projects] == ["12"]
    assert [group.id for groups in asked.places.groups.values() for group in groups] == ["31", "32"]
    assert asked.places.members == {}
    assert request(task(owner="Trần Bình (NV002)"), HERE, policy(), PLACES).bounds == {
        Field.OWNER: Bounds(foreign="12")
    }


@pytest.mark.parametrize(
    ("project", "group", "code"),
    [
        ("Không có", "Cần làm", Code.TARGET_NOT_FOUND),
        ("99", "31", Code.TARGET_NOT_FOUND),
        ("Phòng", "31", Code.TARGET_IS_DEPARTMENT),
        ("Bảo trì", "31", Code.TARGET_AMBIGUOUS),
        ("Triển khai", "Mất rồi", Code.GROUP_NOT_IN_PROJECT),
        ("12", "41", Code.GROUP_NOT_IN_PROJECT),
    ],
)
def test_a_refusal_is_what_its_evidence_says_and_told_only_if_it_is_new(project: str, group: str, code: Code) -> None:
    target = Target(project=project, group=group)
    first = made(task(), target)
    [refused], [ruling] = first.refused, first.rulings
    assert (refused.refused, ruling.kind, ruling.reason, ruling.work_id, ruling.field) == (
        code, "set_aside", code, None, None,
    )  # fmt: skip
    entry = ruling.entry(NOON, 1)
    assert (entry.crm_id, entry.crm_modified, entry.side) == ("1", NOON, Side.WORK)
    place = request_of(entry).place()
    assert place == PLACES.resolve(target)
    again = made(task(), target, policy(config="second"), before=refused)
    assert (again.rulings, [one.refused for one in again.refused]) == ((), [code])


def test_a_target_is_spelled_by_id_name_or_both() -> None:
    for wanted in ("12", "triển khai", "Triển khai (12)"):
        assert [one.id for one in PLACES.about(Target(project=wanted, group="31")).projects] == ["12"]


def test_an_entry_without_a_request_holds_none() -> None:
    with pytest.raises(KeyError):
        request_of(Entry(kind="drafted", at=NOON, erased=True))
