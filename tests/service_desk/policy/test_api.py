"""The reply policy over HTTP: the shipped default, its definitions, and what they promise from then on."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Role
from kernel.storage.migrations import upgrade
from kernel.testing.fixtures import api, make_settings, running
from kernel.testing.servers import fresh_database
from service_desk.app import create, service

from tests.service_desk.examples import HUAXIA
from tests.service_desk.requests import POLICY, register, send
from tests.support.requests import code_of


@pytest.fixture
async def app(postgres_server: EmbeddedPostgres) -> AsyncIterator[FastAPI]:
    """A database for each test: there is one policy."""
    url = postgres_server.url(fresh_database(postgres_server))
    await upgrade(url, service.package, service.known_views, service.published_types)
    made = create(make_settings(url, role=Role.API))
    async with running(made):
        yield made


@pytest.fixture
async def admin(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with api(app) as client:
        yield client


def hours_promised(complaint: dict[str, Any]) -> float:
    promised = datetime.fromisoformat(complaint["reply_due_at"])
    return (promised - datetime.fromisoformat(complaint["opened_at"])) / timedelta(hours=1)


async def test_before_the_first_definition_the_shipped_default_holds(admin: httpx.AsyncClient) -> None:
    answer = await admin.get(POLICY)
    assert answer.json() == {"version": 0, "default_hours": 24, "hours": {}}
    assert answer.headers["ETag"] == '"v0"'


async def test_everyone_reads_it(app: FastAPI) -> None:
    for role in ("sales_rep", "sales_manager", "service_agent", "analyst", "service"):
        async with api(app, role) as client:
            assert (await client.get(POLICY)).status_code == 200
    async with api(app, "guest") as nobody:
        assert code_of(await nobody.get(POLICY)) == (403, "FORBIDDEN")


async def test_it_is_defined_on_the_version_that_was_read(admin: httpx.AsyncClient) -> None:
    first = await send(admin, "reply-policy.define", headers={"If-Match": '"v0"'})
    assert first.json() == {"version": 1, "default_hours": 24, "hours": {"urgent": 4}}
    assert first.headers["ETag"] == '"v1"'
    late = await send(admin, "reply-policy.define", headers={"If-Match": '"v0"'})
    assert (*code_of(late), late.json()["current_etag"]) == (412, "STALE", '"v1"')
    read = await admin.get(POLICY)
    assert (read.json(), read.headers["ETag"]) == (first.json(), '"v1"')
    assert (await admin.get(POLICY, headers={"If-None-Match": '"v1"'})).status_code == 304
    same = await send(admin, "reply-policy.define", headers={"If-Match": '"v1"'})
    assert same.json()["version"] == 1


async def test_a_definition_promises_from_then_on(admin: httpx.AsyncClient) -> None:
    before = await register(admin, priority="urgent")
    await send(admin, "reply-policy.define", body={"default_hours": 48, "hours": {"urgent": 4}})
    urgent, normal = await register(admin, priority="urgent"), await register(admin)
    assert [hours_promised(made) for made in (before, urgent, normal)] == [24, 4, 48]
    assert [made["policy_version"] for made in (before, urgent, normal)] == [0, 1, 1]
    kept = (await admin.get(f"/v1/complaints/{before['id']}")).json()
    assert kept["reply_due_at"] == before["reply_due_at"]


async def test_it_holds_for_what_follows_it_in_the_same_batch(admin: httpx.AsyncClient) -> None:
    complaint = {"customer_id": str(HUAXIA), "subject": "s", "description": "d", "channel": "phone"}
    items = [
        {
            "command": "reply-policy.define",
            "idempotency_key": "define-it",
            "if_match": '"v0"',
            "data": {"default_hours": 2, "hours": {}},
        },
        {"command": "complaints.register", "idempotency_key": "register-it", "data": complaint},
    ]
    answer = await admin.post("/v1/batch", json={"items": items})
    assert [result["status"] for result in answer.json()["items"]] == [200, 201]
    made = (await admin.get(f"/v1/complaints/{answer.json()['items'][1]['id']}")).json()
    assert hours_promised(made) == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"default_hours": 0, "hours": {}}, "#/default_hours"),
        ({"default_hours": 8785, "hours": {}}, "#/default_hours"),
        ({"default_hours": "24", "hours": {}}, "#/default_hours"),
        ({"default_hours": 24, "hours": {"urgent": 0}}, "#/hours/urgent"),
        ({"default_hours": 24, "hours": []}, "#/hours"),
        ({"default_hours": 24}, "#/hours"),
        ({"default_hours": 24, "hours": {f"p{n}": 1 for n in range(51)}}, "#/hours"),
    ],
)
async def test_hours_that_no_one_can_promise_are_refused(
    admin: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await send(admin, "reply-policy.define", body=body)
    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_priority_is_a_slug(admin: httpx.AsyncClient) -> None:
    body = {"default_hours": 24, "hours": {"Very Urgent": 1}}
    assert code_of(await send(admin, "reply-policy.define", body=body)) == (422, "VALIDATION_FAILED")


async def test_the_document_says_that_nothing_else_is_a_priority(app: FastAPI) -> None:
    hours = app.openapi()["components"]["schemas"]["Definition"]["properties"]["hours"]
    assert list(hours["patternProperties"]) == ["^[a-z0-9][a-z0-9_-]{0,62}$"]
    assert hours["additionalProperties"] is False
