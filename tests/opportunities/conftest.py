"""The service as the tests of its API and views meet it: one database and one app per module."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Role
from kernel.storage.migrations import upgrade
from kernel.testing.fixtures import api, make_settings, running
from kernel.testing.servers import fresh_database
from opportunities.app import create, service


@pytest.fixture(scope="module")
def database_name(postgres_server: EmbeddedPostgres) -> str:
    return fresh_database(postgres_server)


@pytest.fixture(scope="module")
def dsn(postgres_server: EmbeddedPostgres, database_name: str) -> str:
    """For who looks into the database, past the service."""
    return postgres_server.dsn(database_name)


@pytest.fixture(scope="module")
async def app(postgres_server: EmbeddedPostgres, database_name: str) -> AsyncIterator[FastAPI]:
    url = postgres_server.url(database_name)
    await upgrade(url, service.package, service.known_views, service.published_types)
    made = create(make_settings(url, role=Role.API))
    async with running(made):
        yield made


@pytest.fixture(scope="module")
async def admin(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with api(app) as client:
        yield client
