"""The data of a dry run: everything that differs appears once, and the numbers add up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.condition import CONDITIONS
from reconciler.core.model import Side
from reconciler.report.data import Json, corrected
from reconciler.report.document import percent
from reconciler.report.dry_document import dry_document
from reconciler.report.summary import Integrity, adds_up, dry_summary, period_summary
from reconciler.words import translator
from tests.report.samples import asked, eventful, rows_of, text_of
from tests.world import World

STATUSES = {"Hoàn thành": "Đã hoàn thành"}
NAMES = {"title": ("task_name", "TaskName"), "due": ("due_date", "Deadline"), "status": ("status", "StatusName")}


def differing(world: World) -> set[tuple[str, str]]:
    """Task and field wherever the two systems themselves hold different things for a pair."""
    found = set()
    for link in world.store.links():
        task, item = world.task(int(link.crm.id)), world.item(int(link.work.id))
        for name, (crm, work) in NAMES.items():
            one, two = task[crm], item[work]
            if name == "due":
                one, two = str(one or "")[:10], str(two or "")[:10]
            if name == "status":
                one = STATUSES.get(str(one), "Chưa hoàn thành")
            if (one or "") != (two or ""):
                found.add((link.crm.id, name))
    return found


async def test_everything_in_which_the_two_systems_differ_appears() -> None:
    world = await eventful()
    data = await world.report()
    told = {(row["crm_id"], row["field"]) for row in rows_of(data) if "field" in row}
    assert differing(world) <= told
    assert {row["list"] for row in rows_of(data)} >= {"operations", "held", "conflicts", "differences", "set_aside"}


async def test_a_pair_in_an_archive_and_its_differences_show_as_frozen(world: World) -> None:
    task, item = await world.pair(task_name="Cũ")
    world.work.edit(item, IsArchived=True)
    await world.once()
    world.crm.edit(task, task_name="Mới")
    await world.once()
    data = await world.report()
    [row] = data["frozen"]
    assert (row["crm_id"], row["field"], row["crm"], row["work"]) == (str(task), "title", "Mới", "Cũ")
    assert data["pairs"]["frozen"] == 1


async def test_what_is_not_quiet_yet_shows_as_waiting(world: World) -> None:
    world.sections["watermark"]["settle"] = "50s"
    task, _ = await world.pair(task_name="Cũ")
    world.crm.edit(task, task_name="Đang gõ")
    world.clock.tick(10)
    data = await world.report()
    assert data["operations"] == []
    [row] = data["waiting"]
    assert (row["crm_id"], row["field"], row["crm"], row["work"]) == (str(task), "title", "Đang gõ", "Cũ")
    assert data["pairs"]["pending"] == 1


async def test_pairs_are_counted_as_this_plan_finds_them_and_add_up() -> None:
    world = await eventful()
    data = await world.report()
    pairs = data["pairs"]
    assert pairs["linked"] == sum(pairs[name] for name in CONDITIONS) == len(world.store.links())
    changing = {one["crm_id"] for one in data["operations"] if one["kind"] == "update"}
    assert pairs["pending"] + pairs["attention"] >= len(changing)
    assert pairs["equal"] < world.store.tally().equal


async def test_held_operations_make_their_pairs_held(world: World) -> None:
    world.sections["safety"] = {"max_updates": 1}
    pairs = [await world.pair(task_name=f"Việc {number}") for number in range(3)]
    for task, _ in pairs:
        world.crm.edit(task, task_name=f"Đổi {task}")
    data = await world.report()
    assert len(data["held"]) == 3
    assert data["operations"] == []
    assert data["pairs"]["held"] == 3
    assert dry_summary(data).grave


async def test_every_changed_field_has_the_stamps_of_both_sides(world: World) -> None:
    task, item = await world.pair(task_name="Gốc")
    world.crm.edit(task, task_name="Bán hàng")
    world.clock.tick(60)
    world.work.edit(item, TaskName="Công việc")
    data = await world.report()
    [change] = [one for row in data["operations"] for one in row["fields"]]
    assert (change["winner"], change["loser"]) == ("work", "crm")
    assert change["crm_modified"] < change["work_modified"]
    [conflict] = data["conflicts"]
    assert conflict["crm_modified"] == change["crm_modified"]


def test_a_stamp_is_corrected_by_the_offset_of_its_server() -> None:
    row = {"crm_modified": "2026-03-02T02:01:30Z", "work_modified": "2026-03-02T02:00:00Z"}
    assert corrected(row, {"crm": 90.0, "work": None}) == {
        "crm_corrected": "2026-03-02T02:00:00Z",
        "work_corrected": None,
    }


# --- the summary ------------------------------------------------------------------------------------------------------


def numbers(text: str) -> list[int]:
    return [int(part.replace(".", "")) for part in text.replace(",", " ").split() if part.replace(".", "").isdigit()]


@given(st.fixed_dictionaries({name: st.integers(0, 5000) for name in CONDITIONS}))
def test_the_parts_of_the_scope_always_add_up_in_both_languages(parts: dict[str, int]) -> None:
    pairs = {**parts, "linked": sum(parts.values())}
    candidates = {"candidates": pairs["linked"], "linked": pairs["linked"], "refused": 0, "excluded": 0, "waiting": 0}
    data: Json = {
        "pairs": pairs, "candidates": candidates, "rows": Counter(), "operations": {}, "conflicts": [], "halts": [],
        "links": {"opening": 0, "added": pairs["linked"], "removed": 0, "closing": pairs["linked"]}, "days": [],
        "gaps": [], "gaps_unlisted": 0, "fidelity": {"planned": 0, "matched": 0},
        "generated_at": "2026-03-02T02:00:00Z",
    }  # fmt: skip
    line = period_summary(data).lines[1]
    assert "02/03/2026 09:00:00" in line, "as of the moment of the report, whatever the period is"
    for language in ("en", "vi"):
        said = line.into(translator(language))  # type: ignore[attr-defined]
        shown = numbers(said.rpartition("): ")[2].rstrip(".").replace(": ", " ").replace(". ", " "))
        assert sum(shown[:-1]) == shown[-1] == pairs["linked"]


@given(st.lists(st.integers(0, 100)), st.integers(0, 1000))
def test_a_sum_that_is_wrong_is_never_said_to_be_right(parts: list[int], whole: int) -> None:
    assert adds_up(parts, whole).startswith("Adds up") == (sum(parts) == whole)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_hundred_percent_is_said_only_of_everything(part: int, more: int) -> None:
    whole = part + more
    said = percent(part, whole)
    assert (said == "100 %") == (whole > 0 and part == whole)
    assert (said == "0 %") == (whole > 0 and part == 0)


async def test_the_summary_says_what_is_not_checked_and_what_is_not_proven(world: World) -> None:
    data = await world.report()
    said = " ".join(dry_summary(data).lines)
    assert "not checked here" in said
    assert "Not proven" in said
    told = " ".join(dry_summary(data, fidelity=(41203, 41205), integrity=Integrity(88412)).lines)
    assert "41.203 of 41.205" in told
    assert "entry 88.412" in told
    assert "not checked" not in told


async def test_an_incomplete_reading_is_never_called_safe(world: World) -> None:
    await world.pair()
    world.lines[Side.WORK].cut = True
    data = await world.report()
    summary = dry_summary(data)
    assert summary.grave
    assert summary.verdict.startswith("Not conclusive")
    assert "NOT read to the end" in " ".join(summary.lines)
    assert "Read to the end:" not in " ".join(summary.lines)


async def test_statuses_that_keep_their_word_are_counted(world: World) -> None:
    for _ in range(3):
        await world.pair(status="Đang thực hiện")
    _, item = await world.pair(status="Đang thực hiện")
    world.work.edit(item, StatusName="Đã hoàn thành")
    line = dry_summary(await world.report()).lines[3]
    assert "1 become «Hoàn thành»" in line
    assert "3 CRM tasks keep «Đang thực hiện»" in line


async def test_the_header_states_connection_watermarks_readings_config_plan_and_version() -> None:
    world = await eventful()
    data = await world.report()
    text = text_of(dry_document(data), "text")
    for said in (
        "an-phat", data["config"], data["fingerprint"], "complete; ", data["version"], "Asia/Ho_Chi_Minh (GMT+7)",
        "The crm side was read up to: 03/03/2026", "The work side was read up to: 03/03/2026", "Clock offset",
    ):  # fmt: skip
        assert said in text, said


async def test_the_period_sums_are_right_for_an_eventful_life() -> None:
    world = await eventful()
    data = asked(world).data
    candidates = data["candidates"]
    assert candidates["candidates"] == sum(candidates[name] for name in ("linked", "refused", "excluded", "waiting"))
    assert data["pairs"]["linked"] == sum(data["pairs"][name] for name in CONDITIONS)
    links = data["links"]
    assert links["opening"] + links["added"] - links["removed"] == links["closing"] == len(world.store.links())
    assert sum(sum(day["outcomes"].values()) for day in data["days"]) == sum(day["cycles"] for day in data["days"])


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_status_words_stay_as_they_are_in_both_languages(language: str) -> None:
    world = await eventful()
    text = text_of(dry_document(await world.report()), "text", language)
    assert "Chưa hoàn thành" in text
    assert "Đã hoàn thành" in text
    assert "Đang thực hiện" in text
