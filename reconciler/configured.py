"""The config as the journal knows it: what decides what is done, and each change of it, old -> new.

The state remembers the settings it was last opened with, so a change is journalled whether the file was edited under a
running daemon or between two runs of `once`. No secret is remembered and no person's name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.core.model import Entry
from reconciler.ports import Store
from reconciler.settings import Settings

FACT: Final = "config"
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
    """Journal what changed since the state was last used; returns the keys. The first config is remembered only."""
    before: Mapping[str, str] | None = store.fact(FACT)
    after = remembered(settings)
    if before == after:
        return []
    changed = [] if before is None else sorted({*before, *after})
    entries = [
        Entry(kind="config", at=now, rule=key, old=before.get(key), new=after.get(key), reason="changed")
        for key in changed
        if before is not None and before.get(key) != after.get(key)
    ]
    with store.transaction() as tx:
        tx.set_fact(FACT, after)
        tx.append(entries)
    return [entry.rule for entry in entries]
