"""Both systems on a fake clock, and clients that speak as a careful product would."""

import random

import pytest

from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.work import WorkSystem
from tests.sandbox.clients import Clock, CrmClient, WorkClient


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def crm(clock: Clock) -> CrmSystem:
    return CrmSystem(now=clock, rng=random.Random(1))


@pytest.fixture
def work(clock: Clock) -> WorkSystem:
    return WorkSystem(now=clock, rng=random.Random(2))


@pytest.fixture
def crm_client(crm: CrmSystem) -> CrmClient:
    return CrmClient(crm)


@pytest.fixture
def work_client(work: WorkSystem) -> WorkClient:
    return WorkClient(work)
