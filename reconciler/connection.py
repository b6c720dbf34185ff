"""One connection as the cycle sees it: its rules, its two sides, the places of Work, and a clock. Wired by `app`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.model import Side
from reconciler.core.policy import Policy
from reconciler.core.resolve import Clocks
from reconciler.ports import Catalogue, Clock, SideReader, SideWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Everything that a dry run needs; nothing in here can write to either system.

    `pages` are the addresses of records in a browser, with {id}, of the sides where they are known.
    """

    name: str
    policy: Policy
    readers: Mapping[Side, SideReader]
    catalogue: Catalogue
    clock: Clock
    pages: Mapping[Side, str] = field(default_factory=dict)

    @property
    def clocks(self) -> Clocks:
        """Each server's clock as measured so far, and what decides where they cannot tell."""
        return Clocks(
            crm=self.readers[Side.CRM].offset(),
            work=self.readers[Side.WORK].offset(),
            tolerance=self.policy.tolerance,
            tie=self.policy.tie,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Writers:
    """The two sides with their mutating verbs; only a real cycle is given these."""

    crm: SideWriter
    work: SideWriter

    def __getitem__(self, side: Side) -> SideWriter:
        return self.crm if side is Side.CRM else self.work
