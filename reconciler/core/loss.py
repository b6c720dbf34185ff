"""Losses: what follows when a record of a pair is deleted or gone, and what that decision was made from.

An edit of the other record beats a deletion: one since the two last agreed, or one that the clocks show to be later
than the deletion. Only a deletion that the server flagged is ever propagated, and only if
the config says so; everything else ends in an unlink, which leaves what is there as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler.core.evidence import clocks_in, clocks_out, moment_in, moment_out
from reconciler.core.model import Entry, Half, Link, Presence, Side
from reconciler.core.observe import edited
from reconciler.core.policy import Policy
from reconciler.core.resolve import Clocks, resolve

LOST: Final = (Presence.DELETED, Presence.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The record on `side` is deleted (flagged, at its server's time `at`) or gone (absent twice). `other` is the rest
    of the pair as far as it counts: its presence and its three stamps."""

    side: Side
    presence: Presence
    at: datetime | None
    other: Half
    clocks: Clocks
    propagates: bool
    config: str

    @property
    def inputs(self) -> Mapping[str, Any]:
        """No value counts here."""
        return {}

    @property
    def detail(self) -> Mapping[str, Any]:
        """Presence, stamps and clocks, the deletion's propagation, the config."""
        return {
            "lost": self.side.value,
            "at": moment_out(self.at),
            "clocks": clocks_out(self.clocks),
            "presence": {self.side.value: self.presence.value, self.side.other.value: self.other.presence.value},
            "modified": moment_out(self.other.modified),
            "own_stamp": moment_out(self.other.own_stamp),
            "agreed": moment_out(self.other.agreed),
            "propagates": self.propagates,
            "config": self.config,
        }

    def verdict(self) -> tuple[str, Side, str]:
        """What the planner makes of it: "delete", "unlink" or "wait", the side that it is about, and why.

        Of a record that is missing nobody knows yet whether there is anything left to delete.
        """
        flagged, both = self.presence is Presence.DELETED, self.other.presence in LOST
        survives = not both and (edited(self.other) or (flagged and self._outlived()))
        if self.propagates and flagged and not both and not survives:
            return "wait" if self.other.presence is Presence.MISSING else "delete", self.side.other, "deleted"
        return "unlink", self.side, "deleted_elsewhere" if survives else "deleted" if flagged else "absent"

    def _outlived(self) -> bool:
        """Whether the last edit of the other record is surely later than the deletion, and none of ours."""
        if self.other.modified == self.other.own_stamp:
            return False
        stamps = {self.side: self.at, self.side.other: self.other.modified}
        decision = resolve(stamps[Side.CRM], stamps[Side.WORK], self.clocks)
        return decision.reason == "newer" and decision.winner is self.side.other


def loss(link: Link, policy: Policy, clocks: Clocks) -> Loss | None:
    """The loss that a pair has suffered, the CRM's first; None if both records are there."""
    side = next((side for side in Side if link.half(side).presence in LOST), None)
    if side is None:
        return None
    other = link.half(side.other)
    return Loss(
        side=side,
        presence=link.half(side).presence,
        at=link.half(side).modified,
        clocks=clocks,
        other=Half(
            id=other.id,
            presence=other.presence,
            modified=other.modified,
            own_stamp=other.own_stamp,
            agreed=other.agreed,
        ),
        propagates=policy.propagate_deletes,
        config=policy.config,
    )


def loss_of(entry: Entry) -> Loss:
    """The loss that an entry holds. Raises `KeyError` if it holds none."""
    detail: Mapping[str, Any] = entry.detail
    side = Side(detail["lost"])
    return Loss(
        side=side,
        presence=Presence(detail["presence"][side.value]),
        at=moment_in(detail["at"]),
        clocks=clocks_in(detail["clocks"]),
        other=Half(
            id=str(entry.work_id if side is Side.CRM else entry.crm_id),
            presence=Presence(detail["presence"][side.other.value]),
            modified=moment_in(detail["modified"]),
            own_stamp=moment_in(detail["own_stamp"]),
            agreed=moment_in(detail["agreed"]),
        ),
        propagates=detail["propagates"],
        config=detail["config"],
    )
