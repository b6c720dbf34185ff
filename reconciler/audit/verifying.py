"""Checking a piece of the journal against its own chain and against checkpoints, and saying what that proves.

Everything here is computed from what it is given, offline; nothing is looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reconciler import minisign
from reconciler.audit import checkpoint
from reconciler.audit.checkpoint import Statement
from reconciler.message import say
from reconciler.store.journal import GENESIS, Broken, Fault, checked

EVERY_SO_MANY: Final = 500
"""Entries between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A checkpoint as it was found: the document and its signature, None where there is none.

    `kept`: it was kept apart from the journal, so who changed the journal need not have been able to change it.
    """

    document: str
    signature: str | None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Trust:
    """The key that signatures are checked with; `given`: by the person who asks, and not found beside the journal."""

    key: minisign.PublicKey
    given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a check came to. The piece goes from `first` to `last` (none if `last` is smaller), of which `erased`
    entries have no personal values any more; `before` is the hash that the piece continues.

    `confirmed` are the checkpoints that name an entry of the piece, `signed` how many of them bear the key's
    signature, `outside` how many name one that is not in the piece.
    """

    fault: Fault | None = None
    first: int = 1
    last: int = 0
    head: str = GENESIS
    before: str = GENESIS
    erased: int = 0
    confirmed: tuple[Statement, ...] = ()
    kept: int = 0
    signed: int = 0
    outside: int = 0
    trust: Trust | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the journal to be checked: its rows, the number of its first entry, that of its last if it says so, the
    hash that the first continues, and whether it claims to reach to the journal's end."""

    rows: Iterable[Mapping[str, Any]]
    first: int = 1
    last: int | None = None
    before: str = GENESIS
    to_the_end: bool = True


def examine(
    piece: Piece,
    witnesses: Sequence[Witness],
    trust: Trust | None,
    progress: Callable[[int], None] = lambda done: None,
) -> Findings:
    """Check the chain, then every checkpoint. The first fault in the order of the entries is the one that is named."""
    stated = [(witness, checkpoint.read(witness.document)) for witness in witnesses]
    pinned = {statement.entries for _, statement in stated if statement is not None}
    hashes = {piece.first - 1: piece.before}
    last, head, erased, fault = piece.first - 1, piece.before, 0, None
    try:
        for row in counted(checked(piece.rows, last, head), progress):
            last, head = row["id"], row["hash"]
            erased += row["secret"] is None
            if last in pinned:
                hashes[last] = head
    except Broken as broken:
        fault = broken.fault
    if fault is None and piece.last is not None and last != piece.last:
        fault = Fault(id=last + 1, reason=say("does not fit: the last entry here should be {last}", last=piece.last))
    confirmed: list[Statement] = []
    signed = kept = outside = 0
    for witness, statement in sorted(stated, key=lambda one: one[1].entries if one[1] else 0):
        found = _contradiction(witness, statement, piece, hashes, last, trust) if fault is None else None
        if found is not None:
            fault = found
        elif statement is not None and statement.entries in hashes:
            confirmed.append(statement)
            signed += trust is not None and witness.signature is not None
            kept += witness.kept
        else:
            outside += 1
    return Findings(
        fault=fault,
        first=piece.first,
        last=last,
        head=head,
        before=piece.before,
        erased=erased,
        confirmed=tuple(confirmed),
        kept=kept,
        signed=signed,
        outside=outside,
        trust=trust,
    )


def counted(rows: Iterable[Mapping[str, Any]], progress: Callable[[int], None]) -> Iterator[Mapping[str, Any]]:
    """The rows as they come, while `progress` is told now and then how many there were."""
    done = 0
    for done, row in enumerate(rows, 1):
        yield row
        if done % EVERY_SO_MANY == 0:
            progress(done)
    progress(done)


def _contradiction(
    witness: Witness,
    statement: Statement | None,
    piece: Piece,
    hashes: Mapping[int, str],
    last: int,
    trust: Trust | None,
) -> Fault | None:
    """What a checkpoint shows to be wrong, if it does."""
    if statement is None:
        return Fault(id=0, reason=say("a checkpoint was altered: it cannot be read"))
    entry, at = statement.entries, _local(statement.at)
    if trust is not None and witness.signature is not None and not _bears(witness, witness.signature, trust.key):
        return Fault(
            id=entry,
            reason=say("its checkpoint of {at} does not bear the signature of key {key}", at=at, key=trust.key.id),
        )
    if entry in hashes:
        if hashes[entry] != statement.head:
            return Fault(id=entry, reason=say("is not the one that the checkpoint of {at} names: built anew", at=at))
        return None
    if entry > last and piece.to_the_end:
        return Fault(
            id=last + 1, reason=say("is missing: the checkpoint of {at} names entry {entry}", at=at, entry=entry)
        )
    return None


def _bears(witness: Witness, signature: str, key: minisign.PublicKey) -> bool:
    try:
        return minisign.holds(key, witness.document.encode(), minisign.signature(signature))
    except minisign.Unusable:
        return False


def _local(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def proven(found: Findings) -> Iterator[str]:
    """What a check without a fault has shown, a sentence each."""
    if found.last < found.first:
        yield say("the journal is intact: it has no entries")
    else:
        yield say(
            "the journal is intact: no entry from {first} to {last} was altered, removed from the middle, inserted or"
            " reordered",
            first=found.first,
            last=found.last,
        )
        whole = found.last - found.first + 1 - found.erased
        yield say("proven: the personal values of {count} entries are the ones that were written", count=whole)
    if not found.confirmed:
        return
    newest = found.confirmed[-1]
    yield say(
        "proven: the journal is the one of {count} checkpoints, so up to entry {entry} ({at}) nothing was cut off or"
        " built anew since they were made",
        count=len(found.confirmed),
        entry=newest.entries,
        at=_local(newest.at),
    )
    if found.trust is not None and found.signed:
        yield say(
            "proven: {count} checkpoints bear the signature of key {key}", count=found.signed, key=found.trust.key.id
        )


def unproven(found: Findings) -> Iterator[str]:
    """What the same check has not shown, a sentence each; there always is something."""
    if found.first > 1:
        yield say(
            "not proven: anything about the entries before {first}; the first one here continues the hash {hash}",
            first=found.first,
            hash=found.before,
        )
    newest = found.confirmed[-1].entries if found.confirmed else found.first - 1
    if newest < found.last or not found.confirmed:
        yield say("not proven: that nothing was cut off at the end, behind entry {last}", last=found.last)
    else:
        yield say("not proven: that nothing was written and cut off after the last checkpoint")
    if not found.confirmed:
        yield say("not proven: that the chain was not built anew as a whole; a checkpoint kept elsewhere shows that")
    elif not found.kept and not (found.trust is not None and found.trust.given and found.signed):
        yield say(
            "not proven: that the checkpoints were not made anew with the chain; give --key with the key you were told,"
            " or --checkpoint with one that was kept elsewhere"
        )
    unsigned = len(found.confirmed) - found.signed
    if unsigned:
        yield say("not proven: who made {count} of the checkpoints; no signature of them was checked", count=unsigned)
    if found.outside:
        yield say("not used: {count} checkpoints of entries that are not here", count=found.outside)
    if found.erased:
        yield say(
            "not proven: what the erased personal values of {count} entries were; only that something was there",
            count=found.erased,
        )
    yield say("not proven: that the values were true when written, nor that everything that happened was written")
