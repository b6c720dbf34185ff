"""A config that cannot be used: exit 2 and one message with file, line and key, whatever the command."""

from __future__ import annotations

import pytest

from tests.cli.product import Product

COMMANDS = ("once", "report", "status", "history", "check", "rebuild")

FAULTS: list[tuple[str, dict[str, dict[str, object]], str, str]] = [
    # what, change of the config, key as the message says it, start of its line in the file
    ("unknown key", {"schedule": {"pol": "60s"}}, "schedule.pol", '"pol"'),
    ("unknown section", {"shedule": {"poll": "60s"}}, "shedule", "[shedule]"),
    ("wrong type", {"safety": {"max_updates": "many"}}, "safety.max_updates", '"max_updates"'),
    ("negative interval", {"schedule": {"poll": "-5s"}}, "schedule.poll", '"poll"'),
    ("poll of zero", {"schedule": {"poll": "0s"}}, "schedule.poll", '"poll"'),
    ("no unit", {"schedule": {"sweep": "6"}}, "schedule.sweep", '"sweep"'),
    ("plain http", {"crm": {"base_url": "http://crmconnect.misa.vn/api/v2"}}, "crm.base_url", '"base_url"'),
    ("both forms of a secret", {"crm": {"client_secret_file": "/nowhere"}}, "crm.client_secret", '"client_secret'),
    ("a direction that is none", {"fields": {"title": "left"}}, "fields.title", '"title"'),
    (
        "a status map that breaks the law",
        {"status": {"to_crm": {"Đã hoàn thành": "Chưa bắt đầu", "*": "Chưa bắt đầu"}}},
        "status",
        "[status.to_crm]",
    ),
]


@pytest.mark.parametrize(("change", "key", "line"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
@pytest.mark.parametrize("command", COMMANDS)
def test_one_message_names_file_line_and_key(
    product: Product, command: str, change: dict[str, dict[str, object]], key: str, line: str
) -> None:
    text = product.write_config(**change)
    lines = text.splitlines()
    places = [number for number, one in enumerate(lines, 1) if one.startswith(line)]
    done = product.run(command, code=2)
    assert done.out == ""
    assert "Traceback" not in done.err
    first = done.err.splitlines()[0]
    assert any(f"{product.config}:{place}: {key}" in first for place in places), done.err
    assert done.err.count(str(product.config)) == 1
    assert product.crm.log == [] and product.work.log == []
    assert not product.state.exists()


def test_all_faults_are_told_at_once(product: Product) -> None:
    product.write_config(schedule={"poll": "-1s"}, safety={"max_updates": "x"})
    done = product.run("once", code=2)
    assert "schedule.poll" in done.err
    assert "safety.max_updates" in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_file_is_named(product: Product, command: str) -> None:
    product.config.unlink()
    done = product.run(command, code=2)
    assert str(product.config) in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_broken_toml_names_its_line(product: Product) -> None:
    text = product.write_config()
    product.config.write_text(text + "[schedule\n", encoding="utf-8")
    done = product.run("check", code=2)
    assert f"{product.config}:{len(text.splitlines()) + 1}:" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["RECONCILER__SCHEDULE__POL", "RECONCILER__NONSENSE", "RECONCILER__SCHEDULE__POLL"])
def test_a_variable_that_cannot_be_used_is_named(product: Product, name: str) -> None:
    done = product.run("check", code=2, env={name: "-5s"})
    assert name in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_variable_overrides_the_file(product: Product) -> None:
    product.write_config(schedule={"poll": "never"})
    product.run("status", env={"RECONCILER__SCHEDULE__POLL": "30s"})


def test_a_missing_folder_of_the_state_is_explained(product: Product) -> None:
    product.write_config(state={"url": f"sqlite:///{product.folder}/nowhere/state.db"})
    done = product.run("once", code=2)
    assert "nowhere" in done.err
    assert "Traceback" not in done.err
    product.run("status", code=0)
    product.run("report", code=0)
    assert not (product.folder / "nowhere").exists()
