"""`POST /v1/batch`: independent commands, each with its own answer, whatever becomes of its neighbours."""

import gc
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from kernel.domain.errors import Refused
from kernel.testing.fixtures import api

from tests.contacts.requests import register
from tests.support.requests import LONG_AGO, UNKNOWN, code_of


def item(command: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"command": command, "idempotency_key": f"item-{uuid4()}", "data": data, **more}


async def test_outcomes_are_mixed_and_in_order(admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    email, mine = f"{uuid4().hex}@huaxia.example", str(uuid4())
    items = [
        item("contacts.register", {"name": "Li Na", "email": email}, id=mine, client_ref="first"),
        item("contacts.register", {"name": "Twin", "email": email}),
        item("contacts.link", {"company_id": str(UNKNOWN)}, id=made["id"], occurred_at=LONG_AGO),
        item("contacts.link", {"company_id": None}, id=str(UNKNOWN)),
        item("contacts.correct", {"name": "Li"}, id=made["id"]),
        item("contacts.correct", {"name": "Li"}, id=made["id"], if_match='"v9"'),
        item("contacts.correct", {"nom": "Li"}, id=made["id"], if_match='"v2"'),
        item("contacts.link", {"company_id": None}),
        item("contacts.dance", {}),
        item("contacts.erase", {"reason": "requested"}, id=made["id"], occurred_at="2999-01-01T00:00:00Z"),
        item("contacts.register", {"name": "a\0b"}),
        item("companies.register", {"name": "Huaxia"}),
    ]
    answer = await admin.post("/v1/batch", json={"items": items})
    assert answer.status_code == 207
    results = answer.json()["items"]
    outcomes = [(result["status"], (result["problem"] or {}).get("code")) for result in results]
    assert outcomes == [
        (201, None),
        (409, "DUPLICATE"),
        (200, None),
        (404, "NOT_FOUND"),
        (428, "IF_MATCH_REQUIRED"),
        (412, "STALE"),
        (422, "VALIDATION_FAILED"),
        (422, "VALIDATION_FAILED"),
        (422, "VALIDATION_FAILED"),
        (422, "OCCURRED_IN_FUTURE"),
        (422, "VALIDATION_FAILED"),
        (201, None),
    ]
    assert (results[0]["client_ref"], results[0]["id"], results[0]["etag"]) == ("first", mine, '"v1"')
    assert results[2]["etag"] == '"v2"'
    assert answer.json()["summary"] == {"succeeded": 3, "failed": 9}


async def test_a_repeated_batch_does_nothing_twice(admin: httpx.AsyncClient) -> None:
    items = [item("contacts.register", {"name": "Li Na"}) for _ in range(3)]
    first = (await admin.post("/v1/batch", json={"items": items})).json()["items"]
    again = (await admin.post("/v1/batch", json={"items": items})).json()["items"]
    assert [result["id"] for result in first] == [result["id"] for result in again]
    assert [result["replayed"] for result in first + again] == [False] * 3 + [True] * 3


async def test_an_item_needs_the_same_permission_as_its_route(app: FastAPI, admin: httpx.AsyncClient) -> None:
    made = await register(admin, owner_id=str(uuid4()), owner_team="east")
    async with api(app, "sales_rep") as rep:
        items = [
            item("contacts.erase", {"reason": "requested"}, id=made["id"]),
            item("contacts.link", {"company_id": None}, id=made["id"]),
            item("contacts.register", {"name": "Li Na"}),
        ]
        results = (await rep.post("/v1/batch", json={"items": items})).json()["items"]
    assert [result["status"] for result in results] == [403, 404, 201]


async def test_a_batch_that_is_none_is_refused(admin: httpx.AsyncClient) -> None:
    bodies: list[dict[str, Any]] = [{}, {"items": []}, {"items": [{"command": "contacts.link"}]}, {"more": 1}]
    for body in bodies:
        assert code_of(await admin.post("/v1/batch", json=body)) == (422, "VALIDATION_FAILED")
    answer = await admin.post("/v1/batch", content=b"[", headers={"Content-Type": "application/json"})
    assert code_of(answer) == (400, "MALFORMED_JSON")


async def test_refusals_are_gone_once_they_are_told(admin: httpx.AsyncClient) -> None:
    """Alone and in batches: one that waited for the collector would keep its request and its batch in memory."""
    taken = {"name": "Li Na", "email": f"{uuid4().hex}@huaxia.example"}
    await register(admin, **taken)
    gc.collect()
    gc.disable()
    try:
        alone = await admin.post("/v1/contacts", json=taken, headers={"idempotency-key": str(uuid4())})
        items = [item("contacts.register", taken), item("contacts.dance", {})]
        together = await admin.post("/v1/batch", json={"items": items})
        assert (alone.status_code, together.json()["summary"]["failed"]) == (409, 2)
        # The committer has its last batch in hand until the next one.
        await register(admin)
        left = [found for found in gc.get_objects() if isinstance(found, Refused)]
    finally:
        gc.enable()
    assert left == []
