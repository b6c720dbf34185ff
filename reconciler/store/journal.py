"""The journal's hash chain.

    hash = SHA-256(0x00 || previous hash || canonical JSON of the entry without its personal values)

Personal values (old, new, changed_by, operator, inputs) enter only as seals, HMAC-SHA256 keyed with a secret of that
entry, so that they and the secret can be erased (null) later and the chain still holds. `checked` finds the first entry
that was altered, inserted or moved, or before which one is missing. A chain alone does not prove that its end was not
cut off or that it was not rebuilt as a whole; that takes a checkpoint (`reconciler.audit`) that is kept elsewhere.

Entries from before there were `inputs` have no seal of them, and their hash is made without it: so it is for every
entry that has none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler.core.model import Entry
from reconciler.core.text import clean
from reconciler.message import say
from reconciler.store.codec import Row, clean_or_none, moment_out, value_out

RandomBytes = Callable[[int], bytes]
"""Gives that many unpredictable bytes."""

GENESIS: Final = "0" * 64
"""What the first entry has as `previous`."""

SECRET_BYTES: Final = 32
PERSONAL: Final = ("old", "new", "changed_by", "operator", "inputs")
HASHED: Final = (
    "id",
    "kind",
    "at",
    "cycle",
    "crm_id",
    "work_id",
    "side",
    "field",
    "rule",
    "reason",
    "crm_modified",
    "work_modified",
    "detail",
    *(f"{name}_seal" for name in PERSONAL),
)


COLUMNS: Final = (*HASHED, *PERSONAL, "secret", "previous", "hash")
"""Everything that a row of the journal consists of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first entry that does not fit, and why."""

    id: int
    reason: str

    def __str__(self) -> str:
        return say("journal entry {id}: {reason}", id=self.id, reason=self.reason)


class Broken(Exception):
    """The chain ends here: `fault` names the entry that does not fit."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return moment_out(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"the journal cannot hold a {type(value).__name__}")


def canonical(value: object) -> bytes:
    """One spelling of a JSON value: sorted keys, no spaces, ASCII; moments as ISO text in UTC."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain).encode("ascii")


def seal(secret: bytes, name: str, value: Any) -> str:
    """The commitment to one personal value. The name goes in, or two equal values would show as equal."""
    return hmac.new(secret, canonical([name, value]), hashlib.sha256).hexdigest()


def digest(previous: str, row: Mapping[str, Any]) -> str:
    """The hash of an entry whose predecessor has the hash `previous` (64 hex digits)."""
    body = canonical({name: row[name] for name in HASHED if name != "inputs_seal" or row[name] is not None})
    return hashlib.sha256(b"\x00" + bytes.fromhex(previous) + body).hexdigest()


def chain(entries: Iterable[Entry], last_id: int, last_hash: str, random_bytes: RandomBytes) -> Iterator[Row]:
    """The rows to insert behind the entry `last_id` (0: none), each linked to the one before."""
    for number, entry in enumerate(entries, last_id + 1):
        secret = random_bytes(SECRET_BYTES)
        row: Row = {
            "id": number,
            "kind": entry.kind,
            "at": entry.at,
            "cycle": entry.cycle,
            "crm_id": entry.crm_id,
            "work_id": entry.work_id,
            "side": entry.side.value if entry.side else None,
            "field": entry.field.value if entry.field else None,
            "rule": clean(entry.rule),
            "reason": clean(entry.reason),
            "crm_modified": entry.crm_modified,
            "work_modified": entry.work_modified,
            # What is hashed is what will be read back: the JSON, not the Python objects.
            "detail": json.loads(canonical(dict(entry.detail))),
            "old": value_out(entry.old),
            "new": value_out(entry.new),
            "changed_by": clean_or_none(entry.changed_by),
            "operator": clean_or_none(entry.operator),
            "inputs": json.loads(canonical(dict(entry.inputs))) if entry.inputs else None,
            "secret": secret,
        }
        row |= {f"{name}_seal": seal(secret, name, row[name]) for name in PERSONAL}
        if row["inputs"] is None:
            row["inputs_seal"] = None
        row["previous"] = last_hash
        row["hash"] = last_hash = digest(last_hash, row)
        yield row


def checked(
    rows: Iterable[Mapping[str, Any]], last_id: int = 0, last_hash: str = GENESIS
) -> Iterator[Mapping[str, Any]]:
    """The rows as they come, each after it was found to continue the chain behind entry `last_id`.

    Raises `Broken` at the first that does not. A row of which not every column is given counts as altered.
    """
    for row in rows:
        fault = _fault(row, last_id, last_hash)
        if fault is not None:
            raise Broken(Fault(id=row["id"], reason=fault))
        yield row
        last_id, last_hash = row["id"], row["hash"]


def inspect(rows: Iterable[Mapping[str, Any]]) -> Fault | None:
    """The first fault among all rows of the journal, given in the order of their ids; None if the chain holds."""
    try:
        for _ in checked(rows):
            pass
    except Broken as broken:
        return broken.fault
    return None


def _fault(row: Mapping[str, Any], last_id: int, last_hash: str) -> str | None:
    """What is wrong with the row behind entry `last_id`, if anything is."""
    try:
        return _misfit(row, last_id, last_hash)
    except (TypeError, ValueError, AttributeError):  # a value of a kind that no column has
        return say("was altered: it cannot be read any more")


def _misfit(row: Mapping[str, Any], last_id: int, last_hash: str) -> str | None:
    if row["id"] <= last_id:
        return say("stands behind entry {last_id}: moved, inserted or doubled", last_id=last_id)
    if row["id"] != last_id + 1:
        return say("does not follow entry {last_id}: what was between is missing", last_id=last_id)
    if any(name not in row for name in COLUMNS):
        return say("was altered: it cannot be read any more")
    if row["previous"] != last_hash:
        return say("does not follow the entry before it: moved, inserted or replaced")
    if row["hash"] != digest(last_hash, row):
        return say("was altered: its hash does not match")
    broken = next((name for name in PERSONAL if not _kept(row, name)), None)
    return None if broken is None else say("{broken} was altered: it does not match its seal", broken=broken)


def _kept(row: Mapping[str, Any], name: str) -> bool:
    """Whether a personal value is the one that was sealed, or was erased together with the secret."""
    sealed = row[f"{name}_seal"]
    if row["secret"] is None or sealed is None:
        return row[name] is None
    return hmac.compare_digest(seal(row["secret"], name, row[name]), sealed)
