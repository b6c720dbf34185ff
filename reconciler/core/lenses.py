"""One small lens for each synced field: how a value of one side is brought into the other's view.

The laws, for every lens and all values (tests enumerate them):

    keep   if the two sides agree already, a put changes nothing
    agree  after a put the two sides agree
    map    if they did not agree, the put value is exactly what the map says

A lens says besides which edits count: `same` compares two values of one side, `moved` tells whether a put from the
other side would destroy what was edited (the hour of a deadline survives a changed CRM day, so it did not move).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from reconciler.core import text
from reconciler.core.model import Code, Field, Side, Value
from reconciler.core.status import StatusMaps
from reconciler.message import say

ZONE_SUFFIX: Final = "+07:00"


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A value that has no image on the other side; it is set aside and reported, never guessed."""

    code: Code
    words: str


class Lens(Protocol):
    """A field seen from both sides. Values are the raw ones of `core.model`."""

    def is_value(self, side: Side, value: Value, other: Value) -> bool:
        """False for what must never be mapped or overwrite anything: a missing status, an empty title."""
        ...

    def same(self, side: Side, one: Value, two: Value) -> bool: ...

    def moved(self, side: Side, base: Value, value: Value) -> bool: ...

    def agree(self, crm: Value, work: Value) -> bool: ...

    def to_work(self, crm: Value, old: Value) -> Value | Unmapped: ...

    def to_crm(self, work: Value, old: Value) -> Value | Unmapped: ...


def put(lens: Lens, into: Side, value: Value, old: Value) -> Value | Unmapped:
    """The value that `into` must get so that it agrees with `value` of the other side."""
    return lens.to_work(value, old) if into is Side.WORK else lens.to_crm(value, old)


def agree(lens: Lens, side: Side, value: Value, other: Value) -> bool:
    """Whether `value` of `side` agrees with `other` of the other side."""
    return lens.agree(value, other) if side is Side.CRM else lens.agree(other, value)


def empty(value: Value) -> bool:
    return value is None or value == () or (isinstance(value, str) and not value.strip())


def _str(value: Value) -> str:
    return value if isinstance(value, str) else ""


class _TextLens(ABC):
    """What the two text lenses share: the same text on both sides, compared in its comparable form."""

    @abstractmethod
    def comparable(self, value: Value) -> str: ...

    def same(self, side: Side, one: Value, two: Value) -> bool:
        return self.comparable(one) == self.comparable(two)

    def moved(self, side: Side, base: Value, value: Value) -> bool:
        return not self.same(side, base, value)

    def agree(self, crm: Value, work: Value) -> bool:
        return self.comparable(crm) == self.comparable(work)

    def to_work(self, crm: Value, old: Value) -> Value | Unmapped:
        return old if self.agree(crm, old) else crm

    def to_crm(self, work: Value, old: Value) -> Value | Unmapped:
        return old if self.agree(old, work) else work


class TitleLens(_TextLens):
    """Task name, required on both sides: an empty one is no value."""

    def comparable(self, value: Value) -> str:
        return text.title(_str(value))

    def is_value(self, side: Side, value: Value, other: Value) -> bool:
        return bool(self.comparable(value))


class DescriptionLens(_TextLens):
    """Free text; None and "" are equal."""

    def comparable(self, value: Value) -> str:
        return text.body(_str(value))

    def is_value(self, side: Side, value: Value, other: Value) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class DayLens:
    """A CRM day against a Work instant. A changed day keeps Work's hour; `hour` ("HH:MM") is for new instants."""

    hour: str

    def is_value(self, side: Side, value: Value, other: Value) -> bool:
        return True

    def same(self, side: Side, one: Value, two: Value) -> bool:
        return (_str(one) or None) == (_str(two) or None)

    def moved(self, side: Side, base: Value, value: Value) -> bool:
        return _day(base) != _day(value)

    def agree(self, crm: Value, work: Value) -> bool:
        return _day(crm) == _day(work)

    def to_work(self, crm: Value, old: Value) -> Value | Unmapped:
        if self.agree(crm, old):
            return old
        day = _day(crm)
        if day is None:
            return None
        instant = _str(old)
        return day + instant[10:] if instant else f"{day}T{self.hour}:00{ZONE_SUFFIX}"

    def to_crm(self, work: Value, old: Value) -> Value | Unmapped:
        return old if self.agree(old, work) else _day(work)


def _day(value: Value) -> str | None:
    return _str(value)[:10] or None


@dataclass(frozen=True, slots=True)
class OwnerLens:
    """A CRM label "Full name (CODE)" against the list of doers, whose first is the owner.

    `people` maps other spellings of a person, and codes of people who left, to an employee code.
    """

    people: Mapping[str, str]

    def is_value(self, side: Side, value: Value, other: Value) -> bool:
        if side is Side.CRM and empty(value):
            return not (isinstance(other, tuple) and len(other) > 1)
        return True

    def same(self, side: Side, one: Value, two: Value) -> bool:
        if side is Side.WORK:
            return _doers(one) == _doers(two)
        return self._label_key(one) == self._label_key(two)

    def moved(self, side: Side, base: Value, value: Value) -> bool:
        if side is Side.WORK:
            return self._first(base) != self._first(value)
        return not self.same(side, base, value)

    def agree(self, crm: Value, work: Value) -> bool:
        if empty(crm):
            return self._first(work) is None
        return self.code(crm) is not None and self.code(crm) == self._first(work)

    def to_work(self, crm: Value, old: Value) -> Value | Unmapped:
        if self.agree(crm, old):
            return old
        if empty(crm):
            return ()
        code = self.code(crm)
        if code is None:
            return Unmapped(
                Code.PERSON_UNKNOWN, say("«{crm}» names no employee code; add the person to [people]", crm=_str(crm))
            )
        return (code, *(doer for doer in _doers(old)[1:] if doer != code))

    def to_crm(self, work: Value, old: Value) -> Value | Unmapped:
        return old if self.agree(old, work) else self._first(work)

    def code(self, label: Value) -> str | None:
        """The employee code that a label, a bare code or another spelling stands for; None if it names none."""
        spelled = _str(label).strip()
        known = self._alias(spelled)
        if known is not None:
            return known
        _, bracket, tail = spelled.rpartition("(")
        found = tail.rstrip(")").strip() if bracket and spelled.endswith(")") else ""
        if not found and spelled and not bracket and not any(letter.isspace() for letter in spelled):
            found = spelled
        if not found:
            return None
        return self._alias(found) or found

    def _alias(self, spelled: str) -> str | None:
        wanted = text.word(spelled)
        return next((code for name, code in self.people.items() if text.word(name) == wanted), None)

    def _first(self, work: Value) -> str | None:
        doers = _doers(work)
        return (self._alias(doers[0]) or doers[0]) if doers else None

    def _label_key(self, label: Value) -> str:
        return self.code(label) or text.word(_str(label))


def _doers(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return (value,) if value else ()


@dataclass(frozen=True, slots=True)
class StatusLens:
    """Five statuses or more against two. A null status is no status: never mapped, never a winner."""

    maps: StatusMaps

    def is_value(self, side: Side, value: Value, other: Value) -> bool:
        return not empty(value)

    def same(self, side: Side, one: Value, two: Value) -> bool:
        return text.word(_str(one)) == text.word(_str(two))

    def moved(self, side: Side, base: Value, value: Value) -> bool:
        return not self.same(side, base, value)

    def agree(self, crm: Value, work: Value) -> bool:
        if empty(crm) or empty(work):
            return empty(crm) and empty(work)
        return self.maps.agree(_str(crm), _str(work))

    def to_work(self, crm: Value, old: Value) -> Value | Unmapped:
        if self.agree(crm, old):
            return old
        image = self.maps.to_work(_str(crm))
        if image is None:
            return Unmapped(
                Code.STATUS_UNKNOWN, say('«{crm}» is not in [status.to_work], and there is no "*"', crm=_str(crm))
            )
        return image

    def to_crm(self, work: Value, old: Value) -> Value | Unmapped:
        if self.agree(old, work):
            return old
        image = self.maps.to_crm(_str(work))
        if image is None:
            return Unmapped(
                Code.STATUS_UNKNOWN, say('«{work}» is not in [status.to_crm], and there is no "*"', work=_str(work))
            )
        return image


Lenses = Mapping[Field, Lens]


def lenses(*, maps: StatusMaps, start_hour: str, due_hour: str, people: Mapping[str, str]) -> Lenses:
    """The lens of every field, in the order in which fields are shown. Hours are "HH:MM"."""
    return {
        Field.TITLE: TitleLens(),
        Field.DESCRIPTION: DescriptionLens(),
        Field.START: DayLens(start_hour),
        Field.DUE: DayLens(due_hour),
        Field.OWNER: OwnerLens(people),
        Field.STATUS: StatusLens(maps),
    }
