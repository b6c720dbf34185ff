"""From the state to a bundle on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from pathlib import Path

from reconciler import minisign
from reconciler.audit.bundle import Files, Manifest, write_bundle
from reconciler.audit.verifying import counted
from reconciler.configured import in_force
from reconciler.core.model import Entry
from reconciler.core.search import Selection
from reconciler.message import Translate
from reconciler.ports import StateReader
from reconciler.report.data import entry_data, utc
from reconciler.report.journal import page
from reconciler.store.journal import GENESIS


def export_bundle(
    state: StateReader,
    target: Path,
    *,
    connection: str,
    config: str,
    key: minisign.PublicKey | None,
    since: datetime | None,
    until: datetime | None,
    personal: bool,
    made_at: datetime,
    translate: Translate,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Write the entries of a period with everything that it takes to check them; returns how many they are.

    The piece has no gaps: an entry between two of the period belongs to it, whatever a clock said. Raises `UsageError`
    if `target` exists or cannot be made.
    """
    first, last = state.span(since, until)
    configs = [{"fingerprint": one.fingerprint, "since": utc(one.since)} for one in in_force(state, since, until)]
    before = next(state.chain(first - 1, first - 1))["hash"] if first > 1 else GENESIS
    manifest = Manifest(
        connection=connection,
        first=first,
        last=last,
        previous=before,
        since=since.isoformat() if since else None,
        until=until.isoformat() if until else None,
        made_at=made_at.isoformat(timespec="seconds"),
        to_the_end=last == state.head()[0],
        personal=personal,
        config=config,
        configs=configs,
    )
    rows = counted(state.chain(first, last), progress)
    shown = (entry_data(one if personal else _anonymous(one)) for one in _entries(state, first, last))
    index = page(shown, translate, title=connection, made_at=made_at, configs=configs)
    kept = [one for one in state.checkpoints() if first - 1 <= one.entry]
    with Files(target) as files:
        write_bundle(files, manifest, rows, index, kept, key)
    return last - first + 1


def _entries(state: StateReader, first: int, last: int) -> Iterator[Entry]:
    return takewhile(lambda entry: entry.id <= last, state.entries(Selection(after=first - 1)))


def _anonymous(entry: Entry) -> Entry:
    return replace(entry, old=None, new=None, changed_by=None, operator=None, inputs={}, erased=True)
