"""The relay's row: how far the log has been passed on, and per partition the last record and its offset."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from pydantic_core import to_json

from kernel.messaging import digest as digests
from kernel.messaging.publisher import Sent
from kernel.storage.codec import parsed
from kernel.storage.database import Connection
from kernel.storage.lease import Lease

_ROW = "SELECT incarnation, position, event_id, partitions FROM relay WHERE topic = $1"
_DIGEST = "SELECT digest FROM log_digests WHERE position <= $1 ORDER BY position DESC LIMIT 1"
_SAVE = """
INSERT INTO relay (topic, incarnation, position, event_id, partitions) VALUES ($1, $2, $3, $4, $5::jsonb)
ON CONFLICT (topic) DO UPDATE SET incarnation = excluded.incarnation, position = excluded.position,
    event_id = excluded.event_id, partitions = excluded.partitions
"""
_SAVE_DIGEST = "INSERT INTO log_digests (position, digest) VALUES ($1, $2) ON CONFLICT (position) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Progress:
    """The relay's row. `previous` of a record comes from here, so a retry and a successor write the same."""

    incarnation: UUID | None
    position: int
    event_id: UUID | None
    partitions: Mapping[int, Sent]


async def load(connection: Connection, topic: str) -> tuple[Progress, bytes]:
    """The row, and the log's digest up to it."""
    row = await connection.fetchrow(_ROW, topic)
    if row is None:
        return Progress(None, 0, None, {}), digests.START
    partitions = {
        int(number): Sent(position, offset)
        for number, (position, offset) in parsed(row["partitions"]).items()
    }
    digest = await connection.fetchval(_DIGEST, row["position"])
    return Progress(row["incarnation"], row["position"], row["event_id"], partitions), digest or digests.START


async def save(
    connection: Connection, lease: Lease, topic: str, progress: Progress, digest: bytes | None = None
) -> None:
    """Fenced: whoever has lost the lease moves nothing."""
    partitions = {str(n): [sent.position, sent.offset] for n, sent in progress.partitions.items()}
    async with connection.transaction():
        await lease.fence(connection)
        await connection.execute(
            _SAVE,
            topic,
            progress.incarnation,
            progress.position,
            progress.event_id,
            to_json(partitions).decode(),
        )
        if digest is not None:
            await connection.execute(_SAVE_DIGEST, progress.position, digest)
