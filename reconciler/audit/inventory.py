"""What the state keeps about people and their tasks, where, and what takes it away. One line for every table.

The list is for the person who has to answer such questions; a test holds it complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.message import say


@dataclass(frozen=True, slots=True)
class Kept:
    """One table: what is personal in it ("" if nothing), and until when it is there."""

    table: str
    personal: str
    until: str


TABLES: Final = (
    Kept(
        "journal",
        say("old and new values, the values behind decisions, who edited, who ran a command and the reason typed"),
        say(
            "`erase`, or [journal] retention; ids, times, kinds and the reasons that an earlier version put there stay,"
            " because the chain covers them"
        ),
    ),
    Kept(
        "link",
        say("present and last agreed values of both records, last editors"),
        say("as long as the pair is linked: without them it cannot be kept equal; `unlink` first"),
    ),
    Kept(
        "tombstone",
        say("the values that a pair had when it was unlinked"),
        say("`erase`; that the pair was unlinked stays, or it would be linked again"),
    ),
    Kept(
        "candidate",
        say("title of a task that waits for its work item"),
        say("until the item is there or the task no longer asks"),
    ),
    Kept("intent", say("values of an item whose creation is unclear"), say("until that is clear, minutes later")),
    Kept("sending", say("values of a write whose outcome is unclear"), say("until that is clear, minutes later")),
    Kept("verdict", say("what a task's result field is to say"), say("until the CRM has taken it")),
    Kept(
        "attention",
        say("titles, the server's words, who dismissed an entry and why"),
        say("until the matter is settled; `erase` removes those of records that are not linked"),
    ),
    Kept(
        "fact",
        say("names of the accounts that write, who paused, values of held operations"),
        say("until `resume`; the accounts as long as the connection is used"),
    ),
    Kept("claim", "", ""),
    Kept("cycle", "", ""),
    Kept("checkpoint", "", ""),
    Kept("lease", "", ""),
)


def lines() -> Iterator[str]:
    """The inventory for a person."""
    for one in TABLES:
        if one.personal:
            yield say("{table}: {personal}", table=one.table, personal=one.personal)
            yield say("    kept {until}", until=one.until)
        else:
            yield say("{table}: nothing personal", table=one.table)
    yield say("not here, so out of reach: backups, exported files, saved plans, the logs, the two systems")
