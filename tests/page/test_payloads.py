"""Titles, people and answers of servers that try to be HTML stay text, on every page and in both languages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.model import Code, Entry
from tests.page.html import Seen
from tests.page.town import Town

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert`1`>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:alert(1)",
    "<details open ontoggle=alert(1)>x",
    "<input autofocus onfocus=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)",
    "<math><mi//xlink:href=data:x>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil>",
    "<style>*{display:none}</style>",
    "<object data=//evil.example>",
    "<embed src=//evil.example>",
    "<form action=//evil.example><button>x",
    "<!--<script>alert(1)//-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><x/>",
    "{{7*7}}",
    "{% for x in y %}",
    "${7*7}",
    "#{7*7}",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "<script>",
    "＜script＞alert(1)＜/script＞",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "\u202e<gnp.exe",
    "<video><source onerror=alert(1)>",
    "<marquee onstart=alert(1)>x",
    "`-alert(1)-`",
    "<x y='`'>",
    "{text} {0} {self.__class__}",
)
TAGS = """
html head meta title link body a header div p svg path span nav ul li main h1 h2 h3 section dl dt dd table thead tr th
tbody td br code time footer form input label button select option ol del ins b strong q details summary caption
"""
"""Every element that the templates have."""

LINKS = ("/", "#", "https://crm.example/", "https://work.example/")
PATHS = ("/", "/attention", "/task", "/journal", "/dry-run?run=1")


def test_there_are_forty_at_least() -> None:
    assert len(set(PAYLOADS)) >= 40


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_a_payload_stays_text(town: Town, payload: str) -> None:
    """In titles of a pair in conflict and of the list, in a person, a reason, a server's words, a filter, a search."""
    title = payload.replace("\u0000", "")
    task, _ = await town.day(title)
    town.world.crm.edit(task, task_name=f"{title} again")
    town.attend(town.entry(Code.FIELD_TOO_LONG, id="9", title=title, message=title, words=f"{title}!"))
    with town.world.store.transaction() as tx:
        entry = Entry(kind="told", at=town.world.clock.now(), crm_id=str(task), old=title, new=title)
        tx.append([replace(entry, changed_by=title, operator=title, reason=title, rule=title)])
    town.pause(title)
    for path in (*PATHS, f"/task?q={task}"):
        for language in ("vi", "en"):
            query = {"lang": language, **{"/task": {"q": payload}, "/journal": {"person": payload}}.get(path, {})}
            seen = Seen((await town.fetch(path, **query)).text)
            assert seen.open == [], "well nested"
            assert {tag for tag, _ in seen.tags} <= set(TAGS.split())
            assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
            assert all(link.startswith(LINKS) for link in seen.links())
            if path in ("/", "/attention"):
                assert " ".join(title.split()) in seen.text
