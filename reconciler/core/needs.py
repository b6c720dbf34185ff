"""What must be known of AMIS Work's places before a plan is made."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.model import Field, Presence, Side
from reconciler.core.moment import Moment
from reconciler.core.operations import Update
from reconciler.core.plan import Workload, plan
from reconciler.core.policy import Policy
from reconciler.core.route import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a plan must know of AMIS Work's places: targets to resolve, projects whose members matter, and whether a
    work item is gone (`sight`: then the list of projects says whether it was deleted or hidden)."""

    targets: frozenset[tuple[str, str]] = frozenset()
    projects: frozenset[str] = frozenset()
    sight: bool = False


def needs(work: Workload, policy: Policy, moment: Moment) -> Needs:
    """Which places must be read before planning; usually none."""
    blank = Places(groups={}, members={})
    rehearsed = plan(Workload(links=work.links), policy, moment, blank)  # as if every place took everything
    by_id = {link.crm.id: link for link in work.links}
    projects = {
        project
        for operation in rehearsed.operations
        if isinstance(operation, Update) and operation.side is Side.WORK
        for change in operation.changes
        if change.field is Field.OWNER and change.after
        for project in [by_id[operation.crm_id].work.project]
        if project
    }
    targets = frozenset((c.target.project, c.target.group) for c, _ in work.candidates)
    sight = any(link.work.presence is Presence.GONE for link in work.links)
    return Needs(targets=targets, projects=frozenset(projects), sight=sight)
