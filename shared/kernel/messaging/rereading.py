"""Analytics' log read again for one view: only what the view hears, stream by stream or in the order of positions."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from kernel.messaging.cells import AnyCells, Heard
from kernel.messaging.received import COLUMNS, COUNTING, COUNTS, Received
from kernel.storage.database import Connection

_HEARD = f"{COUNTING} AND type = ANY($3::text[])"
_COUNT = f"SELECT count(*) {_HEARD}"
_PAGE = f"SELECT {COLUMNS} {_HEARD} ORDER BY position LIMIT $4"
_STREAMS = f"SELECT {COLUMNS} {_HEARD} ORDER BY stream_id, position OFFSET $4"
# `{}` is the entity: all of its records are in one share.
_SHARE = (
    f"SELECT {COLUMNS} {_HEARD} AND ($5 = 1 OR (hashtext({{}}) & 2147483647) % $5 = $4) ORDER BY position"
)
# All records of the entities that what lies above a place of a source concerns, and whether each of them counts.
_CONCERNED = f"""
SELECT {COLUMNS}, {COUNTS} AS counts FROM received AS r
WHERE position > $1 AND position <= $2 AND type = ANY($3::text[]) AND {{}} IN (
    SELECT {{}} FROM received WHERE source = $4 AND source_position > $5 AND type = ANY($3::text[]))
ORDER BY position
"""

PAGE = 500
# A transaction of a filling by streams: so many that what a transaction costs is not felt.
SLICE = 4_000


class Rereading:
    """Whoever asks for more than a page has opened a transaction."""

    def __init__(self, received: Received, view: AnyCells) -> None:
        self._received = received
        self._types = received.types(view)
        across = None if view.across is None else f"coalesce(data ->> '{view.across}', '')"
        self._share = _SHARE.format(across or "stream_id::text")
        self.concerned = _CONCERNED.format(across or "stream_id", across or "stream_id")

    async def count(self, connection: Connection, upto: int) -> int:
        return int(await connection.fetchval(_COUNT, 0, upto, self._types))

    async def page(self, connection: Connection, after: int, upto: int) -> tuple[list[Heard], int]:
        """The next records in the order of positions, and the position up to which there is nothing else."""
        rows = await connection.fetch(_PAGE, after, upto, self._types, PAGE)
        return self._received.heard(rows), rows[-1]["position"] if len(rows) == PAGE else upto

    async def streams(
        self, connection: Connection, upto: int, after: int
    ) -> AsyncGenerator[list[Heard], None]:
        """Slices of the log in the order of streams; `after` so many records.

        The next slice is read and decoded while whoever has this one waits for the database.
        """
        slices = self._slices(connection, upto, after)
        ahead = asyncio.ensure_future(anext(slices, None))
        try:
            while heard := await ahead:
                ahead = asyncio.ensure_future(anext(slices, None))
                yield heard
        finally:
            ahead.cancel()

    async def _slices(self, connection: Connection, upto: int, after: int) -> AsyncIterator[list[Heard]]:
        gathered: list[Heard] = []
        async for heard in self._pages(connection, _STREAMS, upto, after):
            gathered += heard
            if len(gathered) >= SLICE:
                yield gathered
                gathered = []
        if gathered:
            yield gathered

    def share(
        self, connection: Connection, upto: int, number: int, shares: int
    ) -> AsyncIterator[list[Heard]]:
        """The records of every so many-th entity, in the order of positions."""
        return self._pages(connection, self._share, upto, number, shares)

    async def concerning(
        self, connection: Connection, upto: int, source: str, place: int
    ) -> tuple[list[Heard], list[Heard]]:
        """Of the entities that what lies above the place concerns: all records, and those that count as of `upto`."""
        rows = await connection.fetch(self.concerned, 0, upto, self._types, source, place)
        heard = self._received.heard(rows)
        return heard, [record for record, row in zip(heard, rows, strict=True) if row["counts"]]

    async def _pages(
        self, connection: Connection, query: str, upto: int, *rest: int
    ) -> AsyncIterator[list[Heard]]:
        cursor = await connection.cursor(query, 0, upto, self._types, *rest)
        while rows := await cursor.fetch(PAGE):
            yield self._received.heard(rows)
