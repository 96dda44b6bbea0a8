"""Requests to the service desk: for every operation an example, and a record that it can be sent to."""

from typing import Any

import httpx
from service_desk.complaint import api as complaints
from service_desk.policy import api as promises

from tests.service_desk.examples import ADA, HUAXIA, LINUS
from tests.support.requests import Json, Requests

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
ENDED = {"complaints.confirm", "complaints.reopen", "complaints.close"}


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
    if "{id}" not in OPERATIONS[name].path:
        return None
    made = await register(client)
    if name in ENDED:
        await step(client, made["id"], "resolve")
    return str(made["id"])


OURS = Requests(OPERATIONS.values(), EXAMPLES, record_for)
send = OURS.send
