"""Everything comes back from its row as it went in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core import text
from reconciler.core.model import (
    Aside,
    Code,
    Difference,
    Field,
    Half,
    Link,
    Presence,
    Side,
    Tombstone,
    Value,
    Wanted,
)
from reconciler.store import codec, rows
from reconciler.store.database import dumps
from tests.store.samples import at, busy_link

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ANY_TEXT = st.text(max_size=12)  # of values: they come back with U+0000 too, which `clean` takes out of what is shown
VALUE: st.SearchStrategy[Value] = st.one_of(st.none(), ANY_TEXT, st.lists(ANY_TEXT, max_size=3).map(tuple))
FIELD = st.sampled_from(Field)
VALUES = st.dictionaries(FIELD, VALUE)
MOMENT = st.datetimes(
    datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=7))])
)
MAYBE = st.none() | MOMENT
WORD = st.none() | TEXT
COUNT = st.integers(0, 2**31 - 1)

HALVES = st.builds(
    Half,
    id=TEXT,
    base=VALUES,
    seen=VALUES,
    stamps=st.dictionaries(FIELD, MAYBE),
    modified=MAYBE,
    own_stamp=MAYBE,
    agreed=MAYBE,
    author=WORD,
    presence=st.sampled_from(Presence),
    missing_since=MAYBE,
    project=WORD,
    group=WORD,
    marker=WORD,
)
ASIDES = st.builds(
    Aside,
    side=st.sampled_from(Side),
    code=st.sampled_from(Code),
    words=TEXT,
    value=VALUE,
    since=MOMENT,
    config=TEXT,
    until=MAYBE,
    tries=COUNT,
)
WANTEDS = st.builds(
    Wanted, field=FIELD, side=st.sampled_from(Side), value=VALUE, source=VALUE, sent=MOMENT, hold=MOMENT, expires=MOMENT
)
LINKS = st.builds(
    Link,
    key=COUNT,
    crm=HALVES,
    work=HALVES,
    aside=st.dictionaries(FIELD, ASIDES, max_size=2),
    wanted=st.lists(WANTEDS, max_size=2).map(tuple),
    differences=st.dictionaries(FIELD, st.builds(Difference, reason=TEXT, since=MOMENT), max_size=2),
    reverts=st.dictionaries(FIELD, st.lists(MOMENT, max_size=3).map(tuple), max_size=2),
    dirty_since=MAYBE,
    generation=COUNT,
    not_before=MAYBE,
    tries=COUNT,
    drops=COUNT,
)

JSON_COLUMNS = (
    *(f"{side}_{name}" for side in ("crm", "work") for name in ("base", "seen", "stamps")),
    "aside",
    "wanted",
    "differences",
    "reverts",
)


@settings(deadline=None)
@given(LINKS)
def test_a_link_round_trips(link: Link) -> None:
    row = {"key": link.key, **codec.link_row(link)}
    for name in JSON_COLUMNS:  # as the database does it
        row[name] = None if row[name] is None else json.loads(dumps(row[name]))
    assert codec.link_load(row) == link


@settings(deadline=None)
@given(LINKS)
def test_a_tombstones_link_is_plain_json(link: Link) -> None:
    buried = Tombstone(crm_id="1", work_id="2", reason="r", manual=False, at=at(0), link=link)
    row = rows.tombstone_row(buried)
    assert rows.tombstone_load(row | {"link": json.loads(dumps(row["link"]))}) == buried


@given(VALUES, VALUES)
def test_seen_is_stored_sparsely(base: dict[Field, Value], seen: dict[Field, Value]) -> None:
    sparse = codec.seen_out(base, seen)
    assert codec.seen_in(base, sparse) == seen
    assert (sparse is None) == (base == seen)
    for name in sparse or {}:
        assert name == codec.UNSEEN or base.get(Field(name), ...) != seen[Field(name)]


def test_a_naive_moment_is_refused() -> None:
    naive = replace(busy_link(1), reverts={Field.TITLE: (at(0).replace(tzinfo=None),)})
    with pytest.raises(ValueError, match="naive"):
        codec.link_row(naive)


@given(st.text(st.characters(), max_size=5))
def test_cleaned_words_can_be_encoded(words: str) -> None:
    text.clean(words + "\udc80").encode()
    assert text.clean("chữ") == "chữ"
