"""What the config decides, as the pure stages need it: one frozen value, built once by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from reconciler.core.lenses import Lenses, OwnerLens
from reconciler.core.model import Direction, Field, Side
from reconciler.core.pilot import Pilot
from reconciler.core.route import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The safety limits of one cycle; percentages are of the open pairs, counts are operations."""

    max_update_percent: float
    min_updates: int
    max_updates: int
    max_delete_percent: float
    min_deletes: int
    max_deletes: int
    max_creates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`config` is the settings' fingerprint: a refused value is tried again when it changes. `revert_window` is the
    time within which three reverts of one field set it aside. `back_off` is how long a side that failed is left alone
    at first.

    `lengths` are the known limits of each side in characters; `marks` the sides on which a marker is written. `tells`:
    the CRM has a result field for verdicts. `pilot` says what is acted on.
    """

    lenses: Lenses
    people: OwnerLens
    directions: Mapping[Field, Direction]
    tolerance: timedelta
    tie: Side
    overlap: timedelta
    settle: timedelta
    resolve_after: timedelta
    confirm_after: timedelta
    retry_for: timedelta
    back_off: timedelta
    routes: tuple[Route, ...]
    propagate_deletes: bool
    revert_window: timedelta
    limits: Limits
    lengths: Mapping[Side, Mapping[Field, int]]
    marks: frozenset[Side]
    tells: bool
    pilot: Pilot
    config: str
