"""One service's database: SQLAlchemy's pool for queries, the driver's own connections where speed counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

# asyncpg ships no types.
Connection: TypeAlias = asyncpg.Connection


class Database:
    """`url` in SQLAlchemy's or libpq's form; nothing is opened before it is used."""

    def __init__(self, url: str, *, pool_size: int = 4, application: str = "crm") -> None:
        self.url: URL = make_url(url).set(drivername="postgresql+asyncpg")
        self._dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._application = application
        self._readers: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"server_settings": {"application_name": application}, "timeout": 5},
        )

    async def connect(self) -> Connection:
        """A connection of one's own: a statement costs a third of what it costs through SQLAlchemy."""
        dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await asyncpg.connect(dsn, timeout=5, server_settings={"application_name": self._application})

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Connection]:
        """A connection for a short while, closed at the end whatever happened in between."""
        connection = await self.connect()
        try:
            yield connection
        finally:
            connection.terminate()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A driver's connection from a small pool of its own, for reads where a microsecond counts."""
        if self._readers is None:
            self._readers = asyncpg.create_pool(
                self._dsn,
                min_size=0,
                max_size=6,
                timeout=5,
                reset=_as_it_is,
                server_settings={"application_name": self._application},
            )
        pool = await self._readers
        async with pool.acquire(timeout=5) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """All statements inside see one state of the database, and none of them writes."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield connection

    async def close(self) -> None:
        if self._readers is not None:
            self._readers.terminate()
        await self.engine.dispose()


async def _as_it_is(_: Connection) -> None:
    """Readers leave no state behind, so a connection needs no round trip when it goes back to its pool."""
