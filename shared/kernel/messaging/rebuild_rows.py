"""Rebuilding a service's read model from its own log, and checking one against a fold of every stream."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, cast
from uuid import UUID

from kernel.domain.recorded import Recorded
from kernel.messaging.making import Making
from kernel.messaging.rebuild import Progress
from kernel.storage import log as log_
from kernel.storage.catalog import Catalog
from kernel.storage.database import Connection, Database
from kernel.storage.loading import Loader
from kernel.storage.views import Row, Rows

PAGE = 1000
_EMPTY = 'DELETE FROM "{0}" WHERE ctid = ANY(ARRAY(SELECT ctid FROM "{0}" LIMIT 10000))'
# Whoever stops in the middle of a page is cut off, as the holder of the log's lock is.
_NOBODY_ERASES = f"""SET LOCAL idle_in_transaction_session_timeout = '2s';
SELECT pg_advisory_xact_lock_shared({log_.ERASING_LOCK})"""
_STREAMS = """
SELECT stream_id FROM streams WHERE category = ANY($1::text[]) AND stream_id > $2 ORDER BY stream_id LIMIT 500
"""


class RowsTarget:
    """A `Target` of the rebuild."""

    def __init__(self, view: Rows, catalog: Catalog) -> None:
        self.name = view.name
        self.shape = view.shape
        self.parameters = ""
        self._view = view
        self._catalog = catalog
        owners = [aggregate for aggregate in catalog.aggregates.values() if view in aggregate.views]
        self._categories = [aggregate.category for aggregate in owners]
        self._types = frozenset(kind for aggregate in owners for kind in aggregate.codec.types)

    async def create(self, connection: Connection, version: int) -> None:
        old, new = f"{self.name}_{self.shape}", f"{self.name}_{version}"
        await connection.execute(f'CREATE TABLE IF NOT EXISTS "{new}" (LIKE "{old}" INCLUDING ALL)')

    async def empty(self, making: Making) -> None:
        """Not all at once: whoever erases a person holds the log's lock, and waits for this."""
        gone = ""
        while gone != "DELETE 0":
            async with making.connection.transaction():
                await making.connection.execute(_NOBODY_ERASES)
                gone = await making.connection.execute(_EMPTY.format(f"{self.name}_{making.version}"))

    async def head(self, connection: Connection) -> int:
        return await log_.end(connection)

    async def load(self, database: Database, making: Making, progress: Progress) -> None:
        """Nothing: every event of the log is read anyway, and a row is cheap to write again."""

    async def fill(self, connection: Connection, version: int, after: int, upto: int) -> int:
        """Nobody is erased meanwhile: what this page read of a person would be written after the erasure."""
        await connection.execute(_NOBODY_ERASES)
        table = f"{self.name}_{version}"
        events = await log_.read_after(connection, after, PAGE)
        loader = Loader(connection, self._catalog)
        mine = await loader.decode([event for event in events if event.type in self._types])
        rows = await self._view.statements.load(connection, table, {self._view.key(event) for event in mine})
        self._view.project_all(rows, mine)
        await self._view.statements.write(connection, table, rows)
        erased = [event.stream_id for event in events if event.type in self._catalog.erasing]
        if erased:
            statements = self._view.statements
            await statements.blank(connection, table, erased, statements.names)
        return events[-1].position if events else upto

    async def differences(self, connection: Connection, version: int, upto: int) -> int:
        """Stream by stream, each folded on its own; what happened after `upto` is left out."""
        table, different, seen = f"{self.name}_{version}", 0, 0
        last = UUID(int=0)
        while found := await connection.fetch(_STREAMS, self._categories, last):
            stream_ids = [row["stream_id"] for row in found]
            last = stream_ids[-1]
            async with _snapshot(connection):
                expected, stored = await self._both(connection, table, stream_ids, upto)
            seen += len(stored)
            different += sum(_shown(stored.get(key)) != _shown(row) for key, row in expected.items())
        # Rows that no stream accounts for.
        total: int = await connection.fetchval(f'SELECT count(*) FROM "{table}"')
        return different + abs(total - seen)

    async def _both(
        self, connection: Connection, table: str, stream_ids: Sequence[UUID], upto: int
    ) -> tuple[dict[UUID, Row | None], dict[UUID, Row | None]]:
        """The rows of these streams as they must be, and as they are stored."""
        loader = Loader(connection, self._catalog)
        await loader.load(stream_ids, await loader.heads(stream_ids))
        streams = [stream for stream in loader.known.streams.values() if stream]
        expected = self._project(
            event for stream in streams for event in stream.facts if event.position <= upto
        )
        return expected, await self._view.statements.load(connection, table, expected)

    def _project(self, events: Iterable[Recorded[Any]]) -> dict[UUID, Row | None]:
        rows: dict[UUID, Row | None] = {}
        self._view.project_all(rows, events)
        return rows


def _snapshot(connection: Connection) -> AbstractAsyncContextManager[Any]:
    """One moment for the streams and the rows: between two, a person could be erased."""
    if connection.is_in_transaction():
        return nullcontext()
    return cast(
        AbstractAsyncContextManager[Any],
        connection.transaction(isolation="repeatable_read", readonly=True),
    )


def _shown(row: Row | None) -> dict[str, Any]:
    """A column that was not said is an empty one."""
    return {name: value for name, value in (row or {}).items() if value is not None}
