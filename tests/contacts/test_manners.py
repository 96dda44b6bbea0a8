"""What holds for every operation of the service: who may send it, what it must look like, what a repeat does."""

import httpx
import pytest
from kernel.testing.fixtures import api, new_key, token
from kernel.web.app import App

from tests.contacts.examples import LINUS
from tests.contacts.requests import (
    CHANGING,
    CREATING,
    EXAMPLES,
    LONG_AGO,
    MATCHED,
    OPERATIONS,
    UNKNOWN,
    code_of,
    record_for,
    send,
)

every_operation = pytest.mark.parametrize("name", list(OPERATIONS))


def test_every_operation_has_an_example_and_is_open_to_batches(app: App) -> None:
    assert set(EXAMPLES) == set(OPERATIONS) == set(app.operations)


@every_operation
async def test_it_succeeds_and_says_where_it_stands(admin: httpx.AsyncClient, name: str) -> None:
    answer = await send(admin, name, await record_for(admin, name))
    assert answer.status_code == (201 if name in CREATING else 200), answer.text
    made = answer.json()
    assert answer.headers["ETag"] == f'"v{made["version"]}"'
    assert answer.headers["Consistency-Token"]
    if name in CREATING:
        assert answer.headers["Location"] == f"{OPERATIONS[name].path}/{made['id']}"


@every_operation
async def test_without_a_token_it_is_refused(app: App, name: str) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as nobody:
        answer = await send(nobody, name, UNKNOWN)
        assert code_of(answer) == (401, "UNAUTHENTICATED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        expired = {"Authorization": f"Bearer {token(lifetime=-60)}"}
        assert code_of(await send(nobody, name, UNKNOWN, headers=expired)) == (401, "TOKEN_EXPIRED")
        forged = {"Authorization": f"Bearer {token()[:-9]}AAAAAAAAA"}
        assert code_of(await send(nobody, name, UNKNOWN, headers=forged)) == (401, "TOKEN_INVALID")


@every_operation
async def test_analysts_and_agents_may_not_send_it(app: App, admin: httpx.AsyncClient, name: str) -> None:
    record = await record_for(admin, name)
    for role in ("analyst", "service_agent"):
        async with api(app, role) as client:
            assert code_of(await send(client, name, record)) == (403, "FORBIDDEN")


@pytest.mark.parametrize("name", CHANGING)
async def test_someone_elses_record_looks_like_a_missing_one(
    app: App, admin: httpx.AsyncClient, name: str
) -> None:
    record = await record_for(admin, name)
    async with api(app, "sales_rep", "sales_manager", subject=LINUS, teams=["north"]) as linus:
        for headers in ({}, {"If-Match": '"v1"'}):
            hidden = await send(linus, name, record, headers=headers)
            missing = await send(linus, name, UNKNOWN, headers=headers)
            assert code_of(hidden) == code_of(missing) == (404, "NOT_FOUND")
            assert hidden.json()["detail"] == missing.json()["detail"]


@pytest.mark.parametrize("name", ["contacts.set-owner", "contacts.erase", "companies.set-owner"])
async def test_what_managers_decide_a_rep_may_not_send(app: App, admin: httpx.AsyncClient, name: str) -> None:
    record = await record_for(admin, name)
    async with api(app, "sales_rep") as rep:
        assert code_of(await send(rep, name, record)) == (403, "FORBIDDEN")
    async with api(app, "sales_manager", teams=["east"]) as manager:
        assert (await send(manager, name, record)).status_code == 200


@every_operation
async def test_what_is_not_json_is_malformed(admin: httpx.AsyncClient, name: str) -> None:
    operation = OPERATIONS[name]
    headers = {"Content-Type": "application/json", "If-Match": '"v1"', **new_key()}
    path = operation.path.replace("{id}", str(UNKNOWN))
    answer = await admin.request(operation.method, path, content=b'{"name": ', headers=headers)
    assert code_of(answer) == (400, "MALFORMED_JSON")


@every_operation
async def test_an_unknown_field_is_named(admin: httpx.AsyncClient, name: str) -> None:
    body = {**EXAMPLES[name], "surprise": 1}
    answer = await send(admin, name, await record_for(admin, name), body)
    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/surprise"]


@pytest.mark.parametrize("name", CHANGING)
async def test_a_decision_on_an_older_version_is_stale(admin: httpx.AsyncClient, name: str) -> None:
    record = await record_for(admin, name)
    answer = await send(admin, name, record, headers={"If-Match": '"v7"'})
    assert code_of(answer) == (412, "STALE")
    assert answer.json()["current_etag"] == '"v1"'
    assert (await send(admin, name, record, headers={"If-Match": '"v1"'})).status_code == 200


@pytest.mark.parametrize("name", MATCHED)
async def test_where_a_lost_update_matters_if_match_is_required(admin: httpx.AsyncClient, name: str) -> None:
    operation = OPERATIONS[name]
    path = operation.path.replace("{id}", str(await record_for(admin, name)))
    answer = await admin.request(operation.method, path, json=EXAMPLES[name])
    assert code_of(answer) == (428, "IF_MATCH_REQUIRED")
    answer = await admin.request(operation.method, path, json=EXAMPLES[name], headers={"If-Match": "3"})
    assert code_of(answer) == (400, "MALFORMED_HEADER")


@every_operation
async def test_a_repeat_is_the_same_answer(admin: httpx.AsyncClient, name: str) -> None:
    record, key = await record_for(admin, name), new_key()
    body = {**EXAMPLES[name], "occurred_at": LONG_AGO}
    first = await send(admin, name, record, body, key)
    again = await send(admin, name, record, body, key)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    for header in ("ETag", "Location"):
        assert again.headers.get(header) == first.headers.get(header)


@every_operation
async def test_a_key_belongs_to_one_request(admin: httpx.AsyncClient, name: str) -> None:
    record, key = await record_for(admin, name), new_key()
    assert (await send(admin, name, record, headers=key)).is_success
    other = {**EXAMPLES[name], "occurred_at": LONG_AGO}
    assert code_of(await send(admin, name, record, other, key)) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("name", CREATING)
async def test_what_creates_needs_a_key(admin: httpx.AsyncClient, name: str) -> None:
    answer = await admin.post(OPERATIONS[name].path, json=EXAMPLES[name])
    assert code_of(answer) == (400, "IDEMPOTENCY_KEY_REQUIRED")
    short = await send(admin, name, headers={"Idempotency-Key": "short"})
    assert code_of(short) == (400, "MALFORMED_HEADER")


@every_operation
async def test_what_has_not_happened_yet_is_refused(admin: httpx.AsyncClient, name: str) -> None:
    body = {**EXAMPLES[name], "occurred_at": "2999-01-01T00:00:00Z"}
    answer = await send(admin, name, await record_for(admin, name), body)
    assert code_of(answer) == (422, "OCCURRED_IN_FUTURE")
    assert answer.json()["errors"][0]["pointer"] == "#/occurred_at"


@every_operation
async def test_what_happened_long_ago_is_taken_with_its_time(admin: httpx.AsyncClient, name: str) -> None:
    body = {**EXAMPLES[name], "occurred_at": LONG_AGO}
    answer = await send(admin, name, await record_for(admin, name), body)
    assert answer.is_success, answer.text
    kind = "contacts" if OPERATIONS[name].aggregate.category == "contact" else "companies"
    timeline = await admin.get(f"/v1/{kind}/{answer.json()['id']}/timeline")
    last = timeline.json()["items"][-1]
    assert last["occurred_at"] == "2024-02-29T01:30:00Z"
    assert last["recorded_at"] > "2025"


TEXTS = [
    (name, field)
    for name, operation in OPERATIONS.items()
    for field, said in operation.body.model_json_schema()["properties"].items()
    if "string" in str(said) and "format" not in str(said)
]


@pytest.mark.parametrize(("name", "field"), TEXTS)
async def test_a_nul_character_is_refused(admin: httpx.AsyncClient, name: str, field: str) -> None:
    answer = await send(admin, name, await record_for(admin, name), {**EXAMPLES[name], field: "a\0b"})
    assert code_of(answer) == (422, "VALIDATION_FAILED")
