"""Checkpoints: small readable documents that say how far the journal went, signed where a key is configured.

Kept where nobody who can change the state can reach it, a checkpoint shows a journal whose end was cut off, and one
that was built anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from reconciler import minisign
from reconciler.core.model import Checkpoint
from reconciler.ports import StateReader, Store

EVERY: Final = timedelta(days=1)
EVERY_ENTRIES: Final = 1000

_FORM: Final = re.compile(
    r"reconciler checkpoint\nconnection: (?P<connection>[^\n]+)\nentries: (?P<entries>0|[1-9][0-9]*)\n"
    r"head: (?P<head>[0-9a-f]{64})\nat: (?P<at>[0-9T:-]{19}Z)\n"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """At `at` the journal of `connection` had `entries` entries, the last with the hash `head` (zeros: none)."""

    connection: str
    entries: int
    head: str
    at: datetime

    def text(self) -> str:
        """The document that is signed."""
        at = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines = (f"connection: {self.connection}", f"entries: {self.entries}", f"head: {self.head}", f"at: {at}")
        return "".join(f"{line}\n" for line in ("reconciler checkpoint", *lines))

    def signed(self, key: minisign.SecretKey) -> minisign.Signature:
        """Its signature; the trusted comment repeats what matters, because minisign shows it."""
        comment = f"reconciler {self.connection}: entry {self.entries} has hash {self.head}"
        return minisign.sign(key, self.text().encode(), comment)


def read(document: str) -> Statement | None:
    """What a document states, None if it is none."""
    found = _FORM.fullmatch(document)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found["at"].replace("Z", "+00:00"))
    except ValueError:
        return None
    return Statement(found["connection"], int(found["entries"]), found["head"], at)


def now_of(state: StateReader, connection: str, now: datetime) -> Statement:
    """How far the journal goes at this moment."""
    last, head = state.head()
    return Statement(connection, last, head, now)


def renew(store: Store, connection: str, key: minisign.SecretKey, now: datetime) -> bool:
    """Make a checkpoint if the journal has grown and the last one is a day or a thousand entries old, or was made by a
    clock that has been set back since."""
    last, statement = store.last_checkpoint(), now_of(store, connection, now)
    entry = statement.entries
    if entry == (last.entry if last else 0):
        return False
    if last and last.at <= now < last.at + EVERY and entry - last.entry < EVERY_ENTRIES:
        return False
    made = Checkpoint(entry=entry, at=now, document=statement.text(), signature=statement.signed(key).text())
    with store.transaction() as tx:
        tx.save_checkpoint(made)
    return True
