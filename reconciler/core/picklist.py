"""Values for the CRM's two target pick-lists: each in a spelling that means exactly that project or task group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.core.model import Project, TaskGroup
from reconciler.core.route import find_group, find_project


def project_values(projects: Sequence[Project]) -> list[str]:
    """The projects that can take tasks, in the order given: by name, or with the id where the name is not enough."""
    return [
        next(value for value in _spellings(one.name, one.id) if find_project(value, projects) == one)
        for one in projects
        if one.may_add and not one.department and not one.archived
    ]


def group_values(projects: Sequence[Project], groups: Mapping[str, Sequence[TaskGroup]]) -> list[str]:
    """The task groups of these projects; a name that several projects use is one value, which each of them takes."""
    return list(
        dict.fromkeys(
            next(
                value for value in _spellings(one.name, one.id) if find_group(value, project, groups[project.id]) == one
            )
            for project in projects
            for one in groups.get(project.id, ())
        )
    )


def _spellings(name: str, identifier: str) -> tuple[str, ...]:
    """The ways to name a place, the most readable first; the last one always means it."""
    line = " ".join(name.split())
    return (line, f"{line} ({identifier})", identifier)
