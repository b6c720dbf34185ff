"""One notice: what happened, in sentences that can be said in either language, and as data for machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler.message import Translate, into, pack, say, unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`topic` is a fixed word for machines, `subject` and `lines` are sentences, `data` is JSON.

    The subject holds no value of a record, whatever the config says: subjects are shown on locked phones.
    """

    topic: str
    connection: str
    at: datetime
    subject: str
    lines: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same for the same notice, so that a receiver can tell one that came twice."""
        told = json.dumps([self.topic, self.connection, self.at.isoformat(), self.subject])
        return hashlib.sha256(told.encode()).hexdigest()[:24]

    def title(self, translate: Translate) -> str:
        """The subject with the connection's name, on one line and without control characters."""
        said = into(say("[{connection}] {what}", connection=self.connection, what=self.subject), translate)
        return " ".join("".join(one if one.isprintable() else " " for one in said).split())

    def text(self, translate: Translate) -> str:
        """The lines, each ended by a newline."""
        return "".join(into(line, translate) + "\n" for line in (self.subject, *self.lines))


def packed(notice: Notice) -> dict[str, Any]:
    """The form in which a notice waits in the state."""
    return {
        "kind": notice.topic,
        "connection": notice.connection,
        "at": notice.at.isoformat(),
        "subject": pack(notice.subject),
        "lines": [pack(line) for line in notice.lines],
        "data": dict(notice.data),
    }


def unpacked(stored: Mapping[str, Any]) -> Notice:
    """What `packed` was given."""
    return Notice(
        topic=stored["kind"],
        connection=stored["connection"],
        at=datetime.fromisoformat(stored["at"]),
        subject=unpack(stored["subject"]),
        lines=tuple(unpack(line) for line in stored["lines"]),
        data=stored["data"],
    )
