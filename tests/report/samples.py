"""A small world in which every kind of difference occurs, and the two reports of it."""

from __future__ import annotations

from typing import Any

from reconciler.core.model import Side
from reconciler.halting import pause, resume
from reconciler.report.data import Json
from reconciler.report.document import Document
from reconciler.report.dry_document import dry_document
from reconciler.report.formats import FORMATS
from reconciler.report.mask import Mask
from reconciler.report.period import month
from reconciler.report.period_document import Answer, Question, answer, period_document
from reconciler.words import translator
from tests.world import World

TARGET: dict[str, Any] = {"custom_field1": "12", "custom_field2": "31"}
PAGES = {Side.CRM: "https://crm.example/tasks/{id}", Side.WORK: "https://work.example/t/{id}"}
TASKS = (
    ("Gọi khách hàng An Phát", "NV001"),
    ("Gửi báo giá lần 2", "NV002"),
    ("Khảo sát nhà máy và lập biên bản", "NV001"),
    ("Ký hợp đồng", "NV003"),
    ("Nghiệm thu đợt 1", "NV002"),
    ("Thu công nợ tháng 2", "NV001"),
    ("Hồ sơ cũ", "NV001"),
    ("Hỏi ý kiến", "NV002"),
)


async def eventful(titles: tuple[str, ...] = ()) -> World:
    """Two days of edits, a pause, a halt, a conflict, a refusal, a tie, a frozen pair, and edits that are due."""
    world = World(safety={"max_creates": 2}, wire={side.value: {"page": page} for side, page in PAGES.items()})
    pairs = []
    for number, (title, owner) in enumerate(TASKS):
        pairs.append(
            await world.pair(
                task_name=titles[number] if number < len(titles) else title,
                owner_name=owner,
                due_date=f"2026-03-{10 + number}",
                description="Liên hệ trước\ngiờ nghỉ trưa",
                status="Đang thực hiện",
            )
        )
    pause(world.store, world.clock.now(), "kiểm kê cuối tháng", None, "thu.ha")
    world.clock.tick(5400)
    await world.once()
    resume(world.store, world.clock.now(), "xong kiểm kê", "thu.ha", None)
    world.clock.tick(86400)
    (a, _), (_, b_), (c, c_), (d, d_), (e, e_), (f, f_), (_, g_), (h, h_) = pairs
    world.crm.edit(a, task_name="Gọi lại khách An Phát")
    world.work.edit(b_, StatusName="Đã hoàn thành")
    await world.once()
    world.crm.edit(c, task_name="Khảo sát nhà máy")
    world.clock.tick(60)
    world.work.edit(c_, TaskName="Khảo sát nhà máy (có ảnh)")
    await world.once()
    world.work.edit(d_, DoerCodes=["NV009"])
    world.crm.edit(e, owner_name="NV999")
    world.work.edit(g_, IsArchived=True)
    await world.once()
    for number in range(4):
        world.crm.add(task_name=f"Việc hàng loạt {number + 1}", **TARGET)
    world.crm.add(task_name="Chọn nhầm phòng ban", custom_field1="10", custom_field2="31")
    await world.once()
    world.clock.tick(600)
    world.crm.edit(a, status="Hoàn thành")
    world.work.edit(b_, Deadline="2026-03-20T10:00:00+07:00")
    world.crm.edit(f, task_name="Thu công nợ gấp")
    world.clock.tick(60)
    world.work.edit(f_, TaskName="Thu công nợ (đã gọi)")
    world.work.edit(e_, StatusName="Đã hoàn thành")
    world.crm.edit(h, task_name="Hỏi ý kiến sếp")
    world.work.edit(h_, TaskName="Hỏi ý kiến giám đốc")
    world.crm.edit(d, due_date=None)
    world.clock.tick(120)
    return world


def asked(world: World, *, sample: int = 3, mask: Mask | None = None) -> Answer:
    """The period report over March."""
    question = Question(period=month("2026-03"), sample=sample, seed=1, mask=mask)
    return answer(
        world.store, question, name="an-phat", config=world.settings.fingerprint(), generated_at=world.clock.now(),
        pages=PAGES,
    )  # fmt: skip


async def documents(world: World) -> dict[str, Document]:
    """Both reports, fresh: a document can be written once."""
    return {"dry": dry_document(await world.report()), "period": period_document(asked(world))}


def written(document: Document, kind: str, language: str = "en") -> bytes:
    return b"".join(FORMATS[kind](document, translator(language)))


def text_of(document: Document, kind: str, language: str = "en") -> str:
    return written(document, kind, language).decode()


def rows_of(data: Json) -> list[Json]:
    """Every row of a dry run in which the two sides differ, with its list."""
    lists = ("conflicts", "differences", "waiting", "set_aside", "frozen", "left_out")
    rows = [{"list": name, **row} for name in lists for row in data[name]]
    for name in ("operations", "held"):
        rows += [{"list": name, **one, "field": change["name"]} for one in data[name] for change in one["fields"]]
    return rows
