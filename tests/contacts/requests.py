"""Requests to the contacts service: for every operation an example, and a record that it can be sent to."""

from typing import Any
from uuid import UUID

import httpx
from contacts.company import api as companies
from contacts.contact import api as people
from kernel.testing.fixtures import new_key
from kernel.web.commands import Operation

from tests.contacts.examples import GRACE, LINUS, NORDWIND

Json = dict[str, Any]

UNKNOWN = UUID("01920000-0000-7000-8000-00000000ffff")
LONG_AGO = "2024-02-29T09:30:00+08:00"

OPERATIONS = {operation.id: operation for operation in (*companies.operations, *people.operations)}
EXAMPLES: dict[str, Json] = {
    "companies.register": {"name": "Huaxia Bearings", "owner_id": str(GRACE), "owner_team": "east"},
    "companies.correct": {"name": "Huaxia Precision", "employees": 310},
    "companies.set-owner": {"owner_id": str(LINUS), "owner_team": "north"},
    "contacts.register": {"name": "Li Na", "owner_id": str(GRACE), "owner_team": "east"},
    "contacts.correct": {"name": "Li Na", "phone": "+86 21 5550 9999"},
    "contacts.link": {"company_id": str(NORDWIND)},
    "contacts.set-owner": {"owner_id": str(LINUS), "owner_team": "north"},
    "contacts.erase": {"reason": "requested"},
}
CREATING = [name for name, operation in OPERATIONS.items() if operation.creates]
CHANGING = [name for name, operation in OPERATIONS.items() if not operation.creates]
MATCHED = [name for name, operation in OPERATIONS.items() if operation.if_match]


async def send(
    client: httpx.AsyncClient,
    name: str,
    record: Any = None,
    body: Json | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Sends the example, or `body`; a key or an If-Match of no consequence goes along where one is needed."""
    operation = OPERATIONS[name]
    path = operation.path.replace("{id}", str(record))
    said = EXAMPLES[name] if body is None else body
    return await client.request(
        operation.method, path, json=said, headers={**needed(operation), **(headers or {})}
    )


def needed(operation: Operation) -> dict[str, str]:
    return {**(new_key() if operation.creates else {}), **({"If-Match": "*"} if operation.if_match else {})}


async def register(client: httpx.AsyncClient, what: str = "contact", **said: Any) -> Json:
    name = "companies.register" if what == "company" else "contacts.register"
    answer = await send(client, name, body={**EXAMPLES[name], **said})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def record_for(client: httpx.AsyncClient, name: str) -> str | None:
    """A fresh record of Grace's for the operation; None where the operation itself makes one."""
    operation = OPERATIONS[name]
    if operation.creates:
        return None
    return str((await register(client, operation.aggregate.category))["id"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]
