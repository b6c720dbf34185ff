"""Both sandbox systems behind one port, for a whole module; each cell of a table finds them empty."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from reconciler.core.model import Side
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.work import WorkSystem
from reconciler.sides.crm import CrmWriter
from reconciler.sides.http import Access, HttpLimits
from reconciler.sides.work import WorkWriter
from tests.world import TestClock, World

Sections = Mapping[str, Mapping[str, Any]]
RETRY_FOR = timedelta(seconds=10)
PATIENT, HASTY = timedelta(seconds=20), timedelta(seconds=0.3)
"""How long a call may take, in real time; the hasty limit is for servers that never answer."""


class Served:
    """The systems, the clock that they and the product share, and adapters that reach them over sockets."""

    def __init__(self, sandbox: Sandbox, clock: TestClock) -> None:
        self.sandbox, self.clock = sandbox, clock
        self.crm, self.work = sandbox.crm, sandbox.work
        self.worlds = 0

    def system(self, side: Side) -> CrmSystem | WorkSystem:
        return self.crm if side is Side.CRM else self.work

    def fresh(self) -> Served:
        """As if nobody had ever used them: no rows, no orders, no log."""
        for system in (self.crm, self.work):
            system.faults.clear()
            system.run_late()
            for row in system.snapshot():
                system.purge(row["id"] if system is self.crm else row["TaskID"])
            system.log.clear()
            system.violations.clear()
        self.clock.slept.clear()
        self.clock.tick(3600)
        return self

    def adapter(self, side: Side, *, hasty: bool = False, url: str = "") -> CrmWriter | WorkWriter:
        limits = HttpLimits(1e6, 4, HASTY if hasty else PATIENT, RETRY_FOR / 5 if hasty else RETRY_FOR)
        crm, work = self.crm, self.work
        if side is Side.CRM:
            access = Access(url or self.sandbox.crm_url, crm.client_id, crm.client_secret)
            return CrmWriter(access, limits, clock=self.clock, rng=random.Random(3), link_field="custom_field3")
        access = Access(url or self.sandbox.work_url, work.client_id, work.secret_key)
        return WorkWriter(access, limits, clock=self.clock, rng=random.Random(4))


class ServedWorld(World):
    """A world whose two systems are behind sockets; everything else is as in the stories."""

    def __init__(self, served: Served, *, hasty: bool = False, sections: Sections | None = None) -> None:
        served.worlds += 1  # the system remembers every transaction id
        super().__init__(seed=served.worlds)
        for name, values in (sections or {}).items():
            self.sections.setdefault(name, {}).update(values)
        self.served = served
        self.crm, self.work, self.clock = served.crm, served.work, served.clock
        self.world = replace(self.world, clock=self.clock, transports={})
        self.sections["crm"]["base_url"] = served.sandbox.crm_url
        self.sections["work"]["base_url"] = served.sandbox.work_url
        timeout = HASTY if hasty else PATIENT
        self.sections["limits"] |= {
            "requests_per_second": 10_000,
            "timeout": f"{timeout / timedelta(milliseconds=1):g}ms",
            "retry_for": f"{RETRY_FOR.total_seconds():g}s",
        }


@contextmanager
def serving() -> Iterator[Served]:
    clock = TestClock()
    crm = CrmSystem(now=clock.now, rng=random.Random(1))
    work = WorkSystem(now=clock.now, rng=random.Random(2))
    with Sandbox(crm, work) as sandbox:
        yield Served(sandbox, clock)
