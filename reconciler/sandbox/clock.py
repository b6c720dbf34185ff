"""Time in the sandbox: handed in from outside, never read from the machine."""

from datetime import UTC, datetime
from typing import Protocol


class SandboxClock(Protocol):
    """The true time of the modelled world; each system adds its own `offset` to it."""

    def __call__(self) -> datetime:
        """Now, as an aware datetime."""
        ...


def second(moment: datetime) -> datetime:
    """The moment in UTC at the one-second resolution of both systems; a naive datetime is a ValueError."""
    if moment.utcoffset() is None:
        raise ValueError("a stamp needs a time zone")
    return moment.astimezone(UTC).replace(microsecond=0)
