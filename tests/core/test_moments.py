"""Every moment knows its zone: a naive one would be off by seven hours, and the older edit would win."""

from __future__ import annotations

from datetime import datetime

import pytest

from reconciler.core.model import Record, Side
from tests.core.case import NOON

NAIVE = datetime(2026, 3, 2, 12, 0)


@pytest.mark.parametrize(("modified", "created"), [(NAIVE, NOON), (NOON, NAIVE)], ids=["modified", "created"])
def test_a_naive_stamp_is_refused_where_it_enters(modified: datetime, created: datetime) -> None:
    with pytest.raises(ValueError, match="naive"):
        Record(side=Side.CRM, id="1", values={}, modified=modified, created=created)
