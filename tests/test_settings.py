"""The config file: every fault is named with its place, every default is the contract's, secrets stay secret."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from reconciler.core.model import Direction, Side
from reconciler.errors import ConfigError, Problem
from reconciler.settings import Settings, json_schema, load
from reconciler.settings.lines import lines_of
from reconciler.settings.values import Duration, shown

CONFIG = Path(__file__).resolve().parent.parent / "config"
CANARY = "canary-7f3a"

REQUIRED = """\
[connection]
name = "an-phat"

[crm]
base_url = "https://crm.example.vn/api/v2"
client_id = "anphatapp"
client_secret = "canary-7f3a"

[work]
base_url = "https://work.example.vn/api/Open"
client_id = "anphat"
secret_key = "canary-7f3a"

[state]
url = "sqlite:////var/lib/reconciler/an-phat.db"
"""

DEFAULTS = """\
[journal]
retention = "730d"

[schedule]
poll = "60s"
sweep = "6h"
jitter = "5s"

[watermark]
overlap = "5m"
settle = "5s"

[conflict]
tie = "crm"
tolerance = "2s"

[times]
start = "08:00"
due = "17:30"

[fields]
title = "both"
description = "both"
start = "both"
due = "both"
owner = "crm_to_work"
status = "both"

[status.to_work]
"Hoàn thành" = "Đã hoàn thành"
"*" = "Chưa hoàn thành"

[status.to_crm]
"Đã hoàn thành" = "Hoàn thành"
"*" = "Chưa bắt đầu"

[deletes]
policy = "unlink"
confirm_after = "1h"

[safety]
max_update_percent = 30
min_updates = 50
max_updates = 300
max_delete_percent = 5
min_deletes = 10
max_deletes = 50
max_creates = 500

[limits]
requests_per_second = 10
concurrency = 4
timeout = "30s"
retry_for = "10s"
plan_age = "24h"
resolve_after = "5m"

[http]
proxy = ""
ca_file = ""

[web]
listen = "127.0.0.1:8780"
"""


class Folder:
    """A folder with one config file in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "reconciler.toml"

    def load(self, text: str = REQUIRED, /, **env: str) -> Settings:
        self.path.write_text(text, "utf-8")
        return load(self.path, env)

    def problems(self, text: str, /, **env: str) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            self.load(text, **env)
        assert CANARY not in str(caught.value)
        return caught.value.problems

    def problem(self, text: str, /, **env: str) -> Problem:
        (only,) = self.problems(text, **env)
        return only

    def secret(self, name: str, content: str = "s3cret\n", mode: int = 0o600) -> Path:
        path = self.home / name
        path.write_text(content, "utf-8")
        path.chmod(mode)
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def line_of(text: str, start: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith(start))


# What is accepted


def test_the_required_values_are_enough_and_the_rest_are_the_contracts_defaults(folder: Folder) -> None:
    assert folder.load(REQUIRED) == folder.load(REQUIRED + DEFAULTS)


def test_values_have_the_types_that_the_program_works_with(folder: Folder) -> None:
    settings = folder.load()
    assert settings.schedule.poll == timedelta(seconds=60)
    assert settings.schedule.sweep == timedelta(hours=6)
    assert settings.conflict.tie is Side.CRM
    assert settings.fields.owner is Direction.CRM_TO_WORK
    assert settings.crm.client_secret.get_secret_value() == CANARY
    assert settings.web.address == ("127.0.0.1", 8780)
    assert settings.state.path == Path("/var/lib/reconciler/an-phat.db")
    assert settings.routes == ()
    assert settings.people == {}


def test_settings_cannot_be_changed(folder: Folder) -> None:
    settings = folder.load()
    with pytest.raises(ValidationError):
        settings.schedule.poll = timedelta(seconds=1)


def test_routes_take_ids_and_names_and_keep_their_order(folder: Folder) -> None:
    settings = folder.load(
        REQUIRED
        + """
[[routes]]
project = 12
group = 31
[routes.when]
owner = ["NV001", "NV002"]
not_priority = ["Thấp"]

[[routes]]
project = "Triển khai An Phát"
group = "31"
"""
    )
    first, second = settings.routes
    assert (first.project, first.group) == ("12", "31")
    assert first.when.conditions == (("owner", ("NV001", "NV002"), False), ("priority", ("Thấp",), True))
    assert (second.project, second.group) == ("Triển khai An Phát", "31")
    assert second.when.conditions == ()


def test_a_status_table_replaces_the_default_one_whole(folder: Folder) -> None:
    settings = folder.load(REQUIRED + '[status.to_work]\n"Xong" = "Đã hoàn thành"\n')
    assert settings.status.to_work == {"Xong": "Đã hoàn thành"}
    assert settings.status.to_crm == {"Đã hoàn thành": "Hoàn thành", "*": "Chưa bắt đầu"}


def test_wire_overrides_are_handed_on_as_they_are(folder: Folder) -> None:
    settings = folder.load(REQUIRED + '[wire.crm]\npaths = {list = "/Tasks"}\n')
    assert settings.wire.crm == {"paths": {"list": "/Tasks"}}


@pytest.mark.parametrize(
    "key", ["watermark.settle", "deletes.confirm_after", "limits.resolve_after", "schedule.jitter"]
)
def test_four_waits_may_be_zero(folder: Folder, key: str) -> None:
    section, name = key.split(".")
    settings = folder.load(f'{REQUIRED}[{section}]\n{name} = "0s"\n')
    assert getattr(getattr(settings, section), name) == timedelta(0)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8790/crm", "http://127.9.9.9/", "http://[::1]:80/x", "http://localhost/x", "https://a.vn/x/"],
)
def test_plain_http_is_for_loopback_and_a_trailing_slash_goes(folder: Folder, url: str) -> None:
    settings = folder.load(REQUIRED.replace("https://crm.example.vn/api/v2", url))
    assert settings.crm.base_url == url.rstrip("/")


@pytest.mark.parametrize("start", ["\ufeff", "\r\n"], ids=["byte order mark", "CRLF"])
def test_files_as_windows_writes_them_are_read(folder: Folder, start: str) -> None:
    folder.path.write_bytes((start + REQUIRED.replace("\n", "\r\n")).encode())
    assert load(folder.path, {}).connection.name == "an-phat"


def test_plain_settings_take_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch, folder: Folder) -> None:
    monkeypatch.setenv("RECONCILER__SCHEDULE__POLL", "1s")
    monkeypatch.setenv("SCHEDULE", '{"poll": "1s"}')
    assert folder.load().schedule.poll == timedelta(seconds=60)
    assert Settings(**tomllib.loads(REQUIRED)).schedule.poll == timedelta(seconds=60)


# The environment


@pytest.mark.parametrize(
    "name", ["RECONCILER__SCHEDULE__POLL", "reconciler__schedule__poll", "Reconciler__Schedule__POLL"]
)
def test_a_variable_beats_the_file_in_any_case(folder: Folder, name: str) -> None:
    settings = folder.load(REQUIRED + '[schedule]\npoll = "5s"\nsweep = "1h"\n', **{name: "30s"})
    assert settings.schedule.poll == timedelta(seconds=30)
    assert settings.schedule.sweep == timedelta(hours=1)


def test_variables_give_required_values_numbers_lists_and_tables(folder: Folder) -> None:
    settings = folder.load(
        REQUIRED.replace('name = "an-phat"', "") + '[people]\n"An" = "NV001"\n',
        RECONCILER__CONNECTION__NAME="bình-minh",
        RECONCILER__SAFETY__MAX_UPDATES="7",
        RECONCILER__SAFETY__MAX_DELETE_PERCENT="2.5",
        RECONCILER__PEOPLE='{"Bình": "NV002"}',
        RECONCILER__STATUS__TO_WORK='{"Xong": "Đã hoàn thành"}',
        RECONCILER__ROUTES='[{"project": 12, "group": "Chung", "when": {"owner": ["NV001"]}}]',
        RECONCILER_BIN="not ours",
    )
    assert settings.connection.name == "bình-minh"
    assert settings.safety.max_updates == 7
    assert settings.safety.max_delete_percent == 2.5
    assert settings.people == {"Bình": "NV002"}
    assert settings.status.to_work == {"Xong": "Đã hoàn thành"}
    assert [(route.project, route.when.owner) for route in settings.routes] == [("12", ("NV001",))]


@pytest.mark.parametrize(
    "name",
    [
        "RECONCILER__SCHEDULE__POL",
        "RECONCILER__SHEDULE__POLL",
        "RECONCILER__SCHEDULE",
        "RECONCILER__SCHEDULE__POLL__X",
        "RECONCILER__ROUTES__PROJECT",
        "RECONCILER__PEOPLE__AN",
        "RECONCILER__",
    ],
)
def test_an_unknown_variable_is_an_error_that_names_it(folder: Folder, name: str) -> None:
    problem = folder.problem(REQUIRED, **{name: CANARY})
    assert (problem.where, problem.key) == ("environment", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECONCILER__SCHEDULE__POLL", "60"),
        ("RECONCILER__SAFETY__MAX_UPDATES", "many"),
        ("RECONCILER__SAFETY__MAX_UPDATES", "2.5"),
        ("RECONCILER__SAFETY__MAX_UPDATE_PERCENT", "NaN"),
        ("RECONCILER__ROUTES", "[{"),
        ("RECONCILER__ROUTES", "[" * 100_000),
        ("RECONCILER__ROUTES", '[{"project": 12}]'),
        ("RECONCILER__PEOPLE", f'"{CANARY}"'),
        ("reconciler__crm__base_url", f"http://{CANARY}.vn"),
    ],
)
def test_a_bad_value_of_a_variable_is_laid_at_its_door(folder: Folder, name: str, value: str) -> None:
    problem = folder.problem(REQUIRED, **{name: value})
    assert (problem.where, problem.line, problem.key) == ("environment", 0, name)


# Faults of the file: place, key, what to do

FAULTS = [
    ("[shedule]\npoll = '1s'", "[shedule]", "shedule", "did you mean schedule?"),
    ("[schedule]\npol = '1s'", "pol", "schedule.pol", "did you mean poll?"),
    ("[routes]\nproject = 1", "[routes]", "routes", "must be a list"),
    ("[[routes]]\nproject = 12", "[[routes]]", "routes[0].group", "is missing"),
    ("[[routes]]\nproject=true\ngroup = 3", "project", "routes[0].project", "must be text in quotes"),
    ("[[routes]]\nproject = 1\ngroup = 2\nwhen = {ownr = ['x']}", "when", "routes[0].when.ownr", "did you mean owner?"),
    (
        "[[routes]]\nproject = 1\ngroup = 2\n[routes.when]\nowner = []",
        "owner",
        "routes[0].when.owner",
        "must not be empty",
    ),
    ("[schedule]\npoll = 60", "poll", "schedule.poll", 'such as "45s"'),
    ("[schedule]\npoll = '-5m'", "poll", "schedule.poll", 'such as "45s"'),
    ("[schedule]\npoll = '1.5s'", "poll", "schedule.poll", 'such as "45s"'),
    ("[schedule]\npoll = 'soon'", "poll", "schedule.poll", 'default: "1m"'),
    ("[schedule]\npoll = '500ms'", "poll", "schedule.poll", 'between "1s" and'),
    ("[schedule]\nsweep = '59s'", "sweep", "schedule.sweep", 'between "1m" and'),
    ("[limits]\ntimeout = '0s'", "timeout", "limits.timeout", 'between "1ms" and'),
    ("[limits]\nplan_age = '999999999999d'", "plan_age", "limits.plan_age", 'and "3650d"'),
    ("[limits]\nconcurrency = 0", "concurrency", "limits.concurrency", "greater than or equal to 1"),
    ("[limits]\nrequests_per_second = -1", "requests", "limits.requests_per_second", "greater than 0"),
    ("[safety]\nmax_updates = '300'", "max_updates", "safety.max_updates", "must be a whole number"),
    ("[safety]\nmax_updates = true", "max_updates", "safety.max_updates", "must be a whole number"),
    ("[safety]\nmax_update_percent = 0", "max_update", "safety.max_update_percent", "greater than 0"),
    ("[safety]\nmax_delete_percent = 101", "max_delete", "safety.max_delete_percent", "less than or equal to 100"),
    ("[safety]\nmax_delete_percent = nan", "max_delete", "safety.max_delete_percent", "must be"),
    ("[conflict]\ntie = 'both'", "tie", "conflict.tie", "must be 'crm' or 'work'"),
    ("[fields]\ntitle = 'crm'", "title", "fields.title", "'crm_to_work'"),
    ("[fields]\nowners = 'both'", "owners", "fields.owners", "did you mean owner?"),
    ("[times]\ndue = '24:00'", "due", "times.due", 'such as "08:00"'),
    ("[times]\ndue = 17:30:00", "due", "times.due", "must be text in quotes"),
    ("[deletes]\npolicy = 'keep'", "policy", "deletes.policy", "'unlink' or 'propagate'"),
    ("[status.to_work]\n'*' = 1", "'*'", 'status.to_work."*"', "must be text in quotes"),
    ("[status.to_work]\n'' = 'x'", "''", 'status.to_work.""', "not empty"),
    ("[people]\n'Nguyễn Văn An (Sales)' = ' '", "'Ng", 'people."Nguyễn Văn An (Sales)"', "not empty"),
    ("[web]\nlisten = '8780'", "listen", "web.listen", "HOST:PORT"),
    ("[web]\nlisten = '127.0.0.1:99999'", "listen", "web.listen", "HOST:PORT"),
    ("[http]\nproxy = 'socks'", "proxy", "http.proxy", "address"),
    ("[http]\nca_file = '/nowhere/ca.pem'", "ca_file", "http.ca_file", "PEM file"),
    ("[http]\nca_file = '/etc/hostname'", "ca_file", "http.ca_file", "PEM file"),
    ("[schedule]\npoll = [\n '1s',\n]", "poll", "schedule.poll", "must be"),
]


@pytest.mark.parametrize(("added", "start", "key", "words"), FAULTS, ids=[f"{f[2]}: {f[0][-24:]}" for f in FAULTS])
def test_a_fault_names_file_line_key_and_what_is_expected(
    folder: Folder, added: str, start: str, key: str, words: str
) -> None:
    text = f"{REQUIRED}\n# a comment\n{added}\n"
    problem = folder.problem(text)
    assert problem.where == str(folder.path)
    assert problem.line == line_of(text, start)
    assert problem.key == key
    assert words in problem.message


CHANGES = [
    ('name = "an-phat"', 'name = ""', "name", "connection.name", "not empty"),
    ('name = "an-phat"', "", "[connection]", "connection.name", "is missing"),
    ("https://crm.example.vn", "http://crm.example.vn", "base_url", "crm.base_url", "https://"),
    ("https://crm.example.vn", "http://localhost.evil.vn", "base_url", "crm.base_url", "https://"),
    (
        "https://crm.example.vn",
        "https://a:canary-7f3a@crm.example.vn",
        "base_url",
        "crm.base_url",
        "user name or password",
    ),
    ("https://crm.example.vn", "crm.example.vn", "base_url", "crm.base_url", "an address"),
    ("https://crm.example.vn", "https://crm.example.vn:x", "base_url", "crm.base_url", "an address"),
    ("https://crm.example.vn", "https://crm .vn", "base_url", "crm.base_url", "an address"),
    ("https://crm.example.vn", "\\u0000https://crm.vn", "base_url", "crm.base_url", "an address"),
    ("/api/v2", "/api/v2?", "base_url", "crm.base_url", "remove what follows"),
    ("/api/v2", "/api/v2#", "base_url", "crm.base_url", "remove what follows"),
    ("/api/v2", "/api/v2?key=canary-7f3a", "base_url", "crm.base_url", "remove what follows"),
    ('client_id = "anphatapp"', "client_id = 5", "client_id", "crm.client_id", "must be text in quotes"),
    ('client_secret = "canary-7f3a"', 'client_secret = ""', "client_secret", "crm.client_secret", "must not be empty"),
    ('client_secret = "canary-7f3a"', "", "[crm]", "crm.client_secret", "client_secret_file"),
    ('secret_key = "canary-7f3a"', "", "[work]", "work.secret_key", "secret_key_file"),
    ("sqlite:////var/lib/reconciler/an-phat.db", "mysql://u:canary-7f3a@h/d", "url", "state.url", "postgresql://"),
    ("sqlite:////var/lib/reconciler/an-phat.db", "sqlite://", "url", "state.url", "sqlite:///FILE"),
    ("sqlite:////var/lib/reconciler/an-phat.db", "sqlite:///:memory:", "url", "state.url", "sqlite:///FILE"),
    ('"sqlite:////var/lib/reconciler/an-phat.db"', "7", "url", "state.url", "must be text in quotes"),
]


@pytest.mark.parametrize(
    ("old", "new", "start", "key", "words"), CHANGES, ids=[f"{c[3]}: {c[1][-24:]}" for c in CHANGES]
)
def test_a_fault_in_a_required_value_is_named_likewise(
    folder: Folder, old: str, new: str, start: str, key: str, words: str
) -> None:
    text = REQUIRED.replace(old, new, 1)
    problem = folder.problem(text)
    assert (problem.where, problem.line, problem.key) == (str(folder.path), line_of(text, start), key)
    assert words in problem.message


def test_an_empty_file_asks_for_everything_that_is_required(folder: Folder) -> None:
    assert {problem.key for problem in folder.problems("")} == {
        "connection.name",
        "crm.base_url",
        "crm.client_id",
        "crm.client_secret",
        "work.base_url",
        "work.client_id",
        "work.secret_key",
        "state.url",
    }


def test_all_faults_are_reported_at_once_in_the_order_of_the_file(folder: Folder) -> None:
    text = REQUIRED.replace('"an-phat"', "1") + "[schedule]\npoll = 1\nsweep = 1\n[web]\nlisten = 1\n"
    keys = [problem.key for problem in folder.problems(text, RECONCILER__X="1") if problem.where != "environment"]
    assert keys == ["connection.name", "schedule.poll", "schedule.sweep", "web.listen"]


def test_a_section_that_is_no_table_is_one_fault(folder: Folder) -> None:
    text = "crm = 5\n" + REQUIRED.replace("[crm]", "[people]").replace("base_url", "a", 1)
    problem = folder.problem(text)
    assert (problem.key, problem.message) == ("crm", "must be a table")


def test_a_syntax_error_names_line_and_column(folder: Folder) -> None:
    problem = folder.problem(REQUIRED + "[schedule]\npoll 60s\n")
    assert problem.line == line_of(REQUIRED, "[state]") + 3
    assert "not valid TOML" in problem.message
    assert "column 6" in problem.message


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000 + "]" * 5000], ids=["digits", "brackets"])
def test_what_overwhelms_the_parser_is_a_fault_of_the_file(folder: Folder, value: str) -> None:
    problem = folder.problem(f"{REQUIRED}[wire.crm]\nx = {value}\n")
    assert (problem.where, problem.key) == (str(folder.path), "")
    assert "too long" in problem.message


def test_a_missing_file_is_named(folder: Folder) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{folder.path}: there is no such file")):
        load(folder.path, {})


@pytest.mark.parametrize("content", [b"\xff\xfe[\x00", b'name = "\xe1"'], ids=["UTF-16", "one byte a letter"])
def test_a_file_in_another_encoding_is_named(folder: Folder, content: bytes) -> None:
    folder.path.write_bytes(content)
    with pytest.raises(ConfigError, match="UTF-8"):
        load(folder.path, {})


def test_a_folder_and_a_path_that_cannot_be_are_no_config_files(folder: Folder) -> None:
    for path in (folder.home, Path("a\0b")):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(path, {})


# Secrets

WITHOUT_SECRET = REQUIRED.replace('client_secret = "canary-7f3a"\n', "")


def with_file(path: Path) -> str:
    return WITHOUT_SECRET.replace("[work]", f'client_secret_file = "{path}"\n[work]')


def test_a_secret_comes_from_its_own_file_without_the_line_end(folder: Folder) -> None:
    settings = folder.load(with_file(folder.secret("key", f"{CANARY} x \r\n")))
    assert settings.crm.client_secret.get_secret_value() == f"{CANARY} x "


def test_a_secret_comes_from_systemds_credentials_whatever_their_mode(folder: Folder) -> None:
    home = folder.home / "credentials"
    home.mkdir()
    credential = home / "crm_client_secret"
    credential.write_text(CANARY, "utf-8")
    credential.chmod(0o440)
    for text in (WITHOUT_SECRET, with_file(credential)):
        settings = folder.load(text, CREDENTIALS_DIRECTORY=str(home))
        assert settings.crm.client_secret.get_secret_value() == CANARY


@pytest.mark.parametrize("name", ["reconciler.crm_client_secret", "secrets_reconciler.crm_client_secret"])
def test_several_connections_have_credentials_of_their_own_by_the_name_of_the_config_file(
    folder: Folder, name: str
) -> None:
    home = folder.home / "credentials"
    home.mkdir()
    for file, secret in ((name, CANARY), ("crm_client_secret", "every"), ("secrets_other.crm_client_secret", "other")):
        (home / file).write_text(secret, "utf-8")
    settings = folder.load(WITHOUT_SECRET, CREDENTIALS_DIRECTORY=str(home))
    assert settings.crm.client_secret.get_secret_value() == CANARY


def test_a_secret_can_come_from_a_variable(folder: Folder) -> None:
    settings = folder.load(WITHOUT_SECRET, RECONCILER__CRM__CLIENT_SECRET=CANARY)
    assert settings.crm.client_secret.get_secret_value() == CANARY


def test_what_the_file_says_beats_systemds_credentials(folder: Folder) -> None:
    folder.secret("crm_client_secret", "other")
    settings = folder.load(CREDENTIALS_DIRECTORY=str(folder.home))
    assert settings.crm.client_secret.get_secret_value() == CANARY


def test_both_forms_of_a_secret_are_one_too_many(folder: Folder) -> None:
    text = with_file(folder.secret("key"))
    problem = folder.problem(text.replace("[work]", f'client_secret = "{CANARY}"\n[work]'))
    assert (problem.key, problem.line) == ("crm.client_secret_file", line_of(text, "client_secret_file"))
    assert "remove one of the two" in problem.message
    problem = folder.problem(text, RECONCILER__CRM__CLIENT_SECRET=CANARY)
    assert "remove one of the two" in problem.message


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o622])
def test_a_secret_file_that_others_can_open_is_refused(folder: Folder, mode: int) -> None:
    path = folder.secret("key", CANARY, mode)
    problem = folder.problem(with_file(path))
    assert problem.key == "crm.client_secret_file"
    assert f"chmod 600 {path}" in problem.message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent", None, "No such file"),
        ("empty", "\n", "is empty"),
        ("a\\u0000b", None, "not a path"),
        ("", None, "dir"),
    ],
)
def test_a_secret_file_that_cannot_serve_is_named_with_its_key(
    folder: Folder, name: str, content: str | None, words: str
) -> None:
    if content is not None:
        folder.secret(name, content)
    folder.home.chmod(0o700)
    problem = folder.problem(WITHOUT_SECRET.replace("[work]", f'client_secret_file = "{folder.home}/{name}"\n[work]'))
    assert problem.key == "crm.client_secret_file"
    assert words in problem.message


def test_a_secret_file_of_the_wrong_type_is_one_fault(folder: Folder) -> None:
    problem = folder.problem(WITHOUT_SECRET.replace("[work]", "client_secret_file = 5\n[work]"))
    assert (problem.key, problem.message) == ("crm.client_secret_file", "must be text in quotes")


def test_secrets_do_not_show(folder: Folder) -> None:
    settings = folder.load(
        RECONCILER__STATE__URL=f"postgresql://u:{CANARY}@db/x", RECONCILER__HTTP__PROXY=f"http://u:{CANARY}@proxy:3128"
    )
    assert settings.state.path is None
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert CANARY not in text


def test_a_canary_in_every_place_shows_in_no_message(folder: Folder) -> None:
    """Every key gets the canary, as text, in a list and in an address: no message may show it."""
    shipped = tomllib.loads(enabled((CONFIG / "reconciler.toml").read_text("utf-8")))
    for value in (f'"{CANARY}"', f'["{CANARY}"]', f'"http://{CANARY}@x/"'):
        lines: list[str] = []
        for section, keys in shipped.items():
            for table in keys if isinstance(keys, list) else [keys]:
                lines.append(f"[[{section}]]" if isinstance(keys, list) else f"[{section}]")
                lines += [f'"{key}" = {value}' for key in table]
        assert folder.problems("\n".join(lines))


# Fingerprint


def test_the_fingerprint_follows_what_is_done_not_secrets_and_what_only_shows(folder: Folder) -> None:
    plain = folder.load().fingerprint()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", plain)
    assert folder.load(REQUIRED + DEFAULTS).fingerprint() == plain
    assert folder.load(REQUIRED.replace(CANARY, "another")).fingerprint() == plain
    assert folder.load(RECONCILER__STATE__URL="sqlite:///elsewhere.db").fingerprint() == plain
    assert folder.load(RECONCILER__CONNECTION__LANGUAGE="en").fingerprint() == plain
    assert folder.load(RECONCILER__WEB__LISTEN="127.0.0.1:9").fingerprint() == plain
    others = {
        folder.load(RECONCILER__TIMES__DUE="18:00").fingerprint(),
        folder.load(RECONCILER__PEOPLE='{"An": "NV001"}').fingerprint(),
        folder.load(RECONCILER__WATERMARK__OVERLAP="6m").fingerprint(),
        folder.load(RECONCILER__CRM__CLIENT_ID="other").fingerprint(),
    }
    assert plain not in others
    assert len(others) == 4


# Durations


@given(st.integers(min_value=1, max_value=3650 * 86_400_000))
def test_a_duration_is_shown_as_it_would_be_written(milliseconds: int) -> None:
    value = timedelta(milliseconds=milliseconds)
    assert TypeAdapter[timedelta](Duration).validate_python(shown(value)) == value


# Lines


def test_every_key_is_found_on_its_line() -> None:
    text = '''\
# first
top.dotted."quoted key" = 1

[a.b]   # a comment with [brackets]
"k = 1" = """
[not.a.table]
x = 1
"""
list = [
  ["x = 1"],
  { y = 2 },
]
inline = { z = { w = 1 } }
[[r]]
p = 1
[r.when]
q = 2
[[r.sub]]
s = 3
[[r]]
p = 4
[r.when]
q = 5
'''
    assert lines_of(text) == {
        ("top",): 2,
        ("top", "dotted"): 2,
        ("top", "dotted", "quoted key"): 2,
        ("a", "b"): 4,
        ("a", "b", "k = 1"): 5,
        ("a", "b", "list"): 9,
        ("a", "b", "list", 0): 9,
        ("a", "b", "list", 0, 0): 9,
        ("a", "b", "list", 1): 9,
        ("a", "b", "list", 1, "y"): 9,
        ("a", "b", "inline"): 13,
        ("a", "b", "inline", "z"): 13,
        ("a", "b", "inline", "z", "w"): 13,
        ("r", 0): 14,
        ("r", 0, "p"): 15,
        ("r", 0, "when"): 16,
        ("r", 0, "when", "q"): 17,
        ("r", 0, "sub", 0): 18,
        ("r", 0, "sub", 0, "s"): 19,
        ("r", 1): 20,
        ("r", 1, "p"): 21,
        ("r", 1, "when"): 22,
        ("r", 1, "when", "q"): 23,
    }


# The files that are shipped


def enabled(text: str) -> str:
    """The shipped file with every setting that it shows but leaves off."""
    return re.sub(r'^#(?=[\["\w])', "", text, flags=re.MULTILINE)


def filled_in(text: str) -> str:
    """The shipped file after an administrator gave the required values."""
    values = {**tomllib.loads(REQUIRED)["connection"], **tomllib.loads(REQUIRED)["crm"], "url": "sqlite:///x.db"}
    return re.sub(
        r'^(name|base_url|client_id|url) = ""',
        lambda found: f'{found[1]} = "{values[found[1]]}"',
        text,
        flags=re.MULTILINE,
    )


def keys_of(model: type[BaseModel]) -> dict[str, Any]:
    """Section -> keys, as the model has them; None for a table of free keys."""

    def inner(annotation: Any) -> Any:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return keys_of(annotation)
        return None

    return {name: inner(info.annotation) for name, info in model.model_fields.items()}


def shape_of(table: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a table to the depth at which the model knows keys."""
    return {key: shape_of(value, known[key]) if known.get(key) is not None else None for key, value in table.items()}


def test_the_shipped_file_shows_every_setting_and_no_other() -> None:
    shipped = tomllib.loads(enabled((CONFIG / "reconciler.toml").read_text("utf-8")))
    known = keys_of(Settings)
    assert shape_of(shipped, known) == known
    (route,) = shipped["routes"]
    assert set(route) == set(json_schema()["$defs"]["Route"]["properties"])
    assert set(route["when"]) == set(json_schema()["$defs"]["RouteWhen"]["properties"])


def test_the_shipped_files_values_are_the_defaults(folder: Folder) -> None:
    env = {"RECONCILER__CRM__CLIENT_SECRET": CANARY, "RECONCILER__WORK__SECRET_KEY": CANARY}
    shipped = folder.load(filled_in((CONFIG / "reconciler.toml").read_text("utf-8")), **env)
    plain = folder.load()
    for name, info in Settings.model_fields.items():
        if not info.is_required():
            assert getattr(shipped, name) == getattr(plain, name), name
    assert (shipped.crm.link_field, shipped.connection.language) == (plain.crm.link_field, plain.connection.language)


@pytest.mark.parametrize("key", ["target_group_field", "link_field", "result_field"])
def test_each_custom_field_of_the_crm_serves_one_purpose(folder: Folder, key: str) -> None:
    both = f'target_project_field = "custom_field1"\n{key} = "custom_field1"\n'
    (problem,) = folder.problems(REQUIRED.replace("[crm]\n", f"[crm]\n{both}"))
    assert problem.key == f"crm.{key}"
    assert "each needs one of its own" in problem.message


def test_the_shipped_file_loads_with_every_setting_that_it_leaves_off(folder: Folder) -> None:
    text = re.sub(
        r'^(client_secret|secret_key) = ""',
        rf'\1 = "{CANARY}"',
        enabled(filled_in((CONFIG / "reconciler.toml").read_text("utf-8"))),
        flags=re.MULTILINE,
    )
    settings = folder.load(text)
    assert len(settings.routes[0].when.conditions) == 12
    assert settings.people == {"Nguyễn Văn An (Sales)": "NV001"}


def test_the_sandbox_file_loads_as_it_is() -> None:
    settings = load(CONFIG / "sandbox.toml", {})
    assert settings.crm.base_url == "http://127.0.0.1:8790/crm/api/v2"
    assert settings.work.base_url == "http://127.0.0.1:8790/work/APIS/TaskOpenAPI/api/Open"
    assert settings.crm.client_secret == SecretStr("sandbox-secret")
    assert settings.work.secret_key == SecretStr("sandbox-key")


def test_the_schema_file_is_the_codes_schema() -> None:
    """If it is not: `reconciler config schema > config/reconciler.schema.json`."""
    assert json.loads((CONFIG / "reconciler.schema.json").read_text("utf-8")) == json_schema()


def test_the_schema_knows_every_key_and_nothing_else() -> None:
    schema = json_schema()
    objects = [schema, *(part for part in schema["$defs"].values() if part["type"] == "object")]
    assert all(part["additionalProperties"] is False for part in objects)
    sections = [part for name, part in schema["$defs"].items() if part["type"] == "object" and name != "StatusMaps"]
    assert all("description" in key for part in sections for key in part["properties"].values())
    assert schema["$defs"]["Schedule"]["properties"]["sweep"]["default"] == "6h"
    assert schema["$defs"]["Crm"]["required"] == ["base_url", "client_id"]


# Notices

MAIL = '[notify]\nsmtp = "mail.example.vn:587"\nsender = "reconciler@example.vn"\nto = ["it@example.vn"]\n'


def test_notices_are_off_by_default_and_quote_nobody(folder: Folder) -> None:
    notify = folder.load().notify
    assert (notify.smtp, notify.webhook.get_secret_value(), notify.personal) == ("", "", False)
    assert (notify.smtp_security, notify.digest) == ("starttls", "07:30")


def test_the_secrets_of_notices_come_from_files_or_systemd_and_may_be_missing(folder: Folder) -> None:
    assert folder.load(REQUIRED + MAIL).notify.smtp_password.get_secret_value() == ""
    file = folder.secret("password", f"{CANARY}\n")
    user = f'{MAIL}smtp_user = "reconciler"\n'
    notify = folder.load(f'{REQUIRED}{user}smtp_password_file = "{file}"\n').notify
    assert notify.smtp_password.get_secret_value() == CANARY
    file.rename(folder.home / "notify_smtp_password")
    notify = folder.load(REQUIRED + user, CREDENTIALS_DIRECTORY=str(folder.home)).notify
    assert notify.smtp_password.get_secret_value() == CANARY
    hook = f'{REQUIRED}[notify]\nwebhook = "https://chat.example.vn/hook?room={CANARY}"\n'
    token, key = folder.secret("token", "t"), folder.secret("key", "k")
    settings = folder.load(f'{hook}webhook_token_file = "{token}"\nwebhook_key_file = "{key}"\n')
    notify = settings.notify
    assert (notify.webhook_token.get_secret_value(), notify.webhook_key.get_secret_value()) == ("t", "k")
    assert CANARY not in f"{settings!r} {settings.public()}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('smtp = "mail.example.vn:587"', "sender and to"),
        ('smtp = "mail.example.vn"', "HOST:PORT"),
        ('to = ["it@example.vn"]', "the mail server"),
        (MAIL.removeprefix("[notify]\n") + 'smtp_user = "x"', "given together"),
        (MAIL.removeprefix("[notify]\n") + 'smtp_password = "x"', "given together"),
        (MAIL.removeprefix("[notify]\n") + 'smtp_security = "none"', "loopback"),
        (MAIL.removeprefix("[notify]\n") + 'smtp_security = "ssl"', "'starttls', 'tls' or 'none'"),
        (MAIL.removeprefix("[notify]\n").replace("it@", "it@x\\r\\nBcc: thief@"), "mail address"),
        (MAIL.removeprefix("[notify]\n").replace("reconciler@example.vn", "nobody"), "mail address"),
        ('webhook = "http://chat.example.vn/hook"', "https://"),
        ('webhook = "https://user:word@chat.example.vn/hook"', "credentials"),
        ('webhook_token = "x"', "need webhook"),
        ('webhook_key = "x"', "need webhook"),
        ('digest = "7:30"', "hour and minute"),
        ('personal = "yes, please"', ""),
    ],
)
def test_half_a_config_of_notices_is_no_config(folder: Folder, text: str, words: str) -> None:
    problem = folder.problem(f"{REQUIRED}[notify]\n{text}\n")
    assert problem.key.startswith("notify")
    assert problem.line > REQUIRED.count("\n")
    assert words in problem.message


def test_notices_to_this_machine_need_no_encryption(folder: Folder) -> None:
    for server in ("127.0.0.1:25", "localhost:25", "[::1]:25"):
        text = (
            MAIL.replace("mail.example.vn:587", server) + 'smtp_security = "none"\nwebhook = "http://localhost:8080/x"'
        )
        assert folder.load(f"{REQUIRED}{text}\n").notify.smtp == server
