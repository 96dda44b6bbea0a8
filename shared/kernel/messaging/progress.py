"""The relay's row: how far the log has been passed on, and per partition the last record and acknowledged offset."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from pydantic_core import from_json, to_json

from kernel.messaging import digest as digests
from kernel.messaging.feed import Incarnation
from kernel.messaging.publisher import Heartbeat
from kernel.messaging.records import PublicRecord
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
class Sent:
    """Per partition: the position of the last record, and its acknowledged offset."""

    position: int
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The relay's row. `previous` of a record comes from here, so a retry and a successor write the same."""

    incarnation: UUID | None
    position: int
    event_id: UUID | None
    partitions: dict[int, Sent]


def turned(progress: Progress, incarnation: Incarnation) -> Progress:
    """The chains begin anew: whoever meets the new incarnation goes back to where it starts."""
    held = progress.partitions
    chains = {
        number: Sent(incarnation.from_position, held[number].offset if number in held else None)
        for number in range(incarnation.partitions)
    }
    return replace(progress, incarnation=incarnation.id, partitions=chains)


class BrokerLost(Exception):
    """An acknowledged record is no longer there: begin again, and publish it again."""


def acknowledged(
    progress: Progress, messages: Sequence[PublicRecord | Heartbeat], offsets: Sequence[int]
) -> Progress:
    """Raises `BrokerLost` when an offset is not above the one acknowledged before it."""
    partitions = dict(progress.partitions)
    for message, offset in zip(messages, offsets, strict=True):
        sent = partitions[message.partition]
        if sent.offset is not None and offset <= sent.offset:
            raise BrokerLost(f"partition {message.partition}: offset {offset} was acknowledged before")
        partitions[message.partition] = Sent(sent.position, offset)
    return replace(progress, partitions=partitions)


async def load(connection: Connection, topic: str) -> tuple[Progress, bytes]:
    """The row, and the log's digest up to it."""
    row = await connection.fetchrow(_ROW, topic)
    if row is None:
        return Progress(None, 0, None, {}), digests.START
    partitions = {
        int(number): Sent(position, offset)
        for number, (position, offset) in from_json(row["partitions"]).items()
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
