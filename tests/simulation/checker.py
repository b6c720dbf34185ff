"""The judge of a life. It reads what the two servers logged and hold, the people's diary, and the product's journal and
attention list as plain rows of its database; it shares no code with the product's decisions.

What must hold at any time (`judge_writes`):

    intent      every write was in the journal, with the value that it was to overwrite, before it arrived
    no loss     a value that a person typed and a write replaced is in that intent, or fell in the honest window: it was
                typed after the last read before the write arrived (counted, not forgiven elsewhere)
    no undoing  a write never replaces a later edit by an earlier one, unless the servers' stamps cannot tell
    origin      every value that is written was typed by a person on the other side
    GetPut      no status is written over one of the same meaning
    mapping     nothing outside the mapped fields is sent
    no double   at most one item is created for one task; no record is written twice without a read in between
    deletion    no record is deleted that somebody edited after the other one had been deleted

What must hold in the end (`disagreements`): living pairs agree in every field, or a person was told why not.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from reconciler.core.model import Side
from reconciler.sandbox.calls import Call, Element
from tests.simulation.people import FIELDS, Deed, People
from tests.simulation.town import Town

NAMES: Final = {side: {wire: name for name, wire in fields.items()} for side, fields in FIELDS.items()}
SENT: Final = {
    Side.CRM: {*FIELDS[Side.CRM].values(), "form_layout", "custom_field3"} - {"owner_name"},
    Side.WORK: {*FIELDS[Side.WORK].values(), "CustomFields"},
}
"""What an update may hold. The owner flows to Work only."""
PLACE: Final = frozenset({"ProjectID", "TaskGroupID"})
READS: Final = {Side.CRM: "by-id", Side.WORK: "get-tasks-by-id"}
DELETES: Final = ("delete-tasks", "delete")
FLAG: Final = {Side.CRM: "is_deleted", Side.WORK: "IsDeleted"}
UNSURE: Final = timedelta(seconds=25)
"""Edits closer than this may be told apart by nobody: two clocks of whole seconds, measured through answers that may
take twenty."""
SAME_SECOND: Final = timedelta(seconds=2.2)
"""Two edits within it can carry one stamp: whole seconds, of a clock that may be set back by one meanwhile."""
LATE: Final = timedelta(minutes=10)
"""Longer than the product waits for a write of unknown outcome, and than anybody takes to look at it then."""
MEMBERS: Final = ("NV001", "NV002", "NV003", "NV004")


@dataclass(frozen=True)
class Intent:
    """A line of the journal that announces a write."""

    at: datetime
    old: Any
    new: Any
    reason: str


@dataclass(frozen=True)
class Change:
    """A field got another value: by a person, or by call number `call` of that server's log, sent as number `sent`."""

    field: str
    value: Any
    before: Any
    at: datetime
    order: tuple[int, int]
    call: int | None = None
    sent: int = 0


@dataclass
class Record:
    """Everything that happened to one record of one side, in order."""

    changes: list[Change] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)


@dataclass
class Findings:
    """What is wrong, one sentence each, and what was counted."""

    wrong: list[str] = field(default_factory=list)
    writes: int = 0
    window: int = 0
    quarrels: int = 0
    excused: int = 0


class Checker:
    """Judges one town. `clocks_tell` is False where a server names no time: then who was later cannot be known.

    `lost` are the records that were out of sight for a while: a pair of theirs is unlinked, and its end is a person's.
    `dismissed` is what somebody took off the attention list.
    `born` says from which call on the product has this journal: one whose state was lost knows nothing of older calls.
    `forgot` are the CRM ids of pairs of which an old backup has old bases, and nothing at the servers shows it: what it
    overwrites must be in its intents, but who was later cannot be known.
    """

    def __init__(
        self,
        town: Town,
        people: People,
        *,
        clocks_tell: bool = True,
        lost: Set[tuple[Side, int]] = frozenset(),
        dismissed: Sequence[tuple[str, str, str, str]] = (),
        born: Mapping[Side, int] | None = None,
        forgot: Set[int] = frozenset(),
    ) -> None:
        self.town, self.people, self.clocks_tell = town, people, clocks_tell
        self.lost, self.forgot = lost, forgot
        self.born = born or dict.fromkeys(Side, 0)
        for side in Side:
            town.note_arrivals(side)
        state = read_state(town.path)
        self.journal, self.answers, self.outcomes = state.intents, state.answers, state.outcomes
        self.attention = [*state.attention, *dismissed]
        self.records: dict[tuple[Side, int], Record] = defaultdict(Record)
        self.made: dict[int, list[int]] = defaultdict(list)
        self.paired: dict[int, int] = dict(people.joined)
        self.kept: set[tuple[Side, int]] = set()  # records whose deletion the server refused
        self.deletes: list[tuple[Side, int, int]] = []
        self.found = Findings()
        for side in Side:
            self._read_log(side)
        for deed in people.deeds:
            self._write_down(deed)
        for record in self.records.values():
            record.changes.sort(key=lambda change: change.order)

    # what happened

    def _read_log(self, side: Side) -> None:
        log = self.town.system(side).log
        sent = {id(call.body): number for number, call in enumerate(log) if not call.late and call.kind == "write"}
        for number, call in enumerate(log):
            if call.verb == READS[side] and call.status == 200:
                for record in _ids(call):
                    self.records[side, record].reads.append(number)
            if call.kind == "write":
                for element in call.elements:
                    if call.verb in DELETES and not element.ok and element.id is not None:
                        self.kept.add((side, element.id))
                    if element.ok and element.id is not None:
                        self._take(side, number, sent.get(id(call.body), number), call, element)

    def _take(self, side: Side, number: int, sent: int, call: Call, element: Element) -> None:
        assert element.id is not None
        record = self.records[side, element.id]
        at = self.town.arrived[side][number]
        if call.verb in ("insert-tasks", "create"):
            task = int(element.fields["CustomFields"]["crm_task_id"])
            self.made[task].append(element.id)
            if (Side.WORK, self.paired.get(task, 0)) in self.lost:
                self.paired[task] = element.id  # the first one could not be found
            self.paired.setdefault(task, element.id)
            self._check_names(side, element, SENT[side] | PLACE)
            for name, value in element.fields.items():
                record.changes.append(Change(name, value, None, at, (number, 1), number, sent))
                self._check_intent(side, task, name, value, sent, created=True)
            return
        if call.verb in DELETES:
            self.deletes.append((side, element.id, sent))
        else:
            self._check_names(side, element, SENT[side])
        record.writes.append(sent)
        for name in element.fields:
            if name != "form_layout":
                change = Change(name, element.fields[name], element.before.get(name), at, (number, 1), number, sent)
                record.changes.append(change)

    def _write_down(self, deed: Deed) -> None:
        change = Change(deed.field, deed.value, deed.before, deed.at, (deed.mark, 0))
        self.records[deed.side, deed.record].changes.append(change)

    def _check_names(self, side: Side, element: Element, allowed: set[str]) -> None:
        for name in element.fields.keys() - allowed:
            self._blame(f"{side} {element.id}: {name} is sent, which is not mapped")

    # what must hold at any time

    def judge_writes(self) -> Findings:
        """Judge every write that took effect."""
        for (side, record), history in sorted(self.records.items()):
            for number, change in enumerate(history.changes):
                if change.call is not None and change.field in NAMES[side] and change.sent >= self.born[side]:
                    self._judge(side, record, history, number, change)
            self._judge_repeats(side, record, history)
        for task, items in self.made.items():
            seen = [item for item in items if (Side.WORK, item) not in self.lost]
            if len(seen) > 1:
                self._blame(f"task {task} got the items {items}")
        for side, record, sent in self.deletes:
            self._judge_delete(side, record, sent)
        for side in Side:
            for words in self.town.system(side).violations:
                if "sent unchanged" not in words:
                    self._blame(words)
        return self.found

    def _judge(self, side: Side, record: int, history: Record, number: int, change: Change) -> None:
        earlier = [one for one in history.changes[:number] if one.field == change.field]
        if change.call is not None and not earlier:
            return  # the create itself
        self.found.writes += 1
        assert change.call is not None
        name, late = NAMES[side][change.field], change.call != change.sent
        intent = self._check_intent(side, record, change.field, change.value, change.sent)
        last = earlier[-1]
        read = max((one for one in history.reads if one < change.sent), default=-1)
        in_window = last.order > (read, 1)
        if name == "status" and meaning(change.value) == meaning(change.before) and not in_window and not late:
            self._blame(f"{side} {record}: {change.before} is replaced by {change.value}, which means the same")
        if same(name, change.value, change.before) and not in_window and not late:
            self._blame(f"{side} {record}: {name} is sent although it is {change.value!r} already")
        if name in ("start", "due") and side is Side.WORK and not in_window and not late:
            self._judge_hour(record, change)
        if intent is None or last.call is not None or same(name, change.value, change.before):
            return
        if in_window:
            self.found.window += 1
        elif not same(name, intent.old, change.before):
            self._blame(
                f"{side} {record}: {name} {change.before!r} is overwritten, but the intent names {intent.old!r}"
            )
        else:
            self.found.quarrels += 1
            self._judge_order(side, record, history, change, last)

    def _check_intent(
        self, side: Side, record: int, wire: str, value: Any, sent: int, *, created: bool = False
    ) -> Intent | None:
        """The intent of a write; it must have been durable when the write arrived."""
        if wire not in NAMES[side] or sent < self.born[side]:
            return None
        name, at = NAMES[side][wire], self.town.arrived[side][sent]
        known = self.journal.get((side, record, name, created), ())
        intents = [one for one in known if one.at <= at and same(name, one.new, value)]
        if not intents:
            self._blame(f"{side} {record}: {name} := {value!r} is written without an intent")
            return None
        return intents[-1]

    def _judge_hour(self, record: int, change: Change) -> None:
        if change.before and change.value and change.before[10:] != change.value[10:]:
            self._blame(f"work {record}: the hour of {change.before} is lost in {change.value}")

    def _judge_order(self, side: Side, record: int, history: Record, change: Change, loser: Change) -> None:
        """The value that is written must have been typed on the other side, and not before the one that it replaces."""
        name = NAMES[side][change.field]
        if name == "owner":
            return  # it flows one way, and its values are the same few again and again
        other = self._counterpart(side, record)
        if other is None:
            return
        wire = FIELDS[side.other][name]
        given = [
            one
            for one in other.changes
            if one.field == wire and one.call is None and one.at <= change.at and image(name, one.value, change.value)
        ]
        own = [
            one
            for one in history.changes
            if one.field == change.field and one.call is None and one is not loser and one.at <= change.at
            and image(name, one.value, change.value)
        ]  # fmt: skip
        if not given and not own:
            self._blame(f"{side} {record}: nobody typed the {name} {change.value!r}")
            return
        winner = max([*given, *own], key=lambda one: one.at)
        if winner.at + UNSURE >= loser.at or not self.clocks_tell:
            return
        if _to_and_fro(name, wire, other, change.field, history, loser):
            return
        giver = max(given, key=lambda one: one.at, default=None)
        blurred = giver is not None and _blurred(giver, other, loser, history, change)
        unclear = _taken_back_unseen(name, history, loser) or self._like_ours(side, record, history, loser)
        if (
            blurred
            or unclear
            or self._task(side, record) in self.forgot
            or self._joined_late(side, record, name, loser)
        ):
            self.found.excused += 1  # where it was typed on this side only, our own old write has come back
        else:
            self._blame(
                f"{side} {record}: {name} {loser.value!r} of {loser.at:%H:%M:%S} is undone by {change.value!r}"
                f" of {winner.at:%H:%M:%S}, written {change.at:%H:%M:%S}"
            )

    def _joined_late(self, side: Side, record: int, name: str, loser: Change) -> bool:
        """Whether the pair was out of sight, and so may have been joined without a past: there an empty value replaces
        nothing."""
        task = self._task(side, record)
        unseen = {(Side.CRM, task), (Side.WORK, self.paired.get(task or 0))} & self.lost
        return bool(unseen) and same(name, loser.value, None)

    def _like_ours(self, side: Side, record: int, history: Record, loser: Change) -> bool:
        """Whether a person cleared a field, or chose its status, just as a write of ours of unknown outcome was to, and
        changed another field before anybody looked: nothing tells that from the write arriving late, under an edit."""
        name = NAMES[side][loser.field]
        if not (name == "status" or same(name, loser.value, None)):
            return False
        known = self.outcomes.get((side, record, name), ())
        unclear = any(
            loser.at - LATE <= one.at <= loser.at
            and image(name, one.new, loser.value)
            and not any(one.at <= at <= loser.at for at in known)
            for one in self.journal.get((side, record, name, False), ())
        )

        def look(one: Change) -> int:
            """How many looks at the record came before."""
            return sum(read < one.order[0] for read in history.reads)

        return unclear and any(
            one.call is None and one.field in NAMES[side] and one.field != loser.field and look(one) == look(loser)
            for one in history.changes
        )

    def _judge_repeats(self, side: Side, record: int, history: Record) -> None:
        sent = sorted(set(history.writes))
        for before, after in itertools.pairwise(sent):
            if not any(before < read < after for read in history.reads):
                self._blame(f"{side} {record} is written twice without a read in between")

    def _judge_delete(self, side: Side, record: int, sent: int) -> None:
        read = max((one for one in self.records[side, record].reads if one < sent), default=-1)
        other = self._counterpart(side, record)
        flags = [] if other is None else [c for c in other.changes if c.field == FLAG[side.other] and c.value]
        if not flags:
            self._blame(f"{side} {record} is deleted, and nobody deleted its counterpart")
            return
        for change in self.records[side, record].changes:
            if change.call is None and change.at > flags[-1].at and change.order <= (read, 1):
                self._blame(f"{side} {record} is deleted although {change.field} was edited after its counterpart went")

    def _task(self, side: Side, record: int) -> int | None:
        """The CRM id of a record's pair."""
        if side is Side.CRM:
            return record
        return next((task for task, item in self.paired.items() if item == record), None)

    def _counterpart(self, side: Side, record: int) -> Record | None:
        if side is Side.WORK:
            task = self._task(side, record)
            return None if task is None else self.records.get((Side.CRM, task))
        return self.records.get((Side.WORK, self.paired[record])) if record in self.paired else None

    # what must hold in the end

    def disagreements(self, *, propagates: bool) -> Iterator[str]:
        """One sentence for each pair that is not as it should be."""
        crm, work = self.town.crm.rows, self.town.work.rows
        for task, row in sorted(crm.items()):
            if row["is_deleted"]:
                yield from self._orphans(task, propagates)
                continue
            if task in self.people.mistaken:
                if not any(side == "crm" and record == str(task) for side, record, _, _ in self.attention):
                    yield f"task {task} has a wrong target, and nobody was told"
                continue
            number = self.paired.get(task)
            if number is None:
                yield f"task {task} got no item"
                continue
            item = work.get(number)
            if item is not None and not item["IsDeleted"]:
                yield from self._unequal(task, row, number, item)
        yield from self._copies()

    def _orphans(self, task: int, propagates: bool) -> Iterator[str]:
        number = self.paired.get(task, 0)
        item = self.town.work.rows.get(number)
        given_up = (Side.CRM, task) in self.lost or (Side.WORK, number) in self.lost | self.kept
        if not propagates or given_up or item is None or item["IsDeleted"]:
            return
        told = any(one[:3] == ("work", str(number), "deleted_elsewhere") for one in self.attention)
        if not told and all(change.call is not None for change in self.records[Side.WORK, number].changes):
            yield f"task {task} was deleted, and its untouched item {number} stays, and nobody was told"

    def _unequal(self, task: int, row: Mapping[str, Any], number: int, item: Mapping[str, Any]) -> Iterator[str]:
        for name in FIELDS[Side.CRM]:
            mine, theirs = row[FIELDS[Side.CRM][name]], item[FIELDS[Side.WORK][name]]
            if agree(name, mine, theirs) or self._excused(name, task, number, mine):
                continue
            if not self._taken_for_an_answer(name, task, number):
                yield f"task {task} and item {number}: {name} {mine!r} / {theirs!r}"
        if str(item["CustomFields"].get("crm_task_id")) != str(task):
            yield f"item {number} does not name its task {task}"
        if row["custom_field3"] != str(number):
            yield f"task {task} does not name its item {number}, but {row['custom_field3']}"

    def _excused(self, name: str, task: int, item: int, owner: Any) -> bool:
        told = {
            (code, about)
            for side, record, code, about in self.attention
            if (side, record) in (("crm", str(task)), ("work", str(item)))
        }
        if told & {("ping_pong", name), ("no_base", name)}:
            return True
        if name != "owner":
            return False
        edited = any(c.field == "DoerCodes" and c.call is None for c in self.records[Side.WORK, item].changes)
        return edited or owner not in MEMBERS

    def _taken_for_an_answer(self, name: str, task: int, item: int) -> bool:
        """Start or due moved together with a write of other fields: no stamp tells a person from the server there.

        That is the honest window again. It ends with the next edit of that day on either side.
        """
        records = ((Side.CRM, task), (Side.WORK, item))
        for side, record in records:
            wire, answered = FIELDS[side][name], self.answers.get((side, record, name))
            if answered is None:
                continue
            agreed = self._last_agreed(task, item, name, answered)
            moved = any(
                self._moved_since(max(agreed, self.answers.get((one, number, name), agreed)), one, number, name)
                for one, number in records
            )
            if not moved and any(c.field == wire and c.call is None for c in self.records[side, record].changes):
                return True
        return False

    def _last_agreed(self, task: int, item: int, name: str, before: datetime) -> datetime:
        """When a field last said the same on both sides by then, or was sent to either, or the item was made."""
        crm, work = (
            [one for one in self.records[side, number].changes if one.at <= before]
            for side, number in ((Side.CRM, task), (Side.WORK, item))
        )
        mine, theirs = (
            [one for one in changes if one.field == FIELDS[side][name]]
            for side, changes in ((Side.CRM, crm), (Side.WORK, work))
        )
        agreed = [one.at for one in (*mine, *theirs) if image(name, _at(mine, one.at), _at(theirs, one.at))]
        sent = [one.at for one in (*mine, *theirs) if one.call is not None]
        return max([*agreed, *sent], default=min(one.at for one in (*crm, *work) if one.call is not None))

    def _moved_since(self, moment: datetime, side: Side, record: int, name: str) -> bool:
        """Whether a field has another value than at that time, as far as the two sides can tell such values apart."""
        found = [change for change in self.records[side, record].changes if change.field == FIELDS[side][name]]
        return not image(name, _at(found, moment), found[-1].value if found else None)

    def _copies(self) -> Iterator[str]:
        marked: dict[str, list[int]] = defaultdict(list)
        for number, item in self.town.work.rows.items():
            marker = item["CustomFields"].get("crm_task_id")
            if marker is not None and not item["IsDeleted"]:
                marked[str(marker)].append(number)
        reported = {record for side, record, code, _ in self.attention if code == "duplicate_marker"}
        for marker, items in marked.items():
            unreported = [item for item in items if str(item) not in reported]
            if len(unreported) > 1:
                yield f"the items {unreported} carry the marker of task {marker}, and nobody was told"

    def _blame(self, words: str) -> None:
        self.found.wrong.append(words)


def _to_and_fro(name: str, there: str, other: Record, here: str, own: Record, last: Change) -> bool:
    """Whether a person's edits ended where the two sides had last agreed: only the net difference counts.

    They agree after a write, at the birth of the item, and whenever both happen to say the same.
    """
    sent = [change.at for record in (own, other) for change in record.changes if change.call is not None]
    mine = [change for change in own.changes if change.field == here and change.at < last.at]
    theirs = [change for change in other.changes if change.field == there and change.at < last.at]
    written = [change.at for change in (*mine, *theirs) if change.call is not None]
    since = max(written, default=min(sent))  # a field that was never sent was agreed on when the item was created
    moments = [since, *(change.at for change in (*mine, *theirs) if change.at > since)]
    agreed = [_at(mine, since)]
    agreed += [_at(mine, at) for at in moments if image(name, _at(theirs, at), _at(mine, at))]
    return any(image(name, value, last.value) for value in agreed)


def _taken_back_unseen(name: str, own: Record, last: Change) -> bool:
    """Whether a person took a write of ours back before anybody had seen it there: as if it had never arrived."""
    ours = [one for one in own.changes if one.field == last.field and one.call is not None and one.order < last.order]
    if not ours or not same(name, ours[-1].before, last.value):
        return False
    return not any(ours[-1].order[0] < read < last.order[0] for read in own.reads)


def _at(changes: Sequence[Change], moment: datetime) -> Any:
    """The value at a time, None where it had never been set."""
    return next((change.value for change in reversed(changes) if change.at <= moment), None)


def _blurred(winner: Change, other: Record, loser: Change, own: Record, write: Change) -> bool:
    """Whether the stamps cannot show that the loser was later: the servers stamp records, not fields, to the second."""
    for change in other.changes:
        if change is winner:
            continue
        if abs(change.at - winner.at) <= SAME_SECOND:
            return True  # two changes in one second: the stamp did not move
        if winner.at <= change.at <= write.at and change.at + UNSURE >= loser.at:
            return True  # another edit of the winner's record moved its stamp before anybody looked
    for change in own.changes:
        if change is loser or change.order > write.order or change is write:
            continue
        if abs(change.at - loser.at) <= SAME_SECOND:
            return True
        if change.call is not None and change.at >= loser.at:
            return True  # a write of ours landed on the edit before anybody had seen it: the stamp is ours
    return False


@dataclass
class State:
    """What the product wrote down: its intents by (side, record, field, whether of a create), when it saw what became
    of a write, the last moments at which it took a start or due for the server's answer, and the attention list as
    (side, record, code, field)."""

    intents: dict[tuple[Side, int, str, bool], list[Intent]]
    outcomes: dict[tuple[Side, int, str], list[datetime]]
    answers: dict[tuple[Side, int, str], datetime]
    attention: list[tuple[str, str, str, str]]


def read_state(path: Path) -> State:
    """Read the journal and the attention list as plain rows."""
    database = sqlite3.connect(path)
    state = State(
        defaultdict(list), defaultdict(list), {}, list(database.execute("SELECT side, id, code, field FROM attention"))
    )
    query = (
        "SELECT kind, at, crm_id, work_id, side, field, old, new, reason FROM journal"
        " WHERE kind IN ('intent', 'confirmed', 'user_edit', 'unconfirmed', 'server_answer') AND field IS NOT NULL"
        " ORDER BY id"
    )
    for kind, at, crm_id, work_id, side, name, old, new, reason in database.execute(query):
        created = work_id is None
        record = int(crm_id if side == "crm" or created else work_id)
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
        if kind == "intent":
            state.intents[Side(side), record, name, created].append(Intent(moment, _json(old), _json(new), reason))
            continue
        state.outcomes[Side(side), record, name].append(moment)
        if kind == "server_answer":
            state.answers[Side(side), record, name] = moment
    database.close()
    return state


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _ids(call: Call) -> list[int]:
    if call.side == "crm":
        return [int(one) for one in call.query["ids"]]
    return list(call.body["TaskIDs"])


# when two values mean the same


def plain(value: Any) -> str:
    """A text without what servers and keyboards do to it."""
    text = unicodedata.normalize("NFC", value or "").replace("\r\n", "\n")
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def meaning(status: Any) -> bool:
    """Whether a status of either side says that the work is done."""
    return status in ("Hoàn thành", "Đã hoàn thành")


def _person(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return list(value)
    return value.rpartition("(")[2].rstrip(")") if value else None


def same(name: str, one: Any, two: Any) -> bool:
    """Whether two values of one side are the same one."""
    if name == "title":
        return plain(one).strip() == plain(two).strip()
    if name == "owner":
        return bool(_person(one) == _person(two)) or not (one or two)
    if name in ("start", "due"):
        return (
            (one or "")[:19] == (two or "")[:19] or (one or "")[:10] == (two or "") or (two or "")[:10] == (one or "")
        )
    return plain(one) == plain(two)


def image(name: str, given: Any, written: Any) -> bool:
    """Whether a value typed on one side is what was written on the other, or says the same as a value of this one."""
    if name == "status":
        return meaning(given) is meaning(written)
    if name in ("start", "due"):
        return (given or "")[:10] == (written or "")[:10]
    return same(name, given, written)


def agree(name: str, crm: Any, work: Any) -> bool:
    """Whether a value of the CRM and one of Work say the same."""
    match name:
        case "title" | "description":
            return same(name, crm, work)
        case "start" | "due":
            return (crm or "")[:10] == (work or "")[:10]
        case "status":
            return meaning(crm) is meaning(work)
    return bool(crm == (work[0] if work else None))
