"""Requests to the contacts service: for every operation an example, and a record that it can be sent to."""

from typing import Any

import httpx
from contacts.company import api as companies
from contacts.contact import api as people

from tests.contacts.examples import GRACE, LINUS, NORDWIND
from tests.support.requests import Json, Requests

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


OURS = Requests(OPERATIONS.values(), EXAMPLES, record_for)
send = OURS.send
