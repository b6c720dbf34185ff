"""Survey: read of AMIS Work's places just what the coming plan must know, which is usually nothing.

Targets are checked, and members of a project known, before anything is written.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from reconciler.connection import Connection
from reconciler.core.model import Code, Project, Side, TaskGroup
from reconciler.core.needs import Needs
from reconciler.core.route import Places, Unusable, find_project
from reconciler.errors import SideClosed, SideDown
from reconciler.poll import News
from reconciler.ports import Catalogue, StateReader

NOWHERE = Places(groups={}, members={})


class Remembered:
    """A catalogue that asks for each thing once, for a command that plans again and again within minutes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._projects: list[Project] | None = None
        self._groups: dict[str, list[TaskGroup]] = {}
        self._members: dict[str, frozenset[str]] = {}

    async def projects(self) -> list[Project]:
        if self._projects is None:
            self._projects = await self._catalogue.projects()
        return self._projects

    async def groups(self, project: str) -> list[TaskGroup]:
        if project not in self._groups:
            self._groups[project] = await self._catalogue.groups(project)
        return self._groups[project]

    async def members(self, project: str) -> frozenset[str]:
        if project not in self._members:
            self._members[project] = await self._catalogue.members(project)
        return self._members[project]


async def survey(connection: Connection, needs: Needs, news: News) -> Places | None:
    """The places that `needs` asks for; None when Work does not answer."""
    if not (needs.targets or needs.projects or needs.sight):
        return NOWHERE
    catalogue = connection.catalogue
    projects: list[Project] = []
    groups: dict[str, list[TaskGroup]] = {}
    members: dict[str, frozenset[str]] = {}
    try:
        if needs.targets or needs.sight:
            projects = await catalogue.projects()
        for wanted, _ in sorted(needs.targets):
            found = find_project(wanted, projects)
            if not isinstance(found, Unusable) and found.id not in groups:
                groups[found.id] = await catalogue.groups(found.id)
        for project in sorted(needs.projects | groups.keys()):
            members[project] = await catalogue.members(project)
    except (SideDown, SideClosed) as error:
        news.down[Side.WORK] = error
        return None
    return Places(projects=projects, groups=groups, members=members)


async def look_up_pilot(connection: Connection, state: StateReader, news: News) -> None:
    """Find out which projects the names in the pilot mean, unless the state knows; a sweep looks again."""
    names = sorted(connection.policy.pilot.names)
    known = state.fact("pilot")
    if not names or news.pilot is not None or Side.WORK in news.down or (known and known["names"] == names):
        return
    try:
        projects = await connection.catalogue.projects()
    except (SideDown, SideClosed) as error:
        news.down[Side.WORK] = error
        return
    news.pilot = {"names": names, "ids": list(connection.policy.pilot.looked_up(projects))}


def piloted(connection: Connection, state: StateReader, news: News | None = None) -> Connection:
    """The connection whose pilot knows the ids of its projects, as far as they were looked up."""
    pilot = connection.policy.pilot
    found = (news.pilot if news is not None else None) or state.fact("pilot") if pilot.names else None
    if found is None or found["names"] != sorted(pilot.names):
        return connection
    return replace(connection, policy=replace(connection.policy, pilot=pilot.knowing(found["ids"])))


async def inspect_places(connection: Connection, state: StateReader, news: News) -> None:
    """Part of a sweep: which projects are in an archive, and a digest of what refusals can depend on.

    When the digest changes, what was refused is tried again.
    """
    if Side.WORK in news.down:
        return
    unknown = [entry for entry in state.attention() if entry.code is Code.PERSON_UNKNOWN]
    pairs = state.links_by(Side.CRM, [entry.id for entry in unknown if entry.side is Side.CRM])
    asked = {link.work.project for link in pairs.values() if link.work.project}
    try:
        projects = await connection.catalogue.projects()
        members = {project: sorted(await connection.catalogue.members(project)) for project in sorted(asked)}
    except (SideDown, SideClosed) as error:
        news.down[Side.WORK] = error
        return
    if names := sorted(connection.policy.pilot.names):
        news.pilot = {"names": names, "ids": list(connection.policy.pilot.looked_up(projects))}
    news.archived = tuple(sorted(project.id for project in projects if project.archived))
    known = [[p.id, p.name, p.department, p.archived, p.may_add] for p in sorted(projects, key=lambda p: p.id)]
    text = json.dumps([known, members], ensure_ascii=False, sort_keys=True)
    news.places = hashlib.sha256(text.encode()).hexdigest()[:16]
