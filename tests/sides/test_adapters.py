"""One contract for both adapters, in process and over sockets: what a cycle may rely on, on either side."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from reconciler.core.model import Accepted, Draft, Edit, Field, Presence, Record, Refused, Side
from reconciler.errors import SideClosed
from reconciler.sandbox.company import COMPLETED, DONE
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.crm_rules import LAYOUT
from reconciler.sandbox.server import Sandbox, crm_app, work_app
from reconciler.sandbox.work import WorkSystem
from reconciler.sides.crm import CrmWriter
from reconciler.sides.transport import network
from reconciler.sides.work import WorkWriter
from tests.sides.rig import Rig, Seen
from tests.world import MORNING

BIG = 2**63 - 25
"""An id that no double can hold."""


class Rewriting(httpx.AsyncBaseTransport):
    """Changes every JSON answer on its way, as another version of the server would have sent it."""

    def __init__(self, inner: httpx.AsyncBaseTransport, change: Callable[[Any], Any]) -> None:
        self.inner, self.change = inner, change

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        content = b"".join([part async for part in response.stream])  # type: ignore[union-attr]
        await response.aclose()
        changed = json.dumps(self.change(json.loads(content)), ensure_ascii=False).encode()
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-length"]
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(changed))

    async def aclose(self) -> None:
        await self.inner.aclose()


@dataclass
class Bench:
    """One adapter with its server, and the wire names of what a test touches."""

    rig: Rig
    side: Side
    adapter: CrmWriter | WorkWriter
    url: str

    @property
    def system(self) -> CrmSystem | WorkSystem:
        return self.rig.crm_system if self.side is Side.CRM else self.rig.work_system

    @property
    def crm(self) -> bool:
        return self.side is Side.CRM

    def name(self, crm: str, work: str) -> str:
        return crm if self.crm else work

    def add(self, count: int = 1, /, **fields: Any) -> list[str]:
        return [str(self.system.add(**fields)) for _ in range(count)]

    def patch(self, id_: str, **fields: Any) -> None:
        """What the server sends in place of its own values; an ellipsis leaves the key out."""
        answers = self.system._render

        def render(row: dict[str, Any]) -> dict[str, Any]:
            shown = answers(row)
            if str(shown.get("id", shown.get("TaskID"))) == id_:
                shown = {name: value for name, value in (shown | fields).items() if value is not ...}
            return shown

        self.system._render = render  # type: ignore[method-assign]

    async def read(self, since: Any = None) -> dict[str, Record]:
        seen = Seen()
        reading = await self.adapter.changes(since, seen)
        assert reading.complete, reading.note
        return seen.rows

    async def one(self, id_: str) -> Record:
        """The record as the listing shows it, which is as its answer by id shows it."""
        listed, asked = (await self.read())[id_], (await self.adapter.by_id([id_]))[id_]
        assert listed == asked
        return listed

    def rewritten(self, change: Callable[[Any], Any]) -> CrmWriter | WorkWriter:
        if self.url:
            inner: httpx.AsyncBaseTransport = network(connections=4, proxy="", ca_file="")
        elif self.crm:
            inner = httpx.ASGITransport(app=crm_app(self.rig.crm_system))
        else:
            inner = httpx.ASGITransport(app=work_app(self.rig.work_system))
        transport = Rewriting(inner, change)
        return self.rig.crm(transport) if self.crm else self.rig.work(transport)

    def calls(self, verb: str) -> int:
        return sum(call.verb == verb for call in self.system.log)


@pytest.fixture(params=["in process", "over sockets"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made = Rig()
    if request.param == "in process":
        yield made
        await made.close()
        return
    with Sandbox(made.crm_system, made.work_system) as sandbox:
        made.crm_url, made.work_url = sandbox.crm_url, sandbox.work_url
        yield made
        await made.close()


@pytest.fixture(params=list(Side), ids=[one.value for one in Side])
async def bench(rig: Rig, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    side: Side = request.param
    adapter = rig.crm() if side is Side.CRM else rig.work()
    made = Bench(rig, side, adapter, rig.crm_url)
    yield made
    assert made.system.violations == [], "the wire contract"


# --- changes ----------------------------------------------------------------------------------------------------------


async def test_an_empty_side(bench: Bench) -> None:
    assert await bench.read() == {}
    assert await bench.adapter.by_id([]) == {}


async def test_changes_are_all_rows_or_those_since_a_moment_inclusive(bench: Bench) -> None:
    now = bench.rig.clock.now()
    old = bench.add(modified=now - timedelta(hours=2))
    edge = bench.add(modified=now - timedelta(hours=1))
    new = bench.add(modified=now)
    assert (await bench.read()).keys() == {*old, *edge, *new}
    since = await bench.read(now - timedelta(hours=1))
    assert {*edge, *new} <= since.keys()
    if not bench.crm:
        assert since.keys() == {*edge, *new}


async def test_a_reading_says_what_it_was(bench: Bench) -> None:
    now = bench.rig.clock.now()
    bench.add(3, modified=now - timedelta(minutes=1))
    reading = await bench.adapter.changes(None, Seen())
    assert (reading.side, reading.full, reading.complete, reading.note) == (bench.side, True, True, "")
    assert reading.newest == now - timedelta(minutes=1)
    assert now - timedelta(seconds=2) <= reading.started <= now
    assert not (await bench.adapter.changes(now, Seen())).full


async def test_many_rows_come_over_many_pages(bench: Bench) -> None:
    now = bench.rig.clock.now()
    ids = [bench.add(modified=now - timedelta(seconds=age))[0] for age in range(250)]
    assert (await bench.read()).keys() == set(ids)


async def test_what_a_row_says_is_read(bench: Bench) -> None:
    if bench.crm:
        [id_] = bench.add(
            task_name="Gọi", description="a\nb", due_date="2026-03-09", owner_name="NV003", priority="Cao"
        )
        found = await bench.one(id_)
        assert found.values == {
            Field.TITLE: "Gọi",
            Field.DESCRIPTION: "a\nb",
            Field.START: None,
            Field.DUE: "2026-03-09",
            Field.OWNER: "Lê Quốc Cường (HN) (NV003)",
            Field.STATUS: "Chưa bắt đầu",
        }
        assert (found.layout, found.traits["priority"], found.creator) == (LAYOUT, "Cao", found.author)
    else:
        [id_] = bench.add(TaskName="Gọi", Description="a\nb", Deadline="2026-03-09T17:30:00+07:00", DoerCodes=["NV003"])
        found = await bench.one(id_)
        assert found.values == {
            Field.TITLE: "Gọi",
            Field.DESCRIPTION: "a\nb",
            Field.START: None,
            Field.DUE: "2026-03-09T17:30:00+07:00",
            Field.OWNER: ("NV003",),
            Field.STATUS: "Chưa hoàn thành",
        }
        assert (found.project, found.group) == ("12", "31")
    assert found.presence is Presence.PRESENT and found.problems == () and found.marker is None
    assert found.modified == MORNING == found.created


# --- by id ------------------------------------------------------------------------------------------------------------


async def test_two_hundred_and_fifty_ids_take_three_calls(bench: Bench) -> None:
    ids = bench.add(250)
    found = await bench.adapter.by_id([*ids, *ids[:9], "999999"])
    assert found.keys() == set(ids)
    assert all(row.id == id_ and row.side is bench.side for id_, row in found.items())
    assert bench.calls(bench.name("by-id", "get-tasks-by-id")) == 3


async def test_what_is_gone_hidden_or_never_was_is_missing(bench: Bench) -> None:
    kept, purged, hidden = bench.add(3)
    bench.system.purge(int(purged))
    bench.system.hide(int(hidden))
    assert (await bench.adapter.by_id([kept, purged, hidden, "5"])).keys() == {kept}


async def test_an_id_that_is_no_number_exists_nowhere(bench: Bench) -> None:
    [id_] = bench.add()
    odd = ["", "abc", "1;2", "-1", "7.5", "1e3", "١٢", " ", "0x10", "9" * 41]
    assert await bench.adapter.by_id(odd) == {}
    assert bench.system.log == []
    assert (await bench.adapter.by_id([*odd, id_])).keys() == {id_}


async def test_ids_beyond_every_double_stay_what_they_are(bench: Bench) -> None:
    ids = [str(BIG), str(BIG + 1), str(2**53 + 1)]
    for id_ in ids:
        if isinstance(bench.system, CrmSystem):
            bench.system.add(id=int(id_))
        else:
            bench.system.add(TaskID=int(id_))
    assert (await bench.read()).keys() == set(ids)
    assert (await bench.adapter.by_id(ids)).keys() == set(ids)
    edits = [Edit(id=id_, values={Field.TITLE: f"mới {id_}"}, layout=LAYOUT) for id_ in ids]
    assert await bench.adapter.update(edits) == [Accepted(id=id_) for id_ in ids]
    for id_ in ids:
        row = bench.system.get(int(id_))
        assert row is not None and row[bench.name("task_name", "TaskName")] == f"mới {id_}"
    assert await bench.adapter.delete(ids[:1]) == [Accepted(id=ids[0])]
    assert (await bench.adapter.by_id(ids))[ids[0]].presence is Presence.DELETED


# --- what a row may lack ----------------------------------------------------------------------------------------------

WIRES = {
    Field.TITLE: ("task_name", "TaskName"),
    Field.DESCRIPTION: ("description", "Description"),
    Field.START: ("start_date", "StartDate"),
    Field.DUE: ("due_date", "Deadline"),
    Field.OWNER: ("owner_name", "DoerCodes"),
    Field.STATUS: ("status", "StatusName"),
}


async def test_rule_11_an_absent_key_is_unseen(bench: Bench) -> None:
    ids = dict(zip(Field, bench.add(len(Field)), strict=True))
    for field, id_ in ids.items():
        bench.patch(id_, **{bench.name(*WIRES[field]): ...})
    for field, id_ in ids.items():
        found = await bench.one(id_)
        assert found.values.keys() == set(Field) - {field}
        assert found.problems == ()


async def test_null_is_seen_and_empty(bench: Bench) -> None:
    [id_] = bench.add()
    bench.patch(id_, **{bench.name(*wires): None for wires in WIRES.values()})
    found = await bench.one(id_)
    empty = dict.fromkeys(Field) if bench.crm else {**dict.fromkeys(Field), Field.OWNER: ()}
    assert (found.values, found.problems) == (empty, ())


BAD_DATES: list[Any] = ["", "soon", "2026-02-30T00:00:00+07:00", "09/03/2026", "9999-12-31T23:59:59Z", 7, True, [], {}]
ODD_VALUES: list[Any] = [7, True, 0.5, {"a": 1}, [7], [None]]


async def bad_values(bench: Bench, fields: Iterable[Field], values: Sequence[Any]) -> None:
    """Each of these values in each of these fields: the field is unseen, the row says so, and nothing else suffers."""
    cases = [(field, bad) for field in fields for bad in values]
    ids, [sound] = bench.add(len(cases)), bench.add()
    for id_, (field, bad) in zip(ids, cases, strict=True):
        bench.patch(id_, **{bench.name(*WIRES[field]): bad})
    for rows in (await bench.read(), await bench.adapter.by_id([*ids, sound])):
        assert rows[sound].problems == () and rows[sound].values.keys() == set(Field)
        for id_, (field, bad) in zip(ids, cases, strict=True):
            found = rows[id_]
            assert found.values.keys() == set(Field) - {field}, (field, bad)
            assert len(found.problems) == 1 and bench.name(*WIRES[field]) in found.problems[0], (field, bad)


async def test_a_bad_date_is_unseen_and_said(bench: Bench) -> None:
    await bad_values(bench, [Field.START, Field.DUE], BAD_DATES)


async def test_a_value_of_another_kind_is_unseen_and_said(bench: Bench) -> None:
    await bad_values(bench, [Field.TITLE, Field.DESCRIPTION, Field.OWNER, Field.STATUS], ODD_VALUES)


async def test_a_stamp_that_cannot_be_read_is_said(bench: Bench) -> None:
    wire = bench.name("modified_date", "ModifiedDate")
    odd = [None, "", "soon", 7, ...]
    ids = bench.add(len(odd))
    for id_, bad in zip(ids, odd, strict=True):
        bench.patch(id_, **{wire: bad})
    for found in (await bench.adapter.by_id(ids)).values():
        assert found.modified is None
        assert any(wire in one for one in found.problems)
        assert found.values.keys() == set(Field)


# --- presence and markers ---------------------------------------------------------------------------------------------


async def test_a_deleted_row_is_still_shown_and_says_so(bench: Bench) -> None:
    gone, kept = bench.add(2)
    bench.system.delete(int(gone))
    assert (await bench.one(gone)).presence is Presence.DELETED
    assert (await bench.one(kept)).presence is Presence.PRESENT
    bench.system.restore(int(gone))
    assert (await bench.one(gone)).presence is Presence.PRESENT


async def test_an_archived_item_says_so_and_deleted_is_more(rig: Rig) -> None:
    work = rig.work()
    archived, both = (str(rig.work_system.add(IsArchived=True, IsDeleted=deleted)) for deleted in (False, True))
    found = await work.by_id([archived, both])
    assert found[archived].presence is Presence.ARCHIVED
    assert found[both].presence is Presence.DELETED


async def test_only_true_is_deleted(bench: Bench) -> None:
    odd = ["true", "True", 1, 0, None, "false"]
    ids = bench.add(len(odd))
    for id_, value in zip(ids, odd, strict=True):
        bench.patch(id_, **{bench.name("is_deleted", "IsDeleted"): value})
    assert {row.presence for row in (await bench.read()).values()} == {Presence.PRESENT}


async def test_a_marker_is_read_and_written(bench: Bench) -> None:
    [id_] = bench.add()
    assert (await bench.one(id_)).marker is None
    assert await bench.adapter.update([Edit(id=id_, values={}, layout=LAYOUT, marker="7001")]) == [Accepted(id=id_)]
    assert (await bench.one(id_)).marker == "7001"


async def test_a_marker_is_text_or_a_number(bench: Bench) -> None:
    cases = [("1042", "1042"), (1042, "1042"), (BIG, str(BIG)), ("", None), (" ", None), (None, None), (True, None)]
    ids = bench.add(len(cases))
    for id_, (sent, _) in zip(ids, cases, strict=True):
        bench.patch(id_, **({"custom_field3": sent} if bench.crm else {"CustomFields": {"crm_task_id": sent}}))
    found = await bench.read()
    assert [found[id_].marker for id_ in ids] == [marker for _, marker in cases]


async def test_custom_fields_of_any_kind_are_survived(rig: Rig) -> None:
    bench = Bench(rig, Side.WORK, rig.work(), rig.work_url)
    odd: list[Any] = [None, [], "x", 7, {}, ...]
    ids = bench.add(len(odd))
    for id_, value in zip(ids, odd, strict=True):
        bench.patch(id_, CustomFields=value)
    assert {row.marker for row in (await bench.read()).values()} == {None}


async def test_the_targets_of_a_salesperson_are_read(rig: Rig) -> None:
    bench = Bench(rig, Side.CRM, rig.crm(), rig.crm_url)
    [chosen, open_] = [*bench.add(custom_field1="12", custom_field2="Cần làm"), *bench.add(custom_field1="  ")]
    found = await bench.read()
    assert (found[chosen].project, found[chosen].group) == ("12", "Cần làm")
    assert (found[open_].project, found[open_].group) == (None, None)


# --- casing -----------------------------------------------------------------------------------------------------------


def snake(key: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() and at else one.lower() for at, one in enumerate(key))


STYLES: dict[str, Callable[[str], str]] = {
    "UPPER": str.upper,
    "lower": str.lower,
    "without underscores": lambda key: key.replace("_", ""),
    "camel": lambda key: "".join(part[:1].upper() + part[1:] for part in key.split("_")),
    "snake": snake,
}


def restyled(style: Callable[[str], str]) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        if isinstance(value, dict):
            return {style(name): change(one) for name, one in value.items()}
        return [change(one) for one in value] if isinstance(value, list) else value

    return change


@pytest.mark.parametrize("style", STYLES)
async def test_keys_are_found_in_any_casing(bench: Bench, style: str) -> None:
    [id_, gone] = bench.add(2)
    bench.system.delete(int(gone))
    if bench.crm:
        bench.rig.crm_system.edit(int(id_), custom_field3="7001")
    else:
        bench.rig.work_system.edit(int(id_), CustomFields={"crm_task_id": "7001"})
    plain = await bench.read()
    adapter = bench.rewritten(restyled(STYLES[style]))
    seen = Seen()
    reading = await adapter.changes(None, seen)
    assert reading.complete, reading.note
    assert seen.rows == plain
    assert await adapter.by_id([id_, gone]) == plain
    title = bench.name("task_name", "TaskName")
    bad = Edit(id=id_, values={Field.TITLE: "x" * 300}, layout=LAYOUT)
    good = Edit(id=id_, values={Field.TITLE: "mới"}, layout=LAYOUT)
    refused, accepted = await adapter.update([bad, good])
    assert isinstance(refused, Refused) and refused.words
    assert accepted == Accepted(id=id_)
    row = bench.system.get(int(id_))
    assert row is not None and row[title] == "mới"


# --- writes -----------------------------------------------------------------------------------------------------------


async def test_only_what_is_sent_is_changed(bench: Bench) -> None:
    [id_] = bench.add()
    before = bench.system.get(int(id_))
    done = bench.name(COMPLETED, DONE)
    due = bench.name("2026-03-09", "2026-03-09T17:30:00+07:00")
    edit = Edit(id=id_, values={Field.DUE: due, Field.STATUS: done}, layout=LAYOUT)
    assert await bench.adapter.update([edit]) == [Accepted(id=id_)]
    after = bench.system.get(int(id_))
    assert before is not None and after is not None
    [call] = bench.system.writes()
    sent = set(call.elements[0].fields) - {"form_layout"}
    assert sent == {bench.name("due_date", "Deadline"), bench.name("status", "StatusName")}
    followed = {
        "modified_date",
        "modified_by",
        "ModifiedDate",
        "ModifiedBy",
        "IsCompleted",
        "CompletedDate",
        "Progress",
    }
    assert {name for name in after if after[name] != before[name]} <= sent | followed
    values = (await bench.one(id_)).values
    assert (values[Field.DUE], values[Field.STATUS]) == (due, done)


@pytest.mark.parametrize("field", [Field.DESCRIPTION, Field.START, Field.DUE])
async def test_a_value_can_be_cleared(bench: Bench, field: Field) -> None:
    day = bench.name("2026-03-09", "2026-03-09T17:30:00+07:00")
    wire = bench.name(*WIRES[field])
    [id_] = bench.add(**{wire: "a" if field is Field.DESCRIPTION else day})
    assert await bench.adapter.update([Edit(id=id_, values={field: None}, layout=LAYOUT)]) == [Accepted(id=id_)]
    row = bench.system.get(int(id_))
    assert row is not None and row[wire] is None


async def test_a_batch_of_twenty_is_one_call_and_every_element_has_its_own_answer(bench: Bench) -> None:
    ids = bench.add(20)
    assert bench.adapter.batch == 20
    bench.system.purge(int(ids[3]))
    edits = [
        Edit(id=id_, values={Field.TITLE: "x" * 300 if number == 7 else f"mới {number}"}, layout=LAYOUT)
        for number, id_ in enumerate(ids)
    ]
    answers = await bench.adapter.update(edits)
    assert len(bench.system.writes()) == 1
    assert [type(one) for one in answers].count(Refused) == 2
    gone, long = answers[3], answers[7]
    assert isinstance(gone, Refused) and gone.gone and gone.words
    assert isinstance(long, Refused) and not long.gone and not long.transient and long.words
    assert long.field is (Field.TITLE if bench.crm else None)
    assert [one.id for one in answers if isinstance(one, Accepted)] == [*ids[:3], *ids[4:7], *ids[8:]]
    titles = {
        number: (bench.system.get(int(id_)) or {}).get(bench.name(*WIRES[Field.TITLE]))
        for number, id_ in enumerate(ids)
    }
    assert all(titles[number] == f"mới {number}" for number in range(20) if number not in (3, 7))


async def test_a_deletion_has_an_answer_for_each(bench: Bench) -> None:
    ids = bench.add(20)
    bench.system.purge(int(ids[5]))
    bench.system.delete(int(ids[6]))
    answers = await bench.adapter.delete(ids)
    assert len(bench.system.writes()) == 1
    assert [number for number, one in enumerate(answers) if isinstance(one, Refused) and one.gone] == [5, 6]
    found = await bench.adapter.by_id(ids)
    assert {row.presence for row in found.values()} == {Presence.DELETED}
    assert found.keys() == set(ids) - {ids[5]}


async def test_nothing_to_write_is_no_call(bench: Bench) -> None:
    assert await bench.adapter.update([]) == [] == await bench.adapter.delete([])
    assert bench.system.log == []


async def test_items_are_created_with_their_marker(rig: Rig) -> None:
    work = rig.work()
    drafts = [
        Draft(values={Field.TITLE: f"Việc {n}", Field.OWNER: ("NV002",)}, project="12", group="32", marker=str(BIG + n))
        for n in range(20)
    ]
    answers = await work.create(drafts)
    assert len(rig.work_system.writes()) == 1
    found = await work.by_id([one.id for one in answers if isinstance(one, Accepted)])
    assert sorted(row.marker or "" for row in found.values()) == sorted(one.marker for one in drafts)
    assert {(row.project, row.group, row.values[Field.OWNER]) for row in found.values()} == {("12", "32", ("NV002",))}
    assert rig.work_system.violations == []


async def test_a_write_is_known_by_its_stamp_and_author(bench: Bench) -> None:
    [id_] = bench.add()
    bench.rig.clock.tick(60)
    await bench.adapter.update([Edit(id=id_, values={Field.TITLE: "mới"}, layout=LAYOUT)])
    ours = await bench.one(id_)
    assert ours.modified == bench.rig.clock.now().replace(microsecond=0)
    bench.rig.clock.tick(60)
    if bench.crm:
        bench.rig.crm_system.edit(int(id_), task_name="khác")
    else:
        bench.rig.work_system.edit(int(id_), TaskName="khác")
    theirs = await bench.one(id_)
    assert ours.author and theirs.author and ours.author != theirs.author
    assert theirs.modified is not None and ours.modified is not None and theirs.modified > ours.modified


async def test_wrong_credentials_close_the_side(bench: Bench) -> None:
    bench.system.client_id = "somebody else"
    with pytest.raises(SideClosed):
        await bench.adapter.changes(None, Seen())
    bench.system.violations.clear()
