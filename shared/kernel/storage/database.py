"""One service's database: SQLAlchemy's pool for queries, the driver's own connections where speed counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_MOST_READERS = 6
# In seconds: a network that has dropped an idle connection says nothing for much longer.
_MOST_OF_A_READ = 15.0
# asyncpg ships no types.
Connection: TypeAlias = asyncpg.Connection


class Database:
    """`url` in SQLAlchemy's or libpq's form; nothing is opened before it is used."""

    def __init__(self, url: str, *, pool_size: int = 4, application: str = "crm") -> None:
        self.url: URL = make_url(url).set(drivername="postgresql+asyncpg")
        self._dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._application = application
        self._free = asyncio.Semaphore(_MOST_READERS)
        self._idle: list[Connection] = []
        self._closed = False
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"server_settings": {"application_name": application}, "timeout": 5},
        )

    async def connect(self, *, most_seconds: float | None = None) -> Connection:
        """A connection of one's own: a statement costs a third of what it costs through SQLAlchemy.

        `most_seconds` for a statement, after which the connection is of no use any more.
        """
        try:
            return await asyncpg.connect(
                self._dsn,
                timeout=5,
                command_timeout=most_seconds,
                server_settings={"application_name": self._application},
            )
        except Exception as error:
            # The driver's frames hold what they raise: a traceback with both would keep all that waits for this.
            link: BaseException | None = error
            while link is not None:
                link.__traceback__ = None
                link = link.__cause__ or link.__context__
            raise

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
        """A connection of a few that stay open, for reads where a microsecond counts; they leave no state behind."""
        if self._free.locked():
            async with asyncio.timeout(5):
                await self._free.acquire()
        else:
            await self._free.acquire()
        connection: Connection | None = None
        whole = False
        try:
            while self._idle and connection is None:
                connection = self._idle.pop()
                if connection.is_closed():
                    connection = None
            if connection is None:
                connection = await self.connect(most_seconds=_MOST_OF_A_READ)
            yield connection
            whole = True
        finally:
            if connection is not None:
                # What an interrupted statement has left on its way must not meet the next one.
                self._idle.append(connection) if whole and not self._closed else connection.terminate()
            self._free.release()

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().terminate()
        await self.engine.dispose()
