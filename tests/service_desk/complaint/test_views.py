"""The queue: open complaints by due time, filtered and paged under the caller's permission."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from kernel.testing.fixtures import api

from tests.service_desk.examples import ADA, LINUS
from tests.service_desk.requests import register, send, step
from tests.support.requests import LONG_AGO, code_of


async def found(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/v1/complaints", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_row_shows_what_the_record_says_after_every_step(admin: httpx.AsyncClient) -> None:
    customer = str(uuid4())
    made = await register(admin, customer_id=customer, person_id=str(uuid4()), category="product")
    steps = ["escalate", "send-first-reply", "resolve", "confirm", "close", "reopen"]
    await send(admin, "complaints.assign", made["id"])
    for number, name in enumerate(["assign", *steps], 2):
        if name != "assign":
            await step(admin, made["id"], name)
        query = {"customer_id": customer, "status": "any"}
        (row,) = (await admin.get("/v1/complaints", params=query)).json()["items"]
        record = (await admin.get(f"/v1/complaints/{made['id']}")).json()
        assert row.pop("etag") == f'"v{number}"'
        assert row.pop("created_at") == record["opened_at"]
        assert row.pop("updated_at")
        assert row.pop("escalated") == (record["escalated_at"] is not None)
        assert row.pop("replied") == (record["replied_at"] is not None)
        assert row == {field: record[field] for field in row}, name


async def test_the_queue_is_what_is_open_by_due_time(admin: httpx.AsyncClient) -> None:
    customer = str(uuid4())
    days = ["2024-03-03", "2024-03-01", "2024-03-02", "2024-03-04"]
    ids = {
        day: (await register(admin, customer_id=customer, occurred_at=f"{day}T09:00:00Z"))["id"]
        for day in days
    }
    await step(admin, ids["2024-03-04"], "resolve")
    assert await found(admin, customer_id=customer) == [ids[day] for day in sorted(days)[:3]]
    assert await found(admin, customer_id=customer, status="resolved") == [ids["2024-03-04"]]
    assert await found(admin, customer_id=customer, status="any", sort="-reply_due_at") == [
        ids[day] for day in sorted(days, reverse=True)
    ]


async def test_filters_narrow_together(admin: httpx.AsyncClient) -> None:
    customer, owner = str(uuid4()), str(uuid4())
    urgent = await register(admin, customer_id=customer, priority="urgent", owner_id=owner)
    normal = await register(admin, customer_id=customer, owner_id=owner)
    other = await register(admin, customer_id=customer, priority="urgent")
    assert set(await found(admin, owner_id=owner)) == {urgent["id"], normal["id"]}
    assert set(await found(admin, customer_id=customer, priority="urgent")) == {urgent["id"], other["id"]}
    assert await found(admin, owner_id=owner, priority="urgent") == [urgent["id"]]
    assert await found(admin, owner_id=owner, overdue="true") == []
    assert len(await found(admin, owner_id=owner, overdue="false")) == 2


@pytest.mark.parametrize("end", ["send-first-reply", "resolve"])
async def test_what_was_late_and_is_settled_is_not_overdue(admin: httpx.AsyncClient, end: str) -> None:
    customer = str(uuid4())
    made = await register(admin, customer_id=customer, occurred_at=LONG_AGO)
    late = await step(admin, made["id"], end)
    assert (late["reply_missed"], late["overdue"]) == (True, False)
    assert await found(admin, customer_id=customer, status="any", overdue="true") == []


@pytest.mark.parametrize("query", [{"status": "lost"}, {"sort": "subject"}, {"q": "x"}, {"priority": "Ünig"}])
async def test_what_is_no_filter_is_refused(admin: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await admin.get("/v1/complaints", params=query)
    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert answer.json()["errors"][0]["parameter"] == next(iter(query))


async def test_sales_see_their_own_and_unassigned_ones(app: FastAPI, admin: httpx.AsyncClient) -> None:
    customer = str(uuid4())
    mine = await register(admin, customer_id=customer, owner_id=str(ADA), owner_team="east")
    theirs = await register(admin, customer_id=customer, owner_id=str(LINUS), owner_team="north")
    free = await register(admin, customer_id=customer, owner_id=None, owner_team=None)
    async with api(app, "sales_rep", subject=ADA) as ada:
        assert set(await found(ada, customer_id=customer)) == {mine["id"], free["id"]}
    async with api(app, "sales_manager", teams=["north"]) as north:
        assert set(await found(north, customer_id=customer)) == {theirs["id"], free["id"]}
    async with api(app, "service_agent") as agent:
        assert len(await found(agent, customer_id=customer)) == 3
    async with api(app, "analyst") as analyst:
        assert code_of(await analyst.get("/v1/complaints")) == (403, "FORBIDDEN")


@pytest.mark.parametrize("sort", ["reply_due_at", "-reply_due_at", "created_at", "-updated_at"])
async def test_pages_hold_everything_once_though_others_leave(admin: httpx.AsyncClient, sort: str) -> None:
    customer = str(uuid4())
    ids = [
        (await register(admin, customer_id=customer, occurred_at="2024-03-01T09:00:00Z"))["id"]
        for _ in range(6)
    ]
    query: dict[str, Any] = {"customer_id": customer, "sort": sort, "limit": 2}
    first = (await admin.get("/v1/complaints", params=query)).json()
    await step(admin, first["items"][0]["id"], "resolve")
    pages = [first]
    while cursor := pages[-1]["next_cursor"]:
        pages.append((await admin.get("/v1/complaints", params={**query, "cursor": cursor})).json())
    seen = [item["id"] for page in pages for item in page["items"]]
    assert sorted(seen) == sorted(ids)
    back = await admin.get("/v1/complaints", params={**query, "cursor": pages[1]["prev_cursor"]})
    assert [item["id"] for item in back.json()["items"]] == [first["items"][1]["id"]]


async def test_a_cursor_is_for_its_own_query(admin: httpx.AsyncClient) -> None:
    customer = str(uuid4())
    for _ in range(2):
        await register(admin, customer_id=customer)
    query: dict[str, Any] = {"customer_id": customer, "limit": 1}
    cursor = (await admin.get("/v1/complaints", params=query)).json()["next_cursor"]
    altered = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    refused = await admin.get("/v1/complaints", params={**query, "cursor": altered})
    assert code_of(refused) == (400, "CURSOR_INVALID")
    refused = await admin.get("/v1/complaints", params={**query, "status": "any", "cursor": cursor})
    assert code_of(refused) == (400, "CURSOR_MISMATCH")
