"""Changes that are not what they seem: values that another program flips, and statuses that somebody renamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reconciler.core import text
from reconciler.core.lenses import Lens
from reconciler.core.merge import Triple
from reconciler.core.model import Aside, Code, Field, Link, Side
from reconciler.core.moment import Moment
from reconciler.core.policy import Policy
from reconciler.core.status import KNOWN_CRM, KNOWN_WORK
from reconciler.message import say

DOCUMENTED: Final = {
    Side.CRM: frozenset(text.word(name) for name in KNOWN_CRM),
    Side.WORK: frozenset(text.word(name) for name in KNOWN_WORK),
}

REVERTS: Final = 3
"""So many reverts of one field within the window set it aside."""


def count_revert(link: Link, name: Field, lens: Lens, giver: Side, policy: Policy, moment: Moment) -> Link:
    """Count that a confirmed write of ours was undone although its source did not change; once for each write."""
    ours = link.written.get(name)
    if ours is None or ours.side is not giver:
        return link
    undone = lens.same(giver, link.half(giver).seen.get(name), ours.before)
    unchanged = lens.same(giver.other, link.half(giver.other).seen.get(name), ours.source)
    if not undone or not unchanged:
        return link
    recent = tuple(at for at in link.reverts.get(name, ()) if moment.now - at <= policy.revert_window)
    written = {other: kept for other, kept in link.written.items() if other is not name}
    return replace(link, written=written, reverts={**link.reverts, name: (*recent, moment.now)})


def fought_over(link: Link, name: Field, giver: Side, seen: Triple, policy: Policy, moment: Moment) -> Aside | None:
    recent = [at for at in link.reverts.get(name, ()) if moment.now - at <= policy.revert_window]
    if len(recent) < REVERTS:
        return None
    return Aside(
        side=giver.other,
        code=Code.PING_PONG,
        words=(
            say(
                "the value flips between «{crm}» (CRM) and «{work}» (Work) without a user's edit: "
                "another program writes here too, for example the vendor's own connector or an "
                "automation; switch that off, then `retry`",
                crm=seen.crm,
                work=seen.work,
            )
        ),
        value=seen.now(giver),
        since=moment.now,
    )


def renamed(link: Link, name: Field, giver: Side, seen: Triple, moment: Moment) -> Aside | None:
    """A status word that nobody has seen before, on a record whose stamp did not move: somebody renamed a status.

    A word that the documents name is no such word: within one second a stamp cannot move twice, and people are quick.
    """
    value = seen.now(giver)
    known = moment.statuses.get(giver)
    if name is not Field.STATUS or not known or not isinstance(value, str):
        return None
    if text.word(value) in known | DOCUMENTED[giver]:
        return None
    if link.half(giver).stamps.get(name) is not None:
        return None
    return Aside(
        side=giver.other,
        code=Code.STATUS_UNKNOWN,
        words=say(
            "«{value}» is new, and the record's stamp did not move: a status was renamed; map it in [status]",
            value=value,
        ),
        value=value,
        since=moment.now,
    )
