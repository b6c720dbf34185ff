"""Small hand-written clients for the tests; independent of the product's own."""

import base64
import hashlib
import hmac
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from reconciler.sandbox.crm import CrmSystem
from reconciler.sandbox.server import crm_app, work_app
from reconciler.sandbox.work import WorkSystem

LAYOUT = "Mẫu tiêu chuẩn"


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 2, 0, 0, 900_000, tzinfo=UTC)  # 09:00:00.9 in Hanoi

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class CrmClient:
    """Calls the CRM in process, or wherever `http` leads."""

    def __init__(self, system: CrmSystem, http: httpx.AsyncClient | None = None) -> None:
        self.system = system
        self.http = http or httpx.AsyncClient(
            transport=httpx.ASGITransport(app=crm_app(system)), base_url="http://crm.test"
        )
        self.token: str | None = None

    async def login(self) -> str:
        body = {"client_id": self.system.client_id, "client_secret": self.system.client_secret}
        reply = await self.http.post("/Account", json=body)
        self.token = reply.json()["data"]
        assert isinstance(self.token, str)
        return self.token

    async def call(self, method: str, path: str, body: Any = None, params: Any = None) -> httpx.Response:
        if self.token is None:
            await self.login()
        headers = {"Authorization": f"Bearer {self.token}", "Clientid": self.system.client_id}
        if body is None:
            return await self.http.request(method, path, params=params, headers=headers)
        return await self.http.request(method, path, json=body, params=params, headers=headers)

    async def list(self, **params: Any) -> Any:
        return (await self.call("GET", "/Tasks", params=params)).json()

    async def update(self, *rows: dict[str, Any]) -> Any:
        return (await self.call("PUT", "/Tasks", [{"form_layout": LAYOUT, **row} for row in rows])).json()

    async def change(self, id_: int, **fields: Any) -> Any:
        return (await self.update({"id": id_, **fields}))["results"][0]


class WorkClient:
    """Calls AMIS Công việc in process, or wherever `http` leads."""

    def __init__(self, system: WorkSystem, http: httpx.AsyncClient | None = None) -> None:
        self.system = system
        self.http = http or httpx.AsyncClient(
            transport=httpx.ASGITransport(app=work_app(system)), base_url="http://work.test"
        )

    def headers(self, transaction: str | None = None) -> dict[str, str]:
        transaction = transaction or str(uuid.uuid4())
        token = hmac.new(self.system.secret_key.encode(), transaction.encode(), hashlib.sha256).digest()
        return {
            "x-clientid": self.system.client_id,
            "x-transactionid": transaction,
            "x-token": base64.b64encode(token).decode(),
        }

    async def post(self, verb: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/{verb}", json=body, headers=self.headers())

    async def data(self, verb: str, **body: Any) -> Any:
        reply = (await self.post(verb, **body)).json()
        assert reply["Success"] is True, reply
        return reply["Data"]

    async def insert(self, **task: Any) -> Any:
        return (await self.data("insert-tasks", Tasks=[task]))["Results"][0]

    async def change(self, id_: int, **fields: Any) -> Any:
        return (await self.data("update-tasks", Tasks=[{"TaskID": id_, **fields}]))["Results"][0]
