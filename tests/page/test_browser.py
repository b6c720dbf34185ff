"""The page as a person meets it, in a real browser: both languages, light and dark, wide and narrow, by keyboard.

With RECONCILER_PICTURES=FOLDER the pictures are kept there, to be looked at.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from reconciler.core.model import Code, Side
from reconciler.daemon.web import serve
from tests.page.chromium import Tab, browser, tab
from tests.page.town import Town

VIEWS = {
    "overview": "/",
    "attention": "/attention",
    "search": "/task?q=goi",
    "story": "/task?q=1001",
    "journal": "/journal?verify=1",
    "dry-run": "/dry-run?run=1",
    "missing": "/no-such-page",
}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with browser(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest_asyncio.fixture
async def eye(chromium: str) -> AsyncIterator[Tab]:
    async with tab(chromium) as made:
        yield made


@pytest_asyncio.fixture
async def address(town: Town) -> AsyncIterator[str]:
    """Where the town's page is served, after a day with something of everything."""
    await town.day()
    long = "Báo giá thiết bị văn phòng quý 2 " * 9
    town.attend(
        town.entry(Code.FIELD_TOO_LONG, id="1001", title=long, message="Tên dài quá 255 ký tự", words="TaskName > 255"),
        town.entry(Code.DELETED_ELSEWHERE, Side.WORK, id="7002", title="Gửi báo giá lần 2", message="đã xóa"),
    )
    listening = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(town.app.routes, ("127.0.0.1", 0), listening.set_result))
    yield f"http://127.0.0.1:{await listening}"
    serving.cancel()
    await asyncio.wait([serving])


def at(address: str, path: str, language: str) -> str:
    return f"{address}{path}{'&' if '?' in path else '?'}lang={language}"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 360])
@pytest.mark.parametrize("language", ["vi", "en"])
async def test_every_view_fits_is_readable_and_leaves_the_console_empty(
    eye: Tab, address: str, language: str, width: int, dark: bool
) -> None:
    await eye.look(width=width, dark=dark)
    for name, path in VIEWS.items():
        await eye.open(at(address, path, language))
        assert await eye.js("document.documentElement.lang") == language
        assert await eye.js("document.documentElement.scrollWidth") <= width, f"{name} is wider than the screen"
        assert await eye.js(CUT) == [], f"{name} hides text"
        assert await eye.js(PALE) == [], f"{name} has text that is hard to read"
        assert await eye.js("document.querySelectorAll('h1').length") == 1
        levels = await eye.js("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
        assert all(after <= before + 1 for before, after in pairwise([0, *levels])), (name, levels)
        if folder := os.environ.get("RECONCILER_PICTURES"):
            await eye.picture(Path(folder) / f"{name}-{language}-{width}-{'dark' if dark else 'light'}.png")
    expected = [one for one in eye.said if "404" not in one or "no-such-page" not in one]
    assert expected == []
    assert [one for one in eye.asked if not one.startswith((address, "data:"))] == []


CUT = """[...document.querySelectorAll('main *')]
  .filter(e => e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1)
  .filter(e => getComputedStyle(e).display != 'inline' && getComputedStyle(e).overflowX != 'visible')
  .map(e => e.outerHTML.slice(0, 80))"""
"""Elements of which a part cannot be seen."""

PALE = """(() => {
  const number = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const colour = number(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const speaks = e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) && e.getClientRects().length;
  const contrast = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  return [...document.querySelectorAll('body *')].filter(speaks)
    .filter(e => contrast(light(number(getComputedStyle(e).color)), light(ground(e))) < 4.5)
    .map(e => e.outerHTML.slice(0, 120));
})()"""
"""Texts whose contrast to their ground is below 4.5 to 1."""

FOCUSABLE = "a[href], button, input:not([type=hidden]), select, summary"
OUTLINE = "(style => style.outlineStyle + style.outlineWidth)(getComputedStyle(document.activeElement))"


async def test_everything_is_reached_by_keyboard_and_the_focus_shows(eye: Tab, address: str) -> None:
    await eye.look(width=1280)
    await eye.open(at(address, "/task?q=1001", "vi"))
    wanted = await eye.js(
        "document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary').length"
    )
    reached: list[str] = []
    for _ in range(wanted):
        await eye.press("Tab")
        reached.append(await eye.js("document.activeElement.outerHTML"))
        assert await eye.js(OUTLINE) == "solid3px", reached[-1]
    assert len(reached) == wanted
    assert 'class="skip"' in reached[0]
    assert any("<button" in one for one in reached)


async def test_the_skip_link_leads_past_the_navigation(eye: Tab, address: str) -> None:
    await eye.open(at(address, "/", "en"))
    await eye.press("Tab")
    assert await eye.js("document.activeElement.getBoundingClientRect().top") >= 0, "it can be seen"
    await eye.press("Enter")
    assert await eye.js("document.activeElement.id") == "main"


async def test_a_search_by_keyboard_leads_to_the_story(eye: Tab, address: str) -> None:
    await eye.open(at(address, "/task", "vi"))
    await eye.js("document.querySelector('#q').focus()")
    await eye.type("khao sat kho da nang")
    await eye.press("Enter", follow=True)
    assert await eye.js("document.querySelector('h2').textContent") == "Khảo sát kho Đà Nẵng"
    assert "lang=vi" in await eye.js("location.search"), "the language stays"


async def test_it_works_without_javascript(eye: Tab, address: str) -> None:
    await eye.call("Emulation.setScriptExecutionDisabled", value=True)
    await eye.open(at(address, "/journal", "vi"))
    document = await eye.call("DOM.getDocument", depth=-1)
    html = (await eye.call("DOM.getOuterHTML", nodeId=document["root"]["nodeId"]))["outerHTML"]
    assert "Số liệu đối soát" in html
    assert "<script" not in html
