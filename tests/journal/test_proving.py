"""What an auditor does: verify, keep a checkpoint, take a bundle home and check it there."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.product import Product
from tests.journal.pieces import signing_key
from tests.journal.test_minisign import TOOL, needs_tool

KEY = signing_key()


@pytest.fixture
def public(tmp_path: Path) -> Path:
    file = tmp_path / "told.pub"
    file.write_text(KEY.public.text(), "utf-8")
    return file


def tamper(product: Product, *statements: str) -> None:
    with closing(sqlite3.connect(product.state)) as state:
        for (guard,) in state.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            state.execute(f'DROP TRIGGER "{guard}"')
        for statement in statements:
            state.execute(statement)
        state.commit()


def last_entry(product: Product) -> int:
    return max(int(row["id"]) for row in product.history())


def test_a_cycle_leaves_a_signed_checkpoint_and_verify_says_what_it_proves(product: Product, public: Path) -> None:
    product.pair()
    said = product.run("verify").out
    assert f"1 checkpoints bear the signature of key {KEY.public.id}" in said
    assert "not proven: that the checkpoints were not made anew with the chain" in said
    assert "not proven: that the values were true when written" in said
    said = product.run("verify", "--key", public).out
    assert "not proven: that the checkpoints were not made anew" not in said
    other = signing_key("another").public.text().splitlines()[1]
    assert "does not bear the signature" in product.run("verify", "--key", other, code=1).err
    assert "no minisign public key" in product.run("verify", "--key", "nonsense", code=2).err


def test_without_a_key_nothing_is_signed_and_verify_says_so(product: Product, tmp_path: Path) -> None:
    product.sections["journal"] = {}
    product.write_config()
    product.pair()
    said = product.run("verify").out
    assert "not proven: that nothing was cut off at the end" in said
    assert "not proven: that the chain was not built anew as a whole" in said
    file = tmp_path / "point.txt"
    assert "not signed" in product.run("checkpoint", "--output", file).err
    assert not (tmp_path / "point.txt.minisig").exists()
    assert "of the checkpoints; no signature" in product.run("verify", "--checkpoint", file).out


def test_a_tail_that_was_cut_off_is_found_with_a_checkpoint_kept_elsewhere(product: Product, tmp_path: Path) -> None:
    task, _ = product.pair()
    product.crm.edit(task, task_name="Mới")
    product.once()
    file = tmp_path / "kept.txt"
    product.run("checkpoint", "--output", file)
    last = last_entry(product)
    assert f"entries: {last}\n" in file.read_text("utf-8")
    assert f"up to entry {last}" in product.run("verify", "--checkpoint", file).out
    tamper(product, f"DELETE FROM journal WHERE id = {last}", "DELETE FROM checkpoint")
    assert "intact" in product.run("verify").out
    assert f"entry {last}: is missing" in product.run("verify", "--checkpoint", file, code=1).err
    assert "cannot be read" in product.run("verify", "--checkpoint", tmp_path / "none", code=2).err


@needs_tool
def test_the_public_tool_checks_a_checkpoint_of_the_product(product: Product, public: Path, tmp_path: Path) -> None:
    assert TOOL is not None
    product.pair()
    file = tmp_path / "kept.txt"
    product.run("checkpoint", "--output", file)
    check = [TOOL, "-V", "-p", str(public), "-m", str(file)]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    file.write_text(file.read_text("utf-8").replace("entries: ", "entries: 1"), "utf-8")
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0


# --- bundles ----------------------------------------------------------------------------------------------------------


def edited(product: Product, names: int = 3) -> int:
    task, _ = product.pair(task_name="Gọi khách Hòa Bình", description="Số 5 Lê Lợi")
    for number in range(names):
        product.clock.later(60)
        product.crm.edit(task, task_name=f"Gọi khách lần {number}")
        product.once()
    return task


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_a_bundle_is_checked_without_the_state_and_without_the_config(
    product: Product, public: Path, tmp_path: Path, name: str
) -> None:
    edited(product)
    bundle = tmp_path / name
    assert f"{last_entry(product)} entries" in product.run("export", "--output", bundle).err
    product.forget()
    said = product.run("verify", bundle, "--key", public).out
    assert "intact" in said
    assert f"bear the signature of key {KEY.public.id}" in said
    product.config.unlink()
    assert "intact" in product.process("verify", bundle).out
    assert bundle.stat().st_mode & 0o077 == 0
    product.write_config()
    assert "cannot be made" in product.run("export", "--output", bundle, code=2).err


def test_a_bundle_holds_what_a_person_and_the_public_tool_need(product: Product, tmp_path: Path) -> None:
    edited(product)
    bundle = tmp_path / "bundle"
    product.run("export", "--output", bundle)
    page = (bundle / "index.html").read_text("utf-8")
    assert "Gọi khách lần 2" in page
    assert 'lang="vi"' in page
    assert "<script" not in page
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert manifest["config"].startswith("sha256:")
    assert manifest["connection"] == "an-phat"
    assert (bundle / "signing-key.pub").read_text("utf-8") == KEY.public.text()
    documents = list((bundle / "checkpoints").glob("*.txt"))
    assert documents
    if TOOL is not None:
        for one in documents:
            done = subprocess.run([TOOL, "-V", "-p", bundle / "signing-key.pub", "-m", one], capture_output=True)
            assert done.returncode == 0


def test_a_bundle_without_personal_values_holds_none_and_still_checks(product: Product, tmp_path: Path) -> None:
    edited(product)
    bundle = tmp_path / "bundle"
    product.run("export", "--without-personal", "--output", bundle)
    for file in bundle.rglob("*"):
        if file.is_file():
            assert "Hòa Bình" not in file.read_text("utf-8"), file
            assert "H\\u00f2a" not in file.read_text("utf-8"), file
            assert "Gọi khách" not in file.read_text("utf-8"), file
            assert "G\\u1ecdi" not in file.read_text("utf-8"), file
    said = product.run("verify", bundle).out
    assert "intact" in said
    assert "not proven: what the erased personal values of" in said


def test_a_period_begins_in_the_middle_and_says_what_that_does_not_prove(product: Product, tmp_path: Path) -> None:
    edited(product)
    tamper(product, "UPDATE journal SET at = '2020-01-01 00:00:00.000000' WHERE id < 4")
    bundle = tmp_path / "bundle"
    product.run("export", "--since", "2021-01-01", "--output", bundle)
    said = product.run("verify", bundle).out
    assert "no entry from 4 to" in said
    assert "not proven: anything about the entries before 4" in said
    empty = tmp_path / "empty.zip"
    product.run("export", "--since", "2090-01-01", "--output", empty)
    assert "no entries" in product.run("verify", empty).out


@pytest.mark.parametrize("deed", ["alter", "delete", "cut", "double", "swap", "append"])
def test_a_bundle_that_was_touched_is_named_by_its_first_wrong_entry(
    product: Product, tmp_path: Path, deed: str
) -> None:
    edited(product)
    bundle = tmp_path / "bundle"
    product.run("export", "--output", bundle)
    file = bundle / "entries.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    count = len(lines)
    changed = {
        "alter": [*lines[:2], lines[2].replace(b'"kind":"', b'"kind":"x'), *lines[3:]],
        "delete": [*lines[:2], *lines[3:]],
        "cut": lines[:-1],
        "double": [*lines[:3], *lines[2:]],
        "swap": [*lines[:2], lines[3], lines[2], *lines[4:]],
        "append": [*lines, lines[0]],
    }[deed]
    file.write_bytes(b"".join(changed))
    named = {"alter": 3, "delete": 4, "cut": count, "double": 3, "swap": 4, "append": 1}[deed]
    assert f"entry {named}:" in product.run("verify", bundle, code=1).err


def test_what_is_no_bundle_is_refused_in_words(product: Product, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("x")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("x", "y")
    for name in ("none", "empty", "text", "other.zip"):
        assert "bundle" in product.run("verify", tmp_path / name, code=2).err
    edited(product, 1)
    product.run("export", "--output", tmp_path / "bundle")
    for name in ("manifest.json", "entries.jsonl"):
        copy = tmp_path / f"without-{name}"
        shutil.copytree(tmp_path / "bundle", copy)
        (copy / name).unlink()
        assert "bundle" in product.run("verify", copy, code=2).err
