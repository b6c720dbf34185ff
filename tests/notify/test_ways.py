"""Both ways out: what a mail and a webhook call look like, how they prove who they are, and what counts as failed."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.message import say
from reconciler.notify.courier import Refused
from reconciler.notify.mail import Mail
from reconciler.notify.notice import Notice, packed, unpacked
from reconciler.notify.webhook import NotTaken, Webhook
from reconciler.words import translator
from tests.notify.receivers import certificate, post_office, receiver

NOTICE = Notice(
    topic="down",
    connection="an-phat",
    at=datetime(2026, 3, 2, 2, 0, tzinfo=UTC),
    subject=say("{side} does not answer", side=say("crm")),
    lines=(say("since {at}", at="02/03/2026 08:45"),),
    data={"since": "2026-03-02T01:45:00+00:00"},
)


def mail(port: int, **rest: Any) -> Mail:
    return Mail(
        **{
            "server": ("127.0.0.1", port),
            "security": "none",
            "user": "",
            "password": "",
            "sender": "reconciler@example.vn",
            "to": ("it@example.vn", "sep@example.vn"),
            "translate": translator("vi"),
            **rest,
        }
    )


def hook(url: str, **rest: str) -> Webhook:
    return Webhook(url=url, translate=translator("en"), **{"token": "", "key": "", **rest})


async def test_a_mail_is_in_the_connections_language_and_for_everybody() -> None:
    async with post_office() as office:
        await mail(office.port).send(NOTICE)
    [letter] = office.mails
    assert letter["Subject"] == "[an-phat] bên Bán hàng không truy cập được"
    assert letter.get_content().splitlines() == ["bên Bán hàng không truy cập được", "từ 02/03/2026 08:45"]
    assert office.recipients == [["it@example.vn", "sep@example.vn"]]
    assert letter["From"] == "reconciler@example.vn"
    assert letter["Auto-Submitted"] == "auto-generated", "so that nobody's out-of-office answers it"
    assert letter["Date"].datetime == NOTICE.at


async def test_the_same_notice_has_the_same_id_and_another_one_another() -> None:
    async with post_office() as office:
        for notice in (NOTICE, unpacked(json.loads(json.dumps(packed(NOTICE)))), replace(NOTICE, topic="clear")):
            await mail(office.port).send(notice)
    first, again, other = (letter["Message-ID"] for letter in office.mails)
    assert first == again != other


async def test_nothing_in_a_subject_can_become_a_header() -> None:
    forged = replace(NOTICE, connection="an\r\nBcc: thief@example.vn\u2028\u202ex", subject="a\nb")
    async with post_office() as office:
        await mail(office.port).send(forged)
    [letter] = office.mails
    assert letter["Bcc"] is None
    assert letter["Subject"] == "[an Bcc: thief@example.vn x] a b"
    assert office.recipients == [["it@example.vn", "sep@example.vn"]]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_mail_server_is_encrypted_proven_and_logged_in_to(tmp_path: Path, security: str) -> None:
    authority, trust = certificate(tmp_path)
    options = {"security": security, "user": "reconciler", "password": "mail-secret"}
    async with post_office(trust, implicit=security == "tls") as office:
        await mail(office.port, **options, ca_file=str(authority)).send(NOTICE)
        assert (office.encrypted, office.logins) == ([True], [(b"reconciler", b"mail-secret")])
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await mail(office.port, **(options | {"password": "no"}), ca_file=str(authority)).send(NOTICE)
        offered = len(office.logins)
        with pytest.raises(ssl.SSLCertVerificationError):
            await mail(office.port, **options).send(NOTICE)
        assert len(office.mails) == 1
        assert len(office.logins) == offered, "the password is not given to a server that is not proven"


async def test_a_server_without_starttls_gets_neither_password_nor_notice() -> None:
    async with post_office() as office:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            await mail(office.port, security="starttls", user="reconciler", password="mail-secret").send(NOTICE)
    assert (office.mails, office.logins) == ([], [])


async def test_a_mail_that_some_got_is_not_sent_again_and_one_that_nobody_got_may_be() -> None:
    async with post_office() as office:
        office.refusals["sep@example.vn"] = "550 no such user"
        with pytest.raises(Refused, match="1 of 2"):
            await mail(office.port).send(NOTICE)
        office.refusals["it@example.vn"] = "451 later"
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await mail(office.port).send(NOTICE)
    assert office.recipients == [["it@example.vn"]]


async def test_a_webhook_gets_words_for_people_and_data_for_machines() -> None:
    async with receiver() as made:
        await hook(made.url).send(NOTICE)
    [(headers, body)] = made.requests
    assert headers[":path"] == "/hook?room=ops"
    assert headers["content-type"] == "application/json"
    assert not {"authorization", "x-reconciler-signature"} & headers.keys()
    assert json.loads(body) == {
        "id": NOTICE.id,
        "kind": "down",
        "connection": "an-phat",
        "at": "2026-03-02T02:00:00+00:00",
        "subject": "[an-phat] crm does not answer",
        "text": "crm does not answer\nsince 02/03/2026 08:45\n",
        "data": {"since": "2026-03-02T01:45:00+00:00"},
    }


async def test_a_webhook_is_told_by_token_or_signature_who_speaks() -> None:
    async with receiver() as made:
        await hook(made.url, token="hook-token", key="hook-key").send(NOTICE)
    [(headers, body)] = made.requests
    assert headers["authorization"] == "Bearer hook-token"
    assert headers["x-reconciler-signature"] == "sha256=" + hmac.new(b"hook-key", body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("status", [302, 307, 400, 401, 429, 500, 503])
async def test_a_redirect_is_not_followed_and_an_error_is_no_success(status: int) -> None:
    async with receiver() as made:
        made.answers = [status]
        with pytest.raises(NotTaken, match=str(status)):
            await hook(made.url, token="hook-token").send(NOTICE)
    assert len(made.requests) == 1


async def test_the_environments_proxies_are_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with receiver() as made:
        await hook(made.url).send(NOTICE)
    assert len(made.requests) == 1
