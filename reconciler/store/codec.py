"""Values and links to rows and back; pure functions. `rows` has the smaller types.

A row is a mapping from column names to what the column's type takes: aware datetimes, plain strings, and for JSON
columns str, list, dict or None. Moments inside JSON are ISO strings in UTC. Loading raises ValueError or KeyError for
what this program never wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.core.condition import condition
from reconciler.core.model import (
    Aside,
    Code,
    Difference,
    Field,
    Half,
    Link,
    Presence,
    Side,
    Value,
    Values,
    Wanted,
    Written,
)
from reconciler.core.text import clean
from reconciler.message import pack, unpack

Row = dict[str, Any]
Loaded = Mapping[str, Any]

UNSEEN = "unseen"
"""Key beside the field names in a sparse `seen`: fields of the base that were never seen."""


def clean_or_none(words: str | None) -> str | None:
    return None if words is None else clean(words)


def moment_out(moment: datetime | None) -> str | None:
    """ISO text in UTC; refuses naive moments."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"naive datetime {moment!r}")
    return moment.astimezone(UTC).isoformat()


def moment_in(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _must(text: str) -> datetime:
    return datetime.fromisoformat(text)


def value_out(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def value_in(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value


def values_out(values: Values) -> dict[str, Any]:
    return {field.value: value_out(value) for field, value in values.items()}


def values_in(values: Mapping[str, Any] | None) -> dict[Field, Value]:
    return {Field(name): value_in(value) for name, value in values.items()} if values else {}


def seen_out(base: Values, seen: Values) -> dict[str, Any] | None:
    """What differs from the base, None if nothing does. An absent field is not an empty one."""
    sparse: dict[str, Any] = {
        field.value: value_out(value) for field, value in seen.items() if field not in base or base[field] != value
    }
    unseen = [field.value for field in base if field not in seen]
    if unseen:
        sparse[UNSEEN] = unseen
    return sparse or None


def seen_in(base: Mapping[Field, Value], sparse: Mapping[str, Any] | None) -> dict[Field, Value]:
    if not sparse:
        return dict(base)
    unseen = sparse.get(UNSEEN, ())
    seen = {field: value for field, value in base.items() if field.value not in unseen}
    seen.update({Field(name): value_in(value) for name, value in sparse.items() if name != UNSEEN})
    return seen


def half_row(prefix: str, half: Half) -> Row:
    """The columns of one half without its id; `prefix` is "crm" or "work"."""
    return {
        f"{prefix}_base": values_out(half.base),
        f"{prefix}_seen": seen_out(half.base, half.seen),
        f"{prefix}_stamps": {field.value: moment_out(stamp) for field, stamp in half.stamps.items()} or None,
        f"{prefix}_modified": half.modified,
        f"{prefix}_own_stamp": half.own_stamp,
        f"{prefix}_agreed": half.agreed,
        f"{prefix}_author": clean_or_none(half.author),
        f"{prefix}_presence": half.presence.value,
        f"{prefix}_missing_since": half.missing_since,
        f"{prefix}_project": half.project,
        f"{prefix}_group": half.group,
        f"{prefix}_marker": half.marker,
        f"{prefix}_marker_refused": half.marker_refused,
    }


def half_load(prefix: str, row: Loaded) -> Half:
    base = values_in(row[f"{prefix}_base"])
    return Half(
        id=row[f"{prefix}_id"],
        base=base,
        seen=seen_in(base, row[f"{prefix}_seen"]),
        stamps={Field(name): moment_in(stamp) for name, stamp in (row[f"{prefix}_stamps"] or {}).items()},
        modified=row[f"{prefix}_modified"],
        own_stamp=row[f"{prefix}_own_stamp"],
        agreed=row[f"{prefix}_agreed"],
        author=row[f"{prefix}_author"],
        presence=Presence(row[f"{prefix}_presence"]),
        missing_since=row[f"{prefix}_missing_since"],
        project=row[f"{prefix}_project"],
        group=row[f"{prefix}_group"],
        marker=row[f"{prefix}_marker"],
        marker_refused=row[f"{prefix}_marker_refused"],
    )


def _aside_out(aside: Aside) -> Row:
    return {
        "side": aside.side.value,
        "code": aside.code.value,
        "words": pack(aside.words),
        "value": value_out(aside.value),
        "since": moment_out(aside.since),
        "config": aside.config,
        "until": moment_out(aside.until),
        "tries": aside.tries,
    }


def _aside_in(data: Loaded) -> Aside:
    return Aside(
        side=Side(data["side"]),
        code=Code(data["code"]),
        words=unpack(data["words"]),
        value=value_in(data["value"]),
        since=_must(data["since"]),
        config=data["config"],
        until=moment_in(data["until"]),
        tries=data["tries"],
    )


def _wanted_out(wanted: Wanted) -> Row:
    return {
        "field": wanted.field.value,
        "side": wanted.side.value,
        "value": value_out(wanted.value),
        "source": value_out(wanted.source),
        "sent": moment_out(wanted.sent),
        "hold": moment_out(wanted.hold),
        "expires": moment_out(wanted.expires),
        "typed": wanted.typed,
    }


def _wanted_in(data: Loaded) -> Wanted:
    return Wanted(
        field=Field(data["field"]),
        side=Side(data["side"]),
        value=value_in(data["value"]),
        source=value_in(data["source"]),
        sent=_must(data["sent"]),
        hold=_must(data["hold"]),
        expires=_must(data["expires"]),
        typed=data.get("typed", False),
    )


def _written_out(written: Written) -> Row:
    return {
        "side": written.side.value,
        "before": value_out(written.before),
        "source": value_out(written.source),
    }


def _written_in(data: Loaded) -> Written:
    return Written(side=Side(data["side"]), before=value_in(data["before"]), source=value_in(data["source"]))


def link_row(link: Link) -> Row:
    """Every column of the link but its key."""
    return {
        "crm_id": link.crm.id,
        "work_id": link.work.id,
        "dirty_since": link.dirty_since,
        "condition": condition(link),
        "generation": link.generation,
        "not_before": link.not_before,
        "tries": link.tries,
        "completed": link.completed,
        "frozen": link.frozen,
        "drops": link.drops,
        **half_row("crm", link.crm),
        **half_row("work", link.work),
        "aside": {field.value: _aside_out(aside) for field, aside in link.aside.items()} or None,
        "wanted": [_wanted_out(wanted) for wanted in link.wanted] or None,
        "differences": {
            field.value: {"reason": difference.reason, "since": moment_out(difference.since)}
            for field, difference in link.differences.items()
        }
        or None,
        "written": {field.value: _written_out(written) for field, written in link.written.items()} or None,
        "reverts": {field.value: [moment_out(at) for at in moments] for field, moments in link.reverts.items()} or None,
    }


def link_load(row: Loaded) -> Link:
    return Link(
        key=row["key"],
        crm=half_load("crm", row),
        work=half_load("work", row),
        aside={Field(name): _aside_in(data) for name, data in (row["aside"] or {}).items()},
        wanted=tuple(_wanted_in(data) for data in row["wanted"] or ()),
        differences={
            Field(name): Difference(reason=data["reason"], since=_must(data["since"]))
            for name, data in (row["differences"] or {}).items()
        },
        written={Field(name): _written_in(data) for name, data in (row["written"] or {}).items()},
        reverts={Field(name): tuple(_must(at) for at in moments) for name, moments in (row["reverts"] or {}).items()},
        dirty_since=row["dirty_since"],
        generation=row["generation"],
        not_before=row["not_before"],
        tries=row["tries"],
        drops=row["drops"],
        completed=row["completed"],
        frozen=row["frozen"],
    )


_MOMENTS = (
    "dirty_since",
    "not_before",
    *(f"{side}_{name}" for side in ("crm", "work") for name in ("modified", "own_stamp", "agreed", "missing_since")),
)


def link_json(link: Link | None) -> Row | None:
    """A link as plain JSON, for a tombstone: its row with ISO moments, and its key."""
    if link is None:
        return None
    row = {"key": link.key, **link_row(link)}
    return row | {name: moment_out(row[name]) for name in _MOMENTS}


def link_from_json(data: Loaded | None) -> Link | None:
    if data is None:
        return None
    return link_load({**data, **{name: moment_in(data[name]) for name in _MOMENTS}})
