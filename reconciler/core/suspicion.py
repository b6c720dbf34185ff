"""Changes that are not what they seem: values that another program flips, and statuses that somebody renamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.core import text
from reconciler.core.evidence import Evidence, evidence_of
from reconciler.core.lenses import Lens
from reconciler.core.model import Aside, Code, Entry, Field, Link, Side
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A value of `giver` that would go over, and what could make it suspect: when confirmed writes of ours were undone,
    which status words its side has shown so far, and what the verdict was made from."""

    field: Field
    giver: Side
    evidence: Evidence
    reverts: tuple[datetime, ...]
    window: timedelta
    known: frozenset[str]
    now: datetime

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The four values."""
        return self.evidence.inputs

    @property
    def detail(self) -> Mapping[str, Any]:
        """What the evidence holds, the giver, the reverts with the window they count in, and the known words."""
        suspicion = {
            "giver": self.giver.value,
            "reverts": [at.isoformat() for at in self.reverts],
            "window": self.window.total_seconds(),
            "known": sorted(self.known) if self.field is Field.STATUS else [],
            "now": self.now.isoformat(),
        }
        return {**self.evidence.detail, "suspicion": suspicion}

    def verdict(self) -> Code | None:
        """What is wrong with the value, if anything.

        A status word that nobody has seen before, on a record whose stamp did not move: somebody renamed a status. A
        word that the documents name is no such word: within one second a stamp cannot move twice, and people are quick.
        """
        if sum(self.now - at <= self.window for at in self.reverts) >= REVERTS:
            return Code.PING_PONG
        value, evidence = self.evidence.triple.now(self.giver), self.evidence
        stamp = evidence.crm_stamp if self.giver is Side.CRM else evidence.work_stamp
        if self.field is not Field.STATUS or not self.known or not isinstance(value, str) or stamp is not None:
            return None
        return None if text.word(value) in self.known | DOCUMENTED[self.giver] else Code.STATUS_UNKNOWN

    def aside(self, config: str) -> Aside | None:
        """The field waits for a person; None if nothing is wrong."""
        code, seen = self.verdict(), self.evidence.triple
        if code is None:
            return None
        words = (
            say(
                "the value flips between «{crm}» (CRM) and «{work}» (Work) without a user's edit: "
                "another program writes here too, for example the vendor's own connector or an "
                "automation; switch that off, then `retry`",
                crm=seen.crm,
                work=seen.work,
            )
            if code is Code.PING_PONG
            else say(
                "«{value}» is new, and the record's stamp did not move: a status was renamed; map it in [status]",
                value=seen.now(self.giver),
            )
        )
        target = self.giver.other
        return Aside(side=target, code=code, words=words, value=seen.now(self.giver), since=self.now, config=config)


def suspicion(link: Link, name: Field, giver: Side, evidence: Evidence, policy: Policy, moment: Moment) -> Suspicion:
    """What could make the giver's value of this field suspect."""
    return Suspicion(
        field=name,
        giver=giver,
        evidence=evidence,
        reverts=link.reverts.get(name, ()),
        window=policy.revert_window,
        known=moment.statuses.get(giver) or frozenset(),
        now=moment.now,
    )


def suspicion_of(entry: Entry) -> Suspicion:
    """The suspicion that an entry holds. Raises `KeyError` if it holds none, or if its values were erased."""
    detail: Mapping[str, Any] = entry.detail
    stored = detail["suspicion"]
    assert entry.field is not None
    return Suspicion(
        field=entry.field,
        giver=Side(stored["giver"]),
        evidence=evidence_of(entry),
        reverts=tuple(datetime.fromisoformat(at) for at in stored["reverts"]),
        window=timedelta(seconds=stored["window"]),
        known=frozenset(stored["known"]),
        now=datetime.fromisoformat(stored["now"]),
    )
