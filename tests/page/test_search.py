"""Tasks are found as people type; the command line finds and filters like the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.core.search import Titled, fits, fold
from tests.cli.conftest import product as product  # the fixture
from tests.cli.product import Product


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Gọi Đức", "goi duc"),
        ("ĐÀ NẴNG", "da nang"),
        ("Nguyễn Thị Ngọc Ánh", "nguyen thi ngoc anh"),
        ("Gọi khách", "goi khach"),  # decomposed, as a Mac types it
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("1042 — 日本", "1042 — 日本"),
    ],
)
def test_folding_takes_case_and_accents_away(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(folded) == folded


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("goi", True),
        ("AN goi", True),
        ("gọi phát", True),
        (" 1001 ", True),
        ("7001", True),
        ("100", False),
        ("goi da nang", False),
        ("", False),
        ("   ", False),
    ],
)
def test_every_word_of_the_query_is_in_the_title_or_it_is_an_id(query: str, found: bool) -> None:
    assert fits(query, Titled(crm_id="1001", work_id="7001", title="Gọi khách hàng An Phát")) is found


def test_why_takes_words_and_the_id_of_either_side(product: Product) -> None:
    task, item = product.pair(task_name="Khảo sát kho Đà Nẵng")
    product.pair(task_name="Khảo sát kho Huế")
    story = product.run("why", task).out
    assert product.run("why", item).out == story
    assert product.run("why", "kho", "da", "nang").out == story
    listed = product.run("why", "khao sat").out
    assert f"{task}/{item}  Khảo sát kho Đà Nẵng" in listed
    assert "Khảo sát kho Huế" in listed
    assert "no task is known by «zzz»" in product.run("why", "zzz").out
    assert "not linked" in product.run("why", "99999").out


def test_history_takes_the_filters_of_the_page(product: Product) -> None:
    task, _ = product.pair(task_name="Gọi khách")
    product.crm.edit(task, status="Hoàn thành")
    product.once()
    everything = product.history()
    assert [row["id"] for row in everything] == sorted(row["id"] for row in everything), "oldest first"
    for option, key, value in (("--field", "field", "status"), ("--kind", "kind", "intent")):
        found = product.history(option, value)
        assert found == [row for row in everything if row[key] == value]
        assert found
    assert product.history("--project", "12") == [row for row in everything if row["work_id"]]
    assert product.history("--person", "nobody") == []
    author = next(row["changed_by"] for row in everything if row["changed_by"])
    assert all(author in (row["changed_by"], row["operator"]) for row in product.history("--person", author))


def test_the_folder_of_the_state_stays_as_it_was(product: Product, tmp_path: Path) -> None:
    product.pair()
    before = product.stored()
    product.run("why", "khach")
    product.run("status")
    assert product.stored() == before
