"""What tests of the planner start from: the policy of a usual config, and a pair that is in step and quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reconciler.core.lenses import OwnerLens, lenses
from reconciler.core.model import Direction, Field, Half, Link, Offset, Side, Value
from reconciler.core.moment import Moment
from reconciler.core.observe import with_half
from reconciler.core.operations import Operation, Update
from reconciler.core.pilot import Pilot
from reconciler.core.plan import Plan, Workload, plan
from reconciler.core.policy import Limits, Policy
from reconciler.core.resolve import Clocks
from reconciler.core.route import Places
from reconciler.core.status import StatusMaps

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
YESTERDAY = NOON - timedelta(days=1)
NOWHERE = Places(groups={}, members={})
MAPS = StatusMaps(
    {"Hoàn thành": "Đã hoàn thành", "*": "Chưa hoàn thành"}, {"Đã hoàn thành": "Hoàn thành", "*": "Chưa bắt đầu"}
)
LIMITS = Limits(
    max_update_percent=30,
    min_updates=20,
    max_updates=500,
    max_delete_percent=10,
    min_deletes=5,
    max_deletes=50,
    max_creates=200,
)
CRM: Mapping[Field, Value] = {
    Field.TITLE: "Gọi An Phát",
    Field.DESCRIPTION: "Hỏi giá",
    Field.START: None,
    Field.DUE: "2026-03-09",
    Field.OWNER: "Lê An (NV001)",
    Field.STATUS: "Đang thực hiện",
}
WORK: Mapping[Field, Value] = {
    **CRM,
    Field.DUE: "2026-03-09T17:30:00+07:00",
    Field.OWNER: ("NV001",),
    Field.STATUS: "Chưa hoàn thành",
}


def policy(*, maps: StatusMaps = MAPS, people: Mapping[str, str] | None = None, config: str = "first") -> Policy:
    """A usual policy; `config` is the fingerprint that a changed config changes."""
    known = people or {}
    return Policy(
        lenses=lenses(maps=maps, start_hour="08:00", due_hour="17:30", people=known),
        people=OwnerLens(known),
        directions=dict.fromkeys(Field, Direction.BOTH),
        tolerance=timedelta(seconds=2),
        tie=Side.CRM,
        overlap=timedelta(minutes=2),
        settle=timedelta(0),
        resolve_after=timedelta(minutes=5),
        confirm_after=timedelta(0),
        retry_for=timedelta(hours=1),
        back_off=timedelta(seconds=60),
        routes=(),
        propagate_deletes=False,
        revert_window=timedelta(hours=1),
        limits=LIMITS,
        lengths={Side.CRM: {}, Side.WORK: {}},
        marks=frozenset(Side),
        tells=False,
        pilot=Pilot(),
        config=config,
    )


def pair(key: int = 1) -> Link:
    """A pair in step whose two records name each other."""
    crm = Half(
        id=str(key),
        base=CRM,
        seen=CRM,
        stamps=dict.fromkeys(Field, YESTERDAY),
        modified=YESTERDAY,
        agreed=YESTERDAY,
        marker=str(7000 + key),
    )
    work = replace(crm, id=str(7000 + key), base=WORK, seen=WORK, project="12", group="31", marker=str(key))
    return Link(key=key, crm=crm, work=work)


def edited(link: Link, side: Side, values: Mapping[Field, Value], at: datetime | None = NOON) -> Link:
    """The pair after a person's edit on `side`; at None the record shows other values under the same stamp."""
    half = link.half(side)
    stamps = {**half.stamps, **dict.fromkeys(values, at)}
    return with_half(
        link, side, replace(half, seen={**half.seen, **values}, stamps=stamps, modified=at or half.modified)
    )


def moment(at: datetime = NOON, statuses: Mapping[Side, frozenset[str]] | None = None) -> Moment:
    """A moment at which both servers' clocks are known and right."""
    sure = Offset(value=timedelta(0), uncertainty=timedelta(milliseconds=300))
    clocks = Clocks(crm=sure, work=sure, tolerance=timedelta(seconds=2), tie=Side.CRM)
    return Moment(now=at, clocks=clocks, statuses=statuses or {})


def planned(link: Link, rules: Policy | None = None, when: Moment | None = None) -> Plan:
    """The plan for this one pair."""
    return plan(Workload(links=[link]), rules or policy(), when or moment(), NOWHERE)


def written(operations: tuple[Operation, ...]) -> list[tuple[str, dict[str, Value]]]:
    """What would be written: for each update its side and the new values."""
    return [
        (operation.side.value, {change.field.value: change.after for change in operation.changes})
        for operation in operations
        if isinstance(operation, Update)
    ]
