"""What holds for every record, list and timeline of the service."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kernel.domain.ids import new_id
from kernel.testing.fixtures import api

from tests.opportunities.calls import create, define, define_seven_stages, listed, place, refused
from tests.opportunities.examples import ADA, GRACE

PATHS = ["/v1/pipelines", "/v1/opportunities", "/v1/orders"]
OWNED = PATHS[1:]
MAKERS: dict[str, Any] = dict(zip(PATHS, (define, create, place), strict=True))

paths = pytest.mark.parametrize("path", PATHS)
owned_paths = pytest.mark.parametrize("path", OWNED)


@pytest.fixture(scope="module")
async def client(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    await define_seven_stages(admin)
    return admin


def places(path: str, id: object) -> list[str]:
    return [path, f"{path}/{id}", f"{path}/{id}/timeline"]


@paths
async def test_nothing_is_shown_without_a_token(app: FastAPI, path: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as stranger:
        for place_ in places(path, new_id()):
            refused(await stranger.get(place_), 401, "UNAUTHENTICATED")


@paths
async def test_an_analyst_is_shown_no_records(app: FastAPI, path: str) -> None:
    async with api(app, "analyst") as analyst:
        for place_ in places(path, new_id()):
            refused(await analyst.get(place_), 403, "FORBIDDEN")


@paths
async def test_an_agent_is_shown_pipelines_alone(app: FastAPI, path: str) -> None:
    async with api(app, "service_agent", subject=ADA) as agent:
        assert (await agent.get(path)).status_code == (200 if path == "/v1/pipelines" else 403)


@paths
async def test_an_unknown_record_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    for place_ in places(path, new_id())[1:]:
        refused(await client.get(place_), 404, "NOT_FOUND")


async def test_a_record_of_another_kind_is_not_found(client: httpx.AsyncClient) -> None:
    order = await place(client)
    for place_ in places("/v1/opportunities", order["id"])[1:]:
        refused(await client.get(place_), 404, "NOT_FOUND")


@owned_paths
async def test_a_rep_is_shown_own_and_unassigned_records_only(
    app: FastAPI, client: httpx.AsyncClient, path: str
) -> None:
    mine = await MAKERS[path](client, owner_id=str(ADA), owner_team="north")
    theirs = await MAKERS[path](client, owner_id=str(GRACE), owner_team="south")
    free = await MAKERS[path](client)
    async with api(app, "sales_rep", subject=ADA) as rep:
        for place_ in places(path, theirs["id"])[1:]:
            refused(await rep.get(place_), 404, "NOT_FOUND")
        for seen in (mine, free):
            assert (await rep.get(f"{path}/{seen['id']}")).json() == seen
        shown = {item["id"] for item in await listed(rep, path, limit=200)}
    assert {mine["id"], free["id"]} <= shown
    assert theirs["id"] not in shown
    async with api(app, "sales_manager", teams=["south"]) as manager:
        shown = {item["id"] for item in await listed(manager, path, limit=200)}
    assert {theirs["id"], free["id"]} <= shown
    assert mine["id"] not in shown


@paths
async def test_a_record_that_is_known_already_is_not_sent_again(client: httpx.AsyncClient, path: str) -> None:
    record = await MAKERS[path](client)
    answer = await client.get(f"{path}/{record['id']}")
    assert answer.json() == record
    again = await client.get(f"{path}/{record['id']}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@paths
async def test_a_list_names_the_version_of_each_item(client: httpx.AsyncClient, path: str) -> None:
    record = await MAKERS[path](client)
    etags = {item["id"]: item["etag"] for item in await listed(client, path, sort="-created_at", limit=200)}
    assert etags[record["id"]] == f'"v{record["version"]}"'


@paths
async def test_the_pages_of_a_list_follow_each_other_and_lead_back(
    client: httpx.AsyncClient, path: str
) -> None:
    for _ in range(3):
        await MAKERS[path](client)
    whole = [item["id"] for item in await listed(client, path, sort="created_at", limit=200)]
    query: dict[str, Any] = {"sort": "created_at", "limit": 2}
    first = (await client.get(path, params=query)).json()
    second = (await client.get(path, params=query | {"cursor": first["next_cursor"]})).json()
    back = (await client.get(path, params=query | {"cursor": second["prev_cursor"]})).json()
    assert [item["id"] for item in first["items"] + second["items"]] == whole[:4]
    assert back["items"] == first["items"]
    assert first["prev_cursor"] is None


@paths
async def test_a_cursor_that_was_altered_is_refused(client: httpx.AsyncClient, path: str) -> None:
    for _ in range(2):
        await MAKERS[path](client)
    cursor = (await client.get(path, params={"limit": 1})).json()["next_cursor"]
    altered = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for wrong in (altered, cursor[:8], "é", "x"):
        refused(await client.get(path, params={"limit": 1, "cursor": wrong}), 400, "CURSOR_INVALID")


@paths
async def test_a_cursor_belongs_to_its_filters(client: httpx.AsyncClient, path: str) -> None:
    for _ in range(2):
        await MAKERS[path](client)
    cursor = (await client.get(path, params={"limit": 1})).json()["next_cursor"]
    status = {"/v1/pipelines": "active", "/v1/opportunities": "open", "/v1/orders": "placed"}[path]
    answer = await client.get(path, params={"limit": 1, "cursor": cursor, "status": status})
    refused(answer, 400, "CURSOR_MISMATCH")


@paths
@pytest.mark.parametrize(
    "query", [{"colour": "red"}, {"sort": "position"}, {"limit": "0"}, {"status": "new"}]
)
async def test_a_list_takes_no_other_parameters(
    client: httpx.AsyncClient, path: str, query: dict[str, str]
) -> None:
    answer = refused(await client.get(path, params=query), 422, "VALIDATION_FAILED")
    assert [error["parameter"] for error in answer["errors"]] == list(query)


@pytest.mark.parametrize("name", ["stage_id", "source"])
@pytest.mark.parametrize("value", ["", "\0", "a\0b"])
async def test_a_filter_that_no_deal_can_have_is_refused(
    client: httpx.AsyncClient, name: str, value: str
) -> None:
    answer = refused(await client.get("/v1/opportunities", params={name: value}), 422, "VALIDATION_FAILED")
    assert [error["parameter"] for error in answer["errors"]] == [name]


@paths
async def test_a_timeline_says_who_did_what_and_when(client: httpx.AsyncClient, path: str) -> None:
    record = await MAKERS[path](client)
    facts = (await client.get(f"{path}/{record['id']}/timeline")).json()["items"]
    assert [fact["version"] for fact in facts] == list(range(1, record["version"] + 1))
    types = {
        "/v1/pipelines": ["PipelineDefined"],
        "/v1/opportunities": ["OpportunityCreated", "StageEntered"],
        "/v1/orders": ["OrderPlaced"],
    }
    assert [fact["type"] for fact in facts] == types[path]
    assert all(fact["actor"] and fact["occurred_at"] <= fact["recorded_at"] for fact in facts)
