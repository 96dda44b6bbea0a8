"""The directory of companies: one row each, searched, filtered and paged under the caller's permission."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from kernel.testing.fixtures import api

from tests.contacts.examples import GRACE, LINUS
from tests.contacts.requests import register, send
from tests.support.requests import code_of


async def found(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/v1/companies", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_row_shows_what_the_record_says_after_every_step(admin: httpx.AsyncClient) -> None:
    owner = str(uuid4())
    made = await register(admin, "company", industry="machinery", country="CN", employees=240)
    await send(admin, "companies.correct", made["id"], {"name": "Huaxia Precision", "employees": 310})
    await send(admin, "companies.set-owner", made["id"], {"owner_id": owner, "owner_team": "west"})
    (row,) = (await admin.get("/v1/companies", params={"owner_id": owner})).json()["items"]
    record = (await admin.get(f"/v1/companies/{made['id']}")).json()
    assert row.pop("etag") == '"v3"'
    assert row.pop("created_at") < row.pop("updated_at")
    assert row == {name: record[name] for name in row}


async def test_a_part_of_the_name_finds_a_company(admin: httpx.AsyncClient) -> None:
    word = uuid4().hex
    made = await register(admin, "company", name=f"华夏 {word.upper()} 轴承")
    assert await found(admin, q=word) == await found(admin, q=f"夏 {word}") == [made["id"]]
    assert await found(admin, q="%") == []
    assert code_of(await admin.get("/v1/companies", params={"q": "a\0b"})) == (422, "VALIDATION_FAILED")


async def test_filters_narrow_together(admin: httpx.AsyncClient) -> None:
    industry = f"i{uuid4().hex}"
    chinese = await register(admin, "company", industry=industry, country="CN")
    german = await register(admin, "company", industry=industry, country="DE")
    assert set(await found(admin, industry=industry)) == {chinese["id"], german["id"]}
    assert await found(admin, industry=industry, country="DE") == [german["id"]]


async def test_a_list_shows_own_and_unassigned_ones_only(app: FastAPI, admin: httpx.AsyncClient) -> None:
    industry = f"i{uuid4().hex}"
    mine = await register(admin, "company", industry=industry, owner_id=str(GRACE), owner_team="east")
    await register(admin, "company", industry=industry, owner_id=str(LINUS), owner_team="north")
    free = await register(admin, "company", industry=industry, owner_id=None, owner_team=None)
    async with api(app, "sales_rep", subject=GRACE) as grace:
        assert set(await found(grace, industry=industry)) == {mine["id"], free["id"]}
    async with api(app, "sales_manager", teams=["east"]) as east:
        assert set(await found(east, industry=industry)) == {mine["id"], free["id"]}
    async with api(app, "analyst") as analyst:
        assert code_of(await analyst.get("/v1/companies")) == (403, "FORBIDDEN")


@pytest.mark.parametrize("sort", ["name", "-name", "created_at", "-updated_at"])
async def test_pages_hold_everything_once(admin: httpx.AsyncClient, sort: str) -> None:
    industry = f"i{uuid4().hex}"
    ids = [(await register(admin, "company", name=n, industry=industry))["id"] for n in "abbbc"]
    query: dict[str, Any] = {"industry": industry, "sort": sort, "limit": 2}
    seen: list[str] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        page = await admin.get("/v1/companies", params={**query, **({"cursor": cursor} if cursor else {})})
        seen += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert sorted(seen) == sorted(ids)
    assert seen[0] == (ids[-1] if sort.startswith("-") else ids[0])


async def test_an_altered_cursor_is_refused(admin: httpx.AsyncClient) -> None:
    industry = f"i{uuid4().hex}"
    for _ in range(2):
        await register(admin, "company", industry=industry)
    query: dict[str, Any] = {"industry": industry, "limit": 1}
    cursor = (await admin.get("/v1/companies", params=query)).json()["next_cursor"]
    altered = await admin.get("/v1/companies", params={**query, "cursor": cursor[:-2] + "AA"})
    assert code_of(altered) == (400, "CURSOR_INVALID")
    foreign = await admin.get("/v1/contacts", params={"limit": 1, "cursor": cursor})
    assert code_of(foreign) == (400, "CURSOR_MISMATCH")
