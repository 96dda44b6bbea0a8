"""The toy service over PostgreSQL 18, and where the store itself is tried over the oldest version too."""

from collections.abc import AsyncIterator

import pytest
import structlog
from kernel.runtime.embedded import EmbeddedPostgres

from tests.kernel.toys import Toy, toy_over


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """structlog's own default draws every local variable of a traceback, which takes seconds."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event", "level"]),
        ]
    )


@pytest.fixture(
    scope="session",
    params=["postgres_server", pytest.param("postgres15_server", marks=pytest.mark.postgres15)],
    ids=["18", "15"],
)
def each_server(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    return server


@pytest.fixture
async def toy(postgres_server: EmbeddedPostgres) -> AsyncIterator[Toy]:
    async with toy_over(postgres_server) as toy:
        yield toy


@pytest.fixture
async def each_toy(each_server: EmbeddedPostgres) -> AsyncIterator[Toy]:
    async with toy_over(each_server) as toy:
        yield toy
