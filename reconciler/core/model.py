"""The words of the field as frozen types: records, links, and what the state remembers of both.

Values are normalised once, where they enter: a CRM day is "YYYY-MM-DD", a Work instant is
"YYYY-MM-DDTHH:MM:SS+07:00", doers are a tuple of employee codes, an owner is the label as the CRM spells it, texts and
status words stay as they were typed. So equal things are equal inside, and everything is plain JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from zoneinfo import ZoneInfo

from reconciler.core.text import clean
from reconciler.message import say

ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")

Value = str | tuple[str, ...] | None
"""One field's value on one side. None, "" and () all mean empty."""

Values = Mapping["Field", Value]
"""Field values of one record; a field that is missing was not seen, which is not the same as empty."""

CrmId = NewType("CrmId", str)
WorkId = NewType("WorkId", str)


class Side(StrEnum):
    CRM = "crm"
    WORK = "work"

    @property
    def other(self) -> Side:
        return Side.WORK if self is Side.CRM else Side.CRM


class Field(StrEnum):
    TITLE = "title"
    DESCRIPTION = "description"
    START = "start"
    DUE = "due"
    OWNER = "owner"
    STATUS = "status"


class Direction(StrEnum):
    BOTH = "both"
    CRM_TO_WORK = "crm_to_work"
    WORK_TO_CRM = "work_to_crm"
    OFF = "off"

    def gives(self, side: Side) -> bool:
        """Whether an edit made on `side` flows to the other one."""
        return self is Direction.BOTH or (self is not Direction.OFF and self.value.startswith(side.value))


class Code(StrEnum):
    """Why an item waits for a person. The words are part of the contract with scripts.

    OUTSIDE_PILOT is no matter for the attention list: what is left out waits for the config.
    """

    TARGET_IS_DEPARTMENT = "target_is_department"
    TARGET_NOT_FOUND = "target_not_found"
    TARGET_ARCHIVED = "target_archived"
    TARGET_FORBIDDEN = "target_forbidden"
    TARGET_AMBIGUOUS = "target_ambiguous"
    TARGET_CHANGED = "target_changed"
    GROUP_NOT_IN_PROJECT = "group_not_in_project"
    INVALID_VALUE = "invalid_value"
    FIELD_TOO_LONG = "field_too_long"
    FORBIDDEN = "forbidden"
    WAITING_APPROVAL = "waiting_approval"
    PERSON_UNKNOWN = "person_unknown"
    STATUS_UNKNOWN = "status_unknown"
    DUPLICATE_MARKER = "duplicate_marker"
    CREATE_UNCLEAR = "create_unclear"
    PING_PONG = "ping_pong"
    DELETED_ELSEWHERE = "deleted_elsewhere"
    LOST_SIGHT = "lost_sight"
    UNREADABLE = "unreadable"
    MARKER_REFUSED = "marker_refused"
    RESULT_REFUSED = "result_refused"
    UNCONFIRMED = "unconfirmed"
    NO_BASE = "no_base"
    READ_UNPROVEN = "read_unproven"
    OUTSIDE_PILOT = "outside_pilot"


class Presence(StrEnum):
    """What the last answer about a record was.

    DELETED is the server's own flag. MISSING is one complete answer by id without the record, GONE a second one in a
    later cycle; a listing never proves absence.
    """

    PRESENT = "present"
    ARCHIVED = "archived"
    DELETED = "deleted"
    MISSING = "missing"
    GONE = "gone"


def aware(moment: datetime | None) -> None:
    """Refuse a naive datetime: every moment in this program knows its zone."""
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"naive datetime {moment!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One task or work item as one answer of its server showed it.

    `project` and `group` are, on the CRM, what the salesperson typed into the two target fields (id or name), on Work
    the ids. `marker` is the counterpart's id that the record carries, `result` what the CRM's result field shows.
    `problems` name the parts that could not be read; the fields concerned are missing from `values`.
    """

    side: Side
    id: str
    values: Values
    modified: datetime | None
    author: str | None = None
    created: datetime | None = None
    creator: str | None = None
    presence: Presence = Presence.PRESENT
    marker: str | None = None
    project: str | None = None
    group: str | None = None
    result: str | None = None
    layout: str | None = None
    traits: Mapping[str, str] = dataclass_field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        aware(self.modified)
        aware(self.created)


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """What the state knows of one side of a link.

    `base` holds the raw values last agreed on, as read back from this side. `seen` holds the raw values last observed;
    `stamps` for each field the record's stamp at the first observation that showed the present value (None: there is no
    evidence). `modified` is the record's stamp when last seen, `own_stamp` the one that our last write left,
    `agreed` the one when the pair was last seen agreeing.
    """

    id: str
    base: Values = dataclass_field(default_factory=dict)
    seen: Values = dataclass_field(default_factory=dict)
    stamps: Mapping[Field, datetime | None] = dataclass_field(default_factory=dict)
    modified: datetime | None = None
    own_stamp: datetime | None = None
    agreed: datetime | None = None
    author: str | None = None
    presence: Presence = Presence.PRESENT
    missing_since: datetime | None = None
    project: str | None = None
    group: str | None = None
    marker: str | None = None
    marker_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A field of a pair that is not sent for now: `value` is the giving side's value that was refused for `side`.

    It is tried again when the value, the config (`config`, a fingerprint) or the project's data change, when a person
    asks, or, if `until` is set (a transient refusal), after that moment.
    """

    side: Side
    code: Code
    words: str
    value: Value
    since: datetime
    config: str = ""
    until: datetime | None = None
    tries: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A value that an unclear write of ours may still bring to `side`: sent at `sent`, planned from `source`.

    `typed`: it shows there now, and a person put it there.
    """

    field: Field
    side: Side
    value: Value
    source: Value
    sent: datetime
    hold: datetime
    expires: datetime
    typed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Our last confirmed write of a field: on `side`, over `before`, because the other side said `source`."""

    side: Side
    before: Value
    source: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The two sides differ and that is accepted: nothing is written until one of them changes."""

    reason: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The lasting pair. `key` is 0 until the store gives one. `dirty_since` is set while work on the pair is due.

    `generation` counts the observations that told something; an older form is never stored over a newer one.
    `completed`: done on both sides; `frozen`: one of them, or its project, is in an archive.
    """

    key: int = 0
    crm: Half
    work: Half
    aside: Mapping[Field, Aside] = dataclass_field(default_factory=dict)
    wanted: tuple[Wanted, ...] = ()
    differences: Mapping[Field, Difference] = dataclass_field(default_factory=dict)
    written: Mapping[Field, Written] = dataclass_field(default_factory=dict)
    reverts: Mapping[Field, tuple[datetime, ...]] = dataclass_field(default_factory=dict)
    dirty_since: datetime | None = None
    generation: int = 0
    not_before: datetime | None = None
    tries: int = 0
    drops: int = 0
    completed: bool = False
    frozen: bool = False

    def half(self, side: Side) -> Half:
        return self.crm if side is Side.CRM else self.work

    @property
    def title(self) -> str:
        value = self.crm.seen.get(Field.TITLE) or self.work.seen.get(Field.TITLE)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a new work item goes: a project and a task group of it, each an id in digits or a name."""

    project: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An unlinked CRM task that should get a work item. `on_request`: a person asked for it on the command line.

    `refused` and `words` say why it waits for a person; `config` is the settings' fingerprint when it was refused.
    """

    crm_id: str
    target: Target
    since: datetime
    title: str = ""
    on_request: bool = False
    refused: Code | None = None
    words: str = ""
    config: str = ""
    not_before: datetime | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A create written down before it is sent. `floor` is the server time before which it cannot have happened;
    `on_request`: a person asked for it, so it is sent again whatever the task itself asks for."""

    crm_id: str
    target: Target
    values: Values
    source: Values
    sent: datetime
    floor: datetime
    title: str = ""
    searches: int = 0
    on_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """An update written down before it is sent: the fields' wanted and source values of one link on one side."""

    link: int
    side: Side
    values: Values
    source: Values
    sent: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An unlinked Work item that carries our marker for a CRM task."""

    work_id: str
    crm_id: str
    created: datetime | None
    deleted: bool = False
    reported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A pair that was unlinked. A manual one lifts only by `link`; an automatic one when both records are back."""

    crm_id: str
    work_id: str
    reason: str
    manual: bool
    at: datetime
    link: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the result field of a CRM task should say and does not yet; "" takes back what was said.

    `refused`: the CRM did not take it, so it waits for the next verdict or for a person's `retry`.
    """

    crm_id: str
    words: str
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One entry of the attention list; (side, id, code, field) is its key. `words` are the server's own, if any."""

    side: Side
    id: str
    code: Code
    message: str
    since: datetime
    field: Field | None = None
    title: str = ""
    words: str = ""
    content: str = ""
    acked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a listing of one side amounted to.

    `started` is the server's time when it began (never later than the true one), `newest` the largest stamp seen.
    Only a `complete` reading moves the watermark; `note` says why one is not. `full` means: no lower bound.
    """

    side: Side
    started: datetime
    newest: datetime | None
    complete: bool
    full: bool = False
    rows: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """Server clock less ours. `value` is None where the server names no time; `uncertainty` is half the interval."""

    value: timedelta | None = None
    uncertainty: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A work item to be created. Fields that are missing from `values` are not sent."""

    values: Values
    project: str
    group: str
    marker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Changed fields of one record, nothing else. `layout` is what the CRM wants to see beside them.

    `marker` and `result` are texts of ours on the record, None where they are not sent.
    """

    id: str
    values: Values
    layout: str | None = None
    marker: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The server took the element. `id` is the record's."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The server refused the element: `code` is ours, `words` are its own, `field` if it named one.

    `transient` refusals (an approval that is awaited) are tried again after a while; `gone` means that the record does
    not exist there.
    """

    code: Code
    words: str
    field: Field | None = None
    transient: bool = False
    gone: bool = False


Answer = Accepted | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, group or department of AMIS Work; only a project that is open and permitted can take tasks."""

    id: str
    name: str
    department: bool = False
    archived: bool = False
    may_add: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGroup:
    id: str
    project: str
    name: str


TYPED: Final = "typed"
"""The `reason` of a journal entry whose reason a person typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal. `id`, `previous` and `hash` are the store's; `side` is where something was written.

    `old` and `new` are raw values, `changed_by` whom the giving side names as its last editor, `operator` who ran a
    command. `detail` holds what a machine may want besides: ids, counts, stamps; never a personal value or a secret.
    `inputs` are the field values that a decision was made from, or the reason that a person typed (`because`); `reason`
    is a word of ours. `erased`: the personal values (`old`, `new`, `changed_by`, `operator`, `inputs`) were there once
    and are no more.
    """

    kind: str
    at: datetime
    id: int = 0
    cycle: int | None = None
    crm_id: str | None = None
    work_id: str | None = None
    side: Side | None = None
    field: Field | None = None
    old: Value = None
    new: Value = None
    rule: str = ""
    reason: str = ""
    changed_by: str | None = None
    operator: str | None = None
    crm_modified: datetime | None = None
    work_modified: datetime | None = None
    detail: Mapping[str, object] = dataclass_field(default_factory=dict)
    inputs: Mapping[str, object] = dataclass_field(default_factory=dict)
    erased: bool = False
    previous: str = ""
    hash: str = ""

    def because(self, typed: str) -> Entry:
        """The same with the reason that a person typed, if there is one. It may name somebody, so it is no `reason`,
        which could never be erased."""
        return replace(self, reason=TYPED, inputs={"reason": clean(typed)}) if typed else self

    @property
    def why(self) -> str:
        """The reason as people read it: ours, or the one that a person typed."""
        if self.reason != TYPED:
            return self.reason
        return say("erased") if self.erased else str(self.inputs.get("reason", self.reason))

    @property
    def commanded(self) -> bool:
        """Whether a person ordered it, also if it was erased who."""
        return self.operator is not None or self.reason == TYPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How long the journal is. `head` is the hash of its last entry; together with `entries` it anchors all of them.

    `kinds` counts the entries behind a given one, by kind and by the side where something was written.
    """

    entries: int
    head: str
    kinds: Mapping[tuple[str, Side | None], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed statement of how far the journal went: `document` names `entry` and its hash; `signature` is a
    `.minisig` file over it."""

    entry: int
    at: datetime
    document: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRow:
    """One cycle as `status` shows it. `outcome` is running, ok, attention, halted, unavailable or failed."""

    started_at: datetime
    id: int = 0
    finished_at: datetime | None = None
    outcome: str = "running"
    counts: Mapping[str, int] = dataclass_field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many pairs are in which condition; each pair counts once, the worst condition wins.

    `open` counts beside that the pairs that are neither completed on both sides nor frozen.
    """

    linked: int = 0
    equal: int = 0
    accepted: int = 0
    pending: int = 0
    held: int = 0
    set_aside: int = 0
    frozen: int = 0
    attention: int = 0
    tombstones: int = 0
    candidates: int = 0
    open: int = 0
