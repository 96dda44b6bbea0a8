"""What every service does around every request: problem documents, ids, traces, probes, what a browser may see."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib import import_module
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Role
from kernel.storage.migrations import upgrade
from kernel.testing.fixtures import api, make_settings, running
from kernel.testing.servers import fresh_database

from tests.contacts.requests import send
from tests.support.requests import code_of

PACKAGES = ("contacts", "opportunities", "service_desk", "analytics")
FRONT_END = "https://crm.example"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module", params=PACKAGES)
async def app(request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres) -> AsyncIterator[FastAPI]:
    module = import_module(f"{request.param}.app")
    url = postgres_server.url(fresh_database(postgres_server))
    await upgrade(url, module.service.package, module.service.known_views, module.service.published_types)
    made: FastAPI = module.create(make_settings(url, role=Role.API, cors_origins=FRONT_END, feed_wait=5))
    async with running(made):
        yield made


@pytest.fixture(scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(api(app))


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}])
async def test_the_frameworks_own_errors_are_problem_documents_too(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert code_of(await client.get("/v1/nothing-like-it", headers=headers)) == (404, "NOT_FOUND")
    answer = await client.delete("/v1/feed", headers=headers)
    assert code_of(answer) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["Allow"]
    assert code_of(await client.get("/v1/feed?limit=many", headers=headers)) == (422, "VALIDATION_FAILED")
    assert code_of(await client.get("/v1/feed?colour=red", headers=headers)) == (422, "VALIDATION_FAILED")
    for wrong in ("after=9223372036854775808", "after=5&timeout=nan", "timeout=inf"):
        assert code_of(await client.get(f"/v1/feed?{wrong}", headers=headers)) == (422, "VALIDATION_FAILED")
    assert (await client.get("/v1/feed?after=9223372036854775807", headers=headers)).status_code == 200


async def test_a_problem_names_the_request_and_its_trace(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/nothing-like-it", headers={"traceparent": TRACE})
    problem = answer.json()
    assert problem["request_id"] == answer.headers["Request-Id"]
    assert problem["trace_id"] == TRACE.split("-")[1]
    assert problem["instance"] == "/v1/nothing-like-it"
    other = await client.get("/v1/nothing-like-it")
    assert other.headers["Request-Id"] != answer.headers["Request-Id"]


async def test_every_code_has_its_page(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/v1/nothing-like-it")).json()
    assert (await client.get(problem["type"])).status_code == 200
    assert "NOT_FOUND" in (await client.get("/problems")).text


async def test_probes_and_figures_of_the_process_need_no_token(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as probe:
        assert (await probe.get("/livez")).text == "ok"
        ready = await probe.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert {"database", "schema"} <= set(ready.json()["checks"])
        metrics = (await probe.get("/metrics")).text
    assert "crm_http_requests_total{" in metrics


async def test_reads_are_counted_by_their_route(client: httpx.AsyncClient) -> None:
    await client.get("/v1/feed")
    assert 'route="/v1/feed"' in (await client.get("/metrics")).text


async def test_who_stops_is_not_ready_and_lives(app: FastAPI, client: httpx.AsyncClient) -> None:
    node = app.state.node
    node.draining = True
    try:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/livez")).status_code == 200
    finally:
        node.draining = False


async def test_who_stops_lets_no_reader_of_the_feed_wait(app: FastAPI, client: httpx.AsyncClient) -> None:
    node = app.state.node
    end = (await client.get("/v1/feed?limit=5000")).headers["Feed-Position"]
    waiting = asyncio.create_task(client.get(f"/v1/feed?after={end}&timeout=5"))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    try:
        node.drain()
        async with asyncio.timeout(2):
            assert (await waiting).json() == []
    finally:
        node.draining = False


async def test_who_waits_at_a_place_beyond_the_log_keeps_nobody_busy(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    node = app.state.node
    statements: list[str] = []
    async with node.database.reading() as connection:
        connection.add_query_logger(logger := lambda told: statements.append(told.query))
    try:
        answer = await client.get("/v1/feed?after=1000000000&timeout=1")
        assert (answer.status_code, answer.json()) == (200, [])
        assert len(statements) < 50
    finally:
        async with node.database.reading() as connection:
            connection.remove_query_logger(logger)


async def test_a_page_of_the_front_end_may_send_and_see_what_it_needs(client: httpx.AsyncClient) -> None:
    asked = {
        "Origin": FRONT_END,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,idempotency-key,if-match,prefer,consistency-token",
    }
    allowed = await client.options("/v1/feed", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == FRONT_END
    elsewhere = {**asked, "Origin": "https://elsewhere.example"}
    refused = await client.options("/v1/companies", headers=elsewhere)
    assert code_of(refused) == (400, "PREFLIGHT_REFUSED")
    assert refused.json()["request_id"] == refused.headers["Request-Id"]
    assert "Access-Control-Allow-Origin" not in refused.headers
    answer = await client.get("/v1/feed", headers={"Origin": FRONT_END})
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    needed = "ETag Location Link Request-Id Retry-After Consistency-Token Idempotency-Replayed Projection-Lag"
    assert set(needed.split()) <= exposed
    stranger = await client.get("/v1/feed", headers={"Origin": "https://elsewhere.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.parametrize("app", ["contacts"], indirect=True)
async def test_a_trace_goes_through_the_log_into_the_feed(client: httpx.AsyncClient) -> None:
    said = {"traceparent": TRACE, "Idempotency-Key": f"traced-{uuid4()}"}
    made = await send(client, "companies.register", headers=said)
    record = (await client.get("/v1/feed", params={"limit": 5000})).json()[-1]
    assert record["subject"] == made.json()["id"]
    assert record["traceparent"].split("-")[1] == TRACE.split("-")[1]
    assert record["correlationid"] == made.headers["Request-Id"]
