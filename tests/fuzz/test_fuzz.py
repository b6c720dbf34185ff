"""Fifty thousand spoilt inputs: envelopes, dates, Retry-After, config files, plan files, orders of faults.

An input is named by its number: the same number is the same input in every run. Each kind must let some inputs through
and refuse some: a generator of which nothing, or everything, passes would prove nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model import Accepted, Code, Draft, Edit, Field, Refused, Side
from reconciler.core.operations import Delete, FieldChange, Operation, Unlink, Update
from reconciler.errors import ConfigError, NotApplied, SideClosed, SideDown, SideError, Unclear, UsageError
from reconciler.planfile import plan_file, read_plan
from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.orders import KINDS, WrongOrder, place
from reconciler.sandbox.work import WorkSystem
from reconciler.settings import Settings, load
from reconciler.sides.answer import (
    RETRY_AT_MOST,
    Unreadable,
    clip,
    http_date,
    moment,
    parse,
    retry_after,
    trouble,
    words_of,
)
from reconciler.sides.crm import CrmWriter
from reconciler.sides.work import WorkWriter
from tests.fuzz.spoiling import as_json, choose, spoilt_bytes, spoilt_text, spoilt_value
from tests.sides.rig import Canned, Rig, Seen, answer
from tests.world import MORNING

Feed = Callable[[random.Random, Path], bool]
"""Make one input, feed it, check what must hold; says whether it was let through. Raises only by failing."""

STAMP = "2026-03-02T09:00:00.000+07:00"
EDIT = Edit(id="7", values={Field.TITLE: "x"}, layout="L")
DRAFT = Draft(values={Field.TITLE: "x"}, project="12", group="31", marker="1042")

# --- envelopes --------------------------------------------------------------------------------------------------------

CRM_ROW = {
    "id": 7, "task_name": "Gọi khách hàng", "status": "Đang thực hiện", "due_date": "2026-03-09T00:00:00.000+07:00",
    "owner_name": "Nguyễn Văn An (NV001)", "is_deleted": False, "modified_date": STAMP, "modified_by": "An",
    "custom_field3": None,
}  # fmt: skip
WORK_ROW = {
    "TaskID": 7, "TaskName": "Gọi khách hàng", "StatusName": "Chưa hoàn thành", "Deadline": "2026-03-09T17:30:00+07:00",
    "DoerCodes": ["NV001"], "IsDeleted": False, "ModifiedDate": STAMP, "ModifiedBy": "NV001", "ProjectID": 12,
    "CustomFields": {"crm_task_id": "1042"},
}  # fmt: skip
ENVELOPES: tuple[dict[str, Any], ...] = (
    {"success": True, "code": 200, "data": [CRM_ROW], "total_records": 1},
    {"success": True, "code": 200, "results": [{"success": True, "data": 7}]},
    {"success": True, "code": 200, "results": [
        {"success": False, "validate_infos": [{"field_name": "status", "error_message": "sai"}]}
    ]},
    {"Success": True, "Code": 200, "Data": {"Tasks": [WORK_ROW], "Total": 1}, "GetLastData": True},
    {"Success": True, "Code": 200, "Data": {"Results": [{"Success": True, "TaskID": 7}]}},
    {"Success": True, "Data": {"Projects": [{"ProjectID": 12, "ProjectName": "x", "Type": 2}], "Total": 1}},
    {"Success": True, "Data": {"TaskGroups": [{"TaskGroupID": 31, "TaskGroupName": "x"}]}},
    {"Success": True, "Data": {"Members": [{"EmployeeCode": "NV001"}]}},
    {"Success": False, "Code": 400, "ErrorCode": "NoPermission", "UserMessage": "Không có quyền", "Data": None},
    {"ErrorCode": "Exception", "DevMsg": "x", "UserMsg": "Có lỗi", "TraceId": "0"},
    {"success": False, "code": "ExpiredToken", "error_message": "hết hạn", "user_msg": "hết hạn"},
)  # fmt: skip


def body(rng: random.Random) -> bytes:
    """A body that is nearly an answer."""
    value = rng.choice(ENVELOPES)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        value = spoilt_value(rng, value)
    content = as_json(rng, value)
    return spoilt_bytes(rng, content) if rng.random() < 0.3 else content


def envelope(rng: random.Random, folder: Path) -> bool:
    try:
        found = parse(body(rng))
    except Unreadable as unreadable:
        assert str(unreadable) in ("the answer is HTML", "the answer is no valid JSON", "the answer is no JSON object")
        return False
    fault = trouble(found)
    said = words_of(found)
    assert said == clip(said) and "\n" not in said and len(said) <= 500
    json.dumps(found, ensure_ascii=False).encode()  # what was let through can be stored
    return fault is None


async def calls(adapter: CrmWriter | WorkWriter) -> list[bool]:
    """Every call of an adapter; says for each whether it was answered."""
    went: list[bool] = []

    async def attempt(call: Awaitable[Any], *kinds: type[SideError]) -> None:
        try:
            answers = await call
        except SideError as error:
            assert type(error) in kinds
            assert error.side == adapter.side.value
            went.append(False)
        else:
            if kinds != READING:
                assert len(answers) == 1 and isinstance(answers[0], Accepted | Refused)
            went.append(True)

    await attempt(adapter.changes(MORNING, Seen()), *READING)
    await attempt(adapter.by_id(["7", "8"]), *READING)
    await attempt(adapter.update([EDIT]), *WRITING)
    await attempt(adapter.delete(["7"]), *WRITING)
    if isinstance(adapter, WorkWriter):
        await attempt(adapter.create([DRAFT]), *WRITING)
        for catalogue in (adapter.projects(), adapter.groups("12"), adapter.members("12")):
            await attempt(catalogue, *READING)
    return went


READING = (SideDown, SideClosed)
WRITING = (NotApplied, Unclear, SideClosed)


def adapter(rng: random.Random, folder: Path) -> bool:
    status = rng.choice((200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503))
    content, names = body(rng), {"Date": date_text(rng), "Retry_After": wait_text(rng)}
    sent = {name: "".join(one for one in text if " " <= one <= "ÿ" and one != "\x7f") for name, text in names.items()}

    async def run() -> bool:
        rig, response = Rig(), answer(content, status, **sent)
        went = [one for side in (rig.crm, rig.work) for one in await calls(side(Canned(response)))]
        await rig.close()
        return any(went)

    return asyncio.run(run())


# --- dates and waits --------------------------------------------------------------------------------------------------


def instant(rng: random.Random) -> datetime:
    return datetime(rng.choice((1, 1969, 1970, 2026, 2026, 9999)), 1, 1, tzinfo=UTC) + timedelta(
        seconds=rng.randrange(31_000_000)
    )


def date_text(rng: random.Random) -> str:
    when = instant(rng)
    text: str = choose(
        rng,
        lambda: when.isoformat(),
        lambda: when.strftime("%Y-%m-%dT%H:%M:%S.000+07:00"),
        lambda: when.date().isoformat(),
        lambda: format_datetime(when, usegmt=True),
        lambda: when.strftime("%A, %d-%b-%y %H:%M:%S GMT"),
        lambda: when.strftime("%a %b %d %H:%M:%S %Y"),
        lambda: when.strftime("%Y%m%dT%H%M%S") + rng.choice(("", "Z", "+0700", "-2359", "+24:00")),
    )
    return text if rng.random() < 0.3 else spoilt_text(rng, text)


def date(rng: random.Random, folder: Path) -> bool:
    text = date_text(rng)
    stamp, header = moment(text), http_date(text)
    assert stamp is None or (stamp.tzinfo is UTC and stamp.astimezone(UTC) == stamp)
    if header is not None:
        assert header.utcoffset() == timedelta(0)
        assert isinstance(header - MORNING, timedelta) and header + timedelta(days=365) > header
    return stamp is not None or header is not None


def wait_text(rng: random.Random) -> str:
    if rng.random() < 0.4:
        return date_text(rng)
    text = rng.choice(("0", "3", "120", "86400", "9" * 40, "-5", "1.5", "3, 60", "soon", "", " 7 ", "٣", "1e9"))
    return text if rng.random() < 0.3 else spoilt_text(rng, text)


def wait(rng: random.Random, folder: Path) -> bool:
    found = retry_after(wait_text(rng), instant(rng))
    assert found is None or timedelta(0) <= found <= RETRY_AT_MOST
    return found is not None


# --- files ------------------------------------------------------------------------------------------------------------

CONFIG = (
    (Path(__file__).parent.parent.parent / "config/sandbox.toml").read_text("utf-8")
    + """
[limits]
requests_per_second = 10
timeout = "30s"

[status.to_work]
"Hoàn thành" = "Đã hoàn thành"
"*" = "Chưa hoàn thành"

[people]
"Nguyễn Văn An (Sales)" = "NV001"

[[routes]]
project = 12
group = "Cần làm"
[routes.when]
owner = ["NV001", "NV002"]

[wire.crm]
page_size = 50
"""
)
VARIABLES = ("RECONCILER__SCHEDULE__POLL", "RECONCILER__PEOPLE", "RECONCILER__LIMITS__CONCURRENCY", "reconciler__x")


def config(rng: random.Random, folder: Path) -> bool:
    lines = CONFIG.splitlines()
    number = rng.randrange(len(lines))
    lines[number] = choose(
        rng,
        lambda: lines[number],
        lambda: spoilt_text(rng, lines[number]),
        lambda: spoilt_text(rng, lines[number]),
        lambda: f"{lines[number].partition('=')[0]}= {json.dumps(spoilt_value(rng, None))}",
        lambda: lines[rng.randrange(len(lines))],
        lambda: "",
    )
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    env = {name: spoilt_text(rng, '{"a": "5s"}') for name in VARIABLES if rng.random() < 0.04}
    file = folder / "reconciler.toml"
    file.write_bytes(spoilt_bytes(rng, content) if rng.random() < 0.2 else content)
    try:
        settings = load(file, env)
    except ConfigError as error:
        assert error.problems
        assert all(one.where in (str(file), "environment") and one.message for one in error.problems)
        assert "sandbox-secret" not in str(error), "a value is never shown"
        return False
    assert isinstance(settings, Settings)
    assert len(settings.fingerprint()) > 10
    return True


CHANGE = FieldChange(
    field=Field.TITLE, before="Cũ", after="Mới", source="Mới", reason="changed_on_crm", rule="title.to_work"
)
OPERATIONS: list[Operation] = [
    Update(side=Side.WORK, crm_id="1042", work_id="7001", title="Gọi", changes=(CHANGE,)),
    Unlink(crm_id="1043", work_id="7002", title="", side=Side.CRM, reason=Code.LOST_SIGHT),
    Delete(side=Side.CRM, crm_id="1044", work_id="7003", title="Xóa"),
]
IDENTITY = {"crm": "https://crm.test app", "work": "https://work.test app"}
PLAN: dict[str, Any] = json.loads(plan_file(OPERATIONS, IDENTITY, MORNING))


def signed(value: Any) -> Any:
    """The body with the digest that it would have, so that what stands behind the digest is reached too."""
    if not isinstance(value, dict):
        return value
    rest = {key: one for key, one in value.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {**rest, "digest": "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def plan(rng: random.Random, folder: Path) -> bool:
    value = PLAN
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        value = spoilt_value(rng, value)
    if rng.random() < 0.7:
        value = signed(value)
    content = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    file = folder / "plan.json"
    file.write_bytes(spoilt_bytes(rng, content) if rng.random() < 0.2 else content)
    try:
        saved = read_plan(file, IDENTITY, MORNING + timedelta(hours=1), timedelta(days=1))
    except UsageError as error:
        assert str(error).startswith(f"{file}: ")
        return False
    assert saved.digest.startswith("sha256:")
    assert all(isinstance(one, str) for one in saved.operations)
    return True


# --- the command line of the sandbox ----------------------------------------------------------------------------------

SYSTEMS = {
    "crm": CrmSystem(now=lambda: MORNING, rng=random.Random(1)),
    "work": WorkSystem(now=lambda: MORNING, rng=random.Random(1)),
}


def order(rng: random.Random, folder: Path) -> bool:
    side = rng.choice(list(SYSTEMS))
    pairs = (
        "times=2",
        "every=3",
        "probability=0.5",
        "when=after",
        "seconds=3",
        "status=503",
        "message='a b'",
        "skip=1",
    )
    words = (
        side,
        rng.choice((*SYSTEMS[side].verbs, "any")),
        rng.choice(list(KINDS)),
        *rng.sample(pairs, rng.randrange(3)),
    )
    text = " ".join(words)
    try:
        fault = place(text if rng.random() < 0.5 else spoilt_text(rng, text), SYSTEMS)
    except WrongOrder as wrong:
        assert str(wrong)
        return False
    assert fault.kind in KINDS
    return True


# --- all of them ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """One kind of input, and how many of them a run of CI tries."""

    feed: Feed
    count: int


FUZZ = {
    "envelopes": Kind(envelope, 18_000),
    "envelopes through the adapters": Kind(adapter, 1_200),
    "dates": Kind(date, 10_000),
    "waits": Kind(wait, 9_000),
    "config files": Kind(config, 3_600),
    "plan files": Kind(plan, 6_600),
    "orders of faults": Kind(order, 2_000),
}
PARTS = 4
"""So many tests a kind, for several workers."""


def test_fifty_thousand_inputs_are_tried() -> None:
    assert sum(kind.count for kind in FUZZ.values()) >= 50_000
    assert all(kind.count % PARTS == 0 for kind in FUZZ.values())


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", FUZZ)
def test_only_expected_errors_come_out(name: str, part: int, tmp_path: Path) -> None:
    kind = FUZZ[name]
    tried = passed = 0
    for number in range(part, kind.count, PARTS):
        try:
            passed += kind.feed(random.Random(f"{name} {number}"), tmp_path)
        except Exception as error:
            error.add_note(f"input {number} of {name}")
            raise
        tried += 1
    assert tried == kind.count // PARTS
    assert tried / 20 < passed < tried * 19 / 20, "some must pass, and some must not"
