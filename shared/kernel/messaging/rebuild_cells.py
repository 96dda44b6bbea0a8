"""Rebuilding a view of sums from analytics' own log, and checking one against a fold in memory."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from kernel.messaging.cells import SEPARATOR, AnyCells, CellWriter, fold
from kernel.messaging.projecting import follow
from kernel.messaging.rebuild import Filled
from kernel.messaging.received import HEAD, Received
from kernel.storage.database import Connection


class CellsTarget:
    """A `Target` of the rebuild."""

    def __init__(self, view: AnyCells, received: Received, zone: ZoneInfo) -> None:
        self.name = view.name
        self.shape = view.shape
        self.parameters = str(zone)
        self._view = view
        self._received = received
        self._zone = zone
        self._writers: dict[int, CellWriter] = {}

    async def create(self, connection: Connection, version: int) -> None:
        for old, new in zip(self._view.tables(self.shape), self._view.tables(version), strict=True):
            await connection.execute(f'CREATE TABLE IF NOT EXISTS "{new}" (LIKE "{old}" INCLUDING ALL)')

    async def head(self, connection: Connection) -> int:
        return int(await connection.fetchval(HEAD))

    async def fill(self, connection: Connection, version: int, after: int) -> AsyncIterator[Filled]:
        writer = self._writers.setdefault(version, CellWriter(self._view, version, self._zone))
        async for page in self._received.read(connection, after=after):
            try:
                await follow(connection, writer, page)
            except BaseException:
                writer.forget()
                raise
            yield Filled(page[-1].position if page else await self.head(connection), len(page))

    async def differences(self, connection: Connection, version: int, upto: int) -> int:
        states_table, cells_table = self._view.tables(version)
        states: dict[UUID, Any] = {}
        async for page in self._received.read(connection, upto=upto):
            parked = await connection.fetch(
                "SELECT DISTINCT stream_id FROM parked WHERE follower = $1 AND version = $2",
                self.name,
                version,
            )
            blocked = {row["stream_id"] for row in parked}
            records = [record for record in page if record.stream_id not in blocked]
            fold(self._view, records, states)
        expected: dict[str, list[int]] = {}
        for state in states.values():
            for cell, numbers in self._view.contribute(state, self._zone).items():
                held = expected.setdefault(SEPARATOR.join(cell), [0] * len(numbers))
                expected[SEPARATOR.join(cell)] = [a + b for a, b in zip(held, numbers, strict=True)]
        kept = {
            row["key"]: list(row["numbers"])
            for row in await connection.fetch(f'SELECT * FROM "{cells_table}"')
        }
        expected = {key: numbers for key, numbers in expected.items() if any(numbers)}
        stored = {
            row["id"]: self._view.adapter.validate_json(row["state"])
            for row in await connection.fetch(f'SELECT id, state FROM "{states_table}"')
        }
        cells = [key for key in kept.keys() | expected.keys() if kept.get(key) != expected.get(key)]
        return len(cells) + len(
            [key for key in stored.keys() | states.keys() if stored.get(key) != states.get(key)]
        )
