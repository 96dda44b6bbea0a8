"""Requests to the service desk: for every operation an example, and a record that it can be sent to."""

from typing import Any
from uuid import UUID

import httpx
from kernel.testing.fixtures import new_key
from kernel.web.commands import Operation
from service_desk.complaint import api as complaints
from service_desk.policy import api as promises

from tests.service_desk.examples import ADA, HUAXIA, LINUS

Json = dict[str, Any]

UNKNOWN = UUID("01920000-0000-7000-8000-00000000ffff")
LONG_AGO = "2024-02-29T09:30:00+08:00"
POLICY = "/v1/reply-policy"

OPERATIONS = {operation.id: operation for operation in (*complaints.operations, *promises.operations)}
EXAMPLES: dict[str, Json] = {
    "complaints.register": {
        "customer_id": str(HUAXIA),
        "subject": "Broken bearing",
        "description": "Three of forty arrived cracked.",
        "channel": "phone",
        "owner_id": str(ADA),
        "owner_team": "desk",
    },
    "complaints.assign": {"owner_id": str(LINUS), "owner_team": "field"},
    "complaints.escalate": {"reason": "third-time"},
    "complaints.send-first-reply": {"text": "We are sorry and are looking into it."},
    "complaints.resolve": {"solution": "Replaced free of charge."},
    "complaints.confirm": {},
    "complaints.reopen": {"reason": "The new ones cracked too."},
    "complaints.close": {},
    "reply-policy.define": {"default_hours": 24, "hours": {"urgent": 4}},
}
CREATING = [name for name, operation in OPERATIONS.items() if operation.creates]
CHANGING = [name for name, operation in OPERATIONS.items() if "{id}" in operation.path]
MATCHED = [name for name, operation in OPERATIONS.items() if operation.if_match]
ENDED = {"complaints.confirm", "complaints.reopen", "complaints.close"}


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


async def register(client: httpx.AsyncClient, **said: Any) -> Json:
    answer = await send(client, "complaints.register", body={**EXAMPLES["complaints.register"], **said})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def step(client: httpx.AsyncClient, record: Any, *names: str, **said: Any) -> Json:
    """Takes a complaint through these steps; `said` goes with each."""
    for name in names:
        body = {**EXAMPLES[f"complaints.{name}"], **said}
        answer = await send(client, f"complaints.{name}", record, body)
        assert answer.status_code == 200, answer.text
    made: Json = answer.json()
    return made


async def record_for(client: httpx.AsyncClient, name: str) -> str | None:
    """A fresh complaint of Ada's for the operation; None where it needs none."""
    if name not in CHANGING:
        return None
    made = await register(client)
    if name in ENDED:
        await step(client, made["id"], "resolve")
    return str(made["id"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]
