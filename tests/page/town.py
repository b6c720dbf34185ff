"""A small company whose state holds something of everything that the page shows, and the page over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from reconciler.core.model import Attention, Code, Side
from reconciler.halting import pause
from reconciler.page.errands import Spawn
from reconciler.page.routes import page
from reconciler.settings import Settings
from reconciler.store import open_reader
from tests.world import World

ADDRESS = "http://127.0.0.1:8780"


def at_once(work: Callable[[], None]) -> None:
    """A spawn that needs no thread."""
    work()


class Town:
    """A world whose state is a file, as the page needs it, and the page's app. `others` are further connections."""

    def __init__(self, folder: Path, *, spawn: Spawn = at_once, **sections: dict[str, Any]) -> None:
        self.database = folder / "state.db"
        url = f"sqlite:///{self.database}"
        crm, work = {"page": "https://crm.example/tasks/{id}"}, {"page": "https://work.example/items/{id}"}
        self.world = World(state=url)
        self.world.sections |= {"wire": {"crm": crm, "work": work}, **sections, "state": {"url": url}}
        self.others: list[Settings] = []
        self.app = Starlette(routes=[page(lambda: [self.world.settings, *self.others], self.world.world, spawn)])

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """What a browser gets."""
        return await self.ask("GET", path, **headers)

    async def fetch(self, path: str, **query: str) -> httpx.Response:
        """What a browser gets for an address with these parameters."""
        return await self.get(str(httpx.URL(path).copy_merge_params(query)))

    async def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
            return await client.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    async def day(self, title: str = "Gọi khách hàng An Phát") -> tuple[int, int]:
        """A working day: pairs, an edit that flows, a conflict, two refused targets. Gives the pair in conflict."""
        world = self.world
        task, item = await world.pair(task_name=title, description="Hẹn 09:00\ntại văn phòng")
        for name in ("Gửi báo giá lần 2", "Khảo sát kho Đà Nẵng", "Ký hợp đồng bảo trì"):
            await world.pair(task_name=name)
        world.crm.edit(task, status="Hoàn thành")
        await world.once()
        world.clock.tick(600)
        world.crm.edit(task, task_name=f"{title} (CRM)")
        world.clock.tick(60)
        world.work.edit(item, TaskName=f"{title} (Work)")
        await world.once()
        world.crm.add(custom_field1="Phòng Kỹ thuật", custom_field2="31", task_name=f"Lắp đặt máy lạnh: {title}")
        world.crm.add(custom_field1="Dự án không có", custom_field2="31", task_name="Bảo hành")
        await world.once()
        await world.once()
        return task, item

    def attend(self, *entries: Attention) -> None:
        """Further entries of the attention list."""
        with self.world.store.transaction() as tx:
            tx.raise_attention(entries)

    def entry(self, code: Code, side: Side = Side.CRM, **given: Any) -> Attention:
        """An entry of the attention list with words of the server."""
        given = {"id": "77", "message": "x", "since": self.world.clock.now(), **given}
        return Attention(side=side, code=code, **given)

    def pause(self, reason: str) -> None:
        pause(self.world.store, self.world.clock.now(), reason, None, "lan")

    def bytes(self) -> dict[str, bytes]:
        """The bytes of the state: the database and its WAL (an empty WAL is none)."""
        files = (self.database, self.database.with_name(self.database.name + "-wal"))
        return {file.name: content for file in files if file.exists() and (content := file.read_bytes())}

    def reader(self) -> Any:
        return open_reader(f"sqlite:///{self.database}")
