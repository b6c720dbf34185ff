"""Pick-lists for the CRM: every line that is pasted means exactly one usable place, and all of them are there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Project, TaskGroup
from reconciler.core.picklist import group_values, project_values
from reconciler.core.route import find_group, find_project

NAMES = st.sampled_from(["An Phát", "an phát", "An  Phát ", "An Phát (2)", "12", "2", "Bình Minh", "Bình Minh (1)"])


@st.composite
def companies(draw: st.DrawFn) -> tuple[list[Project], dict[str, list[TaskGroup]]]:
    projects = [
        Project(
            id=str(number),
            name=draw(NAMES),
            department=draw(st.booleans()),
            archived=draw(st.booleans()),
            may_add=draw(st.booleans()),
        )
        for number in range(1, draw(st.integers(1, 6)))
    ]
    groups = {
        one.id: [TaskGroup(id=f"{one.id}{n}", project=one.id, name=draw(NAMES)) for n in range(draw(st.integers(0, 3)))]
        for one in projects
    }
    return projects, groups


@given(companies())
def test_every_value_is_accepted_and_means_another_usable_place(
    company: tuple[list[Project], dict[str, list[TaskGroup]]],
) -> None:
    projects, groups = company
    usable = [one for one in projects if one.may_add and not one.department and not one.archived]
    values = project_values(projects)
    assert [find_project(value, projects) for value in values] == usable
    listed = group_values(usable, groups)
    assert len(listed) == len(set(listed))
    for project in usable:
        meant = [
            found for value in listed if isinstance(found := find_group(value, project, groups[project.id]), TaskGroup)
        ]
        assert {one.id for one in meant} == {one.id for one in groups[project.id]}
    assert all("\n" not in value and value == value.strip() for value in [*values, *listed])


def test_only_a_name_that_is_not_enough_shows_its_id() -> None:
    projects = [
        Project(id="1", name="Phòng Kinh doanh", department=True),
        Project(id="2", name="An Phát"),
        Project(id="3", name="Bình Minh"),
        Project(id="4", name="an phát"),
        Project(id="5", name="Bình Minh", archived=True),
        Project(id="6", name="Kín", may_add=False),
        Project(id="7", name="3"),
    ]
    assert project_values(projects) == ["An Phát (2)", "Bình Minh", "an phát (4)", "3 (7)"]
