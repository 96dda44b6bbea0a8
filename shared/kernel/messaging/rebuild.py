"""A view made again beside the live one, proved equal to an independent fold, and switched under the log's lock.

Filling is a follower of its own: each page is one transaction with its bookmark, so a stopped rebuild goes on.
"""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

import structlog

from kernel.storage import log as log_
from kernel.storage.database import Connection, Database

log = structlog.get_logger()

Progress = Callable[[int, int], None]
_BOOKMARK = (
    "SELECT position FROM checkpoints WHERE follower = $1 AND version = $2 AND source = $3 AND partition = 0"
)
_MOVE = """
INSERT INTO checkpoints (follower, version, source, partition, incarnation, position)
VALUES ($1, $2, $3, 0, '00000000-0000-0000-0000-000000000000', $4)
ON CONFLICT (follower, version, source, partition) DO UPDATE SET position = excluded.position, updated_at = now()
"""
# A bookmark of a filling: everything up to this position of the log is applied.
LOG = "log"
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


class Overtaken(Exception):
    """What was filled no longer counts, because a source was restored meanwhile."""


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

    async def load(
        self, database: Database, connection: Connection, version: int, progress: Progress
    ) -> None:
        """Applies the bulk of the log in whatever order is fastest, or nothing; leaves the bookmark where that is.

        What was overtaken is made empty first.
        """
        ...

    async def fill(self, connection: Connection, version: int, after: int, upto: int) -> int:
        """Applies the next page of the log, and answers up to which position everything is applied then.

        Raises `Overtaken` when it cannot go on from there.
        """
        ...

    async def differences(self, connection: Connection, version: int, upto: int) -> int:
        """How many rows differ from a fold that shares nothing with filling but the view's own functions."""
        ...


async def rebuild(database: Database, target: Target, progress: Progress) -> int:
    """Answers the version that is live now. Raises `NotEqual` and leaves the live one when the proof fails."""
    async with database.driver() as connection:
        version = await _version(connection, target)
        while True:
            try:
                await _make(database, connection, target, version, progress)
                break
            except Overtaken:
                log.warning("rebuild_overtaken", name=target.name, version=version)
    log.info("view_rebuilt", name=target.name, version=version)
    return version


async def _make(
    database: Database, connection: Connection, target: Target, version: int, progress: Progress
) -> None:
    began = monotonic()
    await target.load(database, connection, version, progress)
    position = await _fill(connection, target, version, progress)
    filled = monotonic()
    different = await target.differences(connection, version, position)
    if different:
        raise NotEqual(f"{different} rows of {target.name} version {version} differ from a fold")
    seconds = {"filled_in": round(filled - began, 3), "proved_in": round(monotonic() - filled, 3)}
    log.info("view_proved", name=target.name, version=version, upto=position, **seconds)
    # What came during the proof is applied before the lock is taken, so that it is held for a moment only.
    await _fill(connection, target, version, progress)
    await _hand_over(connection, target, version)


async def _version(connection: Connection, target: Target) -> int:
    version: int | None = await connection.fetchval(_BEGUN, target.name)
    if version is None:
        version = await connection.fetchval(_BEGIN, target.name, target.shape, target.parameters)
    if version is None:
        raise LookupError(f"no view {target.name} in this database")
    await target.create(connection, version)
    return version


async def _fill(connection: Connection, target: Target, version: int, progress: Progress) -> int:
    position = await bookmark(connection, target.name, version) or 0
    end = await target.head(connection)
    progress(position, end)
    while position < end:
        async with connection.transaction():
            position = await _page(connection, target, version, position, end)
        progress(position, end)
    return position


async def _page(connection: Connection, target: Target, version: int, after: int, upto: int) -> int:
    position = await target.fill(connection, version, after, upto)
    await move(connection, target.name, version, position)
    return position


async def _hand_over(connection: Connection, target: Target, version: int) -> None:
    """Nobody writes while the lock is held: what came meanwhile is applied, and the new version is the live one."""
    await log_.begin(connection)
    try:
        position = await bookmark(connection, target.name, version) or 0
        end = await target.head(connection)
        while position < end:
            position = await _page(connection, target, version, position, end)
        await connection.execute(_SWITCH, target.name, version)
        await connection.execute("COMMIT")
    except BaseException:
        await connection.execute("ROLLBACK")
        raise


async def bookmark(connection: Connection, name: str, version: int, source: str = LOG) -> int | None:
    position: int | None = await connection.fetchval(_BOOKMARK, name, version, source)
    return position


async def move(connection: Connection, name: str, version: int, position: int, source: str = LOG) -> None:
    await connection.execute(_MOVE, name, version, source, position)
