"""Notices to a webhook: one POST with a JSON body, signed or with a token."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from reconciler.message import Translate
from reconciler.notify.notice import Notice
from reconciler.sides.transport import network

TIMEOUT: Final = 20.0
"""Seconds until an answer begins."""

SIGNATURE: Final = "X-Reconciler-Signature"
"""The header with "sha256=" and the hexadecimal HMAC-SHA256 of the body, if there is a key."""


class NotTaken(Exception):
    """The receiver answered with another status than success; a redirect is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that takes notices; `token` is sent as a bearer token, `key` signs the body, both may be empty."""

    url: str
    token: str
    key: str
    translate: Translate
    proxy: str = ""
    ca_file: str = ""
    name: str = "webhook"

    async def send(self, notice: Notice) -> None:
        """Raises `httpx.HTTPError`, or `NotTaken`."""
        body = content(notice, self.translate)
        way = network(connections=1, proxy=self.proxy, ca_file=self.ca_file)
        async with (
            httpx.AsyncClient(transport=way, trust_env=False, follow_redirects=False, timeout=TIMEOUT) as client,
            client.stream("POST", self.url, content=body, headers=self._headers(body)) as answer,
        ):
            if not answer.is_success:
                raise NotTaken(f"HTTP {answer.status_code}")

    def _headers(self, body: bytes) -> Mapping[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "reconciler"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.key:
            headers[SIGNATURE] = "sha256=" + hmac.new(self.key.encode(), body, hashlib.sha256).hexdigest()
        return headers


def content(notice: Notice, translate: Translate) -> bytes:
    """The notice as JSON: its words for people, its data for machines."""
    body = {
        "id": notice.id,
        "kind": notice.topic,
        "connection": notice.connection,
        "at": notice.at.isoformat(),
        "subject": notice.title(translate),
        "text": notice.text(translate),
        "data": notice.data,
    }
    return json.dumps(body, ensure_ascii=False).encode()
