"""`POST /v1/batch`: independent commands, each with its own answer, whatever becomes of its neighbours."""

from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from kernel.testing.fixtures import api

from tests.service_desk.requests import EXAMPLES, register
from tests.support.requests import UNKNOWN


def item(command: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"command": command, "idempotency_key": f"item-{uuid4()}", "data": data, **more}


async def test_outcomes_are_mixed_and_in_order(admin: httpx.AsyncClient) -> None:
    made, mine = (await register(admin))["id"], str(uuid4())
    items = [
        item("complaints.register", EXAMPLES["complaints.register"], id=mine, client_ref="first"),
        item("complaints.close", {}, id=made),
        item("complaints.resolve", {"solution": "Replaced."}, id=made),
        item("complaints.confirm", {}, id=made, occurred_at="2024-03-01T09:00:00Z"),
        item("complaints.confirm", {}, id=str(UNKNOWN)),
        item("complaints.assign", {"owner_id": None, "owner_team": None}, id=made),
        item("complaints.assign", {"owner_id": None, "owner_team": None}, id=made, if_match='"v9"'),
        item("complaints.close", {}),
        item("complaints.close", {"why": "done"}, id=made),
        item("complaints.reopen", {"reason": "a\0b"}, id=made),
        item("complaints.reopen", {}, id=made, occurred_at="2999-01-01T00:00:00Z"),
        item("reply-policy.define", {"default_hours": 24, "hours": {}}),
        item("reply-policy.define", {"default_hours": 12, "hours": {}}, if_match="*"),
    ]
    answer = await admin.post("/v1/batch", json={"items": items})
    assert answer.status_code == 207
    results = answer.json()["items"]
    outcomes = [(result["status"], (result["problem"] or {}).get("code")) for result in results]
    assert outcomes == [
        (201, None),
        (409, "COMPLAINT_NOT_RESOLVED"),
        (200, None),
        (200, None),
        (404, "NOT_FOUND"),
        (428, "IF_MATCH_REQUIRED"),
        (412, "STALE"),
        (422, "VALIDATION_FAILED"),
        (422, "VALIDATION_FAILED"),
        (422, "VALIDATION_FAILED"),
        (422, "OCCURRED_IN_FUTURE"),
        (428, "IF_MATCH_REQUIRED"),
        (200, None),
    ]
    assert (results[0]["client_ref"], results[0]["id"], results[3]["etag"]) == ("first", mine, '"v3"')
    assert answer.json()["summary"] == {"succeeded": 4, "failed": 9}


async def test_an_item_needs_the_same_permission_as_its_route(app: FastAPI, admin: httpx.AsyncClient) -> None:
    made = (await register(admin))["id"]
    async with api(app, "sales_rep") as rep:
        items = [
            item("complaints.resolve", {}, id=made),
            item("complaints.register", EXAMPLES["complaints.register"]),
        ]
        results = (await rep.post("/v1/batch", json={"items": items})).json()["items"]
    assert [result["status"] for result in results] == [403, 201]
