"""Analytics' sink: one transaction stores what was heard, lets the views follow, and moves the bookmarks.

Storing a record never fails because of a view: each view runs in a savepoint of its own.
"""

from collections.abc import Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import structlog

from kernel.messaging.cells import AnyCells, CellWriter, Heard, Unreadable
from kernel.messaging.followers import Checkpoint
from kernel.messaging.parking import Parkable, Parking
from kernel.messaging.received import HEAD, PAGE, Received
from kernel.messaging.records import PublicRecord
from kernel.messaging.rereading import Rereading
from kernel.messaging.tracker import Withdrawal
from kernel.storage import log as log_
from kernel.storage.database import Connection, Database

log = structlog.get_logger()

_LIVE = "SELECT name, version, shape, parameters, epoch FROM views WHERE live"
# A view that nobody has written yet takes the zone of its first writer.
_SETTLE = "UPDATE views SET parameters = $1 WHERE parameters = ''"
# What the view's own code raises, and what the database refuses of its values; all else is nobody's fault here.
VIEW_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
)
# When a restore takes back more than this, the log is read as a whole: what it concerns is held in memory at once.
_MOST_REFOLDED = 20_000
BEHIND = "behind a parked record of the same stream"


class ViewNotUsable(Exception):
    """The stored version of a view was made by other rules; a rebuild makes one that fits."""


class Projection:
    """Keeps the live version of every view. One instance, under the worker's lease, is the only writer."""

    def __init__(
        self, database: Database, received: Received, views: Sequence[AnyCells], zone: ZoneInfo
    ) -> None:
        self._database = database
        self._received = received
        self._views = views
        self._zone = zone
        self._writers: dict[tuple[str, int, int], CellWriter] = {}
        self._connection: Connection | None = None

    def reset(self) -> None:
        self._writers.clear()

    async def apply(
        self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal], checkpoint: Checkpoint
    ) -> None:
        connection = await self._connected()
        try:
            await log_.begin(connection)
            await checkpoint(connection)
            writers = await self.live(connection)
            heard = await self._received.store(connection, records) if records else []
            if withdrawals:
                await self._withdraw(connection, writers, withdrawals, heard)
            elif heard:
                for writer in writers:
                    await follow(connection, writer, heard)
            await connection.execute("COMMIT")
        except BaseException:
            # What the writers remember may be of a transaction that never was.
            for writer in self._writers.values():
                writer.forget()
            connection.terminate()
            self._connection = None
            raise

    async def live(self, connection: Connection) -> list[CellWriter]:
        """A writer for the live version of each view, as this transaction sees it."""
        rows = {row["name"]: row for row in await connection.fetch(_LIVE)}
        if any(not row["parameters"] for row in rows.values()):
            await connection.execute(_SETTLE, str(self._zone))
            rows = {row["name"]: row for row in await connection.fetch(_LIVE)}
        writers = {}
        for view in self._views:
            row = rows.get(view.name)
            if row is None or row["shape"] != view.shape or row["parameters"] != str(self._zone):
                raise ViewNotUsable(f"view {view.name} needs `crm rebuild {view.name}`")
            # Another epoch: another version, or the same one that someone else has written to.
            key = (view.name, row["version"], row["epoch"])
            writers[key] = self._writers.get(key) or CellWriter(view, row["version"], self._zone)
        self._writers = writers
        return list(writers.values())

    async def _withdraw(
        self,
        connection: Connection,
        writers: Sequence[CellWriter],
        withdrawals: Sequence[Withdrawal],
        heard: Sequence[Heard],
    ) -> None:
        """What may count no more is taken back, with all that it concerns, and folded anew from what still counts."""
        await connection.execute("SET LOCAL statement_timeout = 0")
        # Thousands of records are folded between two statements.
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '30s'")
        if connection.get_server_version().major >= 17:
            await connection.execute("SET LOCAL transaction_timeout = 0")
        places = [(one.source, await self._received.withdraw(connection, one)) for one in withdrawals]
        lost = [await self._received.above(connection, source, place) for source, place in places]
        if sum(lost) > _MOST_REFOLDED:
            await self._remake(connection, writers)
            return
        upto = int(await connection.fetchval(HEAD))
        for writer in writers:
            again: set[UUID] = set()
            await connection.execute("SAVEPOINT refold")
            try:
                for source, place in places:
                    again |= await refold(connection, writer, self._received, upto, source, place)
            except VIEW_FAULTS as error:
                # Read as a whole, each record is tried by itself, and the one at fault is parked.
                log.error("view_read_again", view=writer.view.name, error=repr(error))
                await connection.execute("ROLLBACK TO SAVEPOINT refold")
                await self._remake(connection, [writer])
                continue
            await connection.execute("RELEASE SAVEPOINT refold")
            await follow(connection, writer, [record for record in heard if record.stream_id not in again])

    async def _remake(self, connection: Connection, writers: Sequence[CellWriter]) -> None:
        for writer in writers:
            await empty(connection, writer)
        async for page in self._received.read(connection):
            for writer in writers:
                await follow(connection, writer, page)

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await self._database.connect()
        return self._connection


async def empty(connection: Connection, writer: CellWriter) -> None:
    writer.forget()
    for table in writer.view.tables(writer.version):
        await connection.execute(f'DELETE FROM "{table}"')
    await connection.execute(
        "DELETE FROM parked WHERE follower = $1 AND version = $2", writer.view.name, writer.version
    )


async def refold(
    connection: Connection, writer: CellWriter, received: Received, upto: int, source: str, place: int
) -> set[UUID]:
    """Whatever is concerned by what lies above a place, as if heard of for the first time; answers its streams."""
    view = writer.view
    concerned, counting = await Rereading(received, view).concerning(connection, upto, source, place)
    streams = {record.stream_id for record in concerned}
    parking = Parking(view.name, writer.version)
    for stream_id in streams & await parking.streams(connection):
        await parking.release(connection, stream_id)
    readable = [record for record in concerned if not isinstance(record.fact, Unreadable)]
    await writer.take_back(connection, dict.fromkeys(map(view.key, readable)))
    for begin in range(0, len(counting), PAGE):
        await follow(connection, writer, counting[begin : begin + PAGE])
    return streams


async def follow(connection: Connection, writer: CellWriter, heard: Sequence[Heard]) -> None:
    """Applies to one view what it hears; what it cannot take is parked, in order, and the rest is applied."""
    mine = writer.view.heard(heard)
    if not mine:
        return
    parking = Parking(writer.view.name, writer.version)
    blocked = await parking.streams(connection)
    await parking.park(connection, await _apply(connection, writer, mine, blocked))


async def _apply(
    connection: Connection, writer: CellWriter, records: Sequence[Heard], blocked: set[UUID]
) -> list[Parkable]:
    """A batch that the view cannot take is halved until the record at fault stands alone: that one is parked."""
    parked: list[Parkable] = []
    rest: list[Heard] = []
    for record in records:
        if record.stream_id in blocked:
            parked.append(_parkable(record, BEHIND))
        elif isinstance(record.fact, Unreadable):
            blocked.add(record.stream_id)
            parked.append(_parkable(record, record.fact.why))
        else:
            rest.append(record)
    error = await _try(connection, writer, rest) if rest else None
    if error is not None and len(rest) == 1:
        log.error("record_parked", view=writer.view.name, position=rest[0].position, error=repr(error))
        blocked.add(rest[0].stream_id)
        parked.append(_parkable(rest[0], repr(error)))
    elif error is not None:
        middle = len(rest) // 2
        for half in (rest[:middle], rest[middle:]):
            parked += await _apply(connection, writer, half, blocked)
    return parked


async def _try(connection: Connection, writer: CellWriter, records: Sequence[Heard]) -> Exception | None:
    """In a savepoint. Only what the view's own code raises is its fault; a failing database fails the batch."""
    await connection.execute("SAVEPOINT view")
    try:
        await writer.apply(connection, records)
    except VIEW_FAULTS as error:
        writer.forget()
        await connection.execute("ROLLBACK TO SAVEPOINT view")
        return error
    await connection.execute("RELEASE SAVEPOINT view")
    return None


def _parkable(record: Heard, error: str) -> Parkable:
    return Parkable(record.source, record.stream_id, record.position, error)
