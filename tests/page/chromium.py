"""A headless Chromium over its own protocol: one process for all tests, a tab for each."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

PATIENCE = 30.0
"""Seconds that a busy machine has for one answer."""


@contextmanager
def browser(folder: Path) -> Iterator[str]:
    """A running Chromium; gives the address of its protocol. Skips where there is none, but not in CI."""
    program = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI has no Chromium, so the page was not looked at")
        pytest.skip("no Chromium here")
    process = subprocess.Popen(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
            "--disable-background-networking", "--no-first-run", "--remote-debugging-port=0",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder}", "about:blank",
        ],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "DevTools listening on ws://" in line:
                yield "http://" + line.split("ws://")[1].split("/")[0]
                return
        pytest.fail("Chromium did not start")
    finally:
        process.terminate()
        process.wait(PATIENCE)
        assert process.stderr is not None
        process.stderr.close()


class Tab:
    """One page in the browser. `said` is what its console showed, `asked` the addresses that it loaded."""

    def __init__(self, channel: aiohttp.ClientWebSocketResponse) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._channel = channel
        self._numbers = itertools.count(1)
        self._events: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        number = next(self._numbers)
        await self._channel.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._next()
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                result: dict[str, Any] = message["result"]
                return result

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._channel.receive_json(timeout=PATIENCE)
        given = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled":
                self.said.append(str([one.get("value") for one in given["args"]]))
            case "Runtime.exceptionThrown":
                self.said.append(str(given["exceptionDetails"]["text"]))
            case "Log.entryAdded":
                self.said.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
            case "Page.javascriptDialogOpening":
                self.said.append(f"dialog {given['message']}")
            case "Network.requestWillBeSent":
                self.asked.append(given["request"]["url"])
            case str(method):
                self._events.append(method)
        return message

    async def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._events.clear()
        await self.call("Page.navigate", url=address)
        await self._loaded()

    async def _loaded(self) -> None:
        while "Page.loadEventFired" not in self._events:
            await self._next()
        self._events.clear()

    async def look(self, *, width: int, dark: bool = False) -> None:
        """As wide as a screen, in its colours."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def js(self, expression: str) -> Any:
        """The value of an expression. The page itself runs no script; this is the tester's eye."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def press(self, key: str, *, follow: bool = False) -> None:
        """A key on the keyboard; with `follow` it leads to another page, which is waited for."""
        code = {"Tab": 9, "Enter": 13}[key]
        self._events.clear()
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )
        if follow:
            await self._loaded()

    async def type(self, text: str) -> None:
        await self.call("Input.insertText", text=text)

    async def picture(self, file: Path) -> None:
        """A picture of the whole page."""
        height = await self.js("document.documentElement.scrollHeight")
        width = await self.js("window.innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(shot["data"]))


@asynccontextmanager
async def tab(address: str) -> AsyncIterator[Tab]:
    """A new tab of the browser at that address."""
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{address}/json/new?about:blank") as answer:
            target = await answer.json(content_type=None)
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as channel:
            made = Tab(channel)
            for domain in ("Page", "Runtime", "Log", "Network"):
                await made.call(f"{domain}.enable")
            yield made
        async with session.get(f"{address}/json/close/{target['id']}"):
            pass
