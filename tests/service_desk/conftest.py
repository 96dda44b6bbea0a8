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
from service_desk.app import create, service


@pytest.fixture(scope="module")
async def url(postgres_server: EmbeddedPostgres) -> str:
    url = postgres_server.url(fresh_database(postgres_server))
    await upgrade(url, service.package, service.known_views, service.published_types)
    return url


@pytest.fixture(scope="module")
async def app(url: str) -> AsyncIterator[FastAPI]:
    made = create(make_settings(url, role=Role.API))
    async with running(made):
        yield made


@pytest.fixture(scope="module")
async def admin(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with api(app) as client:
        yield client
