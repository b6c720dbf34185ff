"""In which condition a pair is. Each pair counts once; the worst condition wins."""

from __future__ import annotations

from typing import Final

from reconciler.core.model import Link

CONDITIONS: Final = ("equal", "accepted", "pending", "set_aside", "frozen", "held", "attention")
"""From the best to the worst; each is also the name of a count in `Tally`."""

EQUAL: Final = CONDITIONS[0]


def condition(link: Link) -> str:
    """The worst condition of a pair, as far as the state knows: what a limit holds only a plan can say."""
    if any(aside.until is None for aside in link.aside.values()):
        return "attention"
    if link.frozen:
        return "frozen"
    if link.aside:
        return "set_aside"
    if link.dirty_since is not None:
        return "pending"
    return "accepted" if link.differences else "equal"


def worst(*conditions: str) -> str:
    """The worst of some conditions."""
    return max(conditions, key=CONDITIONS.index)
