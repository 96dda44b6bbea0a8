"""The toy service over PostgreSQL 18 and 15."""

from collections.abc import AsyncIterator

import pytest
import structlog
from kernel.runtime.embedded import EmbeddedPostgres

from tests.kernel.toys import Toy, toy_over

OLDEST = 15
VERSIONS = [pytest.param(18, id="18"), pytest.param(OLDEST, id="15", marks=pytest.mark.postgres15)]
# They try what a broker may lose, what a queue holds, how a task ends; test_relay, test_feed, test_committer and
# test_lease try the SQL under them.
NEWEST_ONLY = {"test_relay_losses", "test_event_sources", "test_committer_overload", "test_worker"}


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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever touches a database does so on the newest PostgreSQL and on the oldest that we support."""
    if "postgres_server" in metafunc.fixturenames:
        one = metafunc.module.__name__.rpartition(".")[2] in NEWEST_ONLY
        metafunc.parametrize(
            "postgres_server", VERSIONS[: 1 if one else None], indirect=True, scope="session"
        )


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres) -> EmbeddedPostgres:
    if request.param == OLDEST:
        oldest: EmbeddedPostgres = request.getfixturevalue("postgres15_server")
        return oldest
    return postgres_server


@pytest.fixture
async def toy(postgres_server: EmbeddedPostgres) -> AsyncIterator[Toy]:
    async with toy_over(postgres_server) as toy:
        yield toy
