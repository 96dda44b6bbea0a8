"""Complaints over HTTP: what is answered, what is refused, and who sees which."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from kernel.testing.fixtures import api

from tests.service_desk.examples import ADA, HUAXIA, LI_NA, LINUS
from tests.service_desk.requests import register, send, step
from tests.support.requests import LONG_AGO, UNKNOWN, code_of

SAID = {
    "customer_id": str(HUAXIA),
    "person_id": str(LI_NA),
    "subject": "Broken bearing",
    "description": "Three of forty\narrived cracked.",
    "channel": "phone",
    "category": "product",
    "priority": "low",
    "owner_id": str(ADA),
    "owner_team": "desk",
}
EMPTY = "replied_at reply resolved_at solution confirmed_at reopened_at reopening_reason closed_at".split()


def at(said: str) -> datetime:
    return datetime.fromisoformat(said)


async def test_a_registered_complaint_is_answered_and_read_alike(admin: httpx.AsyncClient) -> None:
    made = await register(admin, **SAID)
    assert {name: made[name] for name in SAID} == SAID
    assert {name: made[name] for name in EMPTY} == dict.fromkeys(EMPTY)
    assert (made["status"], made["episode"], made["version"]) == ("open", 1, 1)
    assert (made["reply_missed"], made["overdue"], made["policy_version"]) == (False, False, 0)
    assert at(made["reply_due_at"]) - at(made["opened_at"]) == timedelta(hours=24)
    read = await admin.get(f"/v1/complaints/{made['id']}")
    assert (read.json(), read.headers["ETag"]) == (made, '"v1"')
    known = await admin.get(f"/v1/complaints/{made['id']}", headers={"If-None-Match": '"v1"'})
    assert known.status_code == 304


async def test_the_one_who_complains_may_be_unnamed(admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    assert (made["person_id"], made["subject"], made["priority"]) == (None, "Broken bearing", "normal")


async def test_a_complaint_is_registered_once(admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    again = await send(admin, "complaints.register", body={**SAID, "id": made["id"]})
    assert code_of(again) == (409, "COMPLAINT_EXISTS")


async def test_a_complaint_goes_its_way(admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    assigned = await send(
        admin,
        "complaints.assign",
        made["id"],
        {"owner_id": str(LINUS), "owner_team": "field"},
        {"If-Match": '"v1"'},
    )
    assert (assigned.json()["owner_id"], assigned.headers["ETag"]) == (str(LINUS), '"v2"')
    replied = await step(admin, made["id"], "send-first-reply")
    assert replied["reply"] == "We are sorry and are looking into it."
    assert replied["replied_at"]
    resolved = await step(admin, made["id"], "resolve")
    assert (resolved["status"], resolved["solution"]) == ("resolved", "Replaced free of charge.")
    confirmed = await step(admin, made["id"], "confirm")
    assert (confirmed["status"], confirmed["resolved_at"]) == ("confirmed", resolved["resolved_at"])
    closed = await step(admin, made["id"], "close")
    assert closed["status"] == "closed"
    assert closed["closed_at"]
    reopened = await step(admin, made["id"], "reopen")
    assert (reopened["status"], reopened["episode"]) == ("open", 2)
    assert (reopened["solution"], reopened["closed_at"], reopened["confirmed_at"]) == (None, None, None)
    assert (reopened["reopening_reason"], reopened["reply"]) == (
        "The new ones cracked too.",
        replied["reply"],
    )
    items = (await admin.get(f"/v1/complaints/{made['id']}/timeline")).json()["items"]
    assert [item["type"] for item in items] == [
        "ComplaintRegistered",
        "ComplaintAssigned",
        "FirstReplySent",
        "ComplaintResolved",
        "ResolutionConfirmed",
        "ComplaintClosed",
        "ComplaintReopened",
    ]
    assert items[3]["data"]["solution"] == "Replaced free of charge."


@pytest.mark.parametrize(
    ("before", "then", "code"),
    [
        ((), "confirm", "COMPLAINT_NOT_RESOLVED"),
        ((), "close", "COMPLAINT_NOT_RESOLVED"),
        (("resolve",), "assign", "COMPLAINT_NOT_OPEN"),
        (("resolve",), "send-first-reply", "COMPLAINT_NOT_OPEN"),
        (("resolve", "close"), "resolve", "COMPLAINT_NOT_OPEN"),
        (("resolve", "close"), "confirm", "COMPLAINT_CLOSED"),
    ],
)
async def test_what_cannot_happen_now_is_a_conflict(
    admin: httpx.AsyncClient, before: tuple[str, ...], then: str, code: str
) -> None:
    made = await register(admin)
    if before:
        await step(admin, made["id"], *before)
    answer = await send(admin, f"complaints.{then}", made["id"])
    assert code_of(answer) == (409, code)


@pytest.mark.parametrize("name", ["send-first-reply", "resolve", "confirm", "close", "reopen"])
async def test_doing_it_twice_is_doing_it_once(admin: httpx.AsyncClient, name: str) -> None:
    made = await register(admin)
    if name in ("confirm", "close", "reopen"):
        await step(admin, made["id"], "resolve")
    first = await step(admin, made["id"], name)
    assert await step(admin, made["id"], name) == first


async def test_the_registration_counts_from_when_it_happened(admin: httpx.AsyncClient) -> None:
    made = await register(admin, occurred_at=LONG_AGO)
    assert (made["opened_at"], made["reply_due_at"]) == ("2024-02-29T01:30:00Z", "2024-03-01T01:30:00Z")


async def test_a_late_reply_is_noted_as_missed(admin: httpx.AsyncClient) -> None:
    made = await register(admin, occurred_at=LONG_AGO)
    late = await step(admin, made["id"], "send-first-reply", text=None)
    assert (late["reply_missed"], late["overdue"], late["reply"]) == (True, False, None)
    assert late["version"] == 3


async def test_a_reply_told_later_is_in_time_when_it_was(admin: httpx.AsyncClient) -> None:
    made = await register(admin, occurred_at=LONG_AGO)
    said = (at(LONG_AGO) + timedelta(hours=23)).isoformat()
    told = await step(admin, made["id"], "send-first-reply", occurred_at=said)
    assert (told["reply_missed"], at(told["replied_at"])) == (False, at(said))


async def test_a_solution_needs_no_words(admin: httpx.AsyncClient) -> None:
    made = await register(admin)
    assert (await send(admin, "complaints.resolve", made["id"], {})).json()["solution"] is None
    assert (await send(admin, "complaints.reopen", made["id"], {})).json()["reopening_reason"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer_id", None),
        ("subject", ""),
        ("subject", "x" * 201),
        ("description", "x" * 20_001),
        ("channel", "By Phone"),
        ("priority", None),
        ("owner_team", "\t"),
        ("occurred_at", "yesterday"),
    ],
)
async def test_what_is_out_of_bounds_is_named(admin: httpx.AsyncClient, field: str, value: Any) -> None:
    answer = await send(admin, "complaints.register", body={**SAID, field: value})
    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"#/{field}"]


async def test_reading_follows_the_owner(app: FastAPI, admin: httpx.AsyncClient) -> None:
    made = await register(admin, owner_id=str(ADA), owner_team="desk")
    free = await register(admin, owner_id=None, owner_team=None)
    readers: list[tuple[str, dict[str, Any], int]] = [
        ("service_agent", {"subject": LINUS}, 200),
        ("service_manager", {}, 200),
        ("service", {}, 200),
        ("sales_rep", {"subject": ADA}, 200),
        ("sales_rep", {"subject": LINUS}, 404),
        ("sales_manager", {"teams": ["desk"]}, 200),
        ("sales_manager", {"teams": ["field"]}, 404),
        ("analyst", {}, 403),
    ]
    for role, who, status in readers:
        async with api(app, role, **who) as client:
            for path in ("", "/timeline"):
                answer = await client.get(f"/v1/complaints/{made['id']}{path}")
                assert answer.status_code == status, (role, who)
                unassigned = await client.get(f"/v1/complaints/{free['id']}{path}")
                assert unassigned.status_code == (403 if status == 403 else 200)


async def test_someone_elses_complaint_looks_like_a_missing_one(
    app: FastAPI, admin: httpx.AsyncClient
) -> None:
    made = await register(admin)
    async with api(app, "sales_rep", subject=LINUS) as linus:
        hidden = await linus.get(f"/v1/complaints/{made['id']}")
        missing = await linus.get(f"/v1/complaints/{UNKNOWN}")
    assert code_of(hidden) == code_of(missing) == (404, "NOT_FOUND")
    assert hidden.json()["detail"] == missing.json()["detail"]
    assert code_of(await admin.get(f"/v1/complaints/{uuid4()}/timeline")) == (404, "NOT_FOUND")
