"""Rebuilding a view of sums from analytics' own log: the bulk of it stream by stream, then as it was heard."""

from contextlib import aclosing
from zoneinfo import ZoneInfo

from kernel.messaging.cells import AnyCells, CellWriter
from kernel.messaging.making import Making
from kernel.messaging.projecting import empty, follow
from kernel.messaging.proving import differences
from kernel.messaging.rebuild import Overtaken, Progress
from kernel.messaging.received import HEAD, Received
from kernel.messaging.rereading import Rereading
from kernel.storage.database import Connection, Database

_OVERTAKEN = "SELECT EXISTS (SELECT FROM withdrawn WHERE position > $1)"
# The bookmark of a loading: of what counts at the position in `LOG`, so many records are applied, stream by stream.
_STREAMS = "streams"


class CellsTarget:
    """A `Target` of the rebuild."""

    def __init__(self, view: AnyCells, received: Received, zone: ZoneInfo) -> None:
        self.name = view.name
        self.shape = view.shape
        self.parameters = str(zone)
        self._view = view
        self._log = Rereading(received, view)
        self._zone = zone
        self._writers: dict[int, CellWriter] = {}

    async def create(self, connection: Connection, version: int) -> None:
        for old, new in zip(self._view.tables(self.shape), self._view.tables(version), strict=True):
            await connection.execute(f'CREATE TABLE IF NOT EXISTS "{new}" (LIKE "{old}" INCLUDING ALL)')

    async def empty(self, making: Making) -> None:
        async with making.connection.transaction():
            await empty(making.connection, self._writer(making.version))

    async def head(self, connection: Connection) -> int:
        return int(await connection.fetchval(HEAD))

    async def load(self, database: Database, making: Making, progress: Progress) -> None:
        """Stream by stream up to where the log stands, so that each entity is read, folded and written once."""
        upto, done = await self._begun(making)
        if done is None:
            return
        async with database.driver() as reader, reader.transaction():
            total = await self._log.count(reader, upto)
            async with aclosing(self._log.streams(reader, upto, done)) as slices:
                async for heard in slices:
                    done += len(heard)
                    async with making.connection.transaction():
                        await follow(making.connection, self._writer(making.version), heard)
                        await making.move(done, _STREAMS)
                    progress(done, total)
        await making.forget(_STREAMS)

    async def _begun(self, making: Making) -> tuple[int, int | None]:
        """Up to where a loading reads, and after how many records it is; None when it is at its end."""
        async with making.connection.transaction():
            connection, upto = making.connection, await making.bookmark()
            if upto is not None and await connection.fetchval(_OVERTAKEN, upto):
                await empty(connection, self._writer(making.version))
                await making.forget()
                upto = None
            if upto is None:
                upto = await self.head(connection)
                await making.move(upto)
                await making.move(0, _STREAMS)
            return upto, await making.bookmark(_STREAMS)

    async def fill(self, connection: Connection, version: int, after: int, upto: int) -> int:
        if await connection.fetchval(_OVERTAKEN, after):
            raise Overtaken
        heard, position = await self._log.page(connection, after, upto)
        await follow(connection, self._writer(version), heard)
        return position

    async def differences(self, connection: Connection, version: int, upto: int) -> int:
        return await differences(connection, self._view, self._log, self._zone, version, upto)

    def _writer(self, version: int) -> CellWriter:
        return self._writers.setdefault(version, CellWriter(self._view, version, self._zone))
