"""The config as the journal knows it: what decides what is done, and each change of it, old -> new.

The state remembers the settings it was last opened with, so a change is journalled whether the file was edited under a
running daemon or between two runs of `once`. No secret is remembered and no person's name. The fingerprint of the whole
is journalled each time another one comes into force, so that of any moment it can be said under which config it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler.core.model import Entry
from reconciler.core.search import Selection
from reconciler.ports import StateReader, Store
from reconciler.settings import Settings

FACT: Final = "config"
FINGERPRINT: Final = "config.fingerprint"
WHOLE: Final = ("routes", "people", "status.to_work", "status.to_crm", "wire.crm", "wire.work")
"""Keys that change as a whole: lists, and tables whose keys are the user's own."""


def remembered(settings: Settings) -> dict[str, str]:
    """Every setting that matters by its key in the file, as JSON; of `people` only a digest."""
    flat: dict[str, str] = {}

    def add(key: str, value: Any) -> None:
        if isinstance(value, dict) and key not in WHOLE:
            for name, inner in value.items():
                add(f"{key}.{name}" if key else name, inner)
        else:
            flat[key] = json.dumps(value, sort_keys=True, ensure_ascii=False)

    add("", settings.public())
    flat["people"] = hashlib.sha256(flat["people"].encode()).hexdigest()[:16]
    return flat


def record_config(settings: Settings, store: Store, now: datetime) -> list[str]:
    """Journal what changed since the state was last used; returns the keys. Of the first config only that it is in
    force."""
    before: Mapping[str, str] | None = store.fact(FACT)
    after, fingerprint = remembered(settings), settings.fingerprint()
    if before == after and store.fact(FINGERPRINT) == fingerprint:
        return []
    changed = [] if before is None else sorted({*before, *after})
    entries = [
        Entry(kind="config", at=now, rule=key, old=before.get(key), new=after.get(key), reason="changed")
        for key in changed
        if before is not None and before.get(key) != after.get(key)
    ]
    with store.transaction() as tx:
        tx.set_fact(FACT, after)
        tx.set_fact(FINGERPRINT, fingerprint)
        tx.append([*entries, Entry(kind="configured", at=now, detail={"fingerprint": fingerprint})])
    return [entry.rule for entry in entries]


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A config by its fingerprint, and since when it was in force."""

    fingerprint: str
    since: datetime


def in_force(state: StateReader, since: datetime | None, until: datetime | None) -> list[InForce]:
    """The configs of a period, `until` exclusive, oldest first: the one that it began under and each that came then.

    One from before fingerprints were journalled is not known.
    """
    found: list[InForce] = []
    for entry in state.recent(Selection(kind="configured", until=until)):
        found.append(InForce(fingerprint=str(entry.detail["fingerprint"]), since=entry.at))
        if since is not None and entry.at <= since:
            break
    return found[::-1]
