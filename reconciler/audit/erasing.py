"""Erasing personal values: on request, of a task, an item or a person, and by age.

The secrets of the entries go with their values, so what the chain commits to can never be found out again, and the
chain holds. What a linked pair needs to be kept equal stays: `inventory` lists where, and until when.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile
from typing import Any, Final

from reconciler.core import text
from reconciler.core.model import Attention, Entry, Link, Side, Tombstone
from reconciler.core.search import Selection
from reconciler.errors import UsageError
from reconciler.message import say
from reconciler.ports import StateReader, Store

SLICE: Final = 1000
"""Entries that one cycle erases for their age, at most."""

THROUGH: Final = "erased_through"
"""The fact that says up to which entry everything was erased for its age."""

IN_LOG: Final = "erased_in_log"
"""The fact that the database's log may still hold what was erased: stored with the erasure, gone with the log."""


LABEL: Final = re.compile(r"\s*(\S.*?)\s*\(([^()]+)\)\s*")
"""A person as both systems show one: a name, and behind it the employee code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose values are to be erased: exactly one of a CRM task, a work item, or a person by any name or id.

    `people` are the config's other spellings of people.
    """

    task: str | None = None
    item: str | None = None
    person: str | None = None
    people: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = [one for one in (self.task, self.item, self.person) if one is not None]
        if len(named) != 1 or not named[0].strip():  # an empty one would be a part of everything
            raise UsageError(say("give exactly one of --task, --item and --person"))


@dataclass(frozen=True, slots=True)
class Found:
    """What the state holds about a subject and would lose; `linked` are the CRM ids of pairs that keep their values,
    `spellings` everything that was taken for the same person."""

    entries: tuple[int, ...]
    tombstones: tuple[Tombstone, ...]
    attention: tuple[Attention, ...]
    linked: tuple[str, ...]
    spellings: tuple[str, ...] = ()


def find(state: StateReader, subject: Subject) -> Found:
    """Everything that an erasure of `subject` destroys, and what it leaves."""
    if subject.person is not None:
        return _of_person(state, subject.person, subject.people)
    return _of_record(state, subject)


def _of_record(state: StateReader, subject: Subject) -> Found:
    """A task goes with the items it was ever linked to, an item with its tasks; entries may name only one of them."""
    own = list(state.entries(Selection(crm_id=subject.task, work_id=subject.item)))
    tasks = {subject.task, *(entry.crm_id for entry in own)} - {None} if subject.item else {subject.task}
    items = {subject.item, *(entry.work_id for entry in own)} - {None} if subject.task else {subject.item}
    crm_ids, work_ids = sorted(one for one in tasks if one), sorted(one for one in items if one)
    for crm_id in crm_ids if subject.item else ():
        own += (entry for entry in state.entries(Selection(crm_id=crm_id)) if entry.work_id is None)
    for work_id in work_ids if subject.task else ():
        own += (entry for entry in state.entries(Selection(work_id=work_id)) if entry.crm_id is None)
    links = [*state.links_by(Side.CRM, crm_ids).values(), *state.links_by(Side.WORK, work_ids).values()]
    meant = {(Side.CRM, one) for one in crm_ids} | {(Side.WORK, one) for one in work_ids}
    return Found(
        entries=tuple(sorted({entry.id for entry in own if not entry.erased})),
        tombstones=tuple(grave for grave in state.tombstones(crm_ids=crm_ids, work_ids=work_ids) if grave.link),
        attention=_unneeded(state, [one for one in state.attention() if (one.side, one.id) in meant]),
        linked=tuple(sorted({link.crm.id for link in links})),
    )


def _of_person(state: StateReader, person: str, people: Mapping[str, str]) -> Found:
    """Wherever one of the person's spellings occurs as a whole word."""
    spellings = _spellings(state, person, people)
    mentions = _mentions(spellings)
    entries: list[int] = []
    buried: list[str] = []
    for entry in state.entries(Selection()):
        if not entry.erased and mentions(_texts(entry)):
            entries.append(entry.id)
        if entry.kind == "unlinked" and entry.crm_id is not None:
            buried.append(entry.crm_id)
    graves = [grave for grave in state.tombstones(crm_ids=buried) if grave.link and mentions(_link_texts(grave.link))]
    noted = [one for one in state.attention() if mentions((one.title, one.words, one.message, one.acked))]
    linked = [link.crm.id for link in _links(state) if mentions(_link_texts(link))]
    return Found(
        entries=tuple(entries),
        tombstones=tuple(graves),
        attention=_unneeded(state, noted),
        linked=tuple(linked),
        spellings=spellings,
    )


def _unneeded(state: StateReader, entries: list[Attention]) -> tuple[Attention, ...]:
    """The attention entries about records that are neither linked nor waiting for it."""
    wanted = {
        (side, id) for side in Side for id in state.links_by(side, [one.id for one in entries if one.side is side])
    }
    wanted |= {(Side.CRM, candidate.crm_id) for candidate in state.candidates()}
    return tuple(one for one in entries if one.id and (one.side, one.id) not in wanted)


def _spellings(state: StateReader, person: str, people: Mapping[str, str]) -> tuple[str, ...]:
    """The person as given, all that [people] takes for the same one, and the names that stand with one of these as
    «Name (CODE)». Raises `UsageError` for a name that [people] does not know and that stands with several codes.
    """
    wanted, known = text.word(person), _alike([person], people)
    if len(known) == 1:
        meant = (code for label, name, code in _labels(state) if wanted in (text.word(label), text.word(name)))
        codes = {text.word(code): code for code in meant}
        if len(codes) > 1:
            several = ", ".join(sorted(codes.values()))
            raise UsageError(
                say("{person} may be several people: {several}; give the code", person=person, several=several)
            )
        known = _alike([person, *codes.values()], people)
    beside = {text.word(name): name for _, name, code in _labels(state) if text.word(code) in known}
    return tuple((known | beside | known).values())


def _alike(names: Iterable[str], people: Mapping[str, str]) -> dict[str, str]:
    """These and everything that [people] takes for the same person, by comparable form."""
    known = {text.word(name): name for name in names}
    size = 0
    while len(known) > size:
        size = len(known)
        for pair in people.items():
            if any(text.word(one) in known for one in pair):
                for one in pair:
                    known.setdefault(text.word(one), one)
    return known


def _labels(state: StateReader) -> Iterator[tuple[str, str, str]]:
    """Each value that reads «Name (CODE)», whole and in its two parts."""
    for texts in chain(map(_texts, state.entries(Selection())), map(_link_texts, _links(state))):
        for value in texts:
            if found := LABEL.fullmatch(value):
                yield found[0].strip(), found[1], found[2]


def _mentions(spellings: Iterable[str]) -> Callable[[Iterable[str | None]], bool]:
    word = re.compile("|".join(rf"(?<!\w){re.escape(text.word(one))}(?!\w)" for one in spellings))
    return lambda texts: any(word.search(text.word(one)) for one in texts if one)


def _links(state: StateReader) -> Iterator[Link]:
    after = 0
    while page := state.links(after=after):
        after = page[-1].key
        yield from page


def _texts(entry: Entry) -> list[str]:
    return list(_flat([entry.old, entry.new, entry.changed_by, entry.operator, entry.inputs]))


def _link_texts(link: Link) -> list[str]:
    halves = (link.crm, link.work)
    return list(_flat([value for half in halves for value in (dict(half.base), dict(half.seen), half.author)]))


def _flat(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _flat(inner)
        case list() | tuple():
            for inner in value:
                yield from _flat(inner)


# --- doing it ---------------------------------------------------------------------------------------------------------


def erase(store: Store, subject: Subject, *, reason: str, operator: str, now: datetime) -> Iterator[str]:
    """Destroy what `find` names, journal that it was done, and rewrite the file. Says what was done and what stays.

    A linked pair keeps what it is compared with, and not what our last writes had replaced there.
    """
    found = find(store, subject)
    with store.transaction() as tx:
        count = tx.erase(found.entries)
        tx.set_fact(IN_LOG, True)
        tx.save_tombstones(_emptied(grave) for grave in found.tombstones)
        tx.save_links(replace(link, written={}) for link in store.links_by(Side.CRM, found.linked).values())
        tx.clear_attention(found.attention)
        tx.append(
            [
                Entry(
                    kind="erase",
                    at=now,
                    crm_id=subject.task,
                    work_id=subject.item,
                    operator=operator,
                    rule="on request",
                    detail={
                        "entries": count,
                        "tombstones": len(found.tombstones),
                        "attention": len(found.attention),
                        "person": subject.person is not None,
                    },
                ).because(reason)
            ]
        )
    clean = _forget_log(store, emptied=store.rewrite())
    yield say("the personal values of {count} journal entries are erased; the hash chain holds", count=count)
    yield from others(found)
    if not clean:
        yield say(
            "another reader still holds the old state open, so its log still has the old bytes; the first cycle after"
            " it has ended empties the log"
        )


def _emptied(grave: Tombstone) -> Tombstone:
    """That the pair was unlinked, and nothing else; the reason of a manual one was once kept as it was typed."""
    return replace(grave, link=None, reason="on request" if grave.manual else grave.reason)


def others(found: Found) -> Iterator[str]:
    """Who was understood, what beside the journal is erased, and what stays."""
    if found.spellings:
        yield say(
            "understood as one person: {spellings}; who left counts with the successor whom [people] names",
            spellings=", ".join(f"«{one}»" for one in found.spellings),
        )
    if found.tombstones or found.attention:
        yield say(
            "also erased: the values of {graves} unlinked pairs and {entries} attention entries",
            graves=len(found.tombstones),
            entries=len(found.attention),
        )
    if found.linked:
        yield say(
            "kept: the present values of {count} linked pairs, which are needed to keep them equal; `unlink` them first"
            " if these are to go too: {tasks}",
            count=len(found.linked),
            tasks=", ".join(found.linked[:20]),
        )
    yield say("out of reach: backups, exported files, and the two systems themselves")


def retire(store: Store, now: datetime, retention: timedelta) -> int:
    """Erase the values of the oldest entries that are older than `retention`, at most a slice; returns how many.

    It goes on behind the last one that was done and stops at the first that is younger. The journal says that it was
    done, once a slice. A log that still holds what any erasure destroyed is emptied.
    """
    count = _erase_old(store, now, now - retention)
    if store.fact(IN_LOG):
        _forget_log(store, emptied=store.empty_log())
    return count


def _erase_old(store: Store, now: datetime, limit: datetime) -> int:
    behind = store.fact(THROUGH) or 0
    oldest = next(store.entries(Selection(entry=behind + 1)), None)
    if oldest is None or oldest.at >= limit:
        return 0
    slice_ = islice(store.entries(Selection(after=behind)), SLICE)
    old = [(entry.id, entry.erased) for entry in takewhile(lambda entry: entry.at < limit, slice_)]
    due = [number for number, erased in old if not erased]
    with store.transaction() as tx:
        count = tx.erase(due)
        tx.set_fact(THROUGH, old[-1][0])
        if count:
            tx.set_fact(IN_LOG, True)
            tx.append(
                [
                    Entry(
                        kind="erase",
                        at=now,
                        rule="retention",
                        detail={"entries": count, "first": due[0], "last": due[-1]},
                    )
                ]
            )
    return count


def _forget_log(store: Store, *, emptied: bool) -> bool:
    if emptied:
        with store.transaction() as tx:
            tx.set_fact(IN_LOG, None)
    return emptied
