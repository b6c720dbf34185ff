"""Notices of a running connection: they leave by both ways, survive restarts, and cost no cycle anything."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from reconciler.core.model import Side
from reconciler.daemon.happening import Happening
from reconciler.daemon.herald import OUTBOX, Herald
from reconciler.daemon.running import Daemon
from reconciler.store import verify
from tests.cli.product import Product
from tests.daemon.test_keeper import Station
from tests.daemon.test_log import logging_to, told
from tests.notify.receivers import PostOffice, Receiver, post_office, receiver
from tests.world import TestClock

CANARY = "Nguyễn Thị Bí Mật"


class Tower(Station):
    """A keeper with a herald, a mail server and a webhook's receiver."""

    def __init__(self, folder: Path, office: PostOffice, hook: Receiver) -> None:
        super().__init__(folder)
        self.office, self.hook = office, hook
        self.counted: Counter[tuple[str, str]] = Counter()
        self.world.sections["notify"] = {
            "smtp": f"127.0.0.1:{office.port}",
            "smtp_security": "none",
            "sender": "reconciler@example.vn",
            "to": ["it@example.vn"],
            "webhook": hook.url,
        }
        self.world.sections["connection"]["language"] = "en"
        self.keeper = self.fresh()
        self.herald = self.new_herald()

    def new_herald(self) -> Herald:
        return Herald(self.world.clock, lambda connection, way, outcome: self.counted.update([(way, outcome)]))

    def hear(self, happening: Happening) -> None:
        super().hear(happening)
        self.herald.hear(happening, self.keeper.settings, self.keeper.store)

    async def restart(self) -> None:
        """The process ends and another one begins."""
        await self.herald.close()
        self.keeper.stop.ask()
        await self.keeper.close()
        self.fresh()
        self.herald = self.new_herald()
        await self.keeper.open()

    async def settled(self) -> list[dict[str, Any]]:
        """What the webhook got, once nothing is under way any more."""
        await self.calm(lambda: not self.facts(OUTBOX))
        return [json.loads(body) for _, body in self.hook.requests]

    async def topics(self) -> list[str]:
        return [one["kind"] for one in await self.settled()]

    async def minutes(self, count: int) -> None:
        for _ in range(count):
            await self.poll()


@pytest_asyncio.fixture
async def tower(tmp_path: Path) -> AsyncIterator[Tower]:
    async with post_office() as office, receiver() as hook:
        made = Tower(tmp_path, office, hook)
        await made.keeper.open()
        yield made
        await made.herald.close()
        made.keeper.stop.ask()
        await made.keeper.close()


async def test_a_matter_for_a_person_leaves_by_both_ways_without_naming_anybody(tower: Tower) -> None:
    task = tower.world.crm.add(task_name=CANARY, custom_field1="10", custom_field2="31")
    await tower.minutes(3)
    [body] = await tower.settled()
    [letter] = tower.office.mails
    assert body["data"] == {"causes": {"target_is_department": [f"crm {task}"]}}
    assert letter["Subject"] == body["subject"] == "[an-phat] 1 new matters need a person"
    assert letter.get_content().replace("\r\n", "\n") == body["text"]
    assert CANARY not in json.dumps(body, ensure_ascii=False)
    assert tower.counted == {("mail", "sent"): 1, ("webhook", "sent"): 1}


async def test_an_outage_of_an_hour_is_two_notices(tower: Tower) -> None:
    tower.world.lines[Side.WORK].cut = True
    await tower.minutes(60)
    assert await tower.topics() == ["down"]
    tower.world.lines[Side.WORK].cut = False
    await tower.minutes(40)
    assert await tower.topics() == ["down", "clear"]
    assert len(tower.office.mails) == 2


async def test_refused_credentials_are_told_at_once(tower: Tower) -> None:
    tower.world.crm.disconnect()
    await tower.minutes(2)
    assert await tower.topics() == ["refused"]


async def test_a_limit_that_halts_is_told_with_its_fingerprint(tower: Tower) -> None:
    tower.world.sections["safety"] = {"max_creates": 1}
    await tower.keeper.change(tower.settings)
    for number in range(2):
        tower.world.crm.add(task_name=str(number), custom_field1="12", custom_field2="31")
    await tower.minutes(2)
    [body] = await tower.settled()
    assert body["kind"] == "halted"
    assert tower.facts("halted")["fingerprint"] in body["text"]


class Night(TestClock):
    """A clock in whose sleep the process ends."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def test_a_restart_neither_repeats_nor_forgets(tower: Tower) -> None:
    tower.herald = Herald(Night(tower.world.clock.time), lambda *_: None)
    tower.hook.answers, tower.office.refusals["it@example.vn"] = [503], "451 later"
    tower.world.crm.add(custom_field1="10", custom_field2="31")
    await tower.poll()
    await tower.calm(lambda: tower.hook.requests)
    tower.hook.requests.clear()
    tower.office.refusals.clear()
    await tower.restart()
    assert len(tower.facts(OUTBOX)) == 1
    await tower.poll()
    assert await tower.topics() == ["attention"]
    for _ in range(3):
        await tower.restart()
        await tower.minutes(3)
    assert await tower.topics() == ["attention"]
    assert len(tower.office.mails) == 1


async def test_an_end_in_the_middle_of_sending_does_not_send_twice(tower: Tower) -> None:
    tower.world.crm.add(custom_field1="10", custom_field2="31")
    await tower.poll()
    await tower.restart()
    await tower.minutes(2)
    assert await tower.topics() == ["attention"]
    assert len(tower.office.mails) == 1


async def test_dead_receivers_cost_no_cycle_and_one_log_line_each(tower: Tower) -> None:
    tower.hook.answers = [503] * 100
    tower.office.refusals["it@example.vn"] = "451 later"
    tower.world.crm.add(custom_field1="10", custom_field2="31")
    with logging_to(io.StringIO()) as stream:
        assert (await tower.poll()).outcome == "attention"
        await tower.settled()
        dropped = [line for line in told(stream) if line["event"] == "notice.dropped"]
    assert sorted((line["way"], line["kind"], line["reason"]) for line in dropped) == [
        ("mail", "attention", "SMTPRecipientsRefused"),
        ("webhook", "attention", "NotTaken"),
    ]
    assert len(tower.hook.requests) == 4
    assert tower.counted == {("mail", "dropped"): 1, ("webhook", "dropped"): 1}
    assert (await tower.poll()).outcome == "attention"


async def test_one_way_that_fails_does_not_keep_the_other(tower: Tower) -> None:
    tower.office.refusals["it@example.vn"] = "550 no such user"
    tower.world.crm.add(custom_field1="10", custom_field2="31")
    await tower.poll()
    await tower.settled()
    assert tower.counted == {("mail", "dropped"): 1, ("webhook", "sent"): 1}


async def test_the_digest_comes_at_its_hour_and_anchors_the_journal(tower: Tower) -> None:
    tower.world.clock.time = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)  # six in Hà Nội
    await tower.poll()
    await tower.pair()
    await tower.minutes(60)
    assert await tower.topics() == []
    await tower.minutes(40)
    [body] = await tower.settled()
    assert body["kind"] == "digest"
    assert datetime.fromisoformat(body["at"]) - datetime(2026, 3, 2, 0, 30, tzinfo=UTC) < timedelta(minutes=1)
    assert body["data"]["changes"]["created_work"] == 1
    assert tower.keeper.store is not None
    kept = [entry for entry in tower.keeper.store.journal() if entry.id == body["data"]["entries"]]
    assert [entry.hash for entry in kept] == [body["data"]["head"]]
    assert verify(tower.keeper.store) is None
    await tower.restart()
    await tower.minutes(30)
    assert await tower.topics() == ["digest"], "once a day, restarts or not"
    tower.world.clock.tick(3 * 86_400)
    await tower.minutes(2)
    assert await tower.topics() == ["digest", "digest"], "days that were missed are one digest"


async def test_another_config_is_used_from_the_next_tick_on(tower: Tower) -> None:
    tower.world.sections["notify"] |= {"smtp": "", "sender": "", "to": [], "digest": "", "webhook_token": "t0ken"}
    tower.world.sections["connection"]["language"] = "vi"
    await tower.keeper.change(tower.settings)
    tower.world.crm.add(custom_field1="10", custom_field2="31")
    await tower.minutes(2)
    [body] = await tower.settled()
    assert body["subject"] == "[an-phat] 1 việc mới cần xử lý"
    assert tower.hook.requests[0][0]["authorization"] == "Bearer t0ken"
    assert tower.office.mails == []
    tower.world.sections["notify"] = {}
    await tower.keeper.change(tower.settings)
    tower.world.lines[Side.WORK].cut = True
    await tower.minutes(30)
    assert await tower.topics() == ["attention"]


async def test_records_are_quoted_where_the_config_says_so(tower: Tower) -> None:
    tower.world.sections["notify"]["personal"] = True
    await tower.keeper.change(tower.settings)
    tower.world.crm.add(custom_field1="12", custom_field2="31", owner_name=CANARY)
    await tower.minutes(3)
    [body] = await tower.settled()
    assert CANARY in body["text"]
    assert CANARY not in body["subject"]


async def test_the_daemon_tells(tmp_path: Path) -> None:
    """The wiring: a daemon from its config file, as `run` starts it."""
    async with receiver() as hook:
        with Product(tmp_path) as product:
            product.write_config(schedule={"poll": "1s"}, web={"listen": "127.0.0.1:0"}, notify={"webhook": hook.url})
            product.crm.add(custom_field1="10", custom_field2="31")
            daemon = Daemon([product.config], {})
            running = asyncio.ensure_future(daemon.run())
            async with asyncio.timeout(20):
                while not hook.requests:
                    await asyncio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)
            assert await running == 0
            [(_, body)] = hook.requests
            assert json.loads(body)["kind"] == "attention"
            metrics = daemon.metrics.exposition("")[0].decode()
            sent = 'reconciler_notices_total{connection="an-phat",outcome="sent",way="webhook"} 1.0'
            assert sent in metrics.splitlines()
