"""`report` as a person types it: forms, periods, samples, masks, and files that only their owner can read."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pytest

from reconciler.cli.reporting import write_private
from tests.cli.product import Product

FORMS = ("text", "json", "csv", "html", "xlsx")


@pytest.mark.parametrize("form", FORMS)
def test_a_period_in_every_form_writes_nothing_and_is_for_its_owner_only(product: Product, form: str) -> None:
    product.pair(task_name="Gọi khách")
    before, marks = product.state.read_bytes(), product.mark()
    file = product.folder / f"report.{form}"
    product.run("report", "--period", "2026", "--format", form, "--output", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert product.state.read_bytes() == before
    assert product.writes(marks) == []
    if form == "xlsx":
        assert len(openpyxl.load_workbook(file).sheetnames) > 5
    else:
        assert "Gọi khách" in file.read_text(encoding="utf-8")


def test_a_dry_run_as_a_workbook_holds_what_is_planned(product: Product) -> None:
    product.task(task_name="Mới")
    file = product.folder / "report.xlsx"
    product.run("report", "--format", "xlsx", "--output", file, "--lang", "en")
    rows = list(openpyxl.load_workbook(file)["Would be written"].iter_rows(values_only=True))
    assert {row[4] for row in rows[1:]} == {"Mới"}


def test_since_and_until_choose_what_is_counted(product: Product) -> None:
    product.pair(task_name="Gọi khách")
    whole = json.loads(product.run("report", "--since", "2020-01-01", "--format", "json").out)
    assert whole["links"]["added"] == 1
    assert whole["rows"]["changes"] == len(whole["changes"])
    none = json.loads(product.run("report", "--since", "2020-01-01", "--until", "2020-02-01", "--format", "json").out)
    assert (none["links"], none["changes"]) == ({"opening": 0, "added": 0, "removed": 0, "closing": 0}, [])


def test_the_same_seed_draws_the_same_sample(product: Product) -> None:
    for number in range(3):
        product.pair(task_name=f"Việc {number}", description="x")

    def drawn(seed: int) -> list[int]:
        report = product.run("report", "--period", "2026", "--format", "json", "--sample", 2, "--seed", seed).out
        return [row["id"] for row in json.loads(report)["sample"]]

    assert drawn(1) == drawn(1)
    assert len(drawn(1)) == 2
    assert len({tuple(drawn(seed)) for seed in range(6)}) > 1


@pytest.mark.parametrize("asked", [(), ("--period", "2026")])
def test_a_mask_leaves_no_title_and_no_code(product: Product, asked: tuple[str, ...]) -> None:
    product.pair(task_name="Gọi An Phát", owner_name="NV001")
    product.task(task_name="Gọi Bình Minh", owner_name="NV002")
    out = product.run("report", *asked, "--mask", "--format", "csv").out
    assert [one for one in ("An Phát", "Bình Minh", "NV001", "NV002") if one in out] == []
    assert len(list(csv.DictReader(io.StringIO(out.removeprefix("\ufeff"))))) > 3


@pytest.mark.parametrize(
    "options",
    [
        ("--period", "tháng 3"),
        ("--period", "2026-03", "--since", "2026-03-01"),
        ("--until", "2026-03-01"),
        ("--since", "2026-03-02", "--until", "2026-03-01"),
        ("--sample", "3"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(product: Product, options: tuple[str, ...]) -> None:
    assert product.run("report", *options, code=2).err


def test_a_document_speaks_the_language_of_the_connection_and_a_terminal_that_of_its_person(
    product: Product,
) -> None:
    assert '<html lang="vi">' in product.run("report", "--format", "html", env={"LC_ALL": "C"}).out
    assert '<html lang="en">' in product.run("report", "--format", "html", "--lang", "en").out
    assert "Dry run report" in product.run("report", env={"LC_ALL": "C"}).out


def test_addresses_from_the_config_become_links(product: Product) -> None:
    product.task(task_name="Mới")
    product.write_config(wire={"crm": {"page": "https://crm.example/task/{id}"}})
    assert 'href="https://crm.example/task/' in product.run("report", "--format", "html").out


@pytest.mark.parametrize(
    "page", ["http://crm.example/{id}", "javascript:alert({id})", "https://crm.example/", "https://{id}/", "{id}"]
)
def test_an_address_that_is_not_safe_is_refused(product: Product, page: str) -> None:
    product.write_config(wire={"crm": {"page": page}})
    assert "page" in product.run("report", code=2).err


def test_a_file_is_whole_or_not_there_and_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "victim", tmp_path / "report"
    target.write_text("mine")
    link.symlink_to(target)
    write_private(link, [b"a", b"b"])
    assert (target.read_text(), link.read_text(), link.is_symlink()) == ("mine", "ab", False)

    def broken() -> object:
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_private(link, broken())  # type: ignore[arg-type]
    assert link.read_text() == "ab"
    assert {one.name for one in tmp_path.iterdir()} == {"victim", "report"}
