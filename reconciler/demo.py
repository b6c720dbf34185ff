"""`demo` and `sandbox`: the product on the bundled sandbox, over real HTTP, with nothing to install or to lose.

The demo starts the daemon from a config file, as `run` does, and plays scenes on both sides. After each one it brings
the daemon's next tick forward and prints what flowed where and why, taken from the journal; then it shows that two more
ticks write nothing, and proves from the records that both sides agree.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from reconciler import app
from reconciler.clock import SystemClock
from reconciler.core.lenses import StatusLens
from reconciler.core.model import Field, Side
from reconciler.daemon.happening import Ended
from reconciler.daemon.keeper import Keeper
from reconciler.daemon.running import Daemon
from reconciler.handing import ask
from reconciler.message import joined, say, word
from reconciler.ports import StateReader
from reconciler.report.data import Json, entry_data
from reconciler.report.document import shown
from reconciler.requests import Link, parse_said, request_line
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.data import seed
from reconciler.sandbox.orders import place
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.work import WorkSystem
from reconciler.store import verify

Tell = Callable[[str], object]

GLANCE: Final = 0.05
"""Seconds between two looks at something that is about to happen."""


def serve(tell: Tell, port: int, orders: Sequence[str] = ()) -> int:
    """The two systems and their page, until Ctrl-C; `orders` are the faults they have. Raises `WrongOrder`."""
    crm, work = _systems()
    seed(crm, work)
    for order in orders:
        place(order, {"crm": crm, "work": work})
    with Sandbox(crm, work, port=port) as sandbox:
        tell(say("page for people: {url}/", url=sandbox.url))
        tell(
            say(
                "CRM {url}  client {client}  secret {secret}",
                url=sandbox.crm_url,
                client=crm.client_id,
                secret=crm.client_secret,
            )
        )
        tell(
            say(
                "Work {url}  client {client}  key {secret}",
                url=sandbox.work_url,
                client=work.client_id,
                secret=work.secret_key,
            )
        )
        for order in orders:
            tell(say("fault {order}", order=order))
        tell(say("port 8790 fits config/sandbox.toml: `reconciler once --config config/sandbox.toml`; Ctrl-C ends"))
        _until_interrupted()
    return 0


def play(tell: Tell, *, stay: bool, systems: tuple[CrmSystem, WorkSystem] | None = None) -> int:
    """The scripted day with a daemon beside it, on `systems` of the caller's or on new ones.

    Returns 0 if the two sides agree at the end, the quiet ticks wrote nothing and the journal's chain holds; 130 if a
    signal came before. With `stay` it goes on until a signal comes.
    """
    crm, work = systems or _systems()
    seed(crm, work)
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as folder, Sandbox(crm, work) as sandbox:
        config = Path(folder, "config", "an-phat.toml")
        config.parent.mkdir()
        config.write_text(_config(sandbox, Path(folder, "state.db")), encoding="utf-8")
        return asyncio.run(_beside(Daemon([config], {}), tell, sandbox, stay=stay))


async def _beside(daemon: Daemon, tell: Tell, sandbox: Sandbox, *, stay: bool) -> int:
    """Play the day beside a running daemon. A signal ends the daemon, and with it everything here."""
    running = asyncio.ensure_future(daemon.run())
    playing = asyncio.ensure_future(_played(daemon, tell, sandbox))
    await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
    interrupted = daemon.stopping
    if stay and not interrupted and not playing.exception():
        await _follow(daemon, tell, sandbox, running)
    daemon.stop()
    playing.cancel()
    [good] = await asyncio.gather(playing, return_exceptions=True)
    code = await running
    if interrupted:
        return code or 130
    if isinstance(good, BaseException):
        raise good
    return 0 if good else 1


async def _played(daemon: Daemon, tell: Tell, sandbox: Sandbox) -> bool:
    await daemon.started.wait()
    [keeper] = daemon.keepers.values()
    return await _Day(tell, daemon, keeper, sandbox.crm, sandbox.work).run()


def _systems() -> tuple[CrmSystem, WorkSystem]:
    now = SystemClock().now
    return CrmSystem(now=now, rng=random.Random(7)), WorkSystem(now=now, rng=random.Random(8))


def _config(sandbox: Sandbox, state: Path) -> str:
    """The daemon's config file."""
    sections: Mapping[str, Mapping[str, object]] = {
        "connection": {"name": "an-phat (sandbox)"},
        "crm": {
            "base_url": sandbox.crm_url,
            "client_id": sandbox.crm.client_id,
            "client_secret": sandbox.crm.client_secret,
            "target_project_field": "custom_field1",
            "target_group_field": "custom_field2",
            "link_field": "custom_field3",
            "result_field": "custom_field4",
        },
        "work": {
            "base_url": sandbox.work_url,
            "client_id": sandbox.work.client_id,
            "secret_key": sandbox.work.secret_key,
        },
        "state": {"url": f"sqlite:///{state}"},
        "schedule": {"poll": "1s", "jitter": "0s"},
        "watermark": {"settle": "0s"},
        "limits": {"requests_per_second": 500, "retry_for": "1s"},
        "web": {"listen": "127.0.0.1:0"},
    }
    lines: list[str] = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class _Day:
    """The scenes of one working day, and what the journal says of each."""

    tell: Tell
    daemon: Daemon
    keeper: Keeper
    crm: CrmSystem
    work: WorkSystem
    seen: int = 0

    async def run(self) -> bool:
        await self._morning()
        self.tell(say("\nThe daemon is at work; its page is {page}", page=self.daemon.page))
        await self._edits()
        await self._conflict()
        await self._department()
        await self._on_request()
        await self._outage()
        quiet = await self._quiet()
        agree = self._agree()
        return self._journal() and quiet and agree

    @property
    def state(self) -> StateReader:
        assert self.keeper.store is not None
        return self.keeper.store

    async def _morning(self) -> None:
        self._title(say("A salesperson saves tasks: those with a chosen project appear in Work"))
        good = self.crm.add(
            task_name="Gọi khách hàng An Phát", status="Đang thực hiện", custom_field1="12", custom_field2="Cần làm"
        )
        none = self.crm.add(task_name="Gọi cho anh Tuấn", status="Chưa bắt đầu")
        self.tell(say("  task {good} chooses project 12, task {none} nothing", good=good, none=none))
        await self._flow()
        self.tell(say("  task {none} asks for nothing and stays in the CRM alone", none=none))

    async def _edits(self) -> None:
        task = max(self._linked())
        item = self.work.by_marker(task)[0]
        await self._scene(say("A typo fixed in Work leaves the status «Đang thực hiện» of the CRM alone"))
        self.work.edit(item, TaskName="Gọi khách hàng An Phát (Hà Nội)")
        await self._flow()
        self.tell(say("  the CRM status is «{status}»", status=self._crm(task, "status")))
        await self._scene(say("Somebody completes the task in Work"))
        self.work.edit(item, StatusName="Đã hoàn thành")
        await self._flow()
        await self._scene(say("Somebody re-opens it in Work: the CRM gets «Chưa bắt đầu»"))
        self.work.edit(item, StatusName="Chưa hoàn thành")
        await self._flow()
        await self._scene(say("Different fields are edited on the two sides: both edits stay"))
        day = (self.crm.time() + timedelta(days=9)).date().isoformat()
        self.crm.edit(task, description="Khách muốn xem mẫu trước")
        self.work.edit(item, Deadline=f"{day}T09:15:00+07:00")
        await self._flow()

    async def _conflict(self) -> None:
        task = max(self._linked())
        await self._scene(say("Two people edit the same title: the later edit wins"))
        now = self.crm.time()
        self.crm.edit(task, task_name="Tên do bên Bán hàng đặt", stamp=now - timedelta(seconds=30))
        self.work.edit(self.work.by_marker(task)[0], TaskName="Tên do bên Công việc đặt", stamp=now)
        await self._flow()

    async def _department(self) -> None:
        await self._scene(say("A department is chosen by mistake, and then put right"))
        bad = self.crm.add(task_name="Báo giá máy in", custom_field1="Phòng Kinh doanh", custom_field2="Cần làm")
        await self._flow()
        for entry in self.state.attention():
            self.tell(say("  needs a person: task {id}: {message}", id=entry.id, message=entry.message))
        self.crm.edit(bad, custom_field1="Triển khai An Phát")
        await self._flow()

    async def _on_request(self) -> None:
        await self._scene(say("An old task is linked on request"))
        linked = set(self._linked())
        old = next(row["id"] for row in self.crm.snapshot() if row["id"] not in linked and not row["custom_field1"])
        database = app.state_path(self.keeper.settings)
        assert database is not None
        request = request_line(Link(task=str(old), project="Chăm sóc Bình Minh", group="Việc mới"), "demo")
        answer = await asyncio.to_thread(ask, database, request)
        assert answer is not None
        self.tell(f"  $ reconciler link {old} --project 'Chăm sóc Bình Minh' --group 'Việc mới'")
        for line in parse_said(answer).out:
            self.tell(joined(["  ", line], ""))
        self._recount()

    async def _outage(self) -> None:
        task = max(self._linked())
        await self._scene(say("Work is down for a moment: nothing is lost"))
        self.work.faults.order("any", "drop_before", times=None)
        self.crm.edit(task, description="Sửa trong lúc máy chủ kia ngừng")
        ended = await self._tick()
        self.tell(joined(["  ", *ended.down.values()], ""))
        self.work.faults.clear()
        await self._flow()

    async def _quiet(self) -> bool:
        await self._scene(say("Two quiet cycles write nothing"))
        await self._flow()
        marks = self.crm.mark(), self.work.mark()
        for _ in range(2):
            await self._flow()
        writes = len(self.crm.writes(marks[0])) + len(self.work.writes(marks[1]))
        self.tell(say("  {writes} write calls in two cycles", writes=writes))
        return writes == 0

    def _agree(self) -> bool:
        lens = app.policy(self.keeper.settings).lenses[Field.STATUS]
        assert isinstance(lens, StatusLens)
        pairs = self._linked()
        equal = 0
        for task in pairs:
            row, item = self.crm.get(task), self.work.get(self.work.by_marker(task)[0])
            assert row is not None
            assert item is not None
            same = (
                row["task_name"].strip() == item["TaskName"]
                and (row["description"] or "") == (item["Description"] or "")
                and (row["due_date"] or "") == (item["Deadline"] or "")[:10]
                and [row["owner_name"]] == item["DoerCodes"]
                and lens.agree(row["status"], item["StatusName"])
            )
            equal += same
            if not same:
                self.tell(say("  NOT EQUAL: {row} / {item}", row=row, item=item))
        self.tell(say("\n{equal} of {all} pairs are equal on both sides", equal=equal, all=len(pairs)))
        return equal == len(pairs)

    def _journal(self) -> bool:
        """What the journal says of the day, and whether its chain of hashes holds."""
        kinds = Counter(entry.kind for entry in self.state.journal())
        counted = joined((say("{name} {count}", name=word(kind), count=kinds[kind]) for kind in sorted(kinds)), ", ")
        self.tell(say("the journal has {count} entries: {kinds}", count=kinds.total(), kinds=counted))
        fault = verify(self.state)
        if fault is None:
            self.tell(say("its chain is intact"))
        else:
            self.tell(say("its chain is broken: {fault}", fault=fault))
        return fault is None

    def _linked(self) -> list[int]:
        return [row["id"] for row in self.crm.snapshot() if self.work.by_marker(row["id"])]

    def _crm(self, task: int, name: str) -> str:
        row = self.crm.get(task)
        assert row is not None
        return str(row[name])

    async def _scene(self, title: str) -> None:
        """The next scene begins while no tick is under way: it always goes the same way."""
        await self._tick()
        self._title(title)

    def _title(self, title: str) -> None:
        """A scene begins a minute after the last one, on both servers' clocks."""
        for system in (self.crm, self.work):
            system.offset += timedelta(minutes=1)
        self.tell(joined(["\n== ", title], ""))

    async def _flow(self) -> None:
        """Let the daemon bring everything over, and tell what its journal says of that."""
        while (await self._tick()).outcome == "unavailable":
            await asyncio.sleep(GLANCE)
        self._recount()

    async def _tick(self) -> Ended:
        """A whole tick that began after the last edit, brought forward so that nobody has to wait for the schedule.

        None is under way when this returns.
        """
        edited = SystemClock().now()
        while True:
            skipped = self.keeper.skipped
            await self.keeper.poll()
            last = self.keeper.last
            if (
                self.keeper.skipped == skipped
                and last is not None
                and last.started >= edited
                and not self.daemon.stopping
            ):
                return last
            await asyncio.sleep(GLANCE)

    def _recount(self) -> None:
        for line in story(self.state, self.seen):
            self.tell(joined(["  ", line], ""))
        self.seen = self.state.head()[0]


def story(state: StateReader, after: int) -> list[str]:
    """What the journal says since entry `after`, one line for what a person wants to know."""
    lines: list[str] = []
    for entry in state.journal():
        if entry.id <= after:
            continue
        row = entry_data(entry)
        pair = say("task {crm_id} / item {work_id}" if row["work_id"] else "task {crm_id}", **_ids(row))
        match entry.kind:
            case "created":
                link = state.links_by(Side.CRM, [row["crm_id"]])[row["crm_id"]]
                lines.append(
                    say(
                        "{pair}: created in Work, in project {project} / task group {group}",
                        pair=pair,
                        project=link.work.project,
                        group=link.work.group,
                    )
                )
            case "told":
                lines.append(say("{pair}: the salesperson reads «{words}»", pair=pair, words=shown(row["new"])))
            case "conflict":
                lines.append(
                    say(
                        "{pair}: both sides changed {field}; {winner} wins, «{old}» stays in the journal (entry {id})",
                        pair=pair,
                        field=word(row["field"]),
                        winner=word(row["detail"]["winner"]),
                        old=shown(row["old"], row["field"]),
                        id=row["id"],
                    )
                )
            case "intent" if entry.reason != "created":
                lines.append(
                    say(
                        "{pair}: {field} on {side}: {old} -> {new}  [{reason}, {rule}]",
                        pair=pair,
                        field=word(row["field"]),
                        side=word(row["side"]),
                        old=shown(row["old"], row["field"]),
                        new=shown(row["new"], row["field"]),
                        reason=word(row["reason"]),
                        rule=row["rule"],
                    )
                )
            case "refused" | "unlinked" | "server_answer":
                lines.append(
                    say("{pair}: {kind} {reason}", pair=pair, kind=word(entry.kind), reason=word(row["reason"]))
                )
            case _:
                pass
    return lines


def _ids(row: Json) -> dict[str, str]:
    return {"crm_id": row["crm_id"], "work_id": row["work_id"]}


async def _follow(daemon: Daemon, tell: Tell, sandbox: Sandbox, running: asyncio.Future[int]) -> None:
    """Tell what flows until the daemon ends; edits made on the sandbox page flow."""
    tell(say("\nEdit tasks of either side at {url}/ and watch here what flows; Ctrl-C ends", url=sandbox.url))
    [keeper] = daemon.keepers.values()
    seen = keeper.store.head()[0] if keeper.store is not None else 0
    while not running.done() and keeper.store is not None:
        for line in story(keeper.store, seen):
            tell(line)
        seen = keeper.store.head()[0]
        await asyncio.wait({running}, timeout=GLANCE)


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
