"""The directory of contacts: one row each, searched, filtered and paged under the caller's permission."""

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
    answer = await client.get("/v1/contacts", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_row_shows_what_the_record_says_after_every_step(admin: httpx.AsyncClient) -> None:
    email, company, owner = f"{uuid4().hex}@huaxia.example", str(uuid4()), str(uuid4())
    made = await register(admin, email=email, position="buyer", decision_role="user")
    await send(admin, "contacts.link", made["id"], {"company_id": company})
    body = {"name": "Li Na Wang", "email": email, "phone": "110", "position": "director"}
    await send(admin, "contacts.correct", made["id"], body)
    await send(admin, "contacts.set-owner", made["id"], {"owner_id": owner, "owner_team": "west"})
    (row,) = (await admin.get("/v1/contacts", params={"company_id": company})).json()["items"]
    record = (await admin.get(f"/v1/contacts/{made['id']}")).json()
    assert row.pop("etag") == '"v4"'
    assert row.pop("created_at") < row.pop("updated_at")
    assert row == {name: record[name] for name in row}
    assert (row["position"], row["decision_role"]) == ("director", None)


@pytest.mark.parametrize(
    "part", ["{word}", "{WORD}", "word-{word}", "{digits}", "555 {digits}", "{word}@HUAXIA"]
)
async def test_a_part_of_name_email_or_phone_finds_a_contact(admin: httpx.AsyncClient, part: str) -> None:
    word, digits = uuid4().hex, str(uuid4().int)[:12]
    made = await register(
        admin, name=f"Word-{word.upper()}", email=f"{word}@huaxia.example", phone=f"+86 555 {digits}"
    )
    await register(admin, name="Someone Else")
    said = part.format(word=word, WORD=word.upper(), digits=digits)
    assert await found(admin, q=said) == [made["id"]]


async def test_a_phone_is_found_by_its_bare_digits(admin: httpx.AsyncClient) -> None:
    digits = str(uuid4().int)[:10]
    made = await register(admin, phone=f"({digits[:3]}) {digits[3:6]}-{digits[6:]}")
    assert await found(admin, q=digits) == [made["id"]]


async def test_chinese_names_are_found_by_a_part(admin: httpx.AsyncClient) -> None:
    made = await register(admin, name="欧阳娜娜", owner_id=str(owner := uuid4()))
    assert await found(admin, q="阳娜", owner_id=owner) == [made["id"]]


async def test_a_search_takes_no_pattern(admin: httpx.AsyncClient) -> None:
    assert await found(admin, q="%_%") == []
    assert code_of(await admin.get("/v1/contacts", params={"q": "a\0b"})) == (422, "VALIDATION_FAILED")


async def test_a_correction_is_what_is_found_from_then_on(admin: httpx.AsyncClient) -> None:
    before, after = uuid4().hex, uuid4().hex
    made = await register(admin, name=before)
    await send(admin, "contacts.correct", made["id"], {"name": after})
    assert await found(admin, q=before) == []
    assert await found(admin, q=after) == [made["id"]]


async def test_filters_narrow_together(admin: httpx.AsyncClient) -> None:
    company, owner = str(uuid4()), str(uuid4())
    both = await register(admin, company_id=company, owner_id=owner)
    theirs = await register(admin, company_id=company)
    assert set(await found(admin, company_id=company)) == {both["id"], theirs["id"]}
    assert await found(admin, company_id=company, owner_id=owner) == [both["id"]]
    assert await found(admin, company_id=str(uuid4())) == []


@pytest.mark.parametrize("query", [{"colour": "red"}, {"sort": "name"}, {"owner_id": "x"}, {"limit": 0}])
async def test_what_is_no_filter_is_refused(admin: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await admin.get("/v1/contacts", params=query)
    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert answer.json()["errors"][0]["parameter"] == next(iter(query))


async def test_a_list_shows_own_and_unassigned_ones_only(app: FastAPI, admin: httpx.AsyncClient) -> None:
    company = str(uuid4())
    mine = await register(admin, company_id=company, owner_id=str(GRACE), owner_team="east")
    theirs = await register(admin, company_id=company, owner_id=str(LINUS), owner_team="north")
    free = await register(admin, company_id=company, owner_id=None, owner_team=None)
    async with api(app, "sales_rep", subject=GRACE) as grace:
        assert set(await found(grace, company_id=company)) == {mine["id"], free["id"]}
    async with api(app, "sales_manager", teams=["north"]) as north:
        assert set(await found(north, company_id=company)) == {theirs["id"], free["id"]}
    async with api(app, "service_agent") as agent:
        assert len(await found(agent, company_id=company)) == 3


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "updated_at", "-updated_at"])
async def test_pages_hold_everything_once_though_others_write(admin: httpx.AsyncClient, sort: str) -> None:
    company = str(uuid4())
    ids = [(await register(admin, company_id=company))["id"] for _ in range(7)]
    query: dict[str, Any] = {"company_id": company, "sort": sort, "limit": 3}
    pages = [(await admin.get("/v1/contacts", params=query)).json()]
    while pages[-1]["next_cursor"]:
        await register(admin, company_id=company, occurred_at="2020-01-01T00:00:00Z")
        cursor = pages[-1]["next_cursor"]
        pages.append((await admin.get("/v1/contacts", params={**query, "cursor": cursor})).json())
        if len(pages) > 6:
            break
    seen = [item["id"] for page in pages for item in page["items"]]
    assert len(seen) == len(set(seen))
    assert set(ids) <= set(seen)
    assert [i for i in seen if i in ids] == (ids if not sort.startswith("-") else ids[::-1])
    back = await admin.get("/v1/contacts", params={**query, "cursor": pages[1]["prev_cursor"]})
    assert set(ids) & {item["id"] for item in back.json()["items"]}


async def test_a_cursor_is_for_its_own_query_and_caller(app: FastAPI, admin: httpx.AsyncClient) -> None:
    company = str(uuid4())
    for _ in range(2):
        await register(admin, company_id=company)
    query: dict[str, Any] = {"company_id": company, "limit": 1}
    answer = await admin.get("/v1/contacts", params=query)
    cursor = answer.json()["next_cursor"]
    assert f"cursor={cursor}" in answer.headers["Link"]
    changed = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    for bad in (changed, "x", cursor[:-5], ""):
        refused = await admin.get("/v1/contacts", params={**query, "cursor": bad})
        assert code_of(refused) == (400, "CURSOR_INVALID"), bad
    for other in ({"company_id": str(uuid4())}, {"sort": "created_at"}, {"q": "li"}):
        refused = await admin.get("/v1/contacts", params={**query, **other, "cursor": cursor})
        assert code_of(refused) == (400, "CURSOR_MISMATCH")
    async with api(app, subject=GRACE) as other_admin:
        refused = await other_admin.get("/v1/contacts", params={**query, "cursor": cursor})
        assert code_of(refused) == (400, "CURSOR_MISMATCH")
