"""What operators watch of analytics: how old its knowledge of each source is, and how much each view has parked."""

import asyncio

import asyncpg
import structlog
from kernel.messaging.service import Node
from kernel.storage.lease import Lease
from kernel.storage.metrics import LAG, PARKED

from analytics.reading import COMPLETE, lag_ms

log = structlog.get_logger()

_EVERY = 5.0
_PARKED = """
SELECT v.name AS view, count(p.position) AS records
FROM views AS v LEFT JOIN parked AS p ON p.follower = v.name AND p.version = v.version
WHERE v.live GROUP BY v.name
"""


class Gauges:
    """Told from what is committed, by whoever holds the lease; nobody else says anything."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def run(self, _: Lease) -> None:
        try:
            while True:
                try:
                    await self.tell()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    # What was true some time ago is worse than nothing.
                    silent()
                    log.warning("gauges_unknown", error=repr(error))
                await asyncio.sleep(_EVERY)
        finally:
            silent()

    async def tell(self) -> None:
        async with self._node.database.reading() as connection:
            now = await connection.fetchval("SELECT clock_timestamp()")
            complete = await connection.fetch(COMPLETE)
            parked = await connection.fetch(_PARKED)
        silent()
        for row in complete:
            lag = lag_ms(now, row["complete_at"])
            if lag is not None:
                LAG.labels(row["source"]).set(lag / 1000)
        for row in parked:
            PARKED.labels(row["view"]).set(row["records"])


def silent() -> None:
    LAG.clear()
    PARKED.clear()
