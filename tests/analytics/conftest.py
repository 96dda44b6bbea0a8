"""A database of analytics, whoever tells it something, and the API over it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from analytics.app import create
from fastapi import FastAPI
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Role
from kernel.testing.fixtures import api, make_settings, running
from sqlalchemy import make_url

from tests.analytics.telling import Teller, analytics_database


@pytest.fixture(scope="session")
async def template(postgres_server: EmbeddedPostgres) -> str:
    return make_url(await analytics_database(postgres_server)).database or ""


@pytest.fixture
async def url(postgres_server: EmbeddedPostgres, template: str) -> str:
    return await analytics_database(postgres_server, template)


@pytest.fixture
async def teller(url: str) -> AsyncIterator[Teller]:
    async with Teller(url) as teller:
        yield teller


@pytest.fixture
async def app(url: str) -> AsyncIterator[FastAPI]:
    made = create(make_settings(url, role=Role.API))
    async with running(made):
        yield made


@pytest.fixture
async def analyst(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with api(app, "analyst") as client:
        yield client
