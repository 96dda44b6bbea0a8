"""The service as one process: API and worker together."""

import asyncio

import pytest
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Role
from kernel.storage.migrations import upgrade
from kernel.testing.fixtures import api, make_settings, running
from kernel.testing.servers import fresh_database
from opportunities.app import create as make
from opportunities.app import service

from tests.opportunities.calls import create, define_seven_stages, place

TOLD = ["pipeline-defined", "opportunity-created", "stage-entered", "order-placed"]


@pytest.fixture
async def url(postgres_server: EmbeddedPostgres) -> str:
    url = postgres_server.url(fresh_database(postgres_server))
    await upgrade(url, service.package, service.known_views, service.published_types)
    return url


async def test_what_happened_is_told_without_a_word_of_the_person_while_contacts_is_away(url: str) -> None:
    app = make(make_settings(url, feeds="contacts=http://127.0.0.1:9"))
    async with running(app), api(app) as client:
        await define_seven_stages(client)
        await create(client, title="Pumps for Mei Lin")
        await place(client)
        async with asyncio.timeout(20):
            while len((told := await client.get("/v1/feed")).json()) < len(TOLD):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert [record["type"] for record in told.json()] == [f"crm.opportunities.{kind}.v1" for kind in TOLD]
    assert "Mei Lin" not in told.text


async def test_a_worker_alone_answers_no_commands(url: str) -> None:
    app = make(make_settings(url, role=Role.WORKER, feeds="contacts=http://127.0.0.1:9"))
    async with running(app), api(app) as client:
        assert (await client.get("/v1/opportunities")).status_code == 404
        assert (await client.post("/v1/batch", json={"items": []})).status_code == 404
