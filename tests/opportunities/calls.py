"""The few requests with which the tests of this service's API tell their stories."""

from typing import Any

import httpx
from kernel.testing.fixtures import new_key
from opportunities.pipeline.templates import SEVEN_STAGES

from tests.opportunities.examples import HARBOUR_LTD

Body = dict[str, Any]
SEVEN = str(SEVEN_STAGES.pipeline_id)
CNY_500 = {"amount": "500.00", "currency": "CNY"}
STAGES = [{"stage_id": "lead", "name": "Lead", "milestone": "lead"}, {"stage_id": "talk", "name": "Talk"}]


async def define_seven_stages(client: httpx.AsyncClient) -> None:
    templates = done(await client.get("/v1/pipeline-templates"))["items"]
    done(await client.post("/v1/pipelines", json=templates[0], headers=new_key()), 201)


async def define(client: httpx.AsyncClient, **said: Any) -> Body:
    body = {"name": "Direct sales", "stages": STAGES} | said
    return done(await client.post("/v1/pipelines", json=body, headers=new_key()), 201)


async def create(client: httpx.AsyncClient, **said: Any) -> Body:
    """A deal in the seven stages."""
    body = {"pipeline_id": SEVEN, "title": "Pumps for Mei Lin", "currency": "CNY", "amount": CNY_500} | said
    return done(await client.post("/v1/opportunities", json=body, headers=new_key()), 201)


async def place(client: httpx.AsyncClient, **said: Any) -> Body:
    lines = [
        {"product": "pump", "quantity": 2, "unit_price": {"amount": "200.00", "currency": "CNY"}},
        {"product": "hose", "quantity": 1, "unit_price": {"amount": "100.00", "currency": "CNY"}},
    ]
    body = {"customer_id": str(HARBOUR_LTD), "lines": lines} | said
    return done(await client.post("/v1/orders", json=body, headers=new_key()), 201)


async def ask(client: httpx.AsyncClient, deal: Body, what: str, **said: Any) -> Body:
    """Sends a command to a deal; answers the deal as it is then."""
    return done(await client.post(f"/v1/opportunities/{deal['id']}/{what}", json=said))


async def put(client: httpx.AsyncClient, deal: Body, what: str, **said: Any) -> Body:
    headers = {"If-Match": f'"v{deal["version"]}"'}
    return done(await client.put(f"/v1/opportunities/{deal['id']}/{what}", json=said, headers=headers))


async def listed(client: httpx.AsyncClient, path: str, **query: Any) -> list[Body]:
    items: list[Body] = done(await client.get(path, params=query))["items"]
    return items


def done(answer: httpx.Response, status: int = 200) -> Body:
    assert answer.status_code == status, answer.text
    body: Body = answer.json()
    return body


def refused(answer: httpx.Response, status: int, code: str) -> Body:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: Body = answer.json()
    assert body["status"] == status
    return body


def codes(problem: Body) -> list[tuple[str | None, str]]:
    return [(error.get("pointer"), error["code"]) for error in problem["errors"]]
