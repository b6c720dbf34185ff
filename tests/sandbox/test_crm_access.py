"""CRM: tokens, headers, disconnection, unknown paths."""

import base64
import json
from datetime import timedelta

from reconciler.sandbox.crm import CrmSystem
from tests.sandbox.clients import Clock, CrmClient


async def test_the_token_is_the_data_itself_and_a_jwt_with_exp_in_24_hours(clock: Clock, crm_client: CrmClient) -> None:
    token = await crm_client.login()
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert claims["exp"] == int(clock.time.timestamp()) + 86_400
    assert await crm_client.login() != token


async def test_a_wrong_secret_gets_no_token(crm: CrmSystem, crm_client: CrmClient) -> None:
    reply = await crm_client.http.post("/Account", json={"client_id": crm.client_id, "client_secret": "x"})
    assert reply.status_code == 401
    assert reply.json()["ErrorCode"] == "InvalidClient"


async def test_every_call_needs_the_token_and_the_client_id(crm: CrmSystem, crm_client: CrmClient) -> None:
    token = await crm_client.login()
    for headers in ({}, {"Authorization": f"Bearer {token}"}, {"Clientid": crm.client_id}):
        assert (await crm_client.http.get("/Tasks", headers=headers)).status_code == 401
    assert len(crm.violations) == 3


async def test_a_token_expires_by_the_clock_and_on_order(clock: Clock, crm: CrmSystem, crm_client: CrmClient) -> None:
    await crm_client.login()
    clock.advance(86_399 - 1)
    assert (await crm_client.call("GET", "/Tasks")).status_code == 200
    clock.advance(2)
    assert (await crm_client.call("GET", "/Tasks")).json()["ErrorCode"] == "ExpiredToken"
    await crm_client.login()
    crm.expire_tokens()
    assert (await crm_client.call("GET", "/Tasks")).json()["ErrorCode"] == "ExpiredToken"
    crm_client.token = "abc"
    assert (await crm_client.call("GET", "/Tasks")).json()["ErrorCode"] == "InvalidToken"
    assert crm.violations == []


async def test_a_cut_connection_says_so_on_every_call(crm: CrmSystem, crm_client: CrmClient) -> None:
    await crm_client.login()
    crm.disconnect()
    assert (await crm_client.call("GET", "/Tasks")).json()["ErrorCode"] == "AppIDDisconnect"
    reply = await crm_client.http.post("/Account", json={"client_id": "a", "client_secret": "b"})
    assert reply.json()["ErrorCode"] == "AppIDDisconnect"
    crm.reconnect()
    assert (await crm_client.call("GET", "/Tasks")).status_code == 200


async def test_unknown_paths_and_methods_are_errors_with_a_body(crm: CrmSystem, crm_client: CrmClient) -> None:
    for method, path, status in (("GET", "/Deals", 404), ("GET", "/tasks", 404), ("PATCH", "/Tasks", 405)):
        reply = await crm_client.call(method, path)
        assert (reply.status_code, set(reply.json())) == (status, {"ErrorCode", "DevMsg", "UserMsg", "TraceId"})
    assert len(crm.violations) == 3


async def test_the_date_header_is_the_servers_clock(clock: Clock, crm: CrmSystem, crm_client: CrmClient) -> None:
    crm.offset += clock.time - clock.time.replace(minute=10)  # ten minutes behind
    assert (await crm_client.call("GET", "/Tasks")).headers["date"] == "Mon, 02 Mar 2026 01:50:00 GMT"
    crm.date_header = False
    assert "date" not in (await crm_client.call("GET", "/Tasks")).headers


async def test_a_tenant_may_give_shorter_tokens(clock: Clock, crm: CrmSystem, crm_client: CrmClient) -> None:
    crm.token_lifetime = timedelta(minutes=10)
    await crm_client.login()
    clock.advance(599)
    assert (await crm_client.call("GET", "/Tasks")).status_code == 200
    clock.advance(1)
    assert (await crm_client.call("GET", "/Tasks")).json()["ErrorCode"] == "ExpiredToken"
