"""A token, and secrets that a server throws back at us in every sort of answer, stay out of all that is left behind."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

import pytest

from tests.cli.product import Product

SECRET, KEY, TOKEN = "crm-canary-5d2e/+=Q", "work-canary-8c41/+=Z", "canarytoken0a9b8c7d6e"
COMMANDS = (
    ("check",),
    ("report",),
    ("report", "--format", "json"),
    ("report", "--format", "csv"),
    ("report", "--format", "html"),
    ("once",),
    ("status",),
    ("status", "--format", "json"),
    ("history",),
    ("history", "--format", "json"),
    ("history", "--format", "csv"),
)


def shapes(secret: str) -> dict[str, bytes]:
    """The secret in each form in which it could leak; base64 without the letters that depend on its surroundings."""
    raw = secret.encode()
    return {
        "plain": raw,
        "base64": base64.b64encode(raw[: len(raw) // 3 * 3]),
        "base64url": base64.urlsafe_b64encode(raw[: len(raw) // 3 * 3]),
        "percent": quote(secret, safe="").encode(),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
    }


def leaks(product: Product) -> list[str]:
    """Where a canary is found: in what commands printed, or in any file but the config."""
    places = {path.name: path.read_bytes() for path in product.folder.iterdir() if path != product.config}
    for name in [name for name in places if name.endswith((".xlsx", ".zip"))]:
        with ZipFile(product.folder / name) as packed:
            places |= {f"{name}/{member}": packed.read(member) for member in packed.namelist()}
    places |= {f"output {number}": one.text.encode() for number, one in enumerate(product.outcomes)}
    return [
        f"{name} as {shape} in {place}"
        for name, secret in (("client_secret", SECRET), ("secret_key", KEY), ("token", TOKEN))
        for shape, needle in shapes(secret).items()
        for place, content in places.items()
        if needle in content
    ]


def write_documents(product: Product) -> None:
    """The files that leave the machine on purpose: reports in five forms, the bundle of the journal, a checkpoint."""
    for form in ("text", "json", "csv", "html", "xlsx"):
        product.run("report", "--format", form, "--output", product.folder / f"report.{form}")
    product.run("export", "--output", product.folder / "bundle.zip")
    product.run("checkpoint", "--output", product.folder / "checkpoint")


def run_everything(product: Product, *, process: bool = False) -> None:
    for words in COMMANDS:
        product.run(*words, code=None)
    for form in ("text", "json", "csv", "html"):
        product.run("report", "--format", form, "--output", product.folder / f"report.{form}", code=None)
    if process:
        product.process("once", code=None)
        product.process("check", code=None)


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """A product whose secrets and tokens are canaries."""
    with Product(tmp_path, crm_secret=SECRET, work_key=KEY) as product:
        tokens = product.crm._tokens
        token = tokens.issue(product.crm.client_id, product.clock.now())
        whole = f"{token.rpartition('.')[0]}.{TOKEN}"
        tokens._expiry[whole] = tokens._expiry[token]
        monkeypatch.setattr(tokens, "issue", lambda client_id, now, lifetime: whole)
        yield product


def echo_of(product: Product, side: str) -> str:
    """What each server knows of ours."""
    if side == "work":
        return f"secret_key={KEY}"
    return f"client_secret={SECRET} Authorization: Bearer {max(product.crm._tokens._expiry, key=lambda t: TOKEN in t)}"


def test_a_good_day_leaves_no_secret(guarded: Product) -> None:
    task, _ = guarded.pair()
    guarded.crm.edit(task, task_name="Đổi")
    run_everything(guarded, process=True)
    assert leaks(guarded) == []


def test_documents_that_leave_the_machine_hold_no_secret(guarded: Product) -> None:
    task, _ = guarded.pair()
    guarded.crm.edit(task, task_name="Đổi")
    write_documents(guarded)
    assert leaks(guarded) == []


def test_the_search_looks_into_packed_documents(guarded: Product) -> None:
    guarded.pair(task_name=f"Gọi {TOKEN}")
    write_documents(guarded)
    found = [one.partition(" in ")[2] for one in leaks(guarded) if one.startswith("token as plain")]
    assert any(place.startswith("bundle.zip/") for place in found)


def test_the_search_finds_what_is_there(guarded: Product) -> None:
    guarded.pair()
    for shape, needle in shapes(TOKEN).items():
        (guarded.folder / "leak").write_bytes(b"x" + needle + b"y")
        assert f"token as {shape} in leak" in leaks(guarded)


ANSWERS: dict[str, Callable[[str], Any]] = {
    "error words": lambda echo: {"ErrorCode": "Fault", "UserMsg": echo, "DevMsg": echo, "TraceId": echo},
    "error words of Work": lambda echo: {
        "Success": False, "Code": 500, "ErrorCode": "Fault", "UserMessage": echo, "SystemMessage": echo,
    },
    "error code": lambda echo: {"success": False, "code": echo, "error_message": "Lỗi", "user_msg": "Lỗi"},
    "error code of Work": lambda echo: {"Success": False, "Code": 500, "ErrorCode": echo, "UserMessage": "Lỗi"},
    "escaped json": lambda echo: (
        '{"ErrorCode": "Fault", "Code": 500, "Success": false, "success": false, "UserMessage": "%s", "UserMsg": "%s"}'
        % ((echo.replace("+", "\\u002B").replace("/", "\\/"),) * 2)
    ).encode(),
    "html": lambda echo: f"<!doctype html><html><body><pre>{echo}</pre></body></html>".encode(),
    "no json": lambda echo: f'{{"data": "{echo}'.encode(),
    "percent": lambda echo: dict.fromkeys(("ErrorCode", "UserMsg", "UserMessage"), quote(echo, safe="")),
}  # fmt: skip


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_a_server_that_throws_our_secrets_back_is_not_repeated(guarded: Product, answer: str) -> None:
    guarded.write_config(limits={"retry_for": "10ms"})
    guarded.task()
    for status in (200, 400, 401, 403, 404, 429, 503):
        for system in (guarded.crm, guarded.work):
            echo = echo_of(guarded, system.side)
            body, headers = ANSWERS[answer](echo), {"x-echo": echo, "retry-after": "0"}
            system.faults.clear()
            system.faults.order("read", "status", times=None, status=status, body=body, headers=headers)
        for words in (("check",), ("once",), ("report",), ("status",), ("history",)):
            done = guarded.run(*words, code=None)
            assert done.code != 1, done.text
    assert leaks(guarded) == []


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_a_token_call_that_throws_our_secrets_back_is_not_repeated(guarded: Product, answer: str) -> None:
    guarded.write_config(limits={"retry_for": "10ms"})
    for status in (200, 400, 401, 500):
        guarded.crm.faults.clear()
        guarded.crm.faults.order(
            "token", "status", times=None, status=status, body=ANSWERS[answer](f"client_secret={SECRET}")
        )
        for words in (("check",), ("once",), ("report",), ("status",)):
            done = guarded.run(*words, code=None)
            assert done.code != 1, done.text
    assert leaks(guarded) == []


@pytest.mark.parametrize("verb", ["insert-tasks", "update-tasks", "update"])
def test_a_refused_record_whose_words_hold_our_secrets_is_not_repeated(guarded: Product, verb: str) -> None:
    task, item = guarded.pair()
    system = guarded.crm if verb == "update" else guarded.work
    system.faults.order(verb, "element", times=None, code="InvalidValue", message=echo_of(guarded, system.side))
    guarded.crm.edit(task, task_name="Đổi ở CRM")
    guarded.work.edit(item, Description="Đổi ở Work")
    guarded.task(task_name="Mới")
    run_everything(guarded)
    assert leaks(guarded) == []


def test_a_bug_shows_a_traceback_without_secrets(guarded: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug in the middle of a cycle")

    guarded.task()
    monkeypatch.setattr("reconciler.app.run_cycle", broken)
    done = guarded.run("once", code=1)
    assert "Traceback" in done.err
    assert leaks(guarded) == []


@pytest.mark.parametrize(
    "change",
    [
        {"crm": {"client_secret": [SECRET]}},
        {"work": {"secret_key": {"a": KEY}}},
        {"crm": {"client_secret": SECRET, "base_url": "http://public.example"}},
        {"crm": {"base_url": f"https://user:{SECRET}@crm.example"}},
        {"work": {"base_url": f"http://user:{KEY}@work.example"}},
        {"http": {"proxy": f"socks9://user:{SECRET}@proxy.example"}},
        {"state": {"url": f"mysql://user:{SECRET}@db.example/x"}},
        {"crm": {"client_secret_file": f"/nowhere/{SECRET}"}},
    ],
)
def test_a_faulty_config_is_explained_without_its_secrets(
    guarded: Product, change: dict[str, dict[str, object]]
) -> None:
    guarded.write_config(**change)
    for words in (("check",), ("once",), ("status",)):
        done = guarded.run(*words, code=None)
        assert done.code != 1, done.text
    assert leaks(guarded) == []


def test_what_people_typed_is_carried_as_typed_even_where_it_holds_the_words_of_a_secret(tmp_path: Path) -> None:
    with Product(tmp_path, crm_secret="an-phat-2026", work_key="binh-minh-2026") as product:
        task, item = product.pair(task_name="Kế hoạch an-phat-2026")
        right = product.work.get(item)
        assert right is not None and right["TaskName"] == "Kế hoạch an-phat-2026"
        product.work.edit(item, Description="Xem binh-minh-2026")
        product.once()
        left = product.crm.get(task)
        assert left is not None
        assert (left["task_name"], left["description"]) == ("Kế hoạch an-phat-2026", "Xem binh-minh-2026")
