"""Faults ordered on the command line: what is understood, what is refused and how, and that they then happen."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any, get_args

import httpx
import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.faults import NEEDED, FaultKind
from reconciler.sandbox.orders import KINDS, WrongOrder, keys_of, place
from reconciler.sandbox.work import WorkSystem
from tests.sandbox.clients import LAYOUT, Clock, CrmClient, WorkClient

BARE = {"delay": "seconds=3", "late": "seconds=3", "lag": "seconds=3", "stale": "seconds=3"}
"""What must be said of a fault at least."""


def test_every_fault_but_those_of_program_code_can_be_ordered_in_words() -> None:
    assert set(KINDS) == {kind for kind in get_args(FaultKind) if NEEDED.get(kind) != "hook"}


@pytest.mark.parametrize("side", ["crm", "work"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_can_be_ordered_from_both_sides(crm: CrmSystem, work: WorkSystem, side: str, kind: str) -> None:
    fault = place(f"{side} any {kind} {BARE.get(kind, '')}", {"crm": crm, "work": work})
    assert (fault.kind, fault.match, fault.times) == (kind, "any", 1)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("crm list status", {"times": 1, "skip": 0, "every": None, "probability": None, "args": {}}),
        ("crm list status status=503 times=2 skip=4", {"times": 2, "skip": 4, "args": {"status": 503}}),
        ("crm list html times=always", {"times": None}),
        ("crm list html every=3", {"times": None, "every": 3}),
        ("crm list html every=3 times=2", {"times": 2, "every": 3}),
        ("work write html probability=0.25 seed=7", {"times": None, "probability": 0.25}),
        ("work update-tasks status when=after", {"after_effect": True}),
        ("work update-tasks status when=before", {"after_effect": False}),
        ("crm any delay seconds=0.5", {"args": {"seconds": 0.5}}),
        ("crm list retry_after seconds=30 form=imf", {"args": {"seconds": 30, "form": "imf"}}),
        ("work insert-tasks element code=NoPermission message='Không có quyền'", {"match": "insert-tasks"}),
    ],
)
def test_an_order_says_when_and_how(crm: CrmSystem, work: WorkSystem, order: str, expected: dict[str, Any]) -> None:
    fault = place(order, {"crm": crm, "work": work})
    assert {name: getattr(fault, name) for name in expected} == expected
    if "message" in order:
        assert fault.args["message"] == "Không có quyền"


WRONG = {
    "": "SIDE VERB KIND",
    "crm list": "SIDE VERB KIND",
    "erp list status": "choose one of crm, work",
    "crm lst status": "token, list, by-id, create, update, delete, read, write, any",
    "work list status": "get-tasks-by-id",
    "crm list explode": "drop_before",
    "crm list hook_before": "drop_before",
    "crm list status 503": "503: is no key=value",
    "crm list status status=": "is no key=value",
    "crm list status status=5o3": "an HTTP status from 200 to 599",
    "crm list status status=99": "an HTTP status from 200 to 599",
    "crm list status status=٢٠٠": "an HTTP status from 200 to 599",
    "crm list status status=500 status=501": "given twice",
    "crm list status colour=red": "error_code",
    "crm list html framing=json": "html has no key framing",
    "crm list truncate framing=tcp": "chunked",
    "crm list delay": "needs seconds",
    "work update-tasks late": "needs seconds",
    "crm list delay seconds=-1": "such as 3 or 0.5",
    "crm list delay seconds=nan": "such as 3 or 0.5",
    "crm list html times=0": "at least 1, or always",
    "crm list html every=0": "at least 1",
    "crm list html skip=x": "at least 0",
    "crm list html probability=0": "above 0",
    "crm list html probability=1.5": "at most 1",
    "crm list html seed=3": "probability",
    "crm list html when=during": "before or after",
    "crm update drop_after when=before": "drop_after has no key when",
    "crm list late seconds=3": "late: concerns a write",
    "work get-tasks element": "element: concerns a write",
    "work insert-tasks lag seconds=3": "lag: concerns a read",
    "crm list html message='x": "quotation mark",
}  # fmt: skip


@pytest.mark.parametrize("order", WRONG)
def test_a_wrong_order_is_told_where_what_and_what_to_do(crm: CrmSystem, work: WorkSystem, order: str) -> None:
    with pytest.raises(WrongOrder) as wrong:
        place(order, {"crm": crm, "work": work})
    assert WRONG[order] in str(wrong.value)
    done = CliRunner().invoke(main, ["sandbox", "--port", "0", "--fault", order])
    assert done.exit_code == 2
    assert done.stderr.startswith("reconciler: --fault ")
    assert repr(order) in done.stderr and WRONG[order] in done.stderr
    assert done.stdout == "", "nothing was started"


def test_the_help_lists_every_fault_with_its_keys() -> None:
    text = CliRunner().invoke(main, ["sandbox", "--help"]).stdout
    words = re.split(r"[\s:,]+", text)
    for kind in KINDS:
        assert {kind, *keys_of(kind)} <= set(words)


def test_a_port_in_use_is_a_usage_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["sandbox", "--port", str(port)])
    assert done.exit_code == 2
    assert f"--port {port} is in use" in done.stderr


@contextlib.asynccontextmanager
async def running(*orders: str) -> AsyncIterator[tuple[CrmClient, WorkClient]]:
    """`reconciler sandbox` as a process of its own, with a client for each side."""
    faults = [word for order in orders for word in ("--fault", order)]
    command = [sys.executable, "-u", "-c", "from reconciler.cli import main; main()", "sandbox", "--port", "0", *faults]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3 + len(orders))]
            assert [line.strip() for line in lines[3:]] == [f"fault {order}" for order in orders]
            (crm_url,) = re.findall(r"^CRM (\S+)", lines[1])
            (work_url,) = re.findall(r"^Work (\S+)", lines[2])
            crm = CrmSystem(now=Clock(), rng=random.Random(1))  # of these two only the credentials are needed
            work = WorkSystem(now=Clock(), rng=random.Random(1))
            async with (
                httpx.AsyncClient(base_url=crm_url, trust_env=False) as left,
                httpx.AsyncClient(base_url=work_url, trust_env=False) as right,
            ):
                yield CrmClient(crm, left), WorkClient(work, right)
        finally:
            process.terminate()


async def test_ordered_faults_happen_over_real_http() -> None:
    async with running(
        "crm list status status=503 message='Đang bảo trì'",
        "crm by-id html every=2",
        "crm update status status=504 when=after",
        "crm update status status=502 skip=1",
        "work get-projects retry_after seconds=7 times=2",
        "work update-tasks drop_after",
        "work update-tasks drop_before skip=1",
        "work insert-tasks element code=NoPermission message='Không có quyền'",
    ) as (crm, work):
        # once, in the words of the order
        answers = [await crm.call("GET", "/Tasks") for _ in range(2)]
        assert [one.status_code for one in answers] == [503, 200]
        assert answers[0].json()["UserMsg"] == "Đang bảo trì"
        id_ = answers[1].json()["data"][0]["id"]

        # every second one
        async def shown() -> httpx.Response:
            return await crm.call("GET", "/Tasks/id", params={"ids": id_})

        kinds = [(await shown()).headers["content-type"].split(";")[0] for _ in range(4)]
        assert kinds == ["application/json", "text/html"] * 2

        # after the write took effect, then before
        async def rename(text: str) -> int:
            row = {"id": id_, "form_layout": LAYOUT, "task_name": text}
            return (await crm.call("PUT", "/Tasks", [row])).status_code

        assert (await rename("Đã ghi"), await rename("Không ghi")) == (504, 502)
        assert (await shown()).json()["data"][0]["task_name"] == "Đã ghi"

        # so many times, and how long to wait
        replies = [await work.post("get-projects", PageIndex=1, PageSize=10) for _ in range(3)]
        assert [one.status_code for one in replies] == [429, 429, 200]
        assert replies[0].headers["retry-after"] == "7"

        # the connection ends, with the write done and not
        task = (await work.post("get-tasks", PageIndex=1, PageSize=1)).json()["Data"]["Tasks"][0]["TaskID"]
        for text in ("Đã ghi", "Không ghi"):
            with pytest.raises(httpx.RemoteProtocolError):
                await work.post("update-tasks", Tasks=[{"TaskID": task, "TaskName": text}])
        reply = await work.post("get-tasks-by-id", TaskIDs=[task])
        assert reply.json()["Data"]["Tasks"][0]["TaskName"] == "Đã ghi"

        # one record is refused
        new = {"TaskName": "Mới", "ProjectID": 12, "TaskGroupID": 31}
        [result] = (await work.post("insert-tasks", Tasks=[new])).json()["Data"]["Results"]
        assert (result["ErrorCode"], result["UserMessage"]) == ("NoPermission", "Không có quyền")


async def test_chance_with_a_seed_is_the_same_every_time() -> None:
    async def day(seed: int) -> list[int]:
        async with running(f"work get-projects status probability=0.5 seed={seed}") as (_, work):
            return [(await work.post("get-projects", PageIndex=1, PageSize=10)).status_code for _ in range(16)]

    first = await day(7)
    assert set(first) == {200, 503}
    assert await day(7) == first
