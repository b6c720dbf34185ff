"""`notify`, and what `check` says about notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.product import Outcome, Product
from tests.notify.receivers import PostOffice, Receiver, post_office, receiver


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with Product(tmp_path) as made:
        yield made


async def tried(product: Product, *words: str, code: int, answers: list[int]) -> tuple[Outcome, PostOffice, Receiver]:
    """A command while a mail server and a receiver listen."""
    async with post_office() as office, receiver() as hook:
        hook.answers = answers
        mail = {"smtp": f"127.0.0.1:{office.port}", "smtp_security": "none", "sender": "a@example.vn"}
        product.write_config(notify={**mail, "to": ["it@example.vn"], "webhook": hook.url, "webhook_token": "t0ken"})
        outcome = await asyncio.to_thread(product.run, *words, code=code)
    return outcome, office, hook


async def test_a_test_notice_goes_by_every_way_without_any_state(product: Product) -> None:
    outcome, office, hook = await tried(product, "notify", "--test", code=0, answers=[])
    assert outcome.out.splitlines()[-2:] == ["mail: sent", "webhook: sent"]
    assert [letter["Subject"] for letter in office.mails] == ["[an-phat] thử nghiệm: thông báo đến được nơi nhận"]
    assert [json.loads(body)["kind"] for _, body in hook.requests] == ["test"]
    assert product.stored() == {}


async def test_a_way_that_fails_is_named_and_ends_with_6_after_one_attempt(product: Product) -> None:
    outcome, office, hook = await tried(product, "notify", "--test", code=6, answers=[503])
    assert "mail: sent" in outcome.out
    assert "webhook: failed (NotTaken): HTTP 503" in outcome.err
    assert len(hook.requests) == len(office.mails) == 1
    assert "t0ken" not in outcome.text


@pytest.mark.parametrize("command", ["check", "notify"])
async def test_what_is_configured_is_said_and_nothing_is_sent(product: Product, command: str) -> None:
    outcome, office, hook = await tried(product, command, code=0, answers=[])
    assert f"notify: mail to 1 addresses through 127.0.0.1:{office.port}" in outcome.out
    assert "notify: webhook at 127.0.0.1\n" in outcome.out
    assert "notify: the digest comes at 07:30 (Asia/Ho_Chi_Minh)" in outcome.out
    assert (office.mails, hook.requests) == ([], [])
    assert "room=ops" not in outcome.text, "the address of a webhook is a secret"


@pytest.mark.parametrize("command", ["check", "notify"])
def test_nothing_configured_and_half_configured(product: Product, command: str) -> None:
    assert "notify: nothing leaves this machine" in product.run(command).out
    product.write_config(notify={"smtp": "mail.example.vn:587"})
    assert "mail needs sender and to" in product.run(command, code=2).err
