"""Parked records of a view applied again, stream by stream and in order, once the cause is mended."""

from collections.abc import Sequence
from uuid import UUID

from kernel.messaging.cells import CellWriter, Heard, Unreadable
from kernel.messaging.parking import Parking
from kernel.messaging.projecting import VIEW_FAULTS, Projection
from kernel.messaging.received import Received
from kernel.storage import log as log_
from kernel.storage.database import Connection, Database

# Of one transaction: who holds the log's lock for more than a few seconds is cut off.
_MOST_STREAMS = 50


async def unpark(
    database: Database, projection: Projection, received: Received, view: str | None = None
) -> int:
    """Answers how many records left the park. What fails again stays, with everything behind it."""
    released = 0
    last: tuple[str, UUID] | None = None
    async with database.driver() as connection:
        while True:
            await log_.begin(connection)
            writers = {writer.view.name: writer for writer in await projection.live(connection)}
            parked = [
                (name, stream_id)
                for name, writer in sorted(writers.items())
                for stream_id in sorted(await Parking(name, writer.version).streams(connection))
                if view in (None, name) and (last is None or (name, stream_id) > last)
            ]
            for name, stream_id in parked[:_MOST_STREAMS]:
                released += await _release(connection, writers[name], received, stream_id)
            # Whoever keeps these views remembers their states; a new epoch makes it forget.
            await connection.execute("UPDATE views SET epoch = (SELECT max(epoch) + 1 FROM views) WHERE live")
            await connection.execute("COMMIT")
            if len(parked) <= _MOST_STREAMS:
                return released
            last = parked[_MOST_STREAMS - 1]


async def _release(connection: Connection, writer: CellWriter, received: Received, stream_id: UUID) -> int:
    parking = Parking(writer.view.name, writer.version)
    records = await _parked_records(connection, parking, received, stream_id)
    if any(isinstance(record.fact, Unreadable) for record in records):
        return 0
    await connection.execute("SAVEPOINT unpark")
    try:
        await writer.apply(connection, writer.view.heard(records))
    except VIEW_FAULTS:
        writer.forget()
        await connection.execute("ROLLBACK TO SAVEPOINT unpark")
        return 0
    await parking.release(connection, stream_id)
    await connection.execute("RELEASE SAVEPOINT unpark")
    return len(records)


async def _parked_records(
    connection: Connection, parking: Parking, received: Received, stream_id: UUID
) -> Sequence[Heard]:
    """Read again from the log, because parking keeps no payload."""
    positions = await connection.fetch(
        """SELECT position FROM parked WHERE follower = $1 AND version = $2 AND stream_id = $3 ORDER BY position""",
        parking.follower,
        parking.version,
        stream_id,
    )
    return await received.at(connection, [row["position"] for row in positions])
