"""Each format read back: the same rows, nothing that runs, nothing from elsewhere."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest

from reconciler.core.model import Side
from reconciler.linking import unlink
from reconciler.report.columns import TITLE
from reconciler.report.csv import BOM, DANGEROUS, safe
from reconciler.report.document import Column, Document, Footing, Form, Json, Summary, Table, address, cell
from reconciler.report.formats import FORMATS
from reconciler.report.mask import Mask
from reconciler.report.period_document import answer_json, period_document
from reconciler.words import translator
from tests.report.samples import PAGES, asked, documents, eventful, text_of, written
from tests.world import World

STARTS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "＝",
    "＋",
    "－",
    "＠",
    " =",
    "\u00a0=",
    "\ufeff=",
    "\x00=",
    "\u200b+",
    "\u3000@",
)
FORMULAS = tuple(
    start + rest
    for start in STARTS
    for rest in ("1+1", 'HYPERLINK("http://x","y")', "cmd|' /C calc'!A0", 'WEBSERVICE("http://x")')
)
"""More than sixty ways to begin a formula."""

TAGS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>",
    "<svg><script>1</script></svg>",
    '"><script>1</script>', "'><img src=x onerror=1>", "<a href=javascript:alert(1)>x</a>", "<iframe src=//x></iframe>",
    "<style>@import '//x'</style>", "<link rel=stylesheet href=//x>", "<base href=//x>", "<meta http-equiv=refresh>",
    "<object data=//x>", "<embed src=//x>", "<form action=//x><input>",
    "<math><mtext><script>1</script></mtext></math>",
    "</td></tr></table><script>1</script>", "</title><script>1</script>", "</style><script>1</script>",
    "<!--<script>-->",
    "<details open ontoggle=1>", "<body onload=1>", "<video><source onerror=1></video>",
    "{{ 7*7 }}", "{% for x in y %}",
)  # fmt: skip
WRAPPED = ("{}", " {}", "«{}»", "{} &lt;b&gt;")
SCRIPTS = tuple(wrap.replace("{}", tag, 1) for tag in TAGS for wrap in WRAPPED)
"""A hundred ways to smuggle markup in."""


def document(
    rows: Iterable[Json], *columns: Column, pages: dict[str, str] | None = None, named: str = "an-phat"
) -> Document:
    """A document of one table."""
    footing = Footing(query="q", version="1")
    return Document(
        title="T", connection=named, at="now", facts=(("f", named),), warnings=(named,), header={"connection": named},
        summary=Summary(verdict=named, grave=True, lines=(named,), signatures=("s",)),
        tables=(Table(key="t", title=named, columns=columns or (TITLE,), rows=footing.over(rows), note=named),),
        pages=pages or {}, footing=footing,
    )  # fmt: skip


class Page(HTMLParser):
    """The tags, attributes and cells of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.cells: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "td":
            self.cells.append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag == "a"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1] += data


def sheets(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def csv_rows(text: str) -> list[dict[str, str]]:
    assert text.startswith(BOM)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BOM), newline="")))


# --- formulas ---------------------------------------------------------------------------------------------------------


def test_there_are_enough_payloads() -> None:
    assert len(set(FORMULAS)) >= 60
    assert len(set(SCRIPTS)) >= 100


@pytest.mark.parametrize("payload", FORMULAS)
def test_no_cell_of_a_csv_begins_like_a_formula_and_the_text_is_kept(payload: str) -> None:
    [row] = [one for one in csv_rows(text_of(document([{"title": payload}]), "csv")) if one["section"] == "t"]
    assert row["title"] == "'" + payload
    assert row["title"][0] not in DANGEROUS


@pytest.mark.parametrize("text", ["Gọi khách", "7001", "", "a=1", "(trống)", "5 - 3", "«=»"])
def test_a_harmless_cell_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_no_cell_of_a_workbook_is_a_formula_or_a_link() -> None:
    content = written(document([{"title": one} for one in (*FORMULAS, "http://x", "mailto:a@b")]), "xlsx")
    for sheet in sheets(content):
        for row in sheet.iter_rows():
            for one in row:
                assert one.data_type != "f"
                assert one.hyperlink is None
    shown = [row[0] for row in sheets(content)["an-phat"].iter_rows(min_row=2, values_only=True)]
    assert shown[0] == FORMULAS[0]
    assert len(shown) == len(FORMULAS) + 2


def test_every_cell_of_a_csv_is_quoted() -> None:
    text = text_of(document([{"title": 'a "b"\nc'}, {"title": None}]), "csv").removeprefix(BOM)
    assert re.sub(r'"(?:[^"]|"")*"', "", text).replace(",", "").replace("\r\n", "") == ""


# --- markup -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", SCRIPTS)
def test_markup_stays_text_wherever_it_stands(payload: str) -> None:
    plain = Page(text_of(document([{"title": "x", "kind": "x"}]), "html"))
    page = Page(text_of(document([{"title": payload}], named=payload), "html"))
    assert page.tags == plain.tags
    assert page.cells == [payload]
    links = [value for _, name, value in page.attributes if name in ("href", "src", "action") or name.startswith("on")]
    assert links == []


@pytest.mark.parametrize("payload", SCRIPTS[::4])
def test_a_code_or_an_id_is_no_way_in_either(payload: str) -> None:
    columns = [Column(key=form.value, heading="h", form=form) for form in Form if form not in (Form.MOMENT, Form.STAMP)]
    row = {form.value: payload for form in Form} | {"crm_id": payload}
    columns.append(Column(key="crm_id", heading="h", form=Form.ID))
    page = Page(text_of(document([row], *columns, pages={"crm": PAGES[Side.CRM]}), "html"))
    assert "script" not in page.tags
    assert "a" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


async def test_the_page_is_one_file_without_script_and_allows_nothing_but_its_own_style() -> None:
    for made in (await documents(await eventful())).values():
        text = text_of(made, "html", "vi")
        page = Page(text)
        assert not {"script", "img", "link", "iframe", "object", "form", "base", "button"} & set(page.tags)
        [policy] = [value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value]
        [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("style", "src")]
        assert "url(" not in style
        assert "@import" not in style
        linked = {value.rsplit("/", 1)[0] for _, name, value in page.attributes if name == "href"}
        assert linked == {"https://crm.example/tasks", "https://work.example/t"}


async def test_without_configured_addresses_there_is_no_link(world: World) -> None:
    from reconciler.report.dry_document import dry_document

    task, _ = await world.pair()
    world.crm.edit(task, task_name="Mới")
    assert "<a " not in text_of(dry_document(await world.report()), "html")


@pytest.mark.parametrize("identifier", ["1/../2", "a b", "javascript:1", "", None, "1?x"])
def test_only_a_plain_id_becomes_part_of_an_address(identifier: str | None) -> None:
    assert address({"crm": "https://x/{id}"}, Side.CRM, identifier) is None
    assert address({"crm": "https://x/{id}"}, Side.CRM, "1042") == "https://x/1042"


async def test_every_chart_is_a_picture_of_the_table_beside_it() -> None:
    for made in (await documents(await eventful())).values():
        text = text_of(made, "html")
        figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
        assert len(figures) >= 4
        for figure in figures:
            assert "<table>" in figure
        drawn = [figure for figure in figures if "<svg" in figure]
        assert len(drawn) >= 4
        for figure in drawn:
            assert 'role="img" aria-label="' in figure
            totals = [int(one) for one in re.findall(r'class="total">(\d+)<', figure)]
            cells = re.findall(r"<td>(\d*)(?=<td>|</tr>)", figure)
            assert sum(totals) == sum(int(one) for one in cells if one)


# --- the same in every format -----------------------------------------------------------------------------------------


async def test_every_format_has_the_same_rows_and_the_same_digest() -> None:
    world = await eventful()
    for name in ("dry", "period"):
        footings = set()
        for kind in FORMATS:
            made = (await documents(world))[name]
            written(made, kind)
            footings.add((made.footing.rows, made.footing.digest))
        assert len(footings) == 1
        [(rows, _)] = footings
        assert rows > 20


async def test_json_holds_what_the_other_formats_hold() -> None:
    world = await eventful()
    data = json.loads("".join(answer_json(asked(world), str)))
    made = period_document(asked(world))
    rows = csv_rows(text_of(made, "csv"))
    for name in ("changes", "commands", "exceptions", "sample"):
        assert len([row for row in rows if row["section"] == name]) == len(data[name]) > 0
    assert data["footing"] == made.footing.data()
    changed = [row for row in rows if row["section"] == "changes"]
    assert [row["id"] for row in changed] == [str(row["id"]) for row in data["changes"]]
    stated = {row["field"]: row["after"] for row in rows if row["section"] == "header"}
    assert (stated["rows"], stated["hash"]) == (str(made.footing.rows), made.footing.digest)
    assert stated["query"] == made.footing.query == "report --since 2026-03-01T00:00:00+07:00 " \
        "--until 2026-04-01T00:00:00+07:00 --sample 3 --seed 1"  # fmt: skip


async def test_a_workbook_reads_back_with_times_as_times_and_counts_as_numbers() -> None:
    world = await eventful()
    book = sheets(written(period_document(asked(world)), "xlsx"))
    data = json.loads("".join(answer_json(asked(world), str)))
    sheet = book["What was changed"]
    heading, first, *_ = sheet.iter_rows(values_only=True)
    assert heading[0] == "Time (GMT+7)"
    assert first[0].isoformat() == "2026-03-02T09:00:10"
    assert sheet.max_row == 1 + len(data["changes"])
    counts = book["Cycles by day"]
    cycles = sum(value or 0 for row in counts.iter_rows(min_row=2, min_col=2, values_only=True) for value in row)
    assert cycles == sum(day["cycles"] for day in data["days"])
    assert book.properties.created.year == 2026


async def test_a_workbook_has_the_same_bytes_for_the_same_rows() -> None:
    world = await eventful()
    first, second = (written(period_document(asked(world)), "xlsx", "vi") for _ in range(2))
    assert first == second


def test_a_cell_longer_than_a_workbook_allows_is_cut_not_lost() -> None:
    book = sheets(written(document([{"title": "x" * 40_000}]), "xlsx"))
    assert len(book["an-phat"]["A2"].value) == 32_767


async def test_people_read_days_as_they_write_them_and_programs_as_iso() -> None:
    world = await eventful()
    made = await documents(world)
    assert "20/03/2026" in text_of(made["dry"], "text", "vi")
    rows = csv_rows(text_of((await documents(world))["dry"], "csv"))
    assert "2026-03-20" in {row["after"] for row in rows}
    due = Column(key="after", heading="", form=Form.VALUE)
    assert cell(due, {"field": "due", "after": "2026-03-20T17:30:00+07:00"}) == "20/03/2026 17:30"
    assert cell(due, {"field": "title", "after": "2026-03-20"}) == "2026-03-20"
    assert cell(due, {"field": "due", "after": "mai"}) == "mai"


# --- masks ------------------------------------------------------------------------------------------------------------

PERSONAL = (
    "An Phát",
    "báo giá",
    "Nghiệm thu",
    "Liên hệ trước",
    "NV001",
    "NV009",
    "Người Lạ",
    "thu.ha",
    "Cường",
    "Khảo sát",
    "kiểm kê",
    "Chị Hồng nhờ",
)


def all_forms(made: Iterator[Document]) -> Iterator[str]:
    for kind, one in zip(("text", "csv", "html", "xlsx"), made, strict=True):
        content = written(one, kind)
        if kind == "xlsx":
            yield "\n".join(
                str(value) for sheet in sheets(content) for row in sheet.iter_rows(values_only=True) for value in row
            )
        else:
            yield content.decode()


async def test_a_masked_report_names_no_one_and_no_title_in_any_format() -> None:
    from reconciler.report.dry_document import dry_document

    world = await eventful()
    unlink(world.store, world.clock.now(), "1001", "Chị Hồng nhờ", "thu.ha")
    unlink(world.store, world.clock.now(), "1002", "", "thu.ha")
    data = Mask(b"k").dry(await world.report())
    texts = [
        json.dumps(data, ensure_ascii=False),
        "".join(answer_json(asked(world, mask=Mask(b"k")), str)),
        *all_forms(dry_document(data) for _ in range(4)),
        *all_forms(period_document(asked(world, mask=Mask(b"k"))) for _ in range(4)),
    ]
    for text in texts:
        assert [one for one in PERSONAL if one in text] == []
    assert "Đã hoàn thành" in texts[0]
    commands = json.loads(texts[1])["commands"]
    assert [row["reason"] for row in commands] == ["(masked)", "(masked)", "(masked)", "on request"]
    assert {row["operator"] for row in commands} == {Mask(b"k").value("thu.ha")}


def test_a_pseudonym_is_the_same_within_a_report_and_another_in_the_next() -> None:
    one, other = Mask(b"a"), Mask(b"b")
    assert one.value("NV001") == one.value("NV001") != one.value("NV002")
    assert one.value("NV001") != other.value("NV001")
    assert one.value(["NV001", ""]) == [one.value("NV001"), ""]
    assert (one.value(None), one.value("")) == (None, "")


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_every_sentence_of_both_reports_is_in_one_language(language: str) -> None:
    world = await eventful()
    for made in (await documents(world)).values():
        text = text_of(made, "html", language)
        assert f'<html lang="{language}">' in text
        for sentence in ("Prepared by", "Not proven", "Version", "A department was chosen as the project"):
            said = translator(language)(sentence)
            if sentence != said:
                assert sentence not in text
