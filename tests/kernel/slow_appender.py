"""A process of its own that appends under the log's lock, with pauses inside its transactions."""

import asyncio
import random
import sys
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from kernel.domain.ids import new_id
from kernel.storage import log

NOW = "SELECT clock_timestamp()"


async def append(connection: asyncpg.Connection, stream_id: UUID, version: int) -> int:
    """One event, of no kind that anybody reads."""
    columns: list[list[Any]] = [
        [stream_id],
        [version],
        [new_id()],
        ["Nothing"],
        [1],
        ["{}"],
        [None],
        [None],
        ["{}"],
        [await connection.fetchval(NOW)],
    ]
    row = await connection.fetchrow(log.APPEND, *columns)
    position: int = row["position"]
    return position


async def run(dsn: str, transactions: int, seed: int) -> None:
    chance = random.Random(seed)
    connection = await asyncpg.connect(dsn)
    for _ in range(transactions):
        stream_id = uuid4()
        await log.begin(connection)
        for version in range(1, chance.randint(2, 4)):
            await append(connection, stream_id, version)
            if chance.random() < 0.3:
                await connection.execute(f"SELECT pg_sleep({chance.uniform(0, 0.02)})")
        await connection.execute("COMMIT" if chance.random() < 0.9 else "ROLLBACK")
    await connection.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
