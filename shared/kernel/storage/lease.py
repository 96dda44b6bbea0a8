"""One holder at a time, in the database's clock, with an epoch that fences off whoever only thinks it still holds."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog

from kernel.storage.database import Connection, Database

log = structlog.get_logger()

_LASTS = "2 seconds"
_RENEW_EVERY = 0.5
_TAKE = f"""
INSERT INTO leases (name, epoch, holder, until)
VALUES ($1, 1, $2, clock_timestamp() + interval '{_LASTS}')
ON CONFLICT (name) DO UPDATE SET epoch = leases.epoch + 1, holder = excluded.holder, until = excluded.until
WHERE leases.until < clock_timestamp()
RETURNING epoch
"""
_RENEW = f"""
UPDATE leases SET until = clock_timestamp() + interval '{_LASTS}' WHERE name = $1 AND epoch = $2 RETURNING epoch
"""
_GIVE_BACK = (
    "UPDATE leases SET until = clock_timestamp() - interval '1 second' WHERE name = $1 AND epoch = $2"
)
# A successor waits for whoever is in the middle of a fenced transaction; the holder's own renewal does not.
_QUEUE = "SELECT epoch FROM leases WHERE name = $1 AND until < clock_timestamp() FOR UPDATE"
# Whoever stops in the middle of a fenced transaction must not hold up a successor.
_FENCE = """
SELECT epoch, set_config('idle_in_transaction_session_timeout', '2s', true) FROM leases
WHERE name = $1 AND epoch = $2 FOR KEY SHARE
"""


class LeaseLost(Exception):
    """Someone else holds it now: whatever was under way must be undone."""


class Lease:
    def __init__(self, name: str, epoch: int) -> None:
        self.name = name
        self.epoch = epoch

    async def fence(self, connection: Connection) -> None:
        """To be called in every transaction that writes in the holder's name."""
        if await connection.fetchval(_FENCE, self.name, self.epoch) is None:
            raise LeaseLost(self.name)


@asynccontextmanager
async def held(database: Database, name: str) -> AsyncIterator[tuple[Lease, asyncio.Task[None]]]:
    """Waits until the lease is ours; the task ends, with `LeaseLost`, when it no longer is."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    epoch = None
    while epoch is None:
        try:
            async with database.driver() as connection:
                while (epoch := await _take(connection, name, holder)) is None:  # noqa: ASYNC110
                    await asyncio.sleep(_RENEW_EVERY)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("lease_unreachable", name=name, error=repr(error))
            await asyncio.sleep(_RENEW_EVERY)
    lease = Lease(name, epoch)
    log.info("lease_taken", name=name, epoch=epoch)
    renewing = asyncio.create_task(_renew(database, lease), name=f"lease-{name}")
    try:
        yield lease, renewing
    finally:
        renewing.cancel()
        await asyncio.shield(_give_back(database, lease))


async def _take(connection: Connection, name: str, holder: str) -> int | None:
    async with connection.transaction():
        await connection.fetchval(_QUEUE, name)
        epoch: int | None = await connection.fetchval(_TAKE, name, holder)
    return epoch


async def _renew(database: Database, lease: Lease) -> None:
    try:
        async with database.driver() as connection:
            while True:
                async with asyncio.timeout(1.5):
                    renewed = await connection.fetchval(_RENEW, lease.name, lease.epoch)
                if renewed is None:
                    raise LeaseLost(lease.name)
                await asyncio.sleep(_RENEW_EVERY)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LeaseLost(lease.name) from error


async def _give_back(database: Database, lease: Lease) -> None:
    try:
        async with asyncio.timeout(2), database.driver() as connection:
            await connection.execute(_GIVE_BACK, lease.name, lease.epoch)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        log.info("lease_left_to_expire", name=lease.name)
