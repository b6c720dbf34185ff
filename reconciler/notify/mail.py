"""Notices by mail: SMTP with the standard library, in a thread of its own, because it blocks."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Literal

from reconciler.message import Translate
from reconciler.notify.courier import Refused
from reconciler.notify.notice import Notice

TIMEOUT: Final = 20.0
"""Seconds that the server may be silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail server and the people who get notices. `security` is starttls, tls (from the first byte on) or none."""

    server: tuple[str, int]
    security: Literal["starttls", "tls", "none"]
    user: str
    password: str
    sender: str
    to: tuple[str, ...]
    translate: Translate
    ca_file: str = ""
    name: str = "mail"

    async def send(self, notice: Notice) -> None:
        """Raises `smtplib.SMTPException`, `OSError` or, if the server took it for some people only, `Refused`."""
        message = letter(notice, self.sender, self.to, self.translate)
        await _aside(lambda: self._hand_over(message))

    def _hand_over(self, message: EmailMessage) -> None:
        host, port = self.server
        trust = ssl.create_default_context(cafile=self.ca_file or None) if self.security != "none" else None
        with (
            smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=trust)
            if self.security == "tls"
            else smtplib.SMTP(host, port, timeout=TIMEOUT)
        ) as server:
            if self.security == "starttls":
                server.starttls(context=trust)
            if self.user:
                server.login(self.user, self.password)
            refused = server.send_message(message, self.sender, list(self.to))
        if refused:
            raise Refused(f"{len(refused)} of {len(self.to)} addresses were refused")


def letter(notice: Notice, sender: str, to: tuple[str, ...], translate: Translate) -> EmailMessage:
    """The notice as a mail. Headers hold our own words and the config's addresses, never a value of a record."""
    message = EmailMessage()
    message["Subject"] = notice.title(translate)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = f"<{notice.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.text(translate))
    return message


async def _aside(work: Callable[[], None]) -> None:
    """Run blocking work in a thread that nobody has to wait for, not even the end of the program."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if not done.done():
            done.set_exception(error) if error is not None else done.set_result(None)

    def run() -> None:
        outcome: Exception | None = None
        try:
            work()
        except Exception as error:
            outcome = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="mail", daemon=True).start()
    await done
