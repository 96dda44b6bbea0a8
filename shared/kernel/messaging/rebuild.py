"""A view made again beside the live one, proved equal to an independent fold, and switched under the log's lock.

Filling is a follower of its own: each page is one transaction with its bookmark, so a stopped rebuild goes on.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from kernel.storage import log as log_
from kernel.storage.database import Connection, Database

log = structlog.get_logger()

Progress = Callable[[int, int], None]
_BOOKMARK = """
SELECT position FROM checkpoints WHERE follower = $1 AND version = $2 AND source = 'log' AND partition = 0
"""
_MOVE = """
INSERT INTO checkpoints (follower, version, source, partition, incarnation, position)
VALUES ($1, $2, 'log', 0, '00000000-0000-0000-0000-000000000000', $3)
ON CONFLICT (follower, version, source, partition) DO UPDATE SET position = excluded.position, updated_at = now()
"""
_BEGUN = """
SELECT version FROM views
WHERE name = $1 AND NOT live AND version > (SELECT version FROM views WHERE name = $1 AND live)
"""
_BEGIN = """
INSERT INTO views (name, version, shape, parameters, live, epoch)
SELECT $1, max(version) + 1, $2, $3, false, max(epoch) FROM views WHERE name = $1 RETURNING version
"""
_SWITCH = """
UPDATE views SET live = (version = $2), epoch = (SELECT max(epoch) + 1 FROM views)
WHERE name = $1 AND (live OR version = $2)
"""


class NotEqual(Exception):
    """The rebuilt view is not what an independent fold gives: the live one stays."""


@dataclass(frozen=True, slots=True)
class Filled:
    """One page of the log applied."""

    position: int
    records: int


class Target(Protocol):
    """A view that can be made again."""

    name: str
    shape: int
    parameters: str

    async def create(self, connection: Connection, version: int) -> None:
        """Makes the version's empty tables, unless they are there."""
        ...

    async def head(self, connection: Connection) -> int:
        """The last position of the log that the view follows."""
        ...

    def fill(self, connection: Connection, version: int, after: int) -> AsyncIterator[Filled]:
        """Applies the log after a position, page by page; each page is yielded before its transaction ends."""
        ...

    async def differences(self, connection: Connection, version: int, upto: int) -> int:
        """How many rows differ from a fold that shares nothing with `fill` but the view's own functions."""
        ...


async def rebuild(database: Database, target: Target, progress: Progress) -> int:
    """Answers the version that is live now. Raises `NotEqual` and leaves the live one when the proof fails."""
    async with database.driver() as connection:
        version = await _version(connection, target)
        position = await _fill(connection, target, version, progress)
        different = await target.differences(connection, version, position)
        if different:
            raise NotEqual(f"{different} rows of {target.name} version {version} differ from a fold")
        # What came during the proof is applied before the lock is taken, so that it is held for a moment only.
        position = await _fill(connection, target, version, progress)
        await _hand_over(connection, target, version, position)
    log.info("view_rebuilt", name=target.name, version=version)
    return version


async def _version(connection: Connection, target: Target) -> int:
    version: int | None = await connection.fetchval(_BEGUN, target.name)
    if version is None:
        version = await connection.fetchval(_BEGIN, target.name, target.shape, target.parameters)
    if version is None:
        raise LookupError(f"no view {target.name} in this database")
    await target.create(connection, version)
    return version


async def _fill(connection: Connection, target: Target, version: int, progress: Progress) -> int:
    position = await connection.fetchval(_BOOKMARK, target.name, version) or 0
    end = await target.head(connection)
    progress(position, end)
    while position < end:
        position = await _page(connection, target, version, position)
        progress(position, max(end, position))
    return int(position)


async def _page(connection: Connection, target: Target, version: int, after: int) -> int:
    async with connection.transaction():
        async for filled in target.fill(connection, version, after):
            await connection.execute(_MOVE, target.name, version, filled.position)
            return filled.position
    return await target.head(connection)


async def _hand_over(connection: Connection, target: Target, version: int, position: int) -> None:
    """Nobody writes while the lock is held: what came meanwhile is applied, and the new version is the live one."""
    await log_.begin(connection)
    try:
        async for filled in target.fill(connection, version, position):
            position = filled.position
        await connection.execute(_MOVE, target.name, version, position)
        await connection.execute(_SWITCH, target.name, version)
        await connection.execute("COMMIT")
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
