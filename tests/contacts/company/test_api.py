"""Companies over HTTP: what is answered, what is refused, and who sees which."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from kernel.testing.fixtures import api

from tests.contacts.examples import GRACE, LINUS
from tests.contacts.requests import register, send
from tests.support.requests import UNKNOWN, code_of

PROFILE = {
    "name": "Huaxia Bearings 华夏轴承",
    "industry": "machinery",
    "country": "CN",
    "employees": 240,
    "annual_revenue": {"amount": "85000000.00", "currency": "CNY"},
    "founded": 1998,
    "source": "trade_fair",
}


async def test_a_registered_company_is_answered_and_read_alike(admin: httpx.AsyncClient) -> None:
    said = {
        "registration_number": uuid4().hex,
        "external_ref": uuid4().hex,
        "parent_company_id": str(uuid4()),
    }
    made = await register(admin, "company", **PROFILE, **said, owner_id=str(GRACE), owner_team="east")
    owned = {"owner_id": str(GRACE), "owner_team": "east"}
    assert made == {**PROFILE, **said, **owned, "id": made["id"], "version": 1}
    read = await admin.get(f"/v1/companies/{made['id']}")
    assert (read.json(), read.headers["ETag"]) == (made, '"v1"')
    known = await admin.get(f"/v1/companies/{made['id']}", headers={"If-None-Match": '"v1"'})
    assert known.status_code == 304


async def test_a_company_is_registered_once(admin: httpx.AsyncClient) -> None:
    made = await register(admin, "company")
    again = await send(admin, "companies.register", body={"id": made["id"], "name": "Huaxia"})
    assert code_of(again) == (409, "COMPANY_EXISTS")


@pytest.mark.parametrize("field", ["registration_number", "external_ref"])
async def test_what_names_a_company_names_no_other(admin: httpx.AsyncClient, field: str) -> None:
    value = uuid4().hex
    first = await register(admin, "company", **{field: value})
    taken = await send(admin, "companies.register", body={"name": "Other", field: value})
    assert code_of(taken) == (409, "DUPLICATE")
    assert taken.json()["field"] == field
    await send(admin, "companies.correct", first["id"], {"name": "Huaxia"})
    await register(admin, "company", **{field: value})


async def test_a_correction_replaces_the_whole_profile(admin: httpx.AsyncClient) -> None:
    made = await register(admin, "company", **PROFILE)
    answer = await send(admin, "companies.correct", made["id"], {"name": "Huaxia"}, {"If-Match": '"v1"'})
    corrected = answer.json()
    assert (corrected["name"], corrected["industry"], corrected["annual_revenue"]) == ("Huaxia", None, None)
    items = (await admin.get(f"/v1/companies/{made['id']}/timeline")).json()["items"]
    assert [item["type"] for item in items] == ["CompanyRegistered", "CompanyCorrected"]
    assert items[1]["data"]["previous_industry"] == "machinery"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("employees", -1),
        ("employees", 2**31),
        ("founded", 0),
        ("annual_revenue", {"amount": "1.005", "currency": "CNY"}),
        ("annual_revenue", {"amount": 12.5, "currency": "CNY"}),
        ("industry", "Heavy Machinery"),
        ("parent_company_id", 7),
    ],
)
async def test_what_is_out_of_bounds_is_named(admin: httpx.AsyncClient, field: str, value: Any) -> None:
    answer = await send(admin, "companies.register", body={"name": "Huaxia", field: value})
    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert all(error["pointer"].startswith(f"#/{field}") for error in answer.json()["errors"])


async def test_reading_follows_the_owner(app: FastAPI, admin: httpx.AsyncClient) -> None:
    made = await register(admin, "company", owner_id=str(GRACE), owner_team="east")
    readers: list[tuple[str, dict[str, Any], int]] = [
        ("sales_rep", {"subject": GRACE}, 200),
        ("sales_rep", {"subject": LINUS}, 404),
        ("sales_manager", {"teams": ["east"]}, 200),
        ("sales_manager", {"teams": ["north"]}, 404),
        ("service_agent", {}, 200),
        ("analyst", {}, 403),
    ]
    for role, who, status in readers:
        async with api(app, role, **who) as client:
            for path in ("", "/timeline"):
                answer = await client.get(f"/v1/companies/{made['id']}{path}")
                assert answer.status_code == status, (role, who)


async def test_an_id_of_another_kind_is_no_company(admin: httpx.AsyncClient) -> None:
    contact = await register(admin)
    for wrong in (contact["id"], UNKNOWN):
        assert code_of(await admin.get(f"/v1/companies/{wrong}")) == (404, "NOT_FOUND")
        assert code_of(await send(admin, "companies.set-owner", wrong)) == (404, "NOT_FOUND")
