"""What holds for every command of the service, whichever it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kernel.domain.ids import new_id
from kernel.testing.fixtures import api, new_key, token
from kernel.web.commands import CommandBody, Operation
from opportunities.app import operations as OPERATIONS
from opportunities.order import api as orders
from opportunities.pipeline import api as pipelines
from pydantic_core import to_jsonable_python

from tests.opportunities.calls import Body, ask, codes, create, define, define_seven_stages, place, refused
from tests.opportunities.examples import ADA, GRACE

CREATING = [operation for operation in OPERATIONS if operation.creates]
ON_RECORDS = [operation for operation in OPERATIONS if not operation.creates]
MATCHING = [operation for operation in OPERATIONS if operation.if_match]
OWNED = [operation for operation in ON_RECORDS if operation.aggregate.owner]


def each(operations: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=lambda operation: operation.id)


@pytest.fixture(scope="module")
async def client(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    await define_seven_stages(admin)
    return admin


@each(OPERATIONS)
async def test_the_documented_example_succeeds(client: httpx.AsyncClient, operation: Operation) -> None:
    answer = await send(client, operation, await target(client, operation))
    assert answer.status_code == (201 if operation.creates else 200), answer.text
    assert answer.headers["ETag"] == f'"v{answer.json()["version"]}"'
    assert answer.headers["Consistency-Token"]
    if operation.creates:
        assert answer.headers["Location"] == f"{operation.path}/{answer.json()['id']}"


@each(OPERATIONS)
async def test_nothing_is_done_without_a_token(app: FastAPI, operation: Operation) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as stranger:
        refused(await send(stranger, operation, {"id": new_id(), "version": 1}), 401, "UNAUTHENTICATED")


@each(OPERATIONS)
async def test_nothing_is_done_with_an_expired_token(client: httpx.AsyncClient, operation: Operation) -> None:
    late = {"Authorization": f"Bearer {token('admin', lifetime=-1)}"}
    refused(await send(client, operation, {"id": new_id(), "version": 1}, late), 401, "TOKEN_EXPIRED")


@each(OPERATIONS)
async def test_an_analyst_commands_nothing(app: FastAPI, operation: Operation) -> None:
    async with api(app, "analyst") as analyst:
        refused(await send(analyst, operation, {"id": new_id(), "version": 1}), 403, "FORBIDDEN")


@each(pipelines.operations)
async def test_a_rep_does_not_change_pipelines(app: FastAPI, operation: Operation) -> None:
    async with api(app, "sales_rep", subject=ADA) as rep:
        refused(await send(rep, operation, {"id": new_id(), "version": 1}), 403, "FORBIDDEN")


@each(ON_RECORDS)
async def test_an_unknown_id_is_not_found(client: httpx.AsyncClient, operation: Operation) -> None:
    code = (
        "PIPELINE_NOT_FOUND" if operation in pipelines.operations and not operation.if_match else "NOT_FOUND"
    )
    refused(await send(client, operation, {"id": new_id(), "version": 1}), 404, code)


@each(OWNED)
async def test_a_colleagues_record_is_refused_in_the_words_of_an_unknown_one(
    app: FastAPI, client: httpx.AsyncClient, operation: Operation
) -> None:
    theirs = await target(client, operation, owner_id=str(GRACE), owner_team="south")
    unknown = {"id": new_id(), "version": 1}
    async with api(app, "sales_rep", subject=ADA) as rep:
        hidden = refused(await send(rep, operation, theirs), 404, "NOT_FOUND")
        missing = refused(await send(rep, operation, unknown), 404, "NOT_FOUND")
    assert all(hidden[name] == missing[name] for name in ("type", "title", "detail"))
    async with api(app, "sales_manager", teams=["north"]) as manager:
        refused(await send(manager, operation, theirs), 404, "NOT_FOUND")


@each(OWNED)
async def test_a_manager_commands_what_their_team_owns(
    app: FastAPI, client: httpx.AsyncClient, operation: Operation
) -> None:
    theirs = await target(client, operation, owner_id=str(GRACE), owner_team="south")
    async with api(app, "sales_manager", teams=["south"]) as manager:
        assert (await send(manager, operation, theirs)).status_code == 200


@each(OPERATIONS)
async def test_a_body_that_is_not_json_is_malformed(client: httpx.AsyncClient, operation: Operation) -> None:
    headers = new_key() | {"If-Match": '"v1"', "Content-Type": "application/json"}
    url = operation.path.format(id=new_id())
    answer = await client.request(operation.method, url, content=b'{"title": ', headers=headers)
    refused(answer, 400, "MALFORMED_JSON")


@each(OPERATIONS)
async def test_an_unknown_field_is_named(client: httpx.AsyncClient, operation: Operation) -> None:
    answer = await send(client, operation, {"id": new_id(), "version": 1}, colour="red")
    assert codes(refused(answer, 422, "VALIDATION_FAILED")) == [("#/colour", "EXTRA_FORBIDDEN")]


@each(ON_RECORDS)
async def test_a_stale_if_match_is_refused_with_the_current_version(
    client: httpx.AsyncClient, operation: Operation
) -> None:
    record = await target(client, operation)
    answer = await send(client, operation, record, {"If-Match": '"v99"'})
    assert refused(answer, 412, "STALE")["current_etag"] == f'"v{record["version"]}"'


@each(MATCHING)
async def test_a_decision_on_a_version_must_name_it(client: httpx.AsyncClient, operation: Operation) -> None:
    record = await target(client, operation)
    url = operation.path.format(id=record["id"])
    answer = await client.request(operation.method, url, json=example(operation.body), headers=new_key())
    refused(answer, 428, "IF_MATCH_REQUIRED")


@each(CREATING)
async def test_creating_needs_an_idempotency_key(client: httpx.AsyncClient, operation: Operation) -> None:
    answer = await client.post(operation.path, json=example(operation.body))
    refused(answer, 400, "IDEMPOTENCY_KEY_REQUIRED")


@each(OPERATIONS)
async def test_a_repeated_key_repeats_the_answer(client: httpx.AsyncClient, operation: Operation) -> None:
    record, key = await target(client, operation), new_key()
    first = await send(client, operation, record, key)
    again = await send(client, operation, record, key)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert again.headers["ETag"] == first.headers["ETag"]


@each(OPERATIONS)
async def test_a_key_belongs_to_one_request(client: httpx.AsyncClient, operation: Operation) -> None:
    record, key = await target(client, operation), new_key()
    await send(client, operation, record, key)
    answer = await send(client, operation, record, key, occurred_at="2026-01-05T09:00:00Z")
    refused(answer, 422, "IDEMPOTENCY_KEY_REUSED")


@each(OPERATIONS)
async def test_nothing_has_happened_in_the_future(client: httpx.AsyncClient, operation: Operation) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    answer = await send(client, operation, await target(client, operation), occurred_at=tomorrow)
    assert codes(refused(answer, 422, "OCCURRED_IN_FUTURE")) == [("#/occurred_at", "OCCURRED_IN_FUTURE")]


async def test_a_visit_told_later_keeps_its_day(client: httpx.AsyncClient) -> None:
    deal = await create(client, occurred_at="2026-01-05T09:00:00+08:00")
    deal = await ask(client, deal, "enter-stage", stage_id="close", occurred_at="2026-01-06T09:00:00+08:00")
    days = [datetime.fromisoformat(entry["entered_at"]) for entry in deal["stage_entries"]]
    assert days == [datetime(2026, 1, 5, 1, tzinfo=UTC), datetime(2026, 1, 6, 1, tzinfo=UTC)]
    facts = (await client.get(f"/v1/opportunities/{deal['id']}/timeline")).json()["items"]
    assert facts[-1]["occurred_at"] == "2026-01-06T01:00:00Z" < facts[-1]["recorded_at"]


async def test_the_items_of_a_batch_are_independent(client: httpx.AsyncClient) -> None:
    deal = await create(client)
    said = [
        ("opportunities.create", None, {"pipeline_id": str(new_id()), "title": "Lost", "currency": "CNY"}),
        ("opportunities.enter-stage", deal["id"], {"stage_id": "proposal"}),
        ("opportunities.enter-stage", deal["id"], {"stage_id": "dream"}),
        ("opportunities.change-amount", deal["id"], {"amount": None}),
        ("opportunities.win", deal["id"], {"amount": {"amount": "-", "currency": "CNY"}}),
        ("opportunities.win", deal["id"], {}),
        ("orders.place", None, example(orders.Placement)),
        ("orders.fulfil", None, {}),
    ]
    items = [
        {"command": command, "id": id, "data": data, "idempotency_key": f"batch-{new_id()}"}
        for command, id, data in said
    ]
    answer = await client.post("/v1/batch", json={"items": items})
    assert answer.status_code == 207
    results = answer.json()["items"]
    assert [(r["status"], (r["problem"] or {}).get("code")) for r in results] == [
        (404, "PIPELINE_NOT_FOUND"),
        (200, None),
        (422, "STAGE_UNKNOWN"),
        (428, "IF_MATCH_REQUIRED"),
        (422, "VALIDATION_FAILED"),
        (200, None),
        (201, None),
        (422, "VALIDATION_FAILED"),
    ]
    assert answer.json()["summary"] == {"succeeded": 3, "failed": 5}
    assert (await client.get(f"/v1/opportunities/{deal['id']}")).json()["status"] == "won"


def example(body: type[CommandBody]) -> Body:
    """The first example of every field that has one, as the documentation shows them."""
    fields = body.model_fields.items()
    said = {name: field.examples[0] for name, field in fields if field.examples and name != "occurred_at"}
    made: Body = to_jsonable_python(said)
    return made


async def target(client: httpx.AsyncClient, operation: Operation, **said: Any) -> Body:
    """A fresh record that the operation's example fits; nothing, if the operation makes it."""
    if operation.creates:
        return {}
    if operation in pipelines.operations:
        return await define(client)
    if operation in orders.operations:
        return await place(client, **said)
    return await ask(client, await create(client, **said), "enter-stage", stage_id="proposal")


async def send(
    client: httpx.AsyncClient,
    operation: Operation,
    record: Body,
    headers: dict[str, str] | None = None,
    **said: Any,
) -> httpx.Response:
    """The operation's example to the record, with whatever else is said."""
    url = operation.path.format(id=record["id"]) if record else operation.path
    matching = {"If-Match": f'"v{record["version"]}"'} if record and operation.if_match else {}
    return await client.request(
        operation.method,
        url,
        json=example(operation.body) | said,
        headers=new_key() | matching | (headers or {}),
    )
