"""Which CRM tasks get a work item, and where: the salesperson's two target fields, or the first route that matches.

A target is checked against what AMIS Work offers before anything is written; each way in which it can be wrong has its
own code and sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.core import text
from reconciler.core.lenses import OwnerLens
from reconciler.core.model import Code, Field, Presence, Project, Record, Target, TaskGroup
from reconciler.message import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Tasks for which every condition holds go to `target`. A condition is (key, accepted words, negated)."""

    target: Target
    when: tuple[tuple[str, frozenset[str], bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """A target that cannot take the task, why, and what a person can do about it."""

    code: Code
    message: str


def target_of(task: Record, routes: Sequence[Route], connected_at: datetime | None, people: OwnerLens) -> Target | None:
    """The target of a CRM task, or None if nothing asks for a work item.

    Filled-in target fields count at any age; a route only for tasks created at or after `connected_at`.
    """
    if task.presence is not Presence.PRESENT:
        return None
    if task.project and task.group:
        return Target(project=task.project.strip(), group=task.group.strip())
    if connected_at is None or task.created is None or task.created < connected_at:
        return None
    return next((route.target for route in routes if matches(route, task, people)), None)


def matches(route: Route, task: Record, people: OwnerLens) -> bool:
    """Whether every condition of the route holds for the task."""
    return all((_trait(task, key, people) in words) is not negated for key, words, negated in route.when)


def _trait(task: Record, key: str, people: OwnerLens) -> str:
    if key == "owner":
        return text.word(people.code(task.values.get(Field.OWNER)))
    if key == "status":
        value = task.values.get(Field.STATUS)
        return text.word(value if isinstance(value, str) else "")
    if key == "creator":
        label = (task.creator or "").removesuffix("- CRM").strip()
        return text.word(people.code(label) or label)
    return text.word(task.traits.get(key, ""))


def find_project(wanted: str, projects: Sequence[Project]) -> Project | Unusable:
    """The project that `wanted` (an id in digits, else a name, else "name (id)") means, if it may take tasks."""
    by_id = [project for project in projects if wanted.isdigit() and project.id == wanted]
    named = [project for project in projects if text.word(project.name) == text.word(wanted)]
    usable = [project for project in named if not project.department and not project.archived]
    found = by_id or usable or [one for one in projects if _both(wanted, one.name, one.id)] or named
    if not found:
        return Unusable(
            Code.TARGET_NOT_FOUND,
            say(
                "AMIS Công việc has no project or group «{wanted}», or the connection cannot see it; "
                "correct the target or ask for access",
                wanted=wanted,
            ),
        )
    if len(usable) > 1 and not by_id:
        ids = ", ".join(project.id for project in usable)
        return Unusable(
            Code.TARGET_AMBIGUOUS,
            say("«{wanted}» is the name of several projects ({ids}); give the id instead", wanted=wanted, ids=ids),
        )
    project = found[0]
    if project.department:
        return Unusable(
            Code.TARGET_IS_DEPARTMENT,
            say(
                "«{name}» is a department or sub-department and holds no tasks; choose a project or group",
                name=project.name,
            ),
        )
    if project.archived:
        return Unusable(
            Code.TARGET_ARCHIVED,
            say("project «{name}» is archived; choose another or take it out of the archive", name=project.name),
        )
    if not project.may_add:
        return Unusable(
            Code.TARGET_FORBIDDEN,
            say(
                "the connection may not add tasks to «{name}»; grant the right or choose another project",
                name=project.name,
            ),
        )
    return project


def spelled(wanted: str, project: Project) -> bool:
    """Whether `wanted` can mean the project: it is its id, its name or both."""
    named = text.word(project.name) == text.word(wanted)
    return project.id == wanted or named or _both(wanted, project.name, project.id)


def _both(wanted: str, name: str, identifier: str) -> bool:
    """Whether a place is spelled with its name and its id, as pick-lists do where the name alone is not enough."""
    return text.word(wanted) == text.word(f"{name} ({identifier})")


def find_group(wanted: str, project: Project, groups: Sequence[TaskGroup]) -> TaskGroup | Unusable:
    """The task group of `project` that `wanted` means, spelled like a project. `groups` are the project's."""
    by_id = [group for group in groups if wanted.isdigit() and group.id == wanted]
    named = [group for group in groups if text.word(group.name) == text.word(wanted)]
    found = by_id or named or [one for one in groups if _both(wanted, one.name, one.id)]
    if not found:
        names = ", ".join(f"{group.name} ({group.id})" for group in groups) or "none"
        return Unusable(
            Code.GROUP_NOT_IN_PROJECT,
            say(
                "«{wanted}» is not a task group of «{name}»; its task groups are: {names}",
                wanted=wanted,
                name=project.name,
                names=names,
            ),
        )
    if len(found) > 1:
        return Unusable(
            Code.TARGET_AMBIGUOUS,
            say(
                "«{wanted}» is the name of several task groups of «{name}»; give the id",
                wanted=wanted,
                name=project.name,
            ),
        )
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What was read of AMIS Work's places: all projects, the groups of those asked for, and their members."""

    projects: Sequence[Project] = ()
    groups: Mapping[str, Sequence[TaskGroup]]
    members: Mapping[str, frozenset[str]]

    def about(self, target: Target) -> Places:
        """The projects that a target can mean and the groups of the one that it means: `resolve` needs no more."""
        projects = [one for one in self.projects if spelled(target.project, one)]
        project = find_project(target.project, projects)
        groups = {} if isinstance(project, Unusable) else {project.id: tuple(self.groups.get(project.id, ()))}
        return Places(projects=projects, groups=groups, members={})

    def resolve(self, target: Target) -> tuple[Project, TaskGroup] | Unusable:
        project = find_project(target.project, self.projects)
        if isinstance(project, Unusable):
            return project
        group = find_group(target.group, project, self.groups.get(project.id, ()))
        return group if isinstance(group, Unusable) else (project, group)
