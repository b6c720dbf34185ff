"""What each page says, and that it is what the command line says."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from reconciler.core.model import Code, Entry, Field, Side
from reconciler.page.views import AT_ONCE, ROWS, summarised
from reconciler.report.data import entry_data, pair_data
from reconciler.report.journal import why_text
from reconciler.report.render import status_text
from reconciler.report.summary import Integrity, dry_summary
from tests.page.html import Seen
from tests.page.test_errands import Desk
from tests.page.town import Town


async def read(town: Town, path: str, status: int = 200) -> Seen:
    answer = await town.get(path)
    assert answer.status_code == status, answer.text
    return Seen(answer.text)


# 1. Overview


async def test_one_sentence_says_how_it_stands_and_the_worst_comes_first(town: Town) -> None:
    async def sentence() -> str:
        page = (await read(town, "/?lang=en")).text
        said = str(town.world.status()["standing"]["sentence"])
        assert said in page
        assert said in status_text(town.world.status(), str), "the command line says the same"
        return said

    assert await sentence() == "No cycle has run yet."
    await town.world.pair(task_name="Gọi khách hàng")
    await town.world.once()
    assert await sentence() == "Both sides are in step."
    town.attend(town.entry(Code.FIELD_TOO_LONG))
    assert await sentence() == "In step, except for 1 matters that wait for a person."
    town.world.clock.tick(3600)
    assert await sentence() == "No cycle has ended for 60 minutes."
    town.pause("bảo trì CRM")
    assert await sentence() == "Paused by lan: bảo trì CRM"
    town.world.lines[Side.CRM].cut = True
    await town.world.once()
    assert await sentence() == "crm cannot be reached; nothing is lost, the next cycle goes on."


async def test_a_halt_shows_its_cause_its_size_its_plan_code_and_the_exact_command(tmp_path: Path) -> None:
    town = Town(tmp_path, safety={"max_updates": 1, "min_updates": 1})
    pairs = [await town.world.pair(task_name=f"Việc {number}") for number in range(3)]
    for task, _ in pairs:
        town.world.crm.edit(task, status="Hoàn thành")
    await town.world.once()
    status = town.world.status()
    page = (await read(town, "/?lang=en")).text
    fingerprint = status["halted"]["fingerprint"]
    assert str(status["halted"]["message"]) in page
    assert f"Held operations {status['halted']['count']}" in page
    assert f'reconciler resume --reason "…" --approve {fingerprint}' in page
    town.world.reopen()


async def test_recent_conflicts_show_both_values_and_how_to_restore_the_replaced_one(town: Town) -> None:
    await town.day("Gọi An Phát")
    page = (await read(town, "/?lang=en")).text
    [row] = town.world.status()["recent_conflicts"]
    assert (row["crm"], row["work"], row["winner"]) == ("Gọi An Phát (CRM)", "Gọi An Phát (Work)", "work")
    assert "Gọi An Phát (CRM) replaced Gọi An Phát (Work) ✓ kept" in page
    assert f"reconciler restore {row['restore']}" in page
    assert "1 conflicts today" in page
    assert f"`reconciler restore {row['restore']}`" in status_text(town.world.status(), str)


async def test_what_is_on_its_way_and_for_how_long(town: Town) -> None:
    task, _ = await town.world.pair(task_name="Gọi khách hàng")
    town.pause("kiểm kê")
    town.world.crm.edit(task, status="Hoàn thành")
    await town.world.once()
    town.world.clock.tick(600)
    status = town.world.status()
    assert status["pending"] == 1
    assert 590 <= status["lag"] <= 620
    assert "the oldest pending change waits for 10 minutes" in status_text(status, str)
    assert "1 changes on their way the oldest for 10 minutes" in (await read(town, "/?lang=en")).text


async def test_a_server_whose_clock_is_wrong_is_shown_on_page_and_command_line(town: Town) -> None:
    town.world.crm.offset += timedelta(seconds=90)
    await town.world.once()
    assert town.world.status()["offsets"] == {"crm": 90, "work": 0}
    assert "+90 s against ours" in (await read(town, "/?lang=en")).text
    assert "crm: its clock is +90 s against ours" in status_text(town.world.status(), str)


async def test_every_connection_has_its_sentence_and_its_own_pages(town: Town, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Town(tmp_path / "other", connection={"name": "binh-minh"})
    await other.world.pair(task_name="Của Bình Minh")
    broken = other.world.settings.model_copy(
        update={
            "connection": other.world.settings.connection.model_copy(update={"name": "hong"}),
            "state": other.world.settings.state.model_validate({"url": f"sqlite:///{tmp_path / 'broken.db'}"}),
        }
    )
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    town.others += [other.world.settings, broken]
    page = await read(town, "/?lang=en")
    assert "binh-minh Both sides are in step." in page.text
    assert "hong the file is not a database" in page.text
    shown = await read(town, "/task?q=binh&lang=en&connection=binh-minh")
    assert "Của Bình Minh" in shown.text
    assert all("connection=" in link for link in shown.links() if link.startswith("/"))
    assert "Của Bình Minh" not in (await read(town, "/task?q=binh&lang=en")).text
    assert "no connection of that name" in (await read(town, "/?lang=en&connection=x", 404)).text
    assert "is not a database" in (await read(town, "/?lang=en&connection=hong", 503)).text
    other.world.reopen()


# 2. To do


async def test_matters_are_grouped_by_cause_with_who_can_fix_them_and_how(town: Town) -> None:
    task, item = await town.day()
    town.attend(town.entry(Code.TARGET_NOT_FOUND, Side.WORK, id=str(item), message="m", words="Project not found"))
    page = await read(town, "/attention?lang=en")
    assert page.text.count("The chosen project or task group does not exist 3") == 1
    assert "Can be fixed by : salesperson" in page.text or "Can be fixed by: salesperson" in page.text
    assert "What to do: In the CRM, choose one that exists; reconciler targets lists them." in page.text
    assert "“" not in page.text and "The server's words Project not found" in page.text
    assert f"reconciler retry --item {item}" in page.text
    assert f'reconciler ack --item {item} --reason "…"' in page.text
    assert f"https://crm.example/tasks/{task}" in page.links(), "both records of the pair"
    assert f"https://work.example/items/{item}" in page.links()
    assert "    what to do: In the CRM, choose one that exists" in status_text(town.world.status(), str)


async def test_every_cause_has_words_and_advice_in_both_languages(town: Town) -> None:
    for number, code in enumerate(Code):
        town.attend(town.entry(code, id=str(number)))
    for language in ("vi", "en"):
        page = await read(town, f"/attention?lang={language}")
        assert page.text.count("What to do" if language == "en" else "Cách xử lý") == len(Code)


async def test_an_address_that_nobody_configured_is_no_link(tmp_path: Path) -> None:
    town = Town(tmp_path, wire={"crm": {}, "work": {}})
    await town.day()
    for path in ("/attention", "/task?q=1001"):
        assert all(link.startswith(("/", "#")) for link in (await read(town, path)).links())
    town.world.reopen()


# 3. Task story


@pytest.mark.parametrize("query", ["1001", "7001", "gọi khách hàng an phát", "GOI KHACH AN PHAT", "phat  goi"])
async def test_a_task_is_found_by_either_id_and_by_words_without_accents(town: Town, query: str) -> None:
    await town.day()
    page = await read(town, f"/task?lang=en&q={query.replace(' ', '+')}")
    assert "CRM task 1001 ↔ Work item 7001" in page.text or query[0] not in "17"
    assert "Gọi khách hàng An Phát (Work)" in page.text


async def test_several_are_listed_and_none_is_said(town: Town) -> None:
    await town.day()
    page = await read(town, "/task?lang=en&q=an")
    assert {"1001", "1005"} <= {parse_qs(urlsplit(link).query).get("q", [""])[0] for link in page.links()}
    assert "No task is known by that." in (await read(town, "/task?lang=en&q=zzz")).text
    assert "The journal knows nothing of it." in (await read(town, "/task?lang=en&q=99999")).text


async def test_the_story_is_that_of_why_with_the_command_that_restores(town: Town) -> None:
    task, _ = await town.day("Gọi An Phát")
    page = (await read(town, f"/task?lang=en&q={task}")).text
    data = pair_data(town.world.store, str(task))
    rows = [entry_data(entry) for entry in town.world.store.journal(crm_id=str(task))]
    told = why_text(data, rows, str)
    for row in rows:
        assert f"entry {row['id']} " in f"{page} "
        assert f"{row['id']} " in told
        restorable = row["restorable"] and bool(row["old"])
        assert (f"reconciler restore {row['id']} " in page) is restorable
    for value in ("Gọi An Phát (CRM)", "Gọi An Phát (Work)", "Đã hoàn thành", "title flows to crm"):
        assert value in page


# 4. Journal


async def many(town: Town, count: int) -> None:
    with town.world.store.transaction() as tx:
        tx.append(
            Entry(kind="told", at=town.world.clock.now(), crm_id=str(number), new=f"câu {number}", changed_by="Lan")
            for number in range(count)
        )


async def test_a_hundred_rows_a_page_and_a_link_to_the_rest(town: Town) -> None:
    await many(town, 2 * ROWS + 5)
    seen: list[str] = []
    path: str | None = "/journal?lang=en&person=Lan"
    lengths = []
    while path:
        page = await read(town, path)
        ids = [one for one in page.links() if one.startswith("/task?") and "q=" in one]
        lengths.append(len(ids))
        seen += ids
        path = next((one["href"] for one in page.all("a") if one.get("class") == "further"), None)
        assert path is None or "person=Lan" in path, "the filters stay"
    assert lengths == [ROWS, ROWS, 5]
    assert len(set(seen)) == 2 * ROWS + 5


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("kind=conflict", lambda row: row["kind"] == "conflict"),
        ("field=status", lambda row: row["field"] == "status"),
        ("person=NV002", lambda row: "NV002" in (row["changed_by"] or "")),
        ("task=1001", lambda row: row["crm_id"] == "1001"),
        ("item=7002", lambda row: row["work_id"] == "7002"),
        ("project=12", lambda row: row["work_id"] is not None),
        ("project=13", lambda row: False),
        ("since=2026-03-03", lambda row: False),
        ("until=2026-03-02", lambda row: True),
        ("since=2026-03-02T09:20&until=2026-03-02T09:30", lambda row: row["at"][11:16] in ("02:20", "02:21")),
        ("person=nobody", lambda row: False),
        (
            "kind=intent&field=title&task=1001",
            lambda row: (row["kind"], row["field"], row["crm_id"]) == ("intent", "title", "1001"),
        ),
    ],
)
async def test_filters_choose_rows_on_the_page_and_in_the_exports(
    town: Town, query: str, fits: Callable[[dict[str, object]], bool]
) -> None:
    await town.day()
    rows = [row for row in town.world.history() if fits(row)]
    wanted = [str(row["id"]) for row in reversed(rows)]
    lines = (await town.get(f"/journal.json?{query}")).text.splitlines()
    assert [str(json.loads(line)["id"]) for line in lines] == wanted
    table = (await town.get(f"/journal.csv?{query}")).text
    assert table.startswith("\ufeff")
    assert [row["id"] for row in csv.DictReader(io.StringIO(table[1:]))] == wanted
    page = await read(town, f"/journal?lang=en&{query}")
    assert ("No entry fits." in page.text) is (wanted == [])
    exports = [link for link in page.links() if link.startswith("/journal.")]
    assert len(exports) == 2
    assert all(part in link for link in exports for part in query.replace(":", "%3A").split("&"))


async def test_the_totals_are_those_of_the_period_and_add_up(town: Town) -> None:
    await town.day()
    page = (await read(town, "/journal?lang=en")).text
    assert "01/03/2026 00:00 – 03/03/2026 00:00" in page, "the month so far, where nothing else is asked for"
    assert "at the beginning 0 + added 4 − removed 0 = at the end 4" in page
    assert "linked 4 + refused 2 + excluded 0 + waiting 0 = in all 6" in page
    empty = (await read(town, "/journal?lang=en&since=2026-02-01&until=2026-02-28")).text
    assert "01/02/2026 00:00 – 01/03/2026 00:00" in empty
    assert "entries 0 changes 0" in empty


async def test_halts_approvals_and_config_changes_are_listed(town: Town) -> None:
    await town.day()
    at = town.world.clock.now()
    with town.world.store.transaction() as tx:
        tx.append(
            [
                Entry(kind="halted", at=at, reason="limit", detail={"count": 7, "fingerprint": "sha256:ab"}),
                Entry(kind="approved", at=at, reason="đã xem", operator="lan", detail={"fingerprint": "sha256:ab"}),
                Entry(kind="config", at=at, rule="conflict.tie", old='"crm"', new='"work"', reason="changed"),
            ]
        )
    page = (await read(town, "/journal?lang=en")).text
    assert "approved by lan: «đã xem»" in page
    assert "7 operations" in page
    assert 'conflict.tie "crm" → "work"' in page


def forge(town: Town) -> None:
    """Alter entry 3 behind the program's back."""
    with closing(sqlite3.connect(town.database)) as raw, raw:
        raw.execute("DROP TRIGGER journal_no_update")
        raw.execute("UPDATE journal SET reason = 'forged' WHERE id = 3")


async def test_the_integrity_line_tells_an_intact_journal_from_an_altered_one(town: Town) -> None:
    await town.day()
    head = list(town.world.store.journal())[-1]
    page = await read(town, "/journal?lang=en")
    assert head.hash in page.text
    [ask] = [link for link in page.links() if "verify=" in link]
    assert f"Intact up to entry {head.id}" in (await read(town, ask)).text
    town.world.reopen()
    forge(town)
    town.world.clock.tick(61)
    assert "The journal is not intact: journal entry 3: was altered" in (await read(town, ask)).text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=gestern", "is no date; write 2026-03-02"),
        ("until=2026-99-99", "is no date"),
        ("since=2026-03-05&until=2026-03-01", "ends before it begins"),
    ],
)
async def test_a_wrong_date_is_explained(town: Town, query: str, words: str) -> None:
    for path in ("/journal", "/journal.csv", "/journal.json"):
        if "ends before" in words and path != "/journal":
            continue
        assert words in (await read(town, f"{path}?lang=en&{query}", 400)).text


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 40, "٣", "1.5"])
async def test_nonsense_as_a_place_in_the_journal_shows_the_newest(town: Town, before: str) -> None:
    await town.day()
    assert "confirmed" in (await read(town, f"/journal?lang=en&before={before}")).text


# 5. Dry run


async def test_the_dry_run_is_the_report_and_writes_nothing(town: Town) -> None:
    task, _ = await town.day()
    town.world.crm.edit(task, task_name="Gọi lại An Phát")
    town.world.crm.add(custom_field1="12", custom_field2="31", task_name="Việc mới")
    town.world.clock.tick(300)
    before, report = town.bytes(), await town.world.report()
    marks = town.world.crm.mark(), town.world.work.mark()
    assert "Run now" in (await read(town, "/dry-run?lang=en")).text
    page = (await read(town, "/dry-run?lang=en&run=1")).text
    assert report["fingerprint"] in page
    entries = list(town.world.store.journal())
    plans = sum(entry.kind == "plan" for entry in entries)
    management = dry_summary(report, fidelity=(plans, plans), integrity=Integrity(len(entries)))
    assert plans
    assert all(str(line) in page for line in (management.verdict, *management.lines))
    assert "Complete: both sides were read to the end." in page
    assert "1 work items to create 1 work items to update 0 CRM tasks to update" in page
    assert "Gọi khách hàng An Phát (Work) → Gọi lại An Phát" in page
    assert "Việc mới" in page
    assert "Phòng Kỹ thuật" in page, "refusals with reasons"
    assert "«Chưa bắt đầu»" in page, "the statuses that collapse"
    assert town.bytes() == before
    assert [*town.world.crm.writes(marks[0]), *town.world.work.writes(marks[1])] == []


async def test_the_dry_run_tells_of_the_journal_as_far_as_that_is_a_second_of_work(town: Town) -> None:
    await town.day()
    report, now = await town.world.report(), town.world.clock.now()

    def said(**bound: int) -> str:
        return " ".join(map(str, summarised(report, town.world.store, now, **bound)["management"].lines))

    count = town.world.store.head()[0]
    assert f"Journal intact up to entry {count}." in said(at_most=count)
    assert "Journal: not checked here." in said(at_most=count - 1)
    assert "cycles matched their plan." in said(at_most=count)
    assert "Cycles that matched their plan: not checked here." in said(at_most=count - 1)
    town.world.reopen()
    forge(town)
    assert "The journal is NOT intact: journal entry 3: was altered" in said()


async def test_an_incomplete_dry_run_says_so_in_large_type(town: Town) -> None:
    await town.day()
    town.world.lines[Side.WORK].cut = True
    page = await town.get("/dry-run?lang=en&run=1")
    assert "NOT COMPLETE: a side could not be read to the end." in Seen(page.text).text
    assert 'class="standing down"' in page.text


async def test_one_dry_run_at_a_time_and_the_page_looks_again_by_itself(tmp_path: Path) -> None:
    desk = Desk()
    town = Town(tmp_path, spawn=desk.noted.append)
    await town.world.pair()
    first = await read(town, "/dry-run?lang=en&run=1")
    assert "A dry run is under way" in first.text
    assert {"http-equiv": "refresh", "content": "2"} in first.all("meta")
    assert "A dry run is under way" in (await read(town, "/dry-run?lang=en&run=1")).text
    assert len(desk.noted) == 1
    town.world.reopen()


async def test_a_dry_run_of_a_state_of_another_company_is_refused_in_words(town: Town) -> None:
    await town.day()
    with town.world.store.transaction() as tx:
        tx.set_fact("identity", {"crm": "https://other.example x", "work": "https://other.example y"})
    assert "this state belongs to another connection" in (await read(town, "/dry-run?lang=en&run=1")).text


# Both languages


async def test_the_language_is_that_of_the_connection_unless_asked_for_and_stays_in_the_links(town: Town) -> None:
    await town.day()
    assert "Tình hình" in (await read(town, "/")).text
    town.world.sections["connection"] = {"name": "an-phat", "language": "en"}
    assert "Overview" in (await read(town, "/")).text
    page = await read(town, "/?lang=vi")
    assert page.tags[0] == ("html", {"lang": "vi"})
    for link in page.links():
        if link.startswith("/") and "lang=en" not in link:
            assert "lang=vi" in link
    assert "Overview" in (await read(town, "/?lang=xx")).text


async def test_no_code_of_ours_is_left_on_a_vietnamese_page(town: Town) -> None:
    """A code with an underscore outside of <code> is one that nobody translated."""
    import re

    await town.day()
    for path in ("/", "/attention", "/task?q=1001", "/journal", "/dry-run?run=1"):
        answer = await town.get(f"{path}{'&' if '?' in path else '?'}lang=vi")
        shown = Seen(re.sub(r"<code.*?</code>", "", answer.text, flags=re.DOTALL)).text
        assert re.findall(r"\b[a-z]+_[a-z_]+\b", shown) == [], path


def test_there_are_words_for_every_field() -> None:
    from reconciler.page.views import FIELDS

    assert tuple(field.value for field in Field) == FIELDS


async def test_the_totals_of_a_long_journal_are_counted_on_request(town: Town) -> None:
    await many(town, AT_ONCE + 1)
    page = await read(town, "/journal?lang=en&kind=told")
    assert "entries 20,001" not in page.text
    [ask] = [link for link in page.links() if "totals=" in link]
    assert "kind=told" in ask
    assert "entries 20,001" in (await read(town, ask)).text
    assert "entries 20,001" in (await read(town, "/journal?lang=en")).text, "kept for a minute"
    assert "Count now" in (await read(town, "/journal?lang=en&since=2026-03-02")).text, "of another period"
