"""What was erased is gone, also from the bytes on the disk, and the chain holds; what is needed is not touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.audit.erasing import SLICE, Subject, erase, retire
from reconciler.audit.inventory import TABLES, lines
from reconciler.core.model import Code, Entry, Field, Half, Side, Written
from reconciler.core.search import Selection
from reconciler.errors import UsageError
from reconciler.ports import Store
from reconciler.requests import Erase, parse_request, request_line
from reconciler.store import open_reader, open_store, verify
from reconciler.store.tables import METADATA
from tests.cli.product import Product
from tests.journal.test_proving import tamper
from tests.store.samples import at, attention, bytes_from, entry, link, tombstone

SECRET = "Gọi chị Hồng về hợp đồng"


def on_disk(folder: Path, words: str) -> list[str]:
    """The files of the state that hold these words, as they are or as JSON may spell them."""
    spellings = (words.encode(), json.dumps(words).strip('"').encode())
    return [
        file.name for file in sorted(folder.glob("state.db*")) if any(one in file.read_bytes() for one in spellings)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/state.db", random_bytes=bytes_from("erase"))


def fill(store: Store, *entries: Entry) -> None:
    with store.transaction() as tx:
        tx.append(entries)


def erased(store: Store, **subject: Any) -> str:
    said = erase(store, Subject(**subject), reason="Theo yêu cầu", operator="lan", now=at(99))
    return "\n".join(said)


def kept(store: Store) -> set[int]:
    return {one.id for one in store.entries(Selection()) if not one.erased and one.kind != "erase"}


def test_no_byte_of_an_erased_task_is_left_in_the_file_or_its_log(store: Store, tmp_path: Path) -> None:
    mine = entry(1, crm_id="7", work_id="8", old=SECRET, inputs={"crm": SECRET}, changed_by=f"{SECRET} (NV009)")
    with store.transaction() as tx:  # an older form of the values lies where they were overwritten
        [pair] = tx.save_links([link(7, crm=Half(id="7", base={Field.TITLE: SECRET}, seen={Field.TITLE: SECRET}))])
        tx.append([mine, entry(2)])
        tx.raise_attention([attention(8, title=SECRET, words=SECRET)])
    with store.transaction() as tx:
        tx.drop_links([pair.key])
        tx.save_tombstones([tombstone(7)])
    assert "state.db-wal" in on_disk(tmp_path, SECRET)
    said = erased(store, task="7")
    assert on_disk(tmp_path, SECRET) == []
    assert "of 1 journal entries are erased" in said
    assert "backups" in said
    assert kept(store) == {2}
    assert verify(store) is None
    store.close()
    assert on_disk(tmp_path, SECRET) == []


def test_a_reader_that_holds_the_old_state_open_is_told_of(store: Store, tmp_path: Path) -> None:
    fill(store, entry(1, crm_id="7", old=SECRET))
    reader = open_reader(f"sqlite:///{tmp_path}/state.db")
    next(reader.entries(Selection()))
    assert "another reader still holds the old state open" in erased(store, task="7")
    reader.close()
    assert "another reader" not in erased(store, task="7")
    assert on_disk(tmp_path, SECRET) == []


@pytest.mark.parametrize("ending", ["", "\ud83d", " dài" * 5000])
def test_no_byte_is_left_however_the_value_was_stored(store: Store, tmp_path: Path, ending: str) -> None:
    """As readable letters, as JSON escapes (half an emoji makes them), and over several pages."""
    words = {"old": SECRET + ending, "inputs": {"crm": SECRET + ending}}
    fill(store, *(entry(number, crm_id="7" if number % 2 else "8", **words) for number in range(40)))
    assert on_disk(tmp_path, SECRET) != []
    erased(store, task="7")
    assert retire(store, at(99) + timedelta(days=1), timedelta(days=1)) == 20
    assert on_disk(tmp_path, SECRET) == []


def test_a_log_that_a_reader_kept_is_emptied_by_the_first_cycle_after_it(store: Store, tmp_path: Path) -> None:
    """Whether it was erased for its age or on request, and also if the process died before the log was emptied."""
    day, now = timedelta(days=1), at(9) + timedelta(days=1)
    fill(store, entry(1, crm_id="7", old=SECRET), entry(50, crm_id="8", old=SECRET))
    reader = open_reader(f"sqlite:///{tmp_path}/state.db")
    next(reader.entries(Selection()))
    assert retire(store, now, day) == 1
    erased(store, task="8")
    assert "state.db-wal" in on_disk(tmp_path, SECRET)
    reader.close()
    assert retire(store, now, day) == 0
    assert on_disk(tmp_path, SECRET) == []
    assert retire(store, now, day) == 0
    assert list(store.extent().kinds.values()) == [2, 2], "emptying the log is no deed of its own"


def test_an_erasure_is_journalled_with_its_operator_and_reason(store: Store) -> None:
    fill(store, entry(1, crm_id="7"))
    erased(store, task="7")
    [told] = list(store.entries(Selection(kind="erase")))
    assert (told.operator, told.why, told.crm_id, told.detail["entries"]) == ("lan", "Theo yêu cầu", "7", 1)


def test_a_task_goes_with_its_items_and_no_other(store: Store) -> None:
    fill(
        store,
        entry(1, crm_id="7", work_id=None),
        entry(2, crm_id="7", work_id="70"),
        entry(3, crm_id=None, work_id="70"),
        entry(4, crm_id="8", work_id="70"),
        entry(5, crm_id="8", work_id="80"),
    )
    erased(store, task="7")
    assert kept(store) == {4, 5}
    erased(store, item="80")
    assert kept(store) == {4}


@pytest.mark.parametrize(
    "changes",
    [
        {"changed_by": "Nguyễn Văn Hải (NV017)"},
        {"changed_by": "Nguyễn Văn Hải"},
        {"operator": "nv017"},
        {"old": "Trần Thị Bình (NV017)"},
        {"new": ("NV001", "NV017")},
        {"new": "Nhờ nguyễn văn hải gọi lại"},
        {"inputs": {"triple": {"work": ["NV017"]}}},
    ],
)
def test_a_person_is_found_by_code_and_by_every_name_that_stood_with_it(
    store: Store, changes: dict[str, object]
) -> None:
    plain = {"old": None, "new": None, "changed_by": None}
    known = entry(1, **plain | {"changed_by": "Nguyễn Văn Hải (NV017)"})
    fill(
        store, known, entry(2, **plain | changes), entry(3, **plain | {"new": ("NV0171", "XNV017"), "operator": "hai"})
    )
    erased(store, person="NV017")
    assert kept(store) == {3}


PEOPLE = {
    "hai@anphat.vn": "NV017",
    "Hải Trưởng phòng": "nv017",
    "W-88": "NV017",
    "Hải (Sales)": "W-88",
    "Trần Thị Bình": "NV002",
}
MENTIONS = ("NV017", "hai@anphat.vn", "Hải trưởng phòng", "w-88", "Hải (Sales)", "Nguyễn Văn Hải")


@pytest.mark.parametrize("given", [*MENTIONS, "Nguyễn Văn Hải (NV017)"])
def test_a_person_named_in_any_way_is_found_in_every_way(store: Store, given: str) -> None:
    """Code, e-mail, another spelling, the id of the other side, a name that stood with one of them."""
    plain = {"old": None, "new": None, "changed_by": None}
    known = entry(1, **plain | {"changed_by": "Nguyễn Văn Hải (NV017)"})
    others = entry(2, **plain | {"new": ("NV002", "W-881"), "changed_by": "Trần Thị Bình"})
    fill(store, known, others, *(entry(3, **plain | {"new": f"giao cho {one}, gấp"}) for one in MENTIONS))
    said = erased(store, person=given, people=PEOPLE)
    assert kept(store) == {2}
    [understood] = [line for line in said.splitlines() if line.startswith("understood as one person")]
    assert all(f"«{one.casefold()}»" in understood.casefold() for one in {*MENTIONS, given})
    assert "Bình" not in understood


def test_a_name_of_several_people_is_refused(store: Store) -> None:
    fill(store, *(entry(n, changed_by=f"Nguyễn Văn Hải ({code})") for n, code in enumerate(("NV017", "NV099"))))
    with pytest.raises(UsageError, match="NV017, NV099"):
        erased(store, person="nguyễn văn hải")
    assert kept(store) == {1, 2}
    erased(store, person="nguyễn văn hải", people={"Nguyễn Văn Hải": "NV017"})
    assert kept(store) == set(), (
        "the config says who is meant; what bears the same name goes too, rather than too little"
    )


def test_the_spellings_of_the_config_are_used_and_listed(product: Product) -> None:
    product.write_config(people={"Chị Hồng": "NV017"})
    product.pair(description="Gọi chị Hồng")
    for words in (("--dry-run",), ("--reason", "Yêu cầu")):
        assert "understood as one person: «NV017», «Chị Hồng»" in product.run("erase", "--person", "NV017", *words).out
    assert {row["erased"] for row in product.history("--field", "description")} == {True}


def test_a_linked_pair_keeps_its_present_values_and_an_unlinked_one_does_not(store: Store) -> None:
    replaced = {Field.TITLE: Written(side=Side.WORK, before="Tên cũ", source="Tên mới")}
    with store.transaction() as tx:
        tx.save_links(replace(link(number), written=replaced) for number in (1, 2))
        tx.save_tombstones([tombstone(5)])
        tx.append([entry(1, crm_id="5", kind="unlinked", changed_by="A (NV1)")])
        tx.raise_attention(
            [attention(1001), attention(5, side=Side.CRM, title="NV001"), attention(6, code=Code.NO_BASE)]
        )
    before = store.links()
    said = erased(store, task="1")
    assert "kept: the present values of 1 linked pairs" in said
    assert [replace(one, written={}) for one in before] == [replace(one, written={}) for one in store.links()]
    assert [bool(one.written) for one in before] == [True, True]
    assert [bool(one.written) for one in store.links()] == [False, True], "what our last write replaced is not present"
    assert len(store.attention()) == 3, "what a person has to do for a linked pair stays"
    erased(store, person="NV1")
    [grave] = store.tombstones(crm_ids=["5"])
    assert (grave.link, grave.reason) == (None, "on request")
    erased(store, task="5")
    assert {one.id for one in store.attention()} == {"1001", "6"}


def test_what_is_asked_for_must_be_one_thing() -> None:
    subjects: list[dict[str, Any]] = [
        {}, {"task": "1", "item": "2"}, {"task": "1", "person": "2"}, {"task": ""}, {"person": " "},
    ]  # fmt: skip
    for given in subjects:
        with pytest.raises(UsageError):
            Subject(**given)
    request = Erase(person="NV017", reason="Yêu cầu")
    assert parse_request(request_line(request, "lan")) == (request, "lan")


# --- by age -----------------------------------------------------------------------------------------------------------


def test_values_past_their_retention_go_in_slices_and_the_chain_stays(store: Store, tmp_path: Path) -> None:
    fill(store, *(entry(n % 10, old=f"{SECRET} {n}") for n in range(SLICE + 200)), entry(500, old="Còn mới"))
    now = at(499) + timedelta(days=1)
    assert retire(store, at(9), timedelta(days=1)) == 0
    assert retire(store, now, timedelta(days=1)) == SLICE
    assert retire(store, now, timedelta(days=1)) == 200
    assert retire(store, now, timedelta(days=1)) == 0
    assert kept(store) == {SLICE + 201}
    assert verify(store) is None
    assert on_disk(tmp_path, SECRET) == []
    told = [one.detail for one in store.entries(Selection(kind="erase"))]
    assert [(one["first"], one["last"], one["entries"]) for one in told] == [
        (1, SLICE, SLICE),
        (SLICE + 1, SLICE + 200, 200),
    ]


def test_retention_goes_on_behind_what_a_person_had_erased(store: Store) -> None:
    fill(store, *(entry(n, crm_id="7" if n == 2 else "8") for n in range(1, 5)))
    erased(store, task="7")
    assert retire(store, at(5) + timedelta(days=1), timedelta(days=1)) == 3


def test_restore_says_why_it_cannot_bring_back_what_was_erased(product: Product) -> None:
    task, _ = product.pair(task_name="Cũ")
    product.crm.edit(task, task_name="Mới")
    product.once()
    [number] = [row["id"] for row in product.history("--task", task) if row["kind"] == "intent" and row["new"] == "Mới"]
    product.run("erase", "--task", task, "--reason", "Yêu cầu")
    assert "were erased" in product.run("restore", number, code=2).err
    assert "intact" in product.run("verify").out
    assert all(row["old"] is None for row in product.history("--task", task) if row["kind"] != "erase")


def test_a_dry_run_erases_nothing_and_says_what_would_go(product: Product) -> None:
    task, _ = product.pair(task_name="Cũ")
    before = product.stored()
    said = product.run("erase", "--task", task, "--dry-run").out
    assert "would be erased; nothing was" in said
    assert "kept: the present values of 1 linked pairs" in said
    assert product.stored() == before
    product.run("erase", "--task", task, code=2)
    product.run("erase", "--reason", "x", code=2)


# --- the inventory ----------------------------------------------------------------------------------------------------


def test_the_inventory_names_every_table_of_the_state() -> None:
    assert {one.table for one in TABLES} == set(METADATA.tables)
    assert any("backups" in line for line in lines())


def test_once_obeys_the_retention_of_the_config(product: Product) -> None:
    task, _ = product.pair(task_name="Cũ")
    tamper(product, "UPDATE journal SET at = '2020-01-01 00:00:00.000000' WHERE id = 1")
    product.write_config(journal={"retention": "3650d"})
    product.once()
    assert not any(row["erased"] for row in product.history("--task", task))
    product.write_config(journal={"retention": "730d"})
    product.once()
    assert [row["id"] for row in product.history() if row["erased"]] == [1]


def test_what_decisions_about_a_task_were_made_from_goes_with_it(product: Product) -> None:
    task, _ = product.pair(task_name=SECRET)
    product.crm.edit(task, owner_name="NV009")
    product.once(code=4)
    product.crm.edit(task, is_deleted=True)
    product.clock.later(60)
    product.once()
    kinds = {row["kind"]: row for row in product.history("--task", task)}
    assert kinds["drafted"]["inputs"]["source"]["title"] == SECRET
    assert "NV009" in kinds["set_aside"]["inputs"]["crm"]
    product.run("erase", "--task", task, "--reason", "Theo yêu cầu")
    after = product.history("--task", task)
    assert [row["inputs"] for row in after if row["kind"] in ("drafted", "set_aside", "unlinked")] == [{}] * 3
    assert not any(words in str(row) for row in after for words in (SECRET, "NV009"))
    assert "drafted" in product.run("why", task).out
