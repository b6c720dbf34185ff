"""Faults ordered in words, so that people can rehearse a bad day: `work insert-tasks status status=503 when=after`."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from reconciler.message import say
from reconciler.sandbox.faults import ARGUMENTS, CHOICES, TWO_SIDED, Fault, FaultKind
from reconciler.sandbox.system import System


class WrongOrder(ValueError):
    """An order that cannot be carried out. The text says which word is wrong, why, and what may stand there."""


KINDS: Final[Mapping[FaultKind, str]] = {
    "status": say("another HTTP status (503 if none is named)"),
    "retry_after": say("429, or another status, and how long to wait"),
    "html": say("a login page in place of an answer"),
    "success_false": say("HTTP 200, and the body says that nothing worked"),
    "empty401": say("401 without a word"),
    "truncate": say("the right answer, cut in the middle; a write has happened"),
    "drop_before": say("the connection is cut before anything happens"),
    "drop_after": say("a write happens, and the connection is cut"),
    "timeout": say("no answer, ever"),
    "delay": say("the answer comes seconds later"),
    "late": say("a write happens seconds later; no answer, or the status"),
    "element": say("the records of a write are refused one by one"),
    "lag": say("a read shows the rows of some seconds ago, as a lagging index does"),
    "stale": say("a read shows the rows of some seconds ago, as a cache does, with its Age"),
}
"""The faults that can be ordered in words, and what each does."""

_ONLY: Final[Mapping[FaultKind, str]] = {"late": "write", "element": "write", "lag": "read", "stale": "read"}
"""The faults that only one kind of call can have."""
_TIMED: Final = frozenset({"delay", "late", "lag", "stale"})
"""The faults that mean nothing without a time."""


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text[:10]) < least:
            raise ValueError(say("a whole number, at least {least}", least=least))
        return int(text[:10])

    return read


def _status(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 200 <= int(text[:10]) <= 599:
        raise ValueError(say("an HTTP status from 200 to 599"))
    return int(text)


def _seconds(text: str) -> float:
    whole, _, part = text.partition(".")
    if not text.isascii() or not whole.isdigit() or not (part or "0").isdigit() or len(text) > 9:
        raise ValueError(say("seconds, such as 3 or 0.5"))
    return float(text) if part else int(whole)


def _share(text: str) -> float:
    share = _seconds(text) if text[:1].isdigit() else 0
    if not 0 < share <= 1:
        raise ValueError(say("a number above 0, at most 1"))
    return share


def _times(text: str) -> int | None:
    if text == "always":
        return None
    try:
        return _whole(1)(text)
    except ValueError:
        raise ValueError(say("a whole number, at least 1, or always")) from None


def _after(text: str) -> bool:
    if text not in ("before", "after"):
        raise ValueError(say("before or after"))
    return text == "after"


def _choice(name: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in CHOICES[name]:
            raise ValueError(say("one of {choices}", choices=", ".join(sorted(CHOICES[name]))))
        return text

    return read


_WHEN: Final[Mapping[str, Callable[[str], Any]]] = {
    "times": _times,
    "skip": _whole(0),
    "every": _whole(1),
    "probability": _share,
    "seed": _whole(0),
}
_HOW: Final[Mapping[str, Callable[[str], Any]]] = {
    "status": _status,
    "seconds": _seconds,
    **{name: _choice(name) for name in CHOICES},
    **dict.fromkeys(("body", "code", "error_code", "message", "field_name", "raw"), str),
}

WHEN: Final = say(
    "times=N or times=always (once, unless every or probability is given), skip=N first ones, every=N-th,"
    " probability=0.1 with seed=N; when=after lets a write happen before the fault (otherwise it does not)"
)
"""The keys that every fault takes, for people."""


def keys_of(kind: FaultKind) -> tuple[str, ...]:
    """The keys that belong to one fault alone, in words."""
    own = tuple(sorted(ARGUMENTS[kind] & _HOW.keys()))
    return (*own, "when") if kind in TWO_SIDED else own


def place(text: str, systems: Mapping[str, System]) -> Fault:
    """Order a fault from one of the systems: `SIDE VERB KIND [key=value ...]`. Raises `WrongOrder`."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise WrongOrder(say("{order}: a quotation mark is not closed", order=repr(text))) from None
    if len(words) < 3:
        raise WrongOrder(
            say(
                "{order}: an order is SIDE VERB KIND [key=value ...], such as 'crm list status status=503'",
                order=repr(text),
            )
        )
    side, verb, kind, *pairs = words

    def wrong(word: str, why: str) -> WrongOrder:
        return WrongOrder(say("{order}: {word}: {why}", order=repr(text), word=word, why=why))

    if side not in systems:
        raise wrong(side, say("is no side; choose one of {choices}", choices=", ".join(systems)))
    system = systems[side]
    verbs = (*system.verbs, "read", "write", "any")
    if verb not in verbs:
        raise wrong(verb, say("is no call of {side}; choose one of {choices}", side=side, choices=", ".join(verbs)))
    known = next((one for one in KINDS if one == kind), None)
    if known is None:
        raise wrong(kind, say("is no fault; choose one of {choices}", choices=", ".join(KINDS)))
    only = _ONLY.get(known)
    if only is not None and verb != "any" and only not in (verb, system.verbs.get(verb)):
        raise wrong(kind, say("concerns a {only}, and {verb} is none", only=only, verb=verb))
    args = _arguments(known, pairs, wrong)
    standing = "every" in args or "probability" in args
    args.setdefault("times", None if standing else 1)
    return system.faults.order(verb, known, **args)


def _arguments(kind: FaultKind, pairs: list[str], wrong: Callable[[str, str], WrongOrder]) -> dict[str, Any]:
    takes = (*keys_of(kind), *_WHEN)
    args: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not value:
            raise wrong(pair, say("is no key=value"))
        if key not in takes:
            raise wrong(
                pair, say("{kind} has no key {key}; it takes {keys}", kind=kind, key=key, keys=", ".join(takes))
            )
        name = "after_effect" if key == "when" else key
        if name in args:
            raise wrong(pair, say("{key} is given twice", key=key))
        try:
            args[name] = _after(value) if key == "when" else {**_WHEN, **_HOW}[key](value)
        except ValueError as why:
            raise wrong(pair, say("must be {why}", why=why)) from None
    if kind in _TIMED and "seconds" not in args:
        raise wrong(kind, say("needs seconds, such as seconds=3"))
    if "seed" in args and "probability" not in args:
        raise wrong("seed", say("is for probability, such as probability=0.1"))
    return args
