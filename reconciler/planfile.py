"""The plan file: operations as data, with a digest, the connection they are for, and an age limit.

A plan file gives no authority: what it names is planned again from fresh reads, and only what comes out the same is
applied.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from reconciler.core.model import Entry
from reconciler.core.operations import Operation, fingerprint
from reconciler.errors import UsageError
from reconciler.message import say
from reconciler.ports import Store

SCHEMA: Final = "reconciler-plan/1"
KEPT: Final = 1000
"""How many used plans the state remembers; older ones are past any sensible age limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan file that was read and found whole. `operations` are canonical texts; `digest` names this very file."""

    digest: str
    fingerprint: str
    operations: frozenset[str]


def plan_file(operations: Sequence[Operation], identity: Mapping[str, str], now: datetime) -> str:
    """The text of a plan file."""
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "created_at": now.isoformat(),
        "connection": dict(identity),
        "fingerprint": fingerprint(operations),
        "operations": [one.canonical for one in operations],
    }
    return json.dumps({**body, "digest": _digest(body)}, ensure_ascii=False, indent=1) + "\n"


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def read_plan(file: Path, identity: Mapping[str, str], now: datetime, age: timedelta) -> SavedPlan:
    """Read a plan file. Raises `UsageError` if it is altered, of another connection, or too old."""
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        digest = body.pop("digest")
        created = datetime.fromisoformat(body["created_at"])
        operations = frozenset(str(one) for one in body["operations"])
        named = str(body["fingerprint"])
        ours = body["connection"] == dict(identity)
        intact = digest == _digest(body) and body["schema"] == SCHEMA and created.tzinfo is not None
    except OSError as error:
        raise UsageError(say("{file}: cannot be read: {strerror}", file=file, strerror=error.strerror)) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            say("{file}: this is no plan file; make one with `reconciler plan --output FILE`", file=file)
        ) from None
    if not intact:
        raise UsageError(say("{file}: the plan was altered; nothing is applied. Make a new one", file=file))
    if not ours:
        raise UsageError(say("{file}: the plan is for another connection; nothing is applied", file=file))
    if now - created > age or created > now + timedelta(minutes=5):
        raise UsageError(
            say(
                "{file}: the plan of {created_at} is too old; nothing is applied. Make a new one",
                file=file,
                created_at=body["created_at"],
            )
        )
    return SavedPlan(digest=digest, fingerprint=named, operations=operations)


def spend(store: Store, saved: SavedPlan, now: datetime, operator: str) -> None:
    """Mark the plan as used, before anything is applied. Raises `UsageError` if it was used already."""
    used: list[str] = store.fact("used_plans") or []
    if saved.digest in used:
        raise UsageError(say("this plan was applied already; nothing is applied. Make a new one"))
    with store.transaction() as tx:
        tx.set_fact("used_plans", [*used, saved.digest][-KEPT:])
        tx.append([Entry(kind="apply", at=now, operator=operator, detail={"fingerprint": saved.fingerprint})])
