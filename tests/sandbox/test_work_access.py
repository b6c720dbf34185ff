"""Work: POST only, the signature, transaction ids, the envelope."""

import uuid

from reconciler.sandbox.work import WorkSystem
from tests.sandbox.clients import WorkClient

PAGE = {"PageIndex": 1, "PageSize": 100}


async def test_the_envelope_is_complete(work_client: WorkClient) -> None:
    reply = (await work_client.post("get-tasks", **PAGE)).json()
    assert reply == {
        "Success": True,
        "Code": 200,
        "SubCode": 0,
        "UserMessage": None,
        "SystemMessage": None,
        "Data": {"Tasks": [], "Total": 0},
        "GetLastData": True,
    }


async def test_a_transaction_id_is_never_used_twice(work: WorkSystem, work_client: WorkClient) -> None:
    headers = work_client.headers()
    first = await work_client.http.post("/get-tasks", json=PAGE, headers=headers)
    second = await work_client.http.post("/get-tasks", json=PAGE, headers=headers)
    assert (first.status_code, second.status_code) == (200, 401)
    assert second.json()["ErrorCode"] == "DuplicateTransaction"
    assert len(work.violations) == 1


async def test_a_wrong_signature_is_refused(work: WorkSystem, work_client: WorkClient) -> None:
    good = work_client.headers()
    wrong: tuple[dict[str, str], ...] = (
        {**good, "x-transactionid": str(uuid.uuid4())},
        {**work_client.headers(), "x-clientid": "other"},
        {**work_client.headers(), "x-token": "ÿ"},
        work_client.headers("not-a-uuid"),
        {},
    )
    for headers in wrong:
        raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
        reply = await work_client.http.post("/get-tasks", json=PAGE, headers=raw)
        assert (reply.status_code, reply.json()["ErrorCode"]) == (401, "InvalidSignature")
    assert len(work.violations) == 2  # no UUID, no headers; a wrong key is only a wrong setting


async def test_post_only_and_unknown_verbs(work_client: WorkClient) -> None:
    reply = await work_client.http.get("/get-tasks", headers=work_client.headers())
    assert (reply.status_code, reply.json()["Success"]) == (405, False)
    reply = await work_client.post("get-everything")
    assert (reply.status_code, reply.json()["Success"]) == (404, False)


async def test_a_body_with_missing_or_unknown_keys_is_refused(work: WorkSystem, work_client: WorkClient) -> None:
    for verb, body in (
        ("get-tasks", {}),
        ("get-tasks", {**PAGE, "Status": 1}),
        ("get-tasks", {**PAGE, "PageIndex": 0}),
        ("get-tasks", {**PAGE, "PageIndex": True}),
        ("get-tasks", {**PAGE, "ModifiedFrom": "2026-03-02T00:00:00Z"}),
        ("get-tasks", {**PAGE, "ProjectIDs": ["12"]}),
        ("get-task-groups", {"ProjectID": "12"}),
        ("get-tasks-by-id", {"TaskIDs": list(range(101))}),
        ("insert-tasks", {"Tasks": [{}] * 21}),
        ("delete-tasks", {"TaskIDs": []}),
    ):
        assert (await work_client.post(verb, **body)).status_code == 400, (verb, body)
    assert len(work.violations) == 10


async def test_date_header(work: WorkSystem, work_client: WorkClient) -> None:
    assert (await work_client.post("get-projects", **PAGE)).headers["date"] == "Mon, 02 Mar 2026 02:00:00 GMT"
    work.date_header = False
    assert "date" not in (await work_client.post("get-projects", **PAGE)).headers
