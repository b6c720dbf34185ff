"""How far a side has been read, and from where it is read next. All times are the server's."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.core.model import Reading


def advance(old: datetime | None, reading: Reading, overlap: timedelta) -> datetime | None:
    """The watermark after a reading: never back, never past the time the read began, never to a future stamp.

    A quiet system follows the server's clock at the distance of the overlap, so that one page is enough again.
    An incomplete reading moves nothing.
    """
    if not reading.complete:
        return old
    reached = [reading.started - overlap]
    if reading.newest is not None:
        reached.append(min(reading.newest, reading.started))
    if old is not None:
        reached.append(old)
    return max(reached)


def bound(watermark: datetime | None, overlap: timedelta, *floors: datetime) -> datetime | None:
    """Where the next read begins, inclusive; None reads everything. `floors` are earlier moments still in question."""
    if watermark is None:
        return None
    return min((watermark - overlap, *floors))
