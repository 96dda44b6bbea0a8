"""A process of its own that takes the log's lock and says so, to be stopped at a moment that it has prepared."""

import asyncio
import sys
from uuid import uuid4

import asyncpg
from kernel.storage import log

from tests.kernel.slow_appender import append

# A megabyte is more than the socket's buffers hold. The pause gives time to stop us before it comes.
LOAD = "SELECT repeat('x', 1000) FROM pg_sleep(1), generate_series(1, 1000)"


async def idle(connection: asyncpg.Connection) -> None:
    await asyncio.sleep(60)


async def receiving(connection: asyncpg.Connection) -> None:
    await connection.fetch(LOAD)


async def sending(connection: asyncpg.Connection) -> None:
    """The first half of an insert: prepared, and its values begun."""
    parse = b"\0SELECT $1::text\0" + (0).to_bytes(2, "big")
    connection._transport.write(b"P" + (len(parse) + 4).to_bytes(4, "big") + parse)
    connection._transport.write(b"B" + (1_000_000).to_bytes(4, "big") + b"\0\0" + b"x" * 1000)
    await asyncio.sleep(60)


async def committing(connection: asyncpg.Connection) -> None:
    """A commit that takes its time: a deferred trigger of the test sleeps in it."""
    await append(connection, uuid4(), 1)
    await connection.execute("COMMIT")
    await asyncio.sleep(60)


async def hold(dsn: str, how: str) -> None:
    connection = await asyncpg.connect(dsn)
    await log.begin(connection)
    working = asyncio.create_task(globals()[how](connection))
    await asyncio.sleep(0.1)
    sys.stdout.write(f"{connection.get_server_pid()}\n")
    sys.stdout.flush()
    await working


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], sys.argv[2]))
