"""A reason that a person typed may name somebody: it stands beside the chain, and can be erased like any value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler import linking
from reconciler.audit.erasing import Subject, erase, retire
from reconciler.core.model import Entry, Side
from reconciler.core.search import Selection
from reconciler.halting import pause, resume
from reconciler.ports import Store
from reconciler.report.data import entry_data
from reconciler.report.journal import as_text
from reconciler.report.period import month, period_changes, period_commands, period_data
from reconciler.store import open_store, verify
from reconciler.store.journal import HASHED
from tests.cli.product import Product
from tests.journal.test_erasing import on_disk
from tests.store.samples import attention, bytes_from, entry, link
from tests.world import MORNING

NOW, DAY = MORNING, timedelta(days=1)
WHY = "Chị Hồng nhờ, xem hợp đồng"
COMMANDS: dict[str, Callable[[Store, str], object]] = {
    "paused": lambda store, why: pause(store, NOW, why, None, "lan"),
    "resumed": lambda store, why: resume(store, NOW, why, "lan", None),
    "unlinked": lambda store, why: linking.unlink(store, NOW, "7", why, "lan"),
    "acknowledged": lambda store, why: linking.ack(store, NOW, "lan", why, task="8", item=None),
    "erase": lambda store, why: list(erase(store, Subject(task="9"), reason=why, operator="lan", now=NOW)),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path}/state.db", random_bytes=bytes_from("reasons"))
    with made.transaction() as tx:
        tx.save_links([link(7)])
        tx.raise_attention([attention(8, side=Side.CRM)])
    yield made
    made.close()


def last(store: Store) -> Entry:
    return next(store.recent(Selection()))


def told(store: Store, **wanted: Any) -> list[dict[str, Any]]:
    return [entry_data(one) for one in store.entries(Selection(**wanted))]


def forget(store: Store, now: datetime = NOW + 2 * DAY) -> None:
    assert retire(store, now, DAY) > 0


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_chain_commits_to_a_typed_reason_and_does_not_hold_it(store: Store, kind: str) -> None:
    COMMANDS[kind](store, WHY)
    [row] = [row for row in store.chain() if row["kind"] == kind]
    assert WHY not in str([row[name] for name in HASHED])
    assert row["inputs_seal"]
    assert (last(store).kind, last(store).why) == (kind, WHY)
    [shown] = told(store, kind=kind)
    assert shown["reason"] == WHY
    assert WHY in "".join(as_text([shown], str))
    assert verify(store) is None


@pytest.mark.parametrize("kind", COMMANDS)
def test_an_erased_reason_is_said_to_be_erased_and_the_chain_holds(store: Store, kind: str) -> None:
    COMMANDS[kind](store, WHY)
    forget(store)
    [shown] = [row for row in told(store, kind=kind) if row["rule"] != "retention"]
    assert shown["reason"] == "erased"
    assert "[erased]" in "".join(as_text([{**shown, "rule": ""}], str))
    assert verify(store) is None


@pytest.mark.parametrize("kind", ["unlinked", "acknowledged"])
def test_no_byte_of_it_is_left_when_its_task_is_erased(store: Store, tmp_path: Path, kind: str) -> None:
    COMMANDS[kind](store, WHY)
    assert on_disk(tmp_path, WHY) != []
    list(erase(store, Subject(task="7" if kind == "unlinked" else "8"), reason="", operator="lan", now=NOW))
    assert on_disk(tmp_path, WHY) == []


def test_a_person_whom_a_reason_names_is_found(store: Store) -> None:
    pause(store, NOW, "Theo lời NV017", None, "lan")
    list(erase(store, Subject(person="NV017"), reason="", operator="lan", now=NOW))
    assert [row["reason"] for row in told(store, kind="paused")] == ["erased"]


def test_our_own_words_stay_in_the_chain(store: Store) -> None:
    with store.transaction() as tx:
        tx.append([entry(1, kind="conflict", reason="conflict", at=NOW)])
    linking.unlink(store, NOW, "7", "", "lan")
    forget(store)
    assert [row["reason"] for row in told(store) if row["kind"] != "erase"] == ["conflict", "on request"]


def test_a_reason_from_before_stands_in_the_chain_and_can_still_be_read(store: Store) -> None:
    with store.transaction() as tx:
        tx.append([Entry(kind="paused", at=NOW, reason=WHY, operator="lan")])
    assert told(store)[0]["reason"] == WHY
    forget(store)
    assert told(store)[0]["reason"] == WHY
    assert verify(store) is None


def test_an_unlinked_pair_keeps_no_second_copy(store: Store, tmp_path: Path) -> None:
    """And one from before, which has it, loses it when it is erased."""
    COMMANDS["unlinked"](store, WHY)
    [grave] = store.tombstones(crm_ids=["7"])
    assert grave.reason == "on request"
    with store.transaction() as tx:
        tx.save_tombstones([replace(grave, reason=WHY)])
    list(erase(store, Subject(task="7"), reason="", operator="lan", now=NOW))
    assert on_disk(tmp_path, WHY) == []


def test_a_report_over_a_period_shows_the_reason_or_that_it_was_erased(store: Store) -> None:
    for kind in ("paused", "resumed", "unlinked"):
        COMMANDS[kind](store, WHY)
    period = month("2026-03")

    def shown() -> list[str]:
        data = period_data(name="an-phat", state=store, period=period, generated_at=NOW)
        [halt] = data["halts"]
        [row] = [row for row in period_changes(store, period) if row["kind"] == "unlink"]
        commands = [one for one in period_commands(store, period) if one["kind"] != "erase"]
        assert data["rows"]["commands"] == len(commands)
        assert data["rows"]["exceptions"] == 0, "a person unlinked it, also when nobody knows any more who"
        return [halt["reason"], halt["lift_reason"], row["reason"], *(one["reason"] for one in commands)]

    assert shown() == [WHY] * 6
    forget(store)
    assert shown() == ["erased"] * 6


def test_letters_that_no_console_takes_are_replaced(store: Store) -> None:
    pause(store, NOW, "a\udce1b", None, "lan")
    assert last(store).why == "a?b"


def test_every_command_takes_its_reason_the_same_way(product: Product) -> None:
    task, item = product.pair(task_name="Cũ")
    product.crm.edit(task, task_name="Mới")
    product.once()
    [wrong] = {row["cycle"] for row in product.history("--kind", "intent") if row["new"] == "Mới"}
    product.run("revert", wrong, "--reason", WHY)
    product.run("pause", "--reason", WHY)
    product.run("resume", "--reason", WHY)
    product.run("unlink", task, "--reason", WHY)
    commands = {row["kind"]: row["reason"] for row in product.history() if row["operator"]}
    assert commands == dict.fromkeys(("revert", "paused", "resumed", "unlinked"), WHY)
    assert WHY in product.run("why", task).out
    product.run("erase", "--item", item, "--reason", "Yêu cầu")
    assert {row["kind"] for row in product.history() if row["reason"] == "erased"} == {"revert", "unlinked"}
    assert "đã xóa" in product.run("why", task, "--lang", "vi").out
    assert "intact" in product.run("verify").out
