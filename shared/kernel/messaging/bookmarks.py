"""Bookmarks in the database: read at the start, and moved on by compare-and-set in the transaction of the rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kernel.messaging.sources import NO_INCARNATION, Bookmark, Bookmarks
from kernel.storage.database import Connection

_LOAD = """
SELECT source, partition, incarnation, position, kafka_offset, complete_at FROM checkpoints
WHERE follower = $1 AND version = $2
"""
_MOVE = """
UPDATE checkpoints AS held
SET incarnation = given.incarnation, position = given.position, kafka_offset = given.kafka_offset,
    complete_at = coalesce(given.complete_at, held.complete_at), updated_at = clock_timestamp()
FROM unnest($3::text[], $4::int[], $5::uuid[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::uuid[], $10::bigint[])
     AS given(source, partition, incarnation, position, kafka_offset, complete_at, was_incarnation, was_position)
WHERE held.follower = $1 AND held.version = $2 AND held.source = given.source AND held.partition = given.partition
  AND held.incarnation = given.was_incarnation AND held.position = given.was_position
"""
_BEGIN = """
INSERT INTO checkpoints (follower, version, source, partition, incarnation, position)
SELECT $1, $2, source, partition, $5, 0 FROM unnest($3::text[], $4::int[]) AS given(source, partition)
ON CONFLICT DO NOTHING
"""


class CheckpointLost(Exception):
    """Someone else has moved the checkpoint: this follower must begin again from what is stored."""


PartitionKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class BookmarkStore:
    follower: str
    version: int = 1

    async def load(self, connection: Connection, sources: Iterable[str]) -> dict[str, Bookmarks]:
        found = {source: Bookmarks() for source in sources}
        for row in await connection.fetch(_LOAD, self.follower, self.version):
            if row["source"] in found:
                found[row["source"]].partitions[row["partition"]] = Bookmark(
                    row["incarnation"], row["position"], row["kafka_offset"], row["complete_at"]
                )
        return found

    async def move(
        self,
        connection: Connection,
        was: Mapping[PartitionKey, Bookmark],
        to: Mapping[PartitionKey, Bookmark],
    ) -> None:
        """Raises `CheckpointLost` unless every stored bookmark still is what it was."""
        if not to:
            return
        fresh = [key for key in to if key not in was]
        if fresh:
            sources, partitions = zip(*fresh, strict=True)
            await connection.execute(_BEGIN, self.follower, self.version, sources, partitions, NO_INCARNATION)
        before = [was.get(key) or Bookmark() for key in to]
        after = list(to.values())
        moved = await connection.execute(
            _MOVE,
            self.follower,
            self.version,
            [source for source, _ in to],
            [partition for _, partition in to],
            [mark.incarnation for mark in after],
            [mark.position for mark in after],
            [mark.offset for mark in after],
            [mark.at for mark in after],
            [mark.incarnation for mark in before],
            [mark.position for mark in before],
        )
        if moved != f"UPDATE {len(to)}":
            raise CheckpointLost(f"{self.follower}: {moved} of {len(to)} bookmarks")
