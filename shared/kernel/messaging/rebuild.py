"""A view made again beside the live one, proved equal to an independent fold, and switched under the log's lock.

Filling is a follower of its own: each page is one transaction with its bookmark, so a stopped rebuild goes on.
"""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

import structlog

from kernel.messaging.making import Making, alone
from kernel.storage import log as log_
from kernel.storage.database import Connection, Database

log = structlog.get_logger()

Progress = Callable[[int, int], None]
_BEGUN = """
SELECT version, shape, parameters FROM views
WHERE name = $1 AND NOT live AND version > (SELECT version FROM views WHERE name = $1 AND live)
ORDER BY version DESC LIMIT 1
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

    async def empty(self, making: Making) -> None:
        """Leaves nothing in the version's tables, and nothing parked."""
        ...

    async def head(self, connection: Connection) -> int:
        """The last position of the log that the view follows."""
        ...

    async def load(self, database: Database, making: Making, progress: Progress) -> None:
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
    """Answers the version that is live now. Raises `NotEqual` and leaves the live one when the proof fails.

    What an interrupted one has left may be of another release's fold: if it fails the proof, it is made anew once.
    """
    async with database.driver() as connection, alone(connection, target.name):
        making = await _begun(connection, target)
        resumed = await making.bookmark() is not None
        if not resumed:
            await target.empty(making)
        while True:
            try:
                await _make(database, target, making, progress)
                break
            except Overtaken:
                log.warning("rebuild_overtaken", name=target.name, version=making.version)
            except NotEqual as error:
                await making.forget()
                if not resumed:
                    raise
                log.warning("rebuild_begun_anew", name=target.name, version=making.version, why=str(error))
                resumed = False
                await target.empty(making)
    log.info("view_rebuilt", name=target.name, version=making.version)
    return making.version


async def _begun(connection: Connection, target: Target) -> Making:
    """The version that an interrupted rebuild has left, if it was to be the same; else another."""
    begun = await connection.fetchrow(_BEGUN, target.name)
    if begun is not None:
        making = await _made(connection, target, begun["version"])
        if (begun["shape"], begun["parameters"]) == (target.shape, target.parameters):
            return making
        # It is left empty; the tables may have other columns.
        await making.forget()
        await target.empty(making)
    version: int | None = await connection.fetchval(_BEGIN, target.name, target.shape, target.parameters)
    if version is None:
        raise LookupError(f"no view {target.name} in this database")
    return await _made(connection, target, version)


async def _made(connection: Connection, target: Target, version: int) -> Making:
    await target.create(connection, version)
    return Making(connection, target.name, version)


async def _make(database: Database, target: Target, making: Making, progress: Progress) -> None:
    began = monotonic()
    await target.load(database, making, progress)
    position = await _fill(target, making, progress)
    filled = monotonic()
    different = await target.differences(making.connection, making.version, position)
    if different:
        raise NotEqual(f"{different} rows of {target.name} version {making.version} differ from a fold")
    seconds = {"filled_in": round(filled - began, 3), "proved_in": round(monotonic() - filled, 3)}
    log.info("view_proved", name=target.name, version=making.version, upto=position, **seconds)
    # What came during the proof is applied before the lock is taken, so that it is held for a moment only.
    await _fill(target, making, progress)
    await _hand_over(target, making)


async def _fill(target: Target, making: Making, progress: Progress) -> int:
    position = await making.bookmark() or 0
    end = await target.head(making.connection)
    progress(position, end)
    while position < end:
        async with making.connection.transaction():
            position = await _page(target, making, position, end)
        progress(position, end)
    return position


async def _page(target: Target, making: Making, after: int, upto: int) -> int:
    position = await target.fill(making.connection, making.version, after, upto)
    await making.move(position)
    return position


async def _hand_over(target: Target, making: Making) -> None:
    """Nobody writes while the lock is held: what came meanwhile is applied, and the new version is the live one."""
    connection = making.connection
    await log_.begin(connection)
    try:
        position = await making.bookmark() or 0
        end = await target.head(connection)
        while position < end:
            position = await _page(target, making, position, end)
        await connection.execute(_SWITCH, target.name, making.version)
        await connection.execute("COMMIT")
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
