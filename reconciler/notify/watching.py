"""What is worth telling, given what was told before. Pure: the memory goes in and comes out.

One cause is told once, and not again within an hour, whatever happens to it meanwhile; it is over when it has been gone
for a while, so that what comes and goes is one notice and one all-clear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.core.attention import fixer
from reconciler.core.model import Attention, Code
from reconciler.message import joined, pack, say, unpack, word
from reconciler.notify.notice import Notice
from reconciler.notify.situation import Situation, Trouble, local

AGAIN: Final = timedelta(hours=1)
"""The same cause is told again no sooner than this."""

CALM: Final = timedelta(minutes=15)
"""What was told is over when it has been gone for this long."""

NAMED: Final = 10
"""Records of one cause that a notice names; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A cause that was told `at`; `gone` since when it is not there any more, `cleared` whether that was told too."""

    at: datetime
    over: str
    gone: datetime | None = None
    cleared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was told: causes, and the keys of the entries of the attention list."""

    told: Mapping[str, Told] = field(default_factory=dict)
    known: frozenset[str] = frozenset()


def look(now: Situation, before: Memory, *, personal: bool) -> tuple[list[Notice], Memory]:
    """The notices that are due, and the memory after them; `personal` lets them quote records."""
    waiting = _by_code(now.attention)
    here = {*now.troubles, *(_cause(code) for code in waiting)}
    told = {cause: _aged(one, now.blind or cause in here, now.now) for cause, one in before.told.items()}
    told = {cause: one for cause, one in told.items() if not (one.cleared and now.now - one.at >= AGAIN)}
    notices = [_trouble(now, trouble, personal) for cause, trouble in now.troubles.items() if _due(now, told, cause)]
    told |= {cause: Told(at=now.now, over=now.troubles[cause].over) for cause in now.troubles if _due(now, told, cause)}
    known = before.known if now.blind else before.known & {_key(entry) for entry in now.attention}
    new = {
        code: fresh
        for code, entries in waiting.items()
        if (fresh := [entry for entry in entries if _key(entry) not in known]) and _free(told, _cause(code), now.now)
    }
    if new:
        notices.append(_attention(now, new, personal))
        known |= {_key(entry) for entries in new.values() for entry in entries}
        told |= {_cause(code): Told(at=now.now, over=_settled(code)) for code in new}
    over = [cause for cause, one in told.items() if one.gone and not one.cleared and now.now - one.gone >= CALM]
    if over:
        notices.append(_clear(now, [told[cause].over for cause in over], bool(here)))
        told |= {cause: replace(told[cause], cleared=True) for cause in over}
    return notices, Memory(told=told, known=known)


def _aged(one: Told, here: bool, now: datetime) -> Told:
    return replace(one, gone=None if here else one.gone or now)


def _free(told: Mapping[str, Told], cause: str, now: datetime) -> bool:
    """Whether a cause was not told within the hour."""
    return cause not in told or now - told[cause].at >= AGAIN


def _due(now: Situation, told: Mapping[str, Told], cause: str) -> bool:
    trouble = now.troubles[cause]
    standing = cause in told and not told[cause].cleared
    return not standing and now.now - trouble.since >= trouble.patience and _free(told, cause, now.now)


def _trouble(now: Situation, trouble: Trouble, personal: bool) -> Notice:
    lines = (say("since {at}", at=local(trouble.since)), *trouble.lines, *(trouble.personal if personal else ()))
    data = {"since": trouble.since.isoformat()}
    return _notice(now, trouble.topic, trouble.subject, lines, data)


def _attention(now: Situation, new: Mapping[Code, Sequence[Attention]], personal: bool) -> Notice:
    lines = [line for code, entries in new.items() for line in _matter(code, entries, personal)]
    count = sum(map(len, new.values()))
    subject = say("{count} new matters need a person", count=count)
    data = {"causes": {code.value: [_record(entry) for entry in entries] for code, entries in new.items()}}
    return _notice(now, "attention", subject, [*lines, say("see `reconciler status`")], data)


def _matter(code: Code, entries: Sequence[Attention], personal: bool) -> list[str]:
    named = ", ".join(_record(entry) for entry in entries[:NAMED]) + (", .." if len(entries) > NAMED else "")
    line = say(
        "{code}: {count} ({named}), for the {fixer}",
        code=code.value,
        count=len(entries),
        named=named,
        fixer=word(fixer(code)),
    )
    return [line, *(joined(["  ", entry.message], "") for entry in entries[:NAMED] if personal)]


def _clear(now: Situation, over: Sequence[str], more: bool) -> Notice:
    subject = say("over, but not all is clear") if more else say("all clear")
    return _notice(now, "clear", subject, over, {"all": not more})


def _notice(now: Situation, topic: str, subject: str, lines: Iterable[str], data: Mapping[str, Any]) -> Notice:
    return Notice(
        topic=topic, connection=now.connection, at=now.now, subject=subject, lines=tuple(lines), data=dict(data)
    )


def _by_code(entries: Iterable[Attention]) -> dict[Code, list[Attention]]:
    found: dict[Code, list[Attention]] = {}
    for entry in entries:
        found.setdefault(entry.code, []).append(entry)
    return found


def _settled(code: Code) -> str:
    return say("{code}: nobody is needed any more", code=code.value)


def _cause(code: Code) -> str:
    return f"attention {code.value}"


def _record(entry: Attention) -> str:
    return f"{entry.side} {entry.id}"


def _key(entry: Attention) -> str:
    return f"{entry.side} {entry.id} {entry.code} {entry.field or ''}"


def remembered(memory: Memory) -> dict[str, Any]:
    """The form in which the memory is kept in the state."""
    told = {
        cause: {
            "at": one.at.isoformat(),
            "over": pack(one.over),
            "gone": one.gone.isoformat() if one.gone else None,
            "cleared": one.cleared,
        }
        for cause, one in memory.told.items()
    }
    return {"told": told, "known": sorted(memory.known)}


def recalled(stored: Mapping[str, Any] | None) -> Memory:
    """What `remembered` was given; nothing was told where nothing is stored."""
    if stored is None:
        return Memory()
    told = {
        cause: Told(
            at=datetime.fromisoformat(one["at"]),
            over=unpack(one["over"]),
            gone=datetime.fromisoformat(one["gone"]) if one["gone"] else None,
            cleared=one["cleared"],
        )
        for cause, one in stored["told"].items()
    }
    return Memory(told=told, known=frozenset(stored["known"]))
