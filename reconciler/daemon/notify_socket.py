"""What systemd is told: datagrams on the socket that it names in NOTIFY_SOCKET. Without one, nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Speaks sd_notify(3)."""

    def __init__(self, env: Mapping[str, str]) -> None:
        address = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = env.get("WATCHDOG_USEC", "")
        mine = env.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog = int(microseconds) / 1e6 if mine and microseconds.isdecimal() else None
        """Seconds within which systemd wants to hear WATCHDOG=1; None if it does not listen for it."""

    def say(self, **words: object) -> None:
        """Send `NAME=value` lines as one message, names in capitals. A lost message is no reason to fail."""
        if not self._address:
            return
        message = "\n".join(f"{name.upper()}={' '.join(str(value).split())}" for name, value in words.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(message.encode(), self._address)
        except OSError:
            return
