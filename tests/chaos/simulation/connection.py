"""The driver's connection without a network: a statement travels, runs on the server, and its answer travels back.

Any of the three may be where the connection breaks. What the server does with a broken connection it does by itself:
a transaction that was not committing is undone, one that was is finished.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple

import asyncpg
from kernel.storage.database import Database

from tests.chaos.simulation.backend import Backend
from tests.chaos.simulation.process import Process
from tests.chaos.simulation.server import Server

Rows = list[Any]


class Version(NamedTuple):
    major: int


class ModelConnection:
    """As much of `asyncpg.Connection` as the kernel uses."""

    def __init__(self, server: Server, process: Process) -> None:
        self._server = server
        self._process = process
        self._closed = False
        self._pending: asyncio.Future[Any] | None = None
        self.backend = Backend(server, process, self.lose)
        process.on_death.append(self.terminate)

    async def fetch(self, sql: str, *values: Any) -> Rows:
        answer = await self._ask(sql, values)
        return answer if isinstance(answer, list) else []

    async def fetchrow(self, sql: str, *values: Any) -> Any:
        rows = await self.fetch(sql, *values)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *values: Any) -> Any:
        rows = await self.fetch(sql, *values)
        return next(iter(rows[0].values())) if rows else None

    async def execute(self, sql: str, *values: Any) -> str:
        answer = await self._ask(sql, values)
        return f"{sql.split(maxsplit=1)[0]} {answer if isinstance(answer, int) else len(answer)}"

    def transaction(self, **_: Any) -> "_Scope":
        return _Scope(self)

    def get_server_version(self) -> Version:
        return Version(self._server.store.major)

    def is_closed(self) -> bool:
        return self._closed

    def terminate(self) -> None:
        if not self._closed:
            self.lose(asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"))
            self.backend.client_left()

    async def _ask(self, sql: str, values: tuple[Any, ...]) -> Any:
        if self._closed:
            raise asyncpg.InterfaceError("connection is closed")
        if self._pending is not None:
            raise asyncpg.InterfaceError("another operation is in progress")
        self._pending = answer = asyncio.get_running_loop().create_future()
        self._server.send(self, sql, values, self._answered)
        try:
            return await answer
        except asyncio.CancelledError:
            # The driver asks the server to stop; whoever is cancelled here never uses the connection again.
            self.terminate()
            raise
        finally:
            self._pending = None

    def _answered(self, answer: Any) -> None:
        pending = self._pending
        if pending is None or pending.done() or self._closed:
            return
        if isinstance(answer, Exception):
            pending.set_exception(answer)
        else:
            pending.set_result(answer)

    def lose(self, error: Exception) -> None:
        if self._closed:
            return
        self._closed = True
        if self._process.alive:
            self._process.on_death.remove(self.terminate)
        pending = self._pending
        if pending is not None and not pending.done():
            pending.set_exception(error)
            pending.exception()


class _Scope:
    def __init__(self, connection: ModelConnection) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        await self._connection.execute("BEGIN")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._connection.execute("COMMIT")
        elif not self._connection.is_closed():
            await self._connection.execute("ROLLBACK")


class ModelDatabase(Database):
    """What one process opens on one server. The pools of SQLAlchemy are not made: nobody here uses them."""

    def __init__(self, server: Server, process: Process) -> None:
        self._server = server
        self._process = process

    async def connect(self, *, most_seconds: float | None = None) -> Any:
        await self._server.accept(self._process)
        return ModelConnection(self._server, self._process)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        async with self.driver() as connection:
            yield connection
