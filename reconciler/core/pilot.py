"""The pilot: which pairs and tasks are acted on while a company tries the product on some projects or people first.

What is left out is read, and its news wait in the state; it flows once the pilot takes it in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from reconciler.core import text
from reconciler.core.lenses import OwnerLens
from reconciler.core.model import Field, Link, Project, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """Both conditions hold for what is acted on; an empty one always holds.

    `projects` are ids, `names` of projects still to be looked up, `people` names, labels or employee codes of the CRM
    owner; the last two in comparable form.
    """

    projects: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()

    @property
    def by_project(self) -> bool:
        return bool(self.projects or self.names)

    def admits(self, link: Link, people: OwnerLens) -> bool:
        """Whether a pair is acted on: by the project that its work item is in, and its CRM owner."""
        placed = not self.by_project or link.work.project in self.projects
        return placed and self.admits_owner(link.crm.seen.get(Field.OWNER), people)

    def admits_new(self, project: str, projects: Iterable[Project], owner: Value, people: OwnerLens) -> bool:
        """Whether a task is acted on that asks for `project` (an id or a name) among these `projects`."""
        meant = {one.id for one in projects if project == one.id or text.word(project) == text.word(one.name)}
        placed = not self.by_project or bool(meant & self.projects)
        return placed and self.admits_owner(owner, people)

    def admits_owner(self, owner: Value, people: OwnerLens) -> bool:
        """Whether the person whom a CRM label names takes part."""
        return not self.people or bool(self.people & _spellings(owner, people))

    def looked_up(self, projects: Iterable[Project]) -> Collection[str]:
        """The ids of the projects that `names` mean."""
        return sorted(one.id for one in projects if text.word(one.name) in self.names)

    def knowing(self, ids: Iterable[str]) -> Pilot:
        """The pilot with the projects that its names were looked up to."""
        return replace(self, projects=self.projects | frozenset(ids))


def pilot(projects: Iterable[str], people: Iterable[str]) -> Pilot:
    """The pilot that the config describes; digits are the id of a project, anything else is a name."""
    wanted = list(projects)
    return Pilot(
        projects=frozenset(one for one in wanted if one.isdigit()),
        names=frozenset(text.word(one) for one in wanted if not one.isdigit()),
        people=frozenset(text.word(one) for one in people),
    )


def _spellings(owner: Value, people: OwnerLens) -> frozenset[str]:
    label = owner if isinstance(owner, str) else ""
    name = label.rpartition("(")[0]
    return frozenset(text.word(one) for one in (label, name, people.code(label)) if one)
