"""Small examples of everything that the state keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from reconciler.core.model import (
    Aside,
    Attention,
    Candidate,
    Claim,
    Code,
    Difference,
    Entry,
    Field,
    Half,
    Intent,
    Link,
    Presence,
    Sending,
    Side,
    Target,
    Tombstone,
    Value,
    Wanted,
    Written,
)

T0 = datetime(2025, 3, 4, 5, 6, 7, 800900, tzinfo=UTC)


class Fixed:
    """A clock that stands still."""

    def now(self) -> datetime:
        return T0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def at(minutes: int) -> datetime:
    return T0 + timedelta(minutes=minutes)


def bytes_from(seed: str) -> Callable[[int], bytes]:
    """A repeatable random source."""
    numbers = count()

    def give(size: int) -> bytes:
        return hashlib.shake_256(f"{seed}{next(numbers)}".encode()).digest(size)

    return give


def link(number: int, **changes: object) -> Link:
    """A quiet pair: CRM task `number`, Work item `number + 1000`."""
    values = {Field.TITLE: f"Gọi khách {number}", Field.OWNER: ("NV001", "NV002"), Field.DUE: None}
    crm = Half(id=str(number), base=values, seen=values, stamps={Field.TITLE: at(1)}, modified=at(1))
    work = Half(id=str(number + 1000), base=values, seen=values, modified=at(2), marker=str(number))
    return Link(**{"crm": crm, "work": work} | changes)  # type: ignore[arg-type]


def aside(until: datetime | None = None) -> Aside:
    return Aside(side=Side.WORK, code=Code.FIELD_TOO_LONG, words="quá dài", value=("a",), since=at(3), until=until)


def busy_link(number: int) -> Link:
    """A pair with something in every column."""
    base: dict[Field, Value] = {Field.TITLE: "cũ", Field.OWNER: ("NV1",), Field.START: None}
    seen: dict[Field, Value] = {Field.TITLE: "mới", Field.OWNER: ("NV1",), Field.STATUS: ""}
    half = Half(
        id=str(number),
        base=base,
        seen=seen,
        stamps={Field.TITLE: at(1), Field.STATUS: None},
        modified=at(1),
        own_stamp=at(2),
        agreed=at(3),
        author="Nguyễn Văn A",
        presence=Presence.MISSING,
        missing_since=at(4),
        project="12",
        group="31",
        marker="9",
    )
    return Link(
        crm=half,
        work=half,
        aside={Field.TITLE: aside(at(9)), Field.DUE: aside()},
        wanted=(
            Wanted(field=Field.DUE, side=Side.CRM, value=None, source=("x",), sent=at(5), hold=at(6), expires=at(7)),
            Wanted(
                field=Field.START,
                side=Side.WORK,
                value=None,
                source="x",
                sent=at(5),
                hold=at(6),
                expires=at(7),
                typed=True,
            ),
        ),
        differences={Field.STATUS: Difference(reason="lossy", since=at(8))},
        written={Field.TITLE: Written(side=Side.WORK, before="cũ", source="mới")},
        reverts={Field.TITLE: (at(1), at(2))},
        dirty_since=at(5),
        generation=3,
        not_before=at(6),
        tries=2,
        drops=1,
    )


def candidate(number: int) -> Candidate:
    return Candidate(
        crm_id=str(number),
        target=Target(project="12", group="Nhóm 1"),
        since=at(-number),
        title="Việc",
        on_request=True,
        refused=Code.TARGET_NOT_FOUND,
        words="không có",
        config="c",
        not_before=at(1),
        tries=4,
    )


def intent(number: int) -> Intent:
    return Intent(
        crm_id=str(number),
        target=Target(project="1", group="2"),
        values={Field.TITLE: "x", Field.OWNER: ("NV1",)},
        source={Field.TITLE: None},
        sent=at(-number),
        floor=at(-number - 1),
        title="x",
        searches=2,
        on_request=True,
    )


def sending(key: int, side: Side) -> Sending:
    return Sending(link=key, side=side, values={Field.OWNER: ("a", "b")}, source={Field.OWNER: "A"}, sent=at(key))


def claim(number: int) -> Claim:
    return Claim(work_id=str(number), crm_id=f"c{number % 2}", created=at(1), deleted=True, reported=True)


def tombstone(number: int, *, known: bool = True) -> Tombstone:
    pair = busy_link(number) if known else None
    return Tombstone(crm_id=str(number), work_id=f"w{number}", reason="gone", manual=True, at=at(1), link=pair)


def attention(number: int, **changes: object) -> Attention:
    return Attention(
        **{  # type: ignore[arg-type]
            "side": Side.WORK,
            "id": str(number),
            "code": Code.FORBIDDEN,
            "message": "không có quyền",
            "since": at(number),
            "content": "a",
        }
        | changes
    )


def entry(number: int, **changes: object) -> Entry:
    return Entry(
        **{  # type: ignore[arg-type]
            "kind": "updated",
            "at": at(number),
            "cycle": 1,
            "crm_id": f"c{number}",
            "work_id": f"w{number}",
            "side": Side.CRM,
            "field": Field.OWNER,
            "old": "Nguyễn Văn A",
            "new": ("NV001",),
            "rule": "newer",
            "reason": "r",
            "changed_by": "Trần B",
            "operator": None,
            "crm_modified": at(1),
            "work_modified": None,
            "detail": {"ids": [1, 2], "ratio": 0.5, "b": None},
        }
        | changes
    )
