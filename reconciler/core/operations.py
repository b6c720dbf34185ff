"""What can be done to the two systems, as data: operations, their canonical text, and the conflicts behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core.creation import Request
from reconciler.core.evidence import Evidence
from reconciler.core.loss import Loss
from reconciler.core.model import Aside, Candidate, Field, Side, Value, Values
from reconciler.core.resolve import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field to be written: `before` and `after` on the target, `source` the giving side's value behind it.

    `evidence` is what the planner decided on; None where a person did.
    """

    field: Field
    before: Value
    after: Value
    source: Value
    reason: str
    rule: str
    evidence: Evidence | None = None


class _Canonical:
    """What all operations share: one canonical text, by which a saved plan or an approval names them."""

    __slots__ = ()

    @property
    def canonical(self) -> str:
        return canonical([self])  # type: ignore[list-item]  # only operations are made from this


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(_Canonical):
    """Changed fields of one record of a pair, on `side`."""

    side: Side
    crm_id: str
    work_id: str
    title: str
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(_Canonical):
    """A new work item for a CRM task. `omitted` are fields known to be refused there; they wait on the new link.

    `evidence` is what the planner decided on; None once the server's refusal has changed what is sent.
    """

    crm_id: str
    title: str
    candidate: Candidate
    project: str
    group: str
    values: Values
    source: Values
    omitted: Mapping[Field, Aside]
    evidence: Request | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlink(_Canonical):
    """Forget a pair because a record is deleted or gone; what is left stays as it is.

    `evidence` is what the planner decided on; None where it follows from a deletion of ours.
    """

    crm_id: str
    work_id: str
    title: str
    side: Side
    reason: str
    evidence: Loss | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(_Canonical):
    """Propagate a deletion that the other server flagged; only if the config says so."""

    side: Side
    crm_id: str
    work_id: str
    title: str
    evidence: Loss | None = None


Operation = Create | Update | Unlink | Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictLine:
    """A conflict, all that was known about it, and the decision."""

    crm_id: str
    work_id: str
    field: Field
    base: Value
    crm: Value
    work: Value
    decision: Decision


def kind(operation: Operation) -> str:
    """The word for an operation in reports and plan files."""
    return type(operation).__name__.lower()


def name(operation: Operation) -> str:
    """The kind, and for an update the side that it changes: the key of a count."""
    return f"update_{operation.side}" if isinstance(operation, Update) else kind(operation)


def outline(operations: Iterable[Operation]) -> list[list[Any]]:
    """What the operations touch, without any value: kind, side, CRM id, work item id and fields of each."""
    rows: list[list[Any]] = []
    for one in operations:
        side = Side.WORK if isinstance(one, Create) else one.side
        work_id = None if isinstance(one, Create) else one.work_id
        names = one.values if isinstance(one, Create) else [change.field for change in getattr(one, "changes", ())]
        rows.append([kind(one), side.value, one.crm_id, work_id, [name.value for name in names]])
    return rows


def fingerprint(operations: Iterable[Operation]) -> str:
    """SHA-256 over the canonical form of operations."""
    return "sha256:" + hashlib.sha256(canonical(operations).encode()).hexdigest()


def canonical(operations: Iterable[Operation]) -> str:
    """The canonical JSON of operations, the same for the same operations in any order."""
    return json.dumps(
        sorted((_plain(operation) for operation in operations), key=lambda row: json.dumps(row, sort_keys=True)),
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _plain(operation: Operation) -> dict[str, object]:
    row: dict[str, object] = {"kind": kind(operation), "crm_id": operation.crm_id}
    if isinstance(operation, Create):
        return row | {"project": operation.project, "group": operation.group, "values": dict(operation.values)}
    row |= {"side": operation.side, "work_id": operation.work_id}
    if isinstance(operation, Update):
        row["fields"] = [[c.field, c.before, c.after, c.source] for c in operation.changes]
    return row


def order(identifier: str) -> tuple[int, str]:
    return len(identifier), identifier
