"""Contacts over HTTP: what is answered, what is refused, and who sees whom."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from kernel.testing.fixtures import ADMIN, api

from tests.contacts.examples import GRACE, HUAXIA, LINUS
from tests.contacts.requests import register, send
from tests.support.requests import LONG_AGO, UNKNOWN, code_of

LI_NA = {
    "name": "Li Na",
    "phone": "+86 21 5550 1234",
    "address": "88 Century Avenue,\nShanghai",
    "note": "Prefers mornings.",
    "position": "head of purchasing",
    "decision_role": "decider",
    "preferred_channel": "phone",
    "source": "referral",
}


def address() -> str:
    return f"{uuid4().hex}@huaxia.example"


async def test_a_registered_contact_is_answered_and_read_alike(admin: httpx.AsyncClient) -> None:
    email = address()
    made = await register(
        admin, **LI_NA, email=email, company_id=str(HUAXIA), owner_id=str(GRACE), owner_team="east"
    )
    owned = {"company_id": str(HUAXIA), "owner_id": str(GRACE), "owner_team": "east"}
    assert made == {**LI_NA, **owned, "id": made["id"], "version": 1, "erased": False, "email": email}
    read = await admin.get(f"/v1/contacts/{made['id']}")
    assert read.json() == made
    assert read.headers["ETag"] == '"v1"'


async def test_a_client_may_bring_the_id_and_register_it_once(admin: httpx.AsyncClient) -> None:
    mine = str(uuid4())
    assert (await register(admin, id=mine))["id"] == mine
    again = await send(admin, "contacts.register", body={"id": mine, "name": "Li Na"})
    assert code_of(again) == (409, "CONTACT_EXISTS")
    new_only = {"If-None-Match": "*"}
    answer = await send(admin, "contacts.register", body={"id": mine, "name": "Li Na"}, headers=new_only)
    assert code_of(answer) == (412, "STALE")


async def test_a_correction_replaces_the_whole_profile(admin: httpx.AsyncClient) -> None:
    made = await register(admin, **LI_NA, email=address())
    answer = await send(admin, "contacts.correct", made["id"], {"name": "Li Na", "phone": "110"})
    corrected = answer.json()
    assert (corrected["phone"], corrected["note"], corrected["email"]) == ("110", None, None)
    assert answer.headers["ETag"] == '"v2"'
    same = await send(admin, "contacts.correct", made["id"], {"name": "Li Na", "phone": "110"})
    assert same.headers["ETag"] == '"v2"'


async def test_two_contacts_cannot_share_an_email_however_it_is_written(admin: httpx.AsyncClient) -> None:
    email = address()
    first = await register(admin, email=email)
    taken = await send(admin, "contacts.register", body={"name": "Other", "email": email.upper()})
    assert code_of(taken) == (409, "DUPLICATE")
    assert taken.json()["field"] == "email"
    assert email not in taken.text.lower()
    other = await register(admin)
    answer = await send(admin, "contacts.correct", other["id"], {"name": "Other", "email": email})
    assert code_of(answer) == (409, "DUPLICATE")
    await send(admin, "contacts.correct", first["id"], {"name": "Li Na"})
    answer = await send(admin, "contacts.correct", other["id"], {"name": "Other", "email": email})
    assert answer.status_code == 200


async def test_a_contact_is_linked_and_taken_out_again(admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    linked = await send(admin, "contacts.link", made["id"], {"company_id": str(HUAXIA)})
    assert linked.json()["company_id"] == str(HUAXIA)
    left = await send(admin, "contacts.link", made["id"], {"company_id": None})
    assert (left.json()["company_id"], left.headers["ETag"]) == (None, '"v3"')
    assert code_of(await send(admin, "contacts.link", made["id"], {}))[0] == 422


async def test_an_owner_is_set_and_taken_away(admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    body = {"owner_id": str(LINUS), "owner_team": "north"}
    given = await send(admin, "contacts.set-owner", made["id"], body, {"If-Match": '"v1"'})
    assert (given.json()["owner_id"], given.json()["owner_team"]) == (str(LINUS), "north")
    late = await send(admin, "contacts.set-owner", made["id"], body, {"If-Match": '"v1"'})
    assert code_of(late) == (412, "STALE")
    freed = await send(admin, "contacts.set-owner", made["id"], {"owner_id": None, "owner_team": None})
    assert freed.json()["owner_id"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("name", "two\nlines"),
        ("email", "nobody"),
        ("email", "a b@c.example"),
        ("email", "x" * 250 + "@c.example"),
        ("phone", "1" * 51),
        ("address", "x" * 1001),
        ("note", "x" * 20_001),
        ("source", "Not A Slug"),
        ("company_id", "no-uuid"),
        ("occurred_at", "2024-02-29T09:30:00"),
    ],
)
async def test_what_is_out_of_bounds_is_named_and_not_repeated(
    admin: httpx.AsyncClient, field: str, value: str
) -> None:
    answer = await send(admin, "contacts.register", body={"name": "Li Na", field: value})
    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"#/{field}"]
    assert len(value) < 10 or value not in answer.text


async def test_an_unchanged_record_is_not_sent_again(admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    known = {"If-None-Match": '"v1"'}
    assert (await admin.get(f"/v1/contacts/{made['id']}", headers=known)).status_code == 304
    await send(admin, "contacts.link", made["id"])
    assert (await admin.get(f"/v1/contacts/{made['id']}", headers=known)).status_code == 200


async def test_a_timeline_tells_what_when_and_by_whom(admin: httpx.AsyncClient) -> None:
    made = await register(admin, occurred_at=LONG_AGO)
    await send(admin, "contacts.link", made["id"], {"company_id": str(HUAXIA)})
    items = (await admin.get(f"/v1/contacts/{made['id']}/timeline")).json()["items"]
    assert [(item["version"], item["type"]) for item in items] == [
        (1, "ContactRegistered"),
        (2, "ContactLinked"),
    ]
    assert items[0]["data"]["name"] == "Li Na"
    assert items[0]["occurred_at"] < items[0]["recorded_at"]
    assert items[0]["actor"] == str(ADMIN)


async def test_reading_follows_the_owner(app: FastAPI, admin: httpx.AsyncClient) -> None:
    made = await register(admin, owner_id=str(GRACE), owner_team="east")
    free = await register(admin, owner_id=None, owner_team=None)
    readers: list[tuple[tuple[str, ...], dict[str, Any], bool]] = [
        (("sales_rep",), {"subject": GRACE}, True),
        (("sales_rep",), {"subject": LINUS}, False),
        (("sales_manager",), {"teams": ["east"]}, True),
        (("sales_manager",), {"teams": ["north"]}, False),
        (("service_agent",), {}, True),
        (("service",), {}, True),
    ]
    for roles, who, sees in readers:
        async with api(app, *roles, **who) as client:
            for path in ("", "/timeline"):
                answer = await client.get(f"/v1/contacts/{made['id']}{path}")
                assert answer.status_code == (200 if sees else 404), (roles, who)
                assert (await client.get(f"/v1/contacts/{free['id']}{path}")).status_code == 200


async def test_an_analyst_reads_no_personal_record(app: FastAPI, admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    async with api(app, "analyst") as analyst:
        for path in ("", f"/{made['id']}", f"/{made['id']}/timeline"):
            assert code_of(await analyst.get(f"/v1/contacts{path}")) == (403, "FORBIDDEN")


async def test_an_id_of_another_kind_is_no_contact(admin: httpx.AsyncClient) -> None:
    company = await register(admin, "company")
    for wrong in (company["id"], UNKNOWN):
        assert code_of(await admin.get(f"/v1/contacts/{wrong}")) == (404, "NOT_FOUND")
        assert code_of(await admin.get(f"/v1/contacts/{wrong}/timeline")) == (404, "NOT_FOUND")
        assert code_of(await send(admin, "contacts.link", wrong)) == (404, "NOT_FOUND")
    assert (await admin.get("/v1/contacts/not-an-id")).status_code == 422
