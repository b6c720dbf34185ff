"""Survey: read of AMIS Work's places just what the coming plan must know, which is usually nothing.

Targets are checked, and members of a project known, before anything is written.
"""

from __future__ import annotations

from reconciler.connection import Connection
from reconciler.core.model import Project, Side, TaskGroup
from reconciler.core.plan import Needs
from reconciler.core.route import Places, Unusable, find_project
from reconciler.errors import SideClosed, SideDown
from reconciler.poll import News

NOWHERE = Places(groups={}, members={})


async def survey(connection: Connection, needs: Needs, news: News) -> Places | None:
    """The places that `needs` asks for; None when Work does not answer."""
    if not needs.targets and not needs.projects:
        return NOWHERE
    catalogue = connection.catalogue
    projects: list[Project] = []
    groups: dict[str, list[TaskGroup]] = {}
    members: dict[str, frozenset[str]] = {}
    try:
        if needs.targets:
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
