"""Pseudonyms for a report that leaves the house: titles, descriptions, names and employee codes.

The same value has the same pseudonym within one report, and another one in the next: the key is drawn for each report
and thrown away. What somebody typed as a reason is left out. Status words, days, ids and words of ours stay.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Final

from reconciler.message import say
from reconciler.report.document import Json

PERSONAL: Final = ("title", "description", "owner")
"""Fields whose values are personal."""

NAMES: Final = ("changed_by", "operator", "lifted_by")
VALUES: Final = ("before", "after", "read", "old", "new", "base", "crm", "work")
TEXTS: Final = ("overwritten", "told")
"""Kinds of journal entries whose old value a person may have typed."""

SPOKEN: Final = ("message", "words", "lift_reason")
"""Sentences that may quote a value or name somebody."""

OURS: Final = ("on request", "other_tenant")
"""Reasons of commands that nobody typed."""

SETTINGS: Final = ("people", "pilot", "routes")
"""Parts of the config that may name people."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Replaces values; `key` is secret and random."""

    key: bytes

    def value(self, value: Any) -> Any:
        """The pseudonym of a text; of a list, those of its parts; what is empty stays empty."""
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if not isinstance(value, str) or not value:
            return value
        return "#" + hmac.new(self.key, value.encode(), hashlib.sha256).hexdigest()[:10]

    def row(self, row: Json) -> Json:
        """A row of any table."""
        masked: Json = dict(row)
        masked |= {name: self.value(row[name]) for name in ("title", *NAMES) if name in row}
        personal = row.get("field") in PERSONAL or row.get("kind") in TEXTS or row.get("outcome") in TEXTS
        if personal:
            masked |= {name: self.value(row[name]) for name in VALUES if name in row}
        typed = ("reason",) if row.get("operator") and row.get("reason") not in OURS else ()
        masked |= {name: say("(masked)") for name in (*SPOKEN, *typed) if row.get(name)}
        masked |= {name: {} for name in ("detail", "inputs") if name in row}
        if str(row.get("rule", "")).split(".")[0] in SETTINGS:
            masked |= {name: self.value(row[name]) for name in ("old", "new") if name in row}
        return masked

    def bounded(self, data: Json) -> Json:
        """The bounded part of a period."""
        return {**data, **{name: [self.row(one) for one in data[name]] for name in ("halts", "config_changes")}}

    def dry(self, data: Json) -> Json:
        """A dry run."""
        lists = ("conflicts", "differences", "waiting", "set_aside", "frozen", "left_out", "attention")
        masked = {name: [self.row(one) for one in data[name]] for name in lists}
        planned = {name: [self._operation(one) for one in data[name]] for name in ("operations", "held")}
        return {**data, **masked, **planned}

    def _operation(self, one: Json) -> Json:
        return {**self.row(one), "fields": [self._change(change) for change in one["fields"]]}

    def _change(self, change: Json) -> Json:
        masked = self.row({**change, "field": change["name"]})
        return {name: masked[name] for name in change}
