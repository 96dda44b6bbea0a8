"""The toy service over a real database: intents in one line, committers as many as a test wants, and what is stored."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from kernel.domain.ids import new_id
from kernel.messaging.service import Node
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.aggregate import AnyAggregate, AnyHandled, Intent, Step
from kernel.storage.committer import Committer
from kernel.storage.database import Database
from kernel.storage.log import LOG_LOCK
from kernel.storage.migrations import know_views
from kernel.testing.fixtures import make_settings
from kernel.testing.servers import fresh_database
from kernel.testing.toy import limit, note, service
from kernel.testing.toy_note import WriteNote

ADA = UUID("01920000-0000-7000-8000-000000000ada")
BOB = UUID("01920000-0000-7000-8000-000000000b0b")
_databases: dict[EmbeddedPostgres, str] = {}


def step(stream_id: UUID, command: Any, aggregate: AnyAggregate = note) -> Step:
    return Step(aggregate, stream_id, command)


def intent(*steps: Step, key: str | None = None, fingerprint: bytes = b"same", **said: Any) -> Intent:
    command_id = new_id()
    return Intent(
        steps=steps,
        actor=said.pop("actor", "tester"),
        key=key or str(command_id),
        fingerprint=fingerprint,
        command_id=command_id,
        correlation_id="of-the-test",
        **said,
    )


def on(stream_id: UUID, command: Any, **said: Any) -> Intent:
    return intent(step(stream_id, command), **said)


def limited(limit_id: UUID, command: Any, **said: Any) -> Intent:
    return intent(step(limit_id, command, limit), **said)


class Toy:
    """One empty database; whatever is opened here is closed with it."""

    def __init__(self, server: EmbeddedPostgres, database: str, stack: AsyncExitStack) -> None:
        self.server = server
        self.name = database
        self.url = server.url(database)
        self.dsn = server.dsn(database)
        self.node = Node(service, make_settings(self.url))
        self.database = self.node.database
        self.catalog = self.node.catalog
        self._stack = stack
        self._reader: asyncpg.Connection | None = None
        self.through: Committer

    async def committer(self, database: Database | None = None, **said: Any) -> Committer:
        """One more committer, as another process would have it."""
        committer = Committer(database or self.database, self.catalog, **said)
        committer.start()
        self._stack.push_async_callback(_stop, committer)
        return committer

    async def connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(self.dsn)
        self._stack.callback(connection.terminate)
        return connection

    async def rows(self, query: str, *values: Any) -> list[Mapping[str, Any]]:
        if self._reader is None:
            self._reader = await self.connect()
        return list(await self._reader.fetch(query, *values))

    async def value(self, query: str, *values: Any) -> Any:
        found = await self.rows(query, *values)
        return next(iter(found[0].values())) if found else None

    async def count(self, table: str) -> int:
        counted: int = await self.value(f'SELECT count(*) FROM "{table}"')
        return counted

    async def history(self, stream_id: UUID) -> list[str]:
        found = await self.rows(
            "SELECT type, version FROM events WHERE stream_id = $1 ORDER BY position", stream_id
        )
        assert [row["version"] for row in found] == list(range(1, len(found) + 1))
        return [row["type"] for row in found]

    async def written(self, committer: Committer, *stream_ids: UUID, **said: Any) -> None:
        """Notes that are there before the test begins."""
        await asyncio.gather(*(committer.submit(on(i, WriteNote(**said))) for i in stream_ids))

    @asynccontextmanager
    async def lock_held(self) -> AsyncIterator[asyncpg.Connection]:
        """Somebody else holds the log's lock, and is at work."""
        connection = await self.connect()
        await connection.execute(f"BEGIN; SELECT pg_advisory_xact_lock({LOG_LOCK})")
        yield connection
        await connection.execute("ROLLBACK")


async def settled(*asked: Awaitable[AnyHandled]) -> list[AnyHandled | BaseException]:
    return await asyncio.gather(*asked, return_exceptions=True)


def handled(outcomes: Sequence[Any]) -> list[AnyHandled]:
    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)], outcomes
    return list(outcomes)


async def eventually(true: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _stop(committer: Committer) -> None:
    async with asyncio.timeout(20):
        await committer.stop()


@asynccontextmanager
async def toy_over(server: EmbeddedPostgres) -> AsyncIterator[Toy]:
    """The worker's one toy database on this server, emptied."""
    async with AsyncExitStack() as stack:
        fresh = server not in _databases
        if fresh:
            _databases[server] = fresh_database(server)
        toy = Toy(server, _databases[server], stack)
        stack.push_async_callback(toy.database.close)
        async with toy.database.engine.begin() as connection:
            if fresh:
                await connection.run_sync(service.metadata.create_all)
            else:
                names = ", ".join(f'"{table.name}"' for table in service.metadata.sorted_tables)
                await connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")
            await connection.run_sync(know_views, service.known_views)
        yield toy
