"""The daemon as a real process: what a person, a script and systemd see of it."""

from __future__ import annotations

import signal
import socket
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cli.product import Product
from tests.cli.test_exit_codes import held
from tests.daemon.conftest import Start
from tests.daemon.service import until


def title(product: Product, item: int) -> Any:
    row = product.work.get(item)
    assert row is not None
    return row["TaskName"]


def crm(product: Product, task: int, name: str) -> Any:
    row = product.crm.get(task)
    assert row is not None
    return row[name]


def linked(product: Product, task: int) -> int:
    """The item of a task, once it is there."""
    [item] = until("the item of a task", lambda: product.work.by_marker(task))
    return item


def test_edits_on_both_sides_arrive_and_a_signal_ends_it(product: Product, start: Start) -> None:
    task = product.task(task_name="Gọi")
    service = start().ready()
    item = linked(product, task)
    product.crm.edit(task, task_name="Gọi lại")
    product.work.edit(item, Description="Từ Work")
    until("the title in Work", lambda: title(product, item) == "Gọi lại")
    until("the description in the CRM", lambda: crm(product, task, "description") == "Từ Work")
    assert service.end() == 0
    assert len(service.events("daemon.stopping")) == 1
    assert service.log[-1]["event"] == "daemon.stopped"
    assert product.run("once").out.startswith("ok: 0 created"), "the lease was given back"
    assert sorted(path.name for path in product.folder.iterdir() if path.suffix == ".sock") == []


def test_what_systemd_is_told_in_order(product: Product, start: Start) -> None:
    service = start().ready()
    until("a watchdog ping", lambda: service.words("WATCHDOG"))
    service.send(signal.SIGHUP)
    until("the end of the reload", lambda: len(service.words("READY")) == 2)
    assert service.end() == 0
    told = [name for message in service.told for name in message if name in ("READY", "RELOADING", "STOPPING")]
    assert told == ["READY", "RELOADING", "READY", "STOPPING"]
    reloading = next(message for message in service.told if "RELOADING" in message)
    assert int(reloading["MONOTONIC_USEC"]) > 0
    ready = next(message for message in service.told if "READY" in message)
    assert ready["STATUS"] == "an-phat: in step"


def test_a_side_that_is_down_is_told_once_when_it_goes_and_once_when_it_comes_back(
    product: Product, start: Start
) -> None:
    product.crm.faults.order("read", "status", status=503, times=None)
    product.write_config(limits={"retry_for": "100ms"})
    service = start().ready()
    assert service.words("STATUS")[-1] == "an-phat: crm cannot be reached"
    product.crm.faults.clear()
    service.logged("side.up")
    until("a good status", lambda: service.words("STATUS")[-1] == "an-phat: in step")
    assert service.end() == 0
    assert [line["side"] for line in service.events("side.down")] == ["crm"]
    assert len(service.events("side.up")) == 1
    assert len(service.raw) <= 8, service.raw


def test_a_stop_in_the_middle_of_a_write_waits_for_its_answer_and_books_it(product: Product, start: Start) -> None:
    task, item = product.pair(task_name="Gọi")
    started: list[bool] = []
    product.work.faults.order("update-tasks", "hook_before", hook=lambda: started.append(True))
    product.work.faults.order("update-tasks", "delay", seconds=1.0, after=True)
    product.crm.edit(task, task_name="Gọi lại")
    service = start()
    until("the write", lambda: started)
    service.send(signal.SIGTERM)
    assert service.end() == 0, "a second signal does no harm"
    assert title(product, item) == "Gọi lại"
    kinds = [row["kind"] for row in product.history("--task", task)]
    assert kinds[-2:] == ["intent", "confirmed"]
    marks = product.mark()
    assert product.run("status", "--format", "json").json["last_cycle"]["outcome"] == "ok"
    product.once()
    assert product.writes(marks) == []


def test_killed_in_the_middle_of_a_create_it_goes_on_without_a_second_item(product: Product, start: Start) -> None:
    killed: list[bool] = []

    def kill() -> None:
        service.process.kill()
        killed.append(True)

    product.work.faults.order("insert-tasks", "hook_after", hook=kill)
    task = product.task()
    service = start()
    until("the kill", lambda: killed)
    assert service.process.wait() == -signal.SIGKILL
    again = start().ready()
    until("the pair", lambda: product.run("status", "--format", "json").json["links"] == 1)
    assert again.end() == 0
    assert len(product.work.by_marker(task)) == 1


def test_a_second_one_is_refused_and_once_too_while_other_commands_read_beside_it(
    product: Product, start: Start, tmp_path: Path
) -> None:
    product.pair()
    first = start().ready()
    second = start()
    assert second.process.wait(timeout=30) == 7
    until("why", lambda: f"process {first.process.pid}," in "".join(second.raw))
    assert "Traceback" not in "".join(second.raw)
    for command in ("once", "rebuild", "backfill"):
        product.run(command, code=7)
    for words in (("report",), ("verify",), ("targets",), ("check",), ("status",), ("backup", tmp_path / "copy")):
        product.run(*words, code=0)
    assert first.end() == 0


def test_commands_are_handed_to_the_daemon_and_say_what_they_say_alone(product: Product, start: Start) -> None:
    task, item = product.pair(task_name="Gọi")
    lone = product.crm.add(task_name="Lẻ")
    service = start().ready()
    path = product.folder / "state.db.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert product.run("pause", "--reason", "nghỉ").out == "paused; `reconciler resume --reason ..` goes on\n"
    until("the pause in STATUS", lambda: service.words("STATUS")[-1] == "an-phat: paused")
    assert product.run("resume", "--reason", "làm tiếp").out == "resumed; the next cycle plans again\n"
    made = product.run("link", lone, "--project", 12, "--group", 31)
    [new] = product.work.by_marker(lone)
    assert made.out == f"CRM task {lone} is linked to work item {new} (created)\n"
    product.crm.edit(task, task_name="Gọi lại")
    until("the title in Work", lambda: title(product, item) == "Gọi lại")
    [entry] = [row["id"] for row in product.history("--task", task) if row["kind"] == "intent" and row["old"] == "Gọi"]
    restored = product.run("restore", entry).out
    assert restored == f"title of work {item} is restored; the next cycle brings it to the other side\n"
    until("the restored title in the CRM", lambda: crm(product, task, "task_name") == "Gọi")
    cycle = next(row["cycle"] for row in product.history("--task", task) if row["id"] == entry)
    done = product.run("revert", cycle, "--reason", "nhầm").out
    assert done == f"nothing was changed\n1 values are already as they were before cycle {cycle}\n"
    product.crm.edit(task, task_name="Nhầm")

    def mistaken() -> list[int]:
        """The cycle that brought the mistake to Work, once its end is in the journal: the server has it sooner."""
        rows = product.history("--task", task, "--kind", "confirmed")
        return [row["cycle"] for row in rows if row["new"] == "Nhầm"]

    until("the mistake in Work, and in the journal", lambda: bool(mistaken()))
    [wrong] = mistaken()
    done = product.run("revert", wrong, "--reason", "nhầm", env={"SUDO_USER": "lan"}).out
    assert done == "1 values are brought back; the next cycle brings them to the other side\n"
    [told] = [row for row in product.history("--task", task) if row["kind"] == "revert"]
    assert (told["operator"], told["reason"], told["rule"]) == ("lan", "nhầm", f"revert.{wrong}")
    until("the reverted title in the CRM", lambda: crm(product, task, "task_name") == "Gọi")
    assert product.run("retry", "--all").out == "0 pairs and 0 tasks are tried again at the next cycle\n"
    assert "nothing about crm" in product.run("ack", task, "--reason", "x", code=2).err
    assert product.run("unlink", lone, "--reason", "thôi", env={"SUDO_USER": "lan"}).code == 0
    [gone] = [row for row in product.history("--task", lone) if row["kind"] == "unlinked"]
    assert (gone["operator"], gone["reason"]) == ("lan", "thôi")
    assert product.run("unlink", lone, code=2).err == f"reconciler: CRM task {lone} is not linked\n"
    said = product.run("erase", "--task", lone, "--reason", "yêu cầu", env={"SUDO_USER": "lan"}).out
    assert "are erased; the hash chain holds" in said
    assert "another reader" not in said
    rows = product.history("--task", lone)
    assert all(row["erased"] for row in rows if row["kind"] != "erase")
    assert rows[-1]["operator"] == "lan"
    assert "intact" in product.run("verify").out
    assert "no held operations" in product.run("resume", "--reason", "x", "--approve", "sha256:0", code=2).err
    assert service.end() == 0


def replaced(product: Product, **sections: dict[str, Any]) -> None:
    """Change the config as editors do: another file takes its name."""
    kept = product.config.read_text("utf-8")
    product.write_config(**sections)
    new = product.folder / "new"
    product.config.rename(new)
    product.config.write_text(kept, "utf-8")
    new.replace(product.config)


def test_a_config_is_reloaded_by_file_and_by_signal_and_each_change_is_journalled(
    product: Product, start: Start
) -> None:
    task, item = product.pair(task_name="Gọi")
    service = start().ready()
    replaced(product, fields={"title": "off"})
    service.logged("config.changed")
    product.crm.edit(task, task_name="Nur hier", description="Auch dort")
    until("the description in Work", lambda: (product.work.get(item) or {})["Description"] == "Auch dort")
    assert title(product, item) == "Gọi"
    product.write_config(fields={"title": "both"}, schedule={"poll": "2s"})
    service.send(signal.SIGHUP)
    changed = service.logged("config.changed", times=2)
    assert [line["keys"] for line in changed] == [["fields.title"], ["fields.title", "schedule.poll"]]
    product.crm.edit(task, task_name="Überall")
    until("the title in Work", lambda: title(product, item) == "Überall")
    assert service.end() == 0
    rows = [(row["rule"], row["old"], row["new"]) for row in product.history() if row["kind"] == "config"]
    assert rows[-3:] == [
        ("fields.title", '"both"', '"off"'),
        ("fields.title", '"off"', '"both"'),
        ("schedule.poll", '"1s"', '"2s"'),
    ]


def test_a_new_address_of_the_page_is_used_after_a_reload(product: Product, start: Start) -> None:
    service = start().ready()
    [first] = service.logged("web.listening")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    product.write_config(web={"listen": f"127.0.0.1:{port}"})
    service.send(signal.SIGHUP)
    _, second = service.logged("web.listening", times=2)
    assert second["port"] == port
    assert [line["keys"] for line in service.events("config.changed")] == [["web.listen"]]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first["port"]))
    socket.create_connection(("127.0.0.1", port)).close()
    assert service.end() == 0


def test_a_new_secret_in_its_file_is_used_after_a_signal_and_named_without_its_value(
    product: Product, start: Start
) -> None:
    secret = product.folder / "secret"
    secret.write_text(f"{product.crm.client_secret}\n", "utf-8")
    secret.chmod(0o600)
    del product.sections["crm"]["client_secret"]
    product.write_config(crm={"client_secret_file": str(secret)})
    service = start().ready()
    product.crm.client_secret = "n3w-secret-of-the-crm"
    product.crm.expire_tokens()
    service.logged("side.down")
    secret.write_text("n3w-secret-of-the-crm\n", "utf-8")
    service.send(signal.SIGHUP)
    service.logged("side.up")
    assert [line["keys"] for line in service.events("config.changed")] == [["crm.client_secret"]]
    assert "n3w-secret" not in "".join(service.raw)
    assert service.end() == 0


BAD: tuple[tuple[str, Callable[[Product], object]], ...] = (
    ("not valid TOML", lambda product: product.config.write_text("[connection", "utf-8")),
    ("schedule.pol", lambda product: product.write_config(schedule={"pol": "1s"})),
    (
        "could never agree",
        lambda product: product.write_config(status={"to_work": {"A": "X", "*": "Y"}, "to_crm": {"*": "A"}}),
    ),
    ("nonsense", lambda product: product.write_config(wire={"crm": {"nonsense": "x"}})),
    ("restart", lambda product: product.write_config(state={"url": "sqlite:///other.db"})),
    ("PEM file", lambda product: product.write_config(http={"ca_file": str(product.config)})),
    ("another connection", lambda product: product.write_config(crm={"client_id": "another"})),
)


def test_a_bad_config_leaves_the_old_one_at_work_and_shows_in_status(product: Product, start: Start) -> None:
    task, item = product.pair(task_name="Gọi")
    used, reader = product.config, product.folder / "reader.toml"  # a command reads the config file too
    good, sections = used.read_text("utf-8"), {name: dict(one) for name, one in product.sections.items()}
    reader.write_text(good, "utf-8")
    service = start().ready()

    def refused() -> str:
        product.config = reader
        told = product.run("status", "--format", "json").json["config_refused"]
        product.config = used
        return told["message"] if told else ""

    for words, spoil in BAD:
        spoil(product)
        product.sections = {name: dict(one) for name, one in sections.items()}
        service.send(signal.SIGHUP)
        until(words, lambda: words in refused())  # noqa: B023
        assert words in service.events("config.refused")[-1]["reason"]
    product.crm.edit(task, task_name="Gọi lại")
    until("the title in Work", lambda: title(product, item) == "Gọi lại")
    used.write_text(good, "utf-8")
    until("the end of it", lambda: not refused())
    assert service.end() == 0


def test_it_answers_scrapes_and_says_how_it_goes(product: Product, start: Start) -> None:
    task = product.task(task_name="Nguyễn Thị Bí Mật")
    service = start().ready()
    item = linked(product, task)
    product.clock.later(5)  # an edit in the second of our own write has no stamp of its own, and so no lag
    product.crm.edit(task, task_name="Trần Văn Bí Mật")
    until("the title in Work", lambda: title(product, item) == "Trần Văn Bí Mật")
    until(
        "the update in the metrics",
        lambda: 'operations_total{connection="an-phat",kind="update",side="work"} 1.0' in service.get("/metrics")[1],
    )
    status, text = service.get("/metrics")
    assert status == 200
    for line in (
        'reconciler_operations_total{connection="an-phat",kind="create",side="work"} 1.0',
        'reconciler_pairs{condition="equal",connection="an-phat"} 1.0',
        'reconciler_halted{connection="an-phat"} 0.0',
        'reconciler_side_up{connection="an-phat",side="crm"} 1.0',
        'reconciler_opened{connection="an-phat"} 1.0',
    ):
        assert line in text.splitlines(), line
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(samples['reconciler_cycles_total{connection="an-phat",outcome="ok",sweeping="false"}']) >= 1
    assert float(samples['reconciler_lag_seconds_count{connection="an-phat",direction="crm_to_work"}']) == 2
    assert float(samples['reconciler_requests_total{connection="an-phat",side="crm",status="200"}']) >= 2
    behind = float(samples['reconciler_clock_offset_seconds{connection="an-phat",side="crm"}'])
    assert abs(behind + product.clock.behind.total_seconds()) < 5
    assert "Bí Mật" not in text
    assert str(task) not in samples
    assert service.get("/healthz")[0] == service.get("/readyz")[0] == 200
    product.crm.faults.order("read", "status", status=503, times=None)
    product.write_config(limits={"retry_for": "100ms"})
    until("not ready", lambda: service.get("/readyz")[0] == 503)
    alive, words = service.get("/healthz")
    assert alive == 200
    assert "crm cannot be reached" in words
    assert service.get("/")[0] == 200
    assert service.get("/nothing-here")[0] == 404
    assert service.end() == 0


def test_a_port_that_is_taken_does_not_stop_it(product: Product, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        product.write_config(web={"listen": f"127.0.0.1:{taken.getsockname()[1]}"})
        service = start().ready()
        service.logged("web.failed")
        linked(product, product.task())
        assert service.end() == 0


@pytest.mark.parametrize("spoil", ["syntax", "nothing there", "empty folder"])
def test_without_any_config_it_does_not_start(product: Product, start: Start, spoil: str) -> None:
    if spoil == "syntax":
        product.config.write_text("[connection", "utf-8")
    else:
        product.config.unlink()
    service = start(*([product.folder] if spoil == "empty folder" else []))
    assert service.process.wait(timeout=30) == 2
    assert "Traceback" not in "".join(service.raw)
    assert service.words("READY") == []


@pytest.mark.parametrize(("first", "second", "code"), [("syntax", "held", 2), ("held", "tenant", 7)])
def test_of_several_configs_that_all_fail_the_first_code_of_the_contract_counts(
    product: Product, start: Start, first: str, second: str, code: int
) -> None:
    others = product.folder / "others"
    others.mkdir()
    with Product(others) as other, ExitStack() as stack:
        other.write_config(connection={"name": "binh-minh"})
        for one, trouble in ((product, first), (other, second)):
            one.once()
            if trouble == "held":
                stack.enter_context(held(one))
            elif trouble == "tenant":
                one.write_config(crm={"client_id": "another"})
            else:
                one.config.write_text("[connection", "utf-8")
        service = start(other.config, product.config)
        assert service.process.wait(timeout=60) == code
        assert service.words("READY") == []


def test_of_several_configs_one_that_works_is_enough(product: Product, start: Start) -> None:
    broken = product.folder / "broken.toml"
    broken.write_text("[connection", "utf-8")
    task = product.task()
    service = start(broken, product.config).ready()
    linked(product, task)
    assert "broken.toml: the config is not used" in service.words("STATUS")[-1]
    assert service.end() == 0


def test_the_state_of_another_connection_ends_it_with_5(product: Product, start: Start) -> None:
    product.pair()
    product.write_config(crm={"client_id": "another"})
    service = start()
    assert service.process.wait(timeout=30) == 5
    until("why", lambda: "another connection" in "".join(service.raw))


def test_connections_are_strangers_to_each_other(product: Product, start: Start) -> None:
    """One folder: a config that cannot be read, one whose lease is held, one that was made for another tenant; and a
    good one, which does not mind. Each joins when its trouble is over."""
    folder, others = product.folder / "conf.d", product.folder / "others"
    folder.mkdir()
    others.mkdir()
    with Product(others) as second:
        second.write_config(connection={"name": "binh-minh"}, schedule={"poll": "1s", "jitter": "0s"})
        product.config = product.config.rename(folder / "an-phat.toml")
        second.config = second.config.rename(folder / "binh-minh.toml")
        broken = folder / "broken.toml"
        broken.write_text("[connection", "utf-8")
        theirs, ours = second.task(task_name="Của họ"), product.task(task_name="Của ta")
        with held(second):
            service = start(folder)
            item = linked(product, ours)
            assert second.work.by_marker(theirs) == []
            assert [line["connection"] for line in service.events("connection.failed")] == ["binh-minh"]
            service.ready()
            status = service.words("STATUS")[-1]
            assert "binh-minh: cannot be opened, see the log" in status
            assert "broken.toml: the config is not used" in status
        linked(second, theirs)
        broken.unlink()
        service.send(signal.SIGHUP)
        until("all in step", lambda: service.words("STATUS")[-1] == "an-phat: in step; binh-minh: in step")

        second.config.unlink()
        service.logged("connection.removed")
        assert second.run("status", "--format", "json", code=2).code == 2
        product.crm.edit(ours, task_name="Vẫn chạy")
        until("the title in Work", lambda: title(product, item) == "Vẫn chạy")
        assert service.end() == 0


def test_one_bad_day_is_a_handful_of_lines_and_none_of_them_is_personal(product: Product, start: Start) -> None:
    canary = "Nguyễn Thị Bí Mật"
    product.work.faults.order("insert-tasks", "element", code="InvalidValue", message=f"«{canary}» is bad", times=1)
    product.crm.faults.order(
        "list", "status", status=503, skip=1, body={"ErrorCode": "Fault", "UserMsg": f"busy with {canary}"}
    )
    product.write_config(limits={"retry_for": "1ms"})
    product.task(task_name=canary, description=canary)
    product.task(task_name=canary, owner_name=canary)
    service = start()
    service.logged("side.up")
    product.run("pause", "--reason", canary)
    product.run("resume", "--reason", canary)
    assert service.end() == 0
    assert service.events("side.down") and service.events("pair.created")
    for line in service.raw:
        assert canary not in line
        assert product.sections["crm"]["client_secret"] not in line
