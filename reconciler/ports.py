"""What the cycle needs from the outside world, as protocols; the composition root plugs in the real things.

A reader cannot write: the dry run is built from readers only, so no flag decides whether something is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from reconciler.core.model import (
    Answer,
    Attention,
    Candidate,
    Checkpoint,
    Claim,
    CycleRow,
    Draft,
    Edit,
    Entry,
    Extent,
    Field,
    Intent,
    Link,
    Offset,
    Project,
    Reading,
    Record,
    Sending,
    Side,
    Tally,
    TaskGroup,
    Tombstone,
    Verdict,
)
from reconciler.core.search import Retitled, Selection, Titled

Visit = Callable[[Sequence[Record]], None]
"""Called with each page as it arrives. A row may come more than once; the later call is the newer one."""


class Clock(Protocol):
    """The only source of time. `now` is aware UTC wall time; `monotonic` are seconds that never step back."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SideReader(Protocol):
    """Everything that can be read from one side. Errors: `SideDown`, `SideClosed`."""

    @property
    def side(self) -> Side: ...

    @property
    def limits(self) -> dict[Field, int]:
        """The largest number of characters of a field, where one is known."""
        ...

    def offset(self) -> Offset:
        """The server's clock against ours, from the answers so far."""
        ...

    async def changes(self, since: datetime | None, visit: Visit) -> Reading:
        """Read everything whose stamp is at or after `since` (server time), or everything.

        The reading says whether that provably was all; rows that are older may be among the pages.
        """
        ...

    async def by_id(self, ids: Sequence[str]) -> dict[str, Record]:
        """The records with these ids, any number of them; ids that do not exist are missing from the answer."""
        ...


class SideWriter(SideReader, Protocol):
    """A side that can be written to. Whole-call errors: `NotApplied`, `Unclear`, `SideClosed`."""

    @property
    def batch(self) -> int:
        """How many records one write call takes."""
        ...

    async def create(self, drafts: Sequence[Draft]) -> list[Answer]:
        """Create records, at most `batch`; one answer each, in order."""
        ...

    async def update(self, edits: Sequence[Edit]) -> list[Answer]:
        """Send changed fields, at most `batch` elements; one answer each, in order."""
        ...

    async def delete(self, ids: Sequence[str]) -> list[Answer]:
        """Delete records, at most `batch`; one answer each, in order."""
        ...


class Catalogue(Protocol):
    """The places of AMIS Work that can take tasks."""

    async def projects(self) -> list[Project]: ...

    async def groups(self, project: str) -> list[TaskGroup]: ...

    async def members(self, project: str) -> frozenset[str]:
        """Employee codes of the people who can be given a task there."""
        ...


class StateReader(Protocol):
    """Everything that can be asked of the state. One call is one statement or a few; no call is made per row."""

    def fact(self, name: str) -> Any:
        """A named JSON value: watermarks, identity of the connection, authors, `connected_at`; None if not there."""
        ...

    def links_by(self, side: Side, ids: Collection[str]) -> dict[str, Link]:
        """The links whose record on `side` has one of these ids, by that id."""
        ...

    def links(self, *, after: int = 0, limit: int = 1000) -> list[Link]:
        """Links in the order of their keys, those behind `after`; for walking through all of them."""
        ...

    def dirty_links(self) -> list[Link]:
        """Links with `dirty_since`, oldest first."""
        ...

    def unequal_links(self, *, after: int = 0, limit: int = 1000) -> list[Link]:
        """Links in any condition but equal, in the order of their keys."""
        ...

    def crm_statuses(self) -> dict[str, int]:
        """How many linked CRM tasks show which status word."""
        ...

    def candidates(self) -> list[Candidate]: ...

    def intents(self) -> list[Intent]:
        """Creates that were sent or about to be, without an outcome, oldest first."""
        ...

    def sendings(self) -> list[Sending]:
        """Updates that were sent or about to be, without an outcome."""
        ...

    def claims(self, crm_ids: Collection[str] | None = None) -> list[Claim]:
        """Unlinked Work items that carry a marker; with `crm_ids` only those for these tasks."""
        ...

    def tombstones(self, *, crm_ids: Collection[str] = (), work_ids: Collection[str] = ()) -> list[Tombstone]:
        """The tombstones that name one of these ids on the respective side."""
        ...

    def verdicts(self) -> list[Verdict]:
        """What CRM tasks are still to be told, refused ones included, in the order of their ids."""
        ...

    def attention(self) -> list[Attention]:
        """The attention list, oldest first, acknowledged entries included."""
        ...

    def tally(self) -> Tally: ...

    def cycles(self, limit: int = 20) -> list[CycleRow]:
        """The last cycles, newest first."""
        ...

    def journal(
        self,
        *,
        crm_id: str | None = None,
        work_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        entry: int | None = None,
    ) -> Iterator[Entry]:
        """Journal entries, oldest first; `crm_id` or `work_id` matches either way, `until` is exclusive."""
        ...

    def entries(self, wanted: Selection, *, limit: int | None = None) -> Iterator[Entry]:
        """Journal entries that fit, oldest first, a page in memory at a time; with `limit` the last ones."""
        ...

    def recent(self, wanted: Selection, *, before: int | None = None) -> Iterator[Entry]:
        """Journal entries that fit, newest first, of those with an id below `before`; read as they are taken."""
        ...

    def titled(self) -> Iterator[Titled]:
        """Every title that is known: of links (both sides' if they differ), candidates and attention entries."""
        ...

    def retitled(self, crm_ids: Collection[str]) -> Iterator[Retitled]:
        """What the journal says about the titles of these tasks, oldest first."""
        ...

    def extent(self, after: int = 0) -> Extent:
        """How long the journal is, and how many entries of each kind lie behind entry `after`."""
        ...

    def chain(self, first: int = 1, last: int | None = None) -> Iterator[Mapping[str, Any]]:
        """The journal's rows from entry `first` to `last` with secrets and seals, to check the chain or to copy it.

        Of a row that somebody made unreadable only the id is given.
        """
        ...

    def span(self, since: datetime | None, until: datetime | None) -> tuple[int, int]:
        """The first and last entry of a period, `until` exclusive; the last is before the first if there is none."""
        ...

    def head(self) -> tuple[int, str]:
        """The last journal entry and its hash; 0 and zeros if there is none."""
        ...

    def last_checkpoint(self) -> Checkpoint | None: ...

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints, oldest first."""
        ...

    def close(self) -> None: ...


class Transaction(StateReader, Protocol):
    """Writes that become durable together when the block ends, or not at all."""

    def set_fact(self, name: str, value: Any) -> None:
        """Store a JSON value; None removes it."""
        ...

    def save_links(self, links: Iterable[Link]) -> list[Link]:
        """Insert links with key 0, update the others; returns them with their keys, in order."""
        ...

    def drop_links(self, keys: Collection[int]) -> None: ...

    def save_candidates(self, candidates: Iterable[Candidate]) -> None: ...

    def drop_candidates(self, crm_ids: Collection[str]) -> None: ...

    def save_intents(self, intents: Iterable[Intent]) -> None: ...

    def drop_intents(self, crm_ids: Collection[str]) -> None: ...

    def save_sendings(self, sendings: Iterable[Sending]) -> None: ...

    def drop_sendings(self, sendings: Iterable[Sending]) -> None:
        """Remove by (link, side)."""
        ...

    def save_claims(self, claims: Iterable[Claim]) -> None: ...

    def drop_claims(self, work_ids: Collection[str]) -> None: ...

    def save_tombstones(self, tombstones: Iterable[Tombstone]) -> None: ...

    def drop_tombstones(self, crm_ids: Collection[str]) -> None: ...

    def save_verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """Insert, or replace what the same task was to be told before."""
        ...

    def drop_verdicts(self, crm_ids: Collection[str]) -> None: ...

    def raise_attention(self, entries: Iterable[Attention]) -> None:
        """Add entries; one that is there already keeps its `since`, and its `acked` while `content` is the same."""
        ...

    def clear_attention(self, entries: Iterable[Attention]) -> None:
        """Remove by key (side, id, code, field)."""
        ...

    def append(self, entries: Iterable[Entry]) -> list[int]:
        """Add to the journal and its hash chain; returns the ids."""
        ...

    def erase(self, entries: Collection[int]) -> int:
        """Destroy the secrets and personal values of journal entries; returns of how many there were any."""
        ...

    def save_checkpoint(self, checkpoint: Checkpoint) -> None: ...

    def save_cycle(self, row: CycleRow) -> int:
        """Insert (id 0) or update; old rows beyond a bound are removed. Returns the id."""
        ...


class Store(StateReader, Protocol):
    """The state, opened for reading and writing by the holder of the lease."""

    def transaction(self) -> AbstractContextManager[Transaction]: ...

    def empty_log(self) -> bool:
        """Take what was erased out of the write-ahead log too; False while another reader still needs the log."""
        ...

    def rewrite(self) -> bool:
        """Write the whole file anew, so that nothing is left where something was deleted; then `empty_log`."""
        ...
