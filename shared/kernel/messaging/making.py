"""Who makes a view again: one at a time, on one connection, which holds the view's lock for as long as it writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from kernel.messaging.sources import NO_INCARNATION
from kernel.storage.database import Connection

# The class of the locks of those who rebuild, one for each view's name.
REBUILDING = 0x726562
_ALONE = f"SELECT pg_try_advisory_lock({REBUILDING}, hashtext($1))"
_LET_GO = f"SELECT pg_advisory_unlock({REBUILDING}, hashtext($1))"
# A bookmark of a filling: everything up to this position of the log is applied.
LOG = "log"
_BOOKMARK = (
    "SELECT position FROM checkpoints WHERE follower = $1 AND version = $2 AND source = $3 AND partition = 0"
)
_MOVE = """
INSERT INTO checkpoints (follower, version, source, partition, incarnation, position)
VALUES ($1, $2, $3, 0, $4, $5)
ON CONFLICT (follower, version, source, partition) DO UPDATE SET position = excluded.position, updated_at = now()
"""
_FORGET = """
DELETE FROM checkpoints WHERE follower = $1 AND version = $2 AND ($3::text IS NULL OR source = $3)
"""


class AnotherRebuild(Exception):
    """Someone else is making the same view again."""


@dataclass(frozen=True, slots=True)
class Making:
    """A version that is being filled, and how far it is."""

    connection: Connection
    name: str
    version: int

    async def bookmark(self, source: str = LOG) -> int | None:
        position: int | None = await self.connection.fetchval(_BOOKMARK, self.name, self.version, source)
        return position

    async def move(self, position: int, source: str = LOG) -> None:
        await self.connection.execute(_MOVE, self.name, self.version, source, NO_INCARNATION, position)

    async def forget(self, source: str | None = None) -> None:
        """Without this bookmark, or without any: then the version is begun anew."""
        await self.connection.execute(_FORGET, self.name, self.version, source)


@asynccontextmanager
async def alone(connection: Connection, name: str) -> AsyncIterator[None]:
    """Whoever loses the connection has lost the lock too, and can write no more."""
    if not await connection.fetchval(_ALONE, name):
        raise AnotherRebuild(f"another rebuild of {name} is under way")
    try:
        yield
    finally:
        # The server takes a moment to notice that a connection is closed, and the next one may come at once.
        with suppress(Exception):
            await connection.execute(_LET_GO, name, timeout=5)
