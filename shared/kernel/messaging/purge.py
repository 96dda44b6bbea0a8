"""Idempotency keys are kept for three days; what is older is removed, a little at a time."""

import asyncio

from kernel.messaging.service import Node
from kernel.storage.lease import Lease

_KEPT = "72 hours"
_EVERY = 600.0
# No lock of the log: a key this old is no one's repeat any more.
_PURGE = f"""
DELETE FROM idempotency WHERE (principal, key) IN (
    SELECT principal, key FROM idempotency WHERE created_at < now() - interval '{_KEPT}' LIMIT 1000)
"""


class Purge:
    def __init__(self, node: Node) -> None:
        self._node = node

    async def run(self, _: Lease) -> None:
        while True:
            async with self._node.database.reading() as connection:
                removed = await connection.execute(_PURGE)
            if removed == "DELETE 0":
                await asyncio.sleep(_EVERY)
