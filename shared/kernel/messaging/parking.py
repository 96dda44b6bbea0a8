"""A record that a view cannot take is parked with everything behind it of the same stream; the others flow on."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.messaging.sources import NO_INCARNATION
from kernel.storage.database import Connection

_LOAD = "SELECT DISTINCT stream_id FROM parked WHERE follower = $1 AND version = $2"
_PARK = """
INSERT INTO parked (follower, version, source, incarnation, stream_id, position, error)
SELECT $1, $2, source, $7, stream_id, position, error
FROM unnest($3::text[], $4::uuid[], $5::bigint[], $6::text[]) AS given(source, stream_id, position, error)
ON CONFLICT DO NOTHING
"""
# What a version parked that is not live, nobody waits for.
_LIST = """
SELECT p.follower, p.version, p.source, p.stream_id, p.position, p.error, p.parked_at
FROM parked AS p JOIN views AS v ON v.name = p.follower AND v.version = p.version AND v.live
ORDER BY p.position, p.follower
"""


@dataclass(frozen=True, slots=True)
class Parkable:
    """What parking keeps of a record: where to read it again, and why it waits."""

    source: str
    stream_id: UUID
    position: int
    error: str


@dataclass(frozen=True, slots=True)
class Parking:
    """The parked records of one follower; positions are those of the log that it follows."""

    follower: str
    version: int

    async def streams(self, connection: Connection) -> set[UUID]:
        rows = await connection.fetch(_LOAD, self.follower, self.version)
        return {row["stream_id"] for row in rows}

    async def park(self, connection: Connection, records: Sequence[Parkable]) -> None:
        if not records:
            return
        await connection.execute(
            _PARK,
            self.follower,
            self.version,
            [record.source for record in records],
            [record.stream_id for record in records],
            [record.position for record in records],
            [record.error[:500] for record in records],
            NO_INCARNATION,
        )

    async def release(self, connection: Connection, stream_id: UUID) -> None:
        await connection.execute(
            "DELETE FROM parked WHERE follower = $1 AND version = $2 AND stream_id = $3",
            self.follower,
            self.version,
            stream_id,
        )


async def all_parked(connection: Connection) -> list[dict[str, object]]:
    """Of the live versions."""
    return [dict(row) for row in await connection.fetch(_LIST)]
