"""Streams read for an answer: those that are asked for at the same time are one statement."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from kernel.domain.recorded import Recorded
from kernel.storage import log
from kernel.storage.catalog import Catalog
from kernel.storage.database import Connection, Database
from kernel.storage.failures import settle
from kernel.storage.loading import Loader, persons_of
from kernel.storage.log import StoredEvent

_MOST_AT_ONCE = 64
_Asked: TypeAlias = tuple[UUID, "asyncio.Future[tuple[Loader, list[StoredEvent]]]"]


class Streams:
    """What was committed before a stream was asked for is in its facts."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog
        self._asked: list[_Asked] = []
        self._reading: set[asyncio.Task[None]] = set()

    async def facts(self, stream_id: UUID) -> Sequence[Recorded[Any]]:
        """Empty for a stream that is not there. Raises what the database or the decoding of this stream raised."""
        future = asyncio.get_running_loop().create_future()
        self._asked.append((stream_id, future))
        if len(self._asked) % _MOST_AT_ONCE == 1:
            task = asyncio.create_task(self._read())
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        loader, events = await future
        return [loader.recorded(event) for event in events]

    async def _read(self) -> None:
        asked: list[_Asked] = []
        try:
            async with self._database.reading() as connection:
                # Only now: whoever has come while there was no connection is served with them.
                if asked := self._take():
                    await self._answer(connection, asked)
        except Exception as error:
            for _, future in asked or self._take():
                settle(future, error)

    def _take(self) -> list[_Asked]:
        taken, self._asked = self._asked[:_MOST_AT_ONCE], self._asked[_MOST_AT_ONCE:]
        return taken

    async def _answer(self, connection: Connection, asked: Sequence[_Asked]) -> None:
        loader = Loader(connection, self._catalog)
        found: dict[UUID, list[StoredEvent]] = {stream_id: [] for stream_id, _ in asked}
        try:
            events = await log.load(connection, list(found))
            await loader.load_keys(persons_of(events))
        except Exception:
            if len(asked) == 1 or connection.is_closed():
                raise
            # One of them may be at fault (a key that does not open): its neighbours are served without it.
            for one in asked:
                await self._alone(connection, one)
            return
        for event in events:
            found[event.stream_id].append(event)
        for stream_id, future in asked:
            settle(future, (loader, found[stream_id]))

    async def _alone(self, connection: Connection, asked: _Asked) -> None:
        try:
            await self._answer(connection, [asked])
        except Exception as error:
            settle(asked[1], error)
