"""The people on both sides: what they type, when, and what they had before their eyes. Their own diary is kept here.

Texts and days are typed once only in a life, so that a value found anywhere tells who typed it and when.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from reconciler.core.model import Side
from tests.simulation.town import Town

CRM_STATUSES: Final = ("Chưa bắt đầu", "Đang thực hiện", "Đang chờ", "Tạm hoãn", "Hoàn thành")
WORK_STATUSES: Final = ("Chưa hoàn thành", "Đã hoàn thành")
COLLEAGUES: Final = ("NV001", "NV002", "NV003", "NV004")
TARGETS: Final = (("12", "31"), ("12", "32"), ("13", "Việc mới"), ("Triển khai An Phát", "Cần làm"), ("12", "34"))
MISTAKES: Final = (("10", "31"), ("14", "51"), ("15", "61"), ("Bảo trì", "71"), ("12", "41"), ("99", "1"))
FIELDS: Final[Mapping[Side, Mapping[str, str]]] = {
    Side.CRM: {
        "title": "task_name",
        "description": "description",
        "start": "start_date",
        "due": "due_date",
        "owner": "owner_name",
        "status": "status",
    },
    Side.WORK: {
        "title": "TaskName",
        "description": "Description",
        "start": "StartDate",
        "due": "Deadline",
        "owner": "DoerCodes",
        "status": "StatusName",
    },
}
"""The fields that are kept equal, as each server calls them."""
SAVED: Final = ""
"""The field of a deed that changed nothing but the record's stamp."""
FIRST_DAY: Final = date(2026, 4, 1)


@dataclass(frozen=True)
class Deed:
    """One field that a person set: on which record, over what, and after how many entries of that server's log."""

    side: Side
    record: int
    field: str
    value: Any
    before: Any
    at: datetime
    mark: int


@dataclass
class People:
    """`deeds` is the diary. `busy` says which kinds of action these people are given to, by weight.

    `mistaken` are the tasks with a wrong target, `joined` the items of tasks that somebody wanted joined by hand.
    """

    town: Town
    rng: random.Random
    busy: Mapping[str, int]
    deeds: list[Deed] = field(default_factory=list)
    mistaken: set[int] = field(default_factory=set)
    joined: dict[int, int] = field(default_factory=dict)
    typed: int = 0

    def act(self) -> None:
        """Somebody does something."""
        kinds = list(self.busy)
        kind = self.rng.choices(kinds, [self.busy[name] for name in kinds])[0]
        getattr(self, f"_{kind}")()

    def edit(self, side: Side | None = None) -> None:
        """Somebody edits one or two fields of a living record."""
        found = self._living(side or self.rng.choice(list(Side)))
        if found is None:
            return
        side, record = found
        names = self.rng.sample(list(FIELDS[side]), self.rng.choice((1, 1, 1, 2)))
        self.set_fields(side, record, {FIELDS[side][name]: self._value(side, name, record) for name in names})

    def new_task(self, *, mistake: bool = False) -> int:
        """A salesperson saves a task and chooses where it goes."""
        project, group = self.rng.choice(MISTAKES if mistake else TARGETS)
        task = self.add_task(
            custom_field1=project,
            custom_field2=group,
            task_name=self._words(),
            description=self.rng.choice((None, self._words())),
            start_date=self.rng.choice((None, self._day())),
            due_date=self.rng.choice((None, self._day())),
            status=self.rng.choice(CRM_STATUSES),
            owner_name=self.rng.choice((*COLLEAGUES, "NV009", None)),
        )
        if mistake:
            self.mistaken.add(task)
        return task

    def add_task(self, **fields: Any) -> int:
        """A salesperson saves a task with these fields."""
        mark = self.town.crm.mark()
        task = self.town.crm.add(**fields)
        now = self.town.clock.now()
        self.deeds += [Deed(Side.CRM, task, name, value, None, now, mark) for name, value in fields.items()]
        return task

    def copy_item(self, item: int, **fields: Any) -> int:
        """Somebody duplicates a work item, its marker with it."""
        row = self.town.item(item)
        names = [*FIELDS[Side.WORK].values(), "ProjectID", "TaskGroupID", "CustomFields"]
        return self.town.work.add(**{name: row[name] for name in names} | fields)

    # what `act` chooses from

    def _edit(self) -> None:
        self.edit()

    def _create(self) -> None:
        self.new_task()

    def _mistake(self) -> None:
        if self.mistaken and self.rng.random() < 0.7:
            self.mend(self.rng.choice(sorted(self.mistaken)))
        else:
            self.new_task(mistake=True)

    def mend(self, task: int) -> None:
        """The salesperson corrects the target."""
        if not self.town.task(task)["is_deleted"]:
            self.mistaken.discard(task)
            self.set_fields(Side.CRM, task, dict(zip(("custom_field1", "custom_field2"), TARGETS[0], strict=True)))

    def _again(self) -> None:
        """Somebody sets a field that the product has just written, or was about to, on either side of the pair."""
        side = self.rng.choice(list(Side))
        call = next((one for one in reversed(self.town.system(side).log) if one.kind == "write" and one.body), None)
        body = None if call is None else call.body.get("Tasks") if isinstance(call.body, dict) else call.body
        if not body or not isinstance(body[0], dict):
            return
        sent = self.rng.choice(body)
        names = [name for name, wire in FIELDS[side].items() if wire in sent and name != "owner"]
        pair = self._pair(side, sent.get("id") or sent.get("TaskID"))
        if not names or pair is None:
            return
        name, where = self.rng.choice(names), self.rng.choice((side, side.other, side.other))
        self.set_fields(where, pair[where], {FIELDS[where][name]: self._value(where, name, pair[where])})

    def _pair(self, side: Side, record: int | None) -> dict[Side, int] | None:
        """Both records of a pair that is alive on both sides, found by its markers."""
        rows = self.town.work.rows
        for item, row in sorted(rows.items()):
            task = row["CustomFields"].get("crm_task_id")
            if task is None or row["IsDeleted"] or record not in (None, int(task) if side is Side.CRM else item):
                continue
            other = self.town.crm.rows.get(int(task))
            if other is not None and not other["is_deleted"]:
                return {Side.CRM: int(task), Side.WORK: item}
        return None

    def _quarrel(self) -> None:
        """Two people set the same field on the two sides, one after the other."""
        pairs = [
            (int(row["CustomFields"]["crm_task_id"]), item)
            for item, row in sorted(self.town.work.rows.items())
            if "crm_task_id" in row["CustomFields"] and not row["IsDeleted"]
        ]
        pairs = [(task, item) for task, item in pairs if task in self.town.crm.rows]
        if not pairs:
            return
        task, item = self.rng.choice(pairs)
        name = self.rng.choice(("title", "description", "start", "due", "status"))
        both = [(Side.CRM, task), (Side.WORK, item)]
        self.rng.shuffle(both)
        for side, record in both:
            self.set_fields(side, record, {FIELDS[side][name]: self._value(side, name, record)})
            self.town.clock.tick(self.rng.choice((0, 3, 20, 60)))

    def _aside(self) -> None:
        """An edit of something that is not synced."""
        found = self._living(self.rng.choice(list(Side)))
        if found is not None and found[0] is Side.CRM:
            self.set_fields(*found, {"priority": self.rng.choice(("Cao", "Bình thường", "Thấp"))})
        elif found is not None:
            self.set_fields(*found, {"RelatedCodes": [self.rng.choice(COLLEAGUES)]})

    def _hour(self) -> None:
        """Only the hour of a deadline changes: the CRM cannot show that."""
        found = self._living(Side.WORK)
        before = None if found is None else self.town.item(found[1])["Deadline"]
        if found is not None and before is not None:
            self.set_fields(*found, {"Deadline": f"{before[:10]}T{self.rng.randrange(6, 21):02}:05:00+07:00"})

    def _delete(self) -> None:
        """Somebody deletes a record, or takes one back out of the bin."""
        side = self.rng.choice(list(Side))
        system, flag = self.town.system(side), "is_deleted" if side is Side.CRM else "IsDeleted"
        binned = [record for record, row in sorted(system.rows.items()) if row[flag]]
        if binned and self.rng.random() < 0.6:
            self.set_fields(side, self.rng.choice(binned), {flag: False})
        elif (found := self._living(side)) is not None:
            self.set_fields(*found, {flag: True})

    def _purge(self) -> None:
        """A record is gone for good."""
        found = self._living(self.rng.choice(list(Side)))
        if found is not None and self._marked(*found):
            self.town.system(found[0]).purge(found[1])

    def _copy(self) -> None:
        """Somebody duplicates a record, the marker with it."""
        found = self._living(self.rng.choice(list(Side)))
        if found is None:
            return
        side, record = found
        if side is Side.WORK:
            self.copy_item(record, TaskName=self._words())
            return
        row = self.town.task(record)
        names = [*FIELDS[side].values(), "custom_field1", "custom_field2", "custom_field3"]
        made = self.add_task(**{name: row[name] for name in names} | {"task_name": self._words()})
        if record in self.mistaken:
            self.mistaken.add(made)

    def _scrub(self) -> None:
        """Somebody tidies up custom fields: the marker goes."""
        found = self._living(self.rng.choice(list(Side)))
        if found is not None and self._marked(*found):
            self.set_fields(*found, {"custom_field3": None} if found[0] is Side.CRM else {"CustomFields": {}})

    def _marked(self, side: Side, record: int) -> bool:
        """Whether the record's pair is complete, each naming the other.

        What an unclear create made is found by its marker alone: nobody takes that away within seconds.
        """
        pair = self._pair(side, record)
        return pair is not None and self.town.task(pair[Side.CRM])["custom_field3"] == str(pair[Side.WORK])

    # the pen

    def set_fields(self, side: Side, record: int, fields: Mapping[str, Any]) -> None:
        """Somebody sets fields of a record, named as that server names them."""
        system = self.town.system(side)
        mark, before, now = system.mark(), dict(system.rows[record]), self.town.clock.now()
        system.edit(record, by=self.rng.choice(COLLEAGUES), **fields)  # type: ignore[attr-defined]  # both have it
        for name in fields:
            value = system.rows[record][name]
            field = name if value != before[name] else SAVED
            self.deeds.append(Deed(side, record, field, value, before[name], now, mark))

    def _living(self, side: Side) -> tuple[Side, int] | None:
        flag = "is_deleted" if side is Side.CRM else "IsDeleted"
        found = [record for record, row in sorted(self.town.system(side).rows.items()) if not row[flag]]
        return (side, self.rng.choice(found)) if found else None

    def _value(self, side: Side, name: str, record: int) -> Any:
        rng = self.rng
        match name:
            case "title":
                return self._words()
            case "description":
                return rng.choice((None, f"{self._words()}\n{rng.choice('ABC')}", f" {self._words()} \r\nB "))
            case "status":
                return rng.choice(CRM_STATUSES if side is Side.CRM else WORK_STATUSES)
            case "owner":
                if side is Side.CRM:
                    return rng.choice((*COLLEAGUES, "NV009", None))
                return rng.sample(COLLEAGUES, rng.randrange(3))
        if rng.random() < 0.15:
            return None
        return self._day() if side is Side.CRM else f"{self._day()}T{rng.randrange(6, 21):02}:30:00+07:00"

    def _words(self) -> str:
        self.typed += 1
        return f"{self.rng.choice(('Gọi', 'Gửi', 'Hẹn'))} {self.typed}"

    def _day(self) -> str:
        self.typed += 1
        return (FIRST_DAY + timedelta(days=self.typed)).isoformat()
