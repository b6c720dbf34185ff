"""The demo: what it prints is what the two systems hold, scene by scene, and its page is alive afterwards."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from reconciler.clock import SystemClock
from reconciler.demo import play
from reconciler.sandbox.calls import Call
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.page_form import seen
from reconciler.sandbox.work import WorkSystem

WIRE = {
    "crm": {"title": "task_name", "status": "status", "description": "description", "due": "due_date"},
    "work": {"title": "TaskName", "status": "StatusName", "description": "Description", "due": "Deadline"},
}
FLOW = re.compile(r"  task (\d+) / item (\d+): (\w+) on (crm|work): (.*) -> (.*)  \[(\w+), ([\w.]+)\]")
CREATED = re.compile(r"  task (\d+) / item (\d+): created in Work, in project (\d+) / task group (\d+)")
TOLD = re.compile(r"  task (\d+): the salesperson reads «(.*)»")


@dataclass
class Scene:
    """What was printed in one scene, what the two systems held at its end, and what was written to them in it."""

    title: str
    lines: list[str] = field(default_factory=list)
    crm: dict[int, dict[str, Any]] = field(default_factory=dict)
    work: dict[int, dict[str, Any]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def flows(self) -> list[tuple[str, ...]]:
        return [found.groups() for line in self.lines if (found := FLOW.fullmatch(line))]

    def held(self, side: str, record: str, name: str) -> str:
        """The value as people write it: days and instants begin with the day."""
        rows = self.crm if side == "crm" else self.work
        text = str(rows[int(record)][WIRE[side][name]] or "(empty)").replace("\n", " ⏎ ")
        return re.sub(r"^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d:\d\d).*)?$", _day, text)


def _day(found: re.Match[str]) -> str:
    year, month, day, hour = found.groups()
    return f"{day}/{month}/{year}" + (f" {hour}" if hour else "")


class Audience:
    """Listens to the demo and looks at the systems whenever a scene ends."""

    def __init__(self) -> None:
        now = SystemClock().now
        self.crm = CrmSystem(now=now, rng=random.Random(7))
        self.work = WorkSystem(now=now, rng=random.Random(8))
        self.scenes: list[Scene] = []
        self.marks = (0, 0)

    def say(self, text: str) -> None:
        for line in text.splitlines():
            if line.startswith("== "):
                self.look()
                self.scenes.append(Scene(title=line.removeprefix("== ")))
            elif line:
                self.scenes[-1].lines.append(line)

    def look(self) -> None:
        if self.scenes:
            scene = self.scenes[-1]
            scene.crm = {row["id"]: row for row in self.crm.snapshot()}
            scene.work = {row["TaskID"]: row for row in self.work.snapshot()}
            scene.calls = [*self.crm.writes(self.marks[0]), *self.work.writes(self.marks[1])]
        self.marks = self.crm.mark(), self.work.mark()


@pytest.fixture(scope="module")
def shown() -> list[Scene]:
    audience = Audience()
    assert play(audience.say, stay=False, systems=(audience.crm, audience.work)) == 0
    audience.look()
    return audience.scenes


def scene(shown: list[Scene], words: str) -> Scene:
    [found] = [one for one in shown if words in one.title]
    return found


def test_every_scene_of_the_day_is_there(shown: list[Scene]) -> None:
    assert [one.title for one in shown] == [
        "A salesperson saves tasks: those with a chosen project appear in Work",
        "A typo fixed in Work leaves the status «Đang thực hiện» of the CRM alone",
        "Somebody completes the task in Work",
        "Somebody re-opens it in Work: the CRM gets «Chưa bắt đầu»",
        "Different fields are edited on the two sides: both edits stay",
        "Two people edit the same title: the later edit wins",
        "A department is chosen by mistake, and then put right",
        "An old task is linked on request",
        "Work is down for a moment: nothing is lost",
        "Two quiet cycles write nothing",
    ]


def test_every_flow_that_is_printed_is_what_the_record_holds_at_the_end_of_its_scene(shown: list[Scene]) -> None:
    assert sum(len(one.flows()) for one in shown) >= 7
    for one in shown:
        for task, item, name, side, _, after, reason, rule in one.flows():
            assert one.held(side, task if side == "crm" else item, name) == after, one.title
            assert rule == f"{name}.to_{side}"
            assert reason in ("conflict", f"changed_on_{'work' if side == 'crm' else 'crm'}")


def test_everything_that_was_written_in_a_scene_is_printed_in_it(shown: list[Scene]) -> None:
    for one in shown:
        flows = {(side, task if side == "crm" else item, name) for task, item, name, side, *_ in one.flows()}
        created = {found[2] for line in one.lines if (found := CREATED.fullmatch(line))}
        told = {found[1] for line in one.lines if (found := TOLD.fullmatch(line))}
        written: set[tuple[str, str, str]] = set()
        inserted: set[str] = set()
        answered: set[str] = set()
        for call in one.calls:
            for element in call.elements:
                if call.verb == "insert-tasks":
                    inserted.add(str(element.id))
                    continue
                written |= {
                    (call.side, str(element.id), name)
                    for name, wire in WIRE[call.side].items()
                    if wire in element.fields
                }
                if "custom_field4" in element.fields:
                    answered.add(str(element.id))
        assert (flows, created, told) == (written, inserted, answered), one.title


def test_a_created_item_is_where_the_line_says_and_the_salesperson_reads_what_is_quoted(shown: list[Scene]) -> None:
    for one in shown:
        for made in filter(None, map(CREATED.fullmatch, one.lines)):
            task, item, project, group = map(int, made.groups())
            row = one.work[item]
            assert (row["ProjectID"], row["TaskGroupID"], row["CustomFields"]["crm_task_id"]) == (
                project,
                group,
                str(task),
            )
        last = {found[1]: found[2] for line in one.lines if (found := TOLD.fullmatch(line))}
        assert last == {task: one.crm[int(task)]["custom_field4"] for task in last}


def test_a_task_without_a_target_stays_alone(shown: list[Scene]) -> None:
    [line] = [line for line in shown[0].lines if "chooses project 12" in line]
    chosen, nothing = re.findall(r"task (\d+)", line)
    markers = {row["CustomFields"].get("crm_task_id") for row in shown[-1].work.values()}
    assert chosen in markers
    assert nothing not in markers
    assert shown[-1].crm[int(nothing)]["custom_field4"] is None


def test_the_status_words_of_the_day(shown: list[Scene]) -> None:
    typo = scene(shown, "typo")
    [(task, item, name, side, *_)] = typo.flows()
    assert (name, side) == ("title", "crm")
    assert typo.crm[int(task)]["status"] == "Đang thực hiện"
    assert "  the CRM status is «Đang thực hiện»" in typo.lines
    done, again = scene(shown, "completes"), scene(shown, "re-opens")
    assert (done.crm[int(task)]["status"], done.work[int(item)]["StatusName"]) == ("Hoàn thành", "Đã hoàn thành")
    assert (again.crm[int(task)]["status"], again.work[int(item)]["StatusName"]) == ("Chưa bắt đầu", "Chưa hoàn thành")


def test_both_edits_of_different_fields_survive_and_the_later_title_wins(shown: list[Scene]) -> None:
    both = scene(shown, "Different fields")
    assert {(name, side) for _, _, name, side, *_ in both.flows()} == {("due", "crm"), ("description", "work")}
    fight = scene(shown, "same title")
    [(task, item, _, side, before, after, reason, _)] = fight.flows()
    assert (side, reason) == ("crm", "conflict")
    assert fight.crm[int(task)]["task_name"] == fight.work[int(item)]["TaskName"] == after
    assert any("both sides changed title; work wins" in line and f"«{before}»" in line for line in fight.lines)


def test_the_department_is_refused_with_the_reason_and_then_put_right(shown: list[Scene]) -> None:
    one = scene(shown, "department")
    [refused] = [line for line in one.lines if line.startswith("  needs a person: ")]
    assert "is a department" in refused
    told = [found[2] for line in one.lines if (found := TOLD.fullmatch(line))]
    assert told[0] == "Không đồng bộ: Phòng Kinh doanh là phòng ban, hãy chọn dự án"
    assert told[1].startswith("Đã đồng bộ ")
    assert len(one.calls) == 3, "the refusal, the item, its marker with the verdict"


def test_the_outage_is_said_and_nothing_is_lost(shown: list[Scene]) -> None:
    one = scene(shown, "down")
    assert any("work get-tasks: the connection failed" in line for line in one.lines)
    [(_, item, name, side, _, after, *_)] = one.flows()
    assert (side, one.held("work", item, name)) == ("work", after)


def test_the_quiet_cycles_write_nothing_and_the_journal_adds_up(shown: list[Scene]) -> None:
    one = scene(shown, "quiet")
    assert one.calls == []
    assert "  0 write calls in two cycles" in one.lines
    [equal] = [found for line in one.lines if (found := re.fullmatch(r"(\d+) of (\d+) pairs are equal.*", line))]
    assert equal[1] == equal[2] == str(sum("crm_task_id" in row["CustomFields"] for row in one.work.values()))
    [journal] = [found for line in one.lines if (found := re.fullmatch(r"the journal has (\d+) entries: (.*)", line))]
    assert int(journal[1]) == sum(int(part.split()[-1]) for part in journal[2].split(", "))
    assert one.lines[-1] == "its chain is intact"


@contextmanager
def demo(*args: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", "from reconciler.cli import main; main()", "demo", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8") as process:
        try:
            yield process
        finally:
            process.kill()


def test_once_ends_with_0_within_a_minute() -> None:
    with demo("--once") as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert "its chain is intact" in said


@pytest.mark.parametrize("words", ["A salesperson saves", "Two people edit", "Two quiet cycles"])
def test_ctrl_c_in_the_middle_of_the_day_ends_it_in_good_order(words: str) -> None:
    with demo() as process:
        assert process.stdout is not None
        next(line for line in process.stdout if words in line)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=60) in (0, 130)
        assert "Traceback" not in rest


def test_without_once_an_edit_on_the_page_flows_until_ctrl_c() -> None:
    with demo() as process:
        assert process.stdout is not None
        task = url = page = ""
        for line in process.stdout:
            if found := CREATED.fullmatch(line.rstrip("\n")):
                task = found[1]
            if found := re.fullmatch(r"The daemon is at work; its page is (http://127\.0\.0\.1:\d+/)\n", line):
                page = found[1]
            if found := re.match(r"Edit tasks of either side at (http://127\.0\.0\.1:\d+/)", line):
                url = found[1]
                break
        health = httpx.get(f"{page}readyz", trust_env=False)
        assert health.status_code == 200, health.text
        assert health.json()["connections"].keys() == {"an-phat (sandbox)"}
        edit = {"side": "crm", "id": task, "action": "save", "name": "Sửa trên trang", "was_name": seen("khác")}
        assert httpx.post(f"{url}edit", data=edit, trust_env=False).status_code == 303
        flowed = next(line for line in process.stdout if "Sửa trên trang" in line)
        assert f"task {task} /" in flowed and "title on work" in flowed
        assert "Sửa trên trang" in httpx.get(url, trust_env=False).text
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait() == 0, rest
        assert "Traceback" not in rest
