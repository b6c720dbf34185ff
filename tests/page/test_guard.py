"""The page writes nothing, answers only to names of this host, and lets a browser load nothing from elsewhere."""

from __future__ import annotations

import pytest

from reconciler.page.guard import host_name
from tests.page.html import Seen
from tests.page.town import Town

PATHS = (
    "/", "/attention", "/task", "/task?q=1001", "/task?q=goi", "/journal", "/journal?verify=1", "/journal.csv",
    "/journal.json", "/dry-run", "/dry-run?run=1", "/page.css", "/no-such-page",
)  # fmt: skip
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)


@pytest.mark.parametrize("path", PATHS)
async def test_no_method_but_get_and_head_is_answered_and_the_state_stays_byte_for_byte(town: Town, path: str) -> None:
    await town.day()
    before, writes = town.bytes(), (town.world.crm.mark(), town.world.work.mark())
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        answer = await town.ask(method, path)
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == "GET, HEAD"
    for method in ("GET", "HEAD"):
        answer = await town.ask(method, path)
        assert answer.status_code == (404 if path == "/no-such-page" else 200)
    assert town.bytes() == before
    assert town.world.crm.writes(writes[0]) == []
    assert town.world.work.writes(writes[1]) == []


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_strict_headers(town: Town, path: str) -> None:
    await town.day()
    for answer in (await town.get(path), await town.ask("POST", path), await town.get(path, host="evil.example")):
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "set-cookie" not in answer.headers
        if answer.status_code != 200 or path != "/page.css":
            assert answer.headers["cache-control"] == "no-store"


async def test_the_stylesheet_may_be_kept_because_its_address_changes_with_it(town: Town) -> None:
    [sheet] = [one["href"] for one in Seen((await town.get("/")).text).all("link") if one["rel"] == "stylesheet"]
    assert sheet is not None
    assert sheet.startswith("/page.css?v=")
    answer = await town.get(sheet)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8780", 200),
        ("127.0.0.9", 200),
        ("[::1]:8780", 200),
        ("localhost:8780", 200),
        ("LOCALHOST", 200),
        ("192.168.1.5:8780", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8780", 421),
        ("", 421),
        ("page.an-phat.example", 421),
    ],
)
async def test_a_name_that_is_not_ours_gets_nothing(town: Town, host: str, status: int) -> None:
    """DNS rebinding: a stranger's name that points here shows the stranger nothing."""
    answer = await town.get("/", host=host)
    assert answer.status_code == status
    assert ("an-phat" in answer.text) is (status == 200)


async def test_the_configured_name_is_ours(town: Town) -> None:
    town.world.sections["web"] = {"listen": "Page.An-Phat.example:8780"}
    assert (await town.get("/", host="page.an-phat.example")).status_code == 200
    assert (await town.get("/", host="other.an-phat.example")).status_code == 421


async def test_other_sites_may_link_here_and_not_load_anything(town: Town) -> None:
    foreign = {"sec_fetch_site": "cross-site"}
    assert (await town.get("/dry-run?run=1", **foreign, sec_fetch_mode="no-cors")).status_code == 403
    assert "run=1" in (await town.get("/dry-run")).text, "no dry run has begun"
    assert (await town.get("/", **foreign, sec_fetch_mode="navigate")).status_code == 200
    assert (await town.get("/", sec_fetch_site="same-origin", sec_fetch_mode="no-cors")).status_code == 200


@pytest.mark.parametrize(
    ("host", "name"), [("a.b:80", "a.b"), ("[::1]:80", "::1"), ("A.B.", "a.b"), ("[::1", "::1"), (":80", "")]
)
def test_the_name_of_a_host_header(host: str, name: str) -> None:
    assert host_name(host) == name


async def test_a_page_holds_nothing_of_another_host_and_nothing_that_runs(town: Town) -> None:
    await town.day()
    for path in PATHS:
        if path.startswith(("/journal.", "/page.css")):
            continue
        seen = Seen((await town.get(path)).text)
        assert seen.open == []
        assert not {"script", "style", "iframe", "object", "embed", "img", "base"} & {tag for tag, _ in seen.tags}
        for tag, attributes in seen.tags:
            assert not [name for name in attributes if name.startswith("on") or name == "style"]
            for name in ("src", "action", "formaction"):
                assert (attributes.get(name) or "/").startswith("/"), (tag, attributes)
            if tag == "link":
                assert (attributes["href"] or "").startswith(("/", "data:"))
