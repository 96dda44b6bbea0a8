"""Positions become visible in their order, so a reader by position misses nothing; without the lock it does."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
from kernel.storage import log
from kernel.testing.toy_note import WriteNote

from tests.kernel.slow_appender import append
from tests.kernel.toys import Toy, on

ROOT = Path(__file__).resolve().parents[2]
Begin = Callable[[asyncpg.Connection], Awaitable[object]]


class Reader:
    """Remembers the last position that it has seen, and nothing else."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.seen: list[int] = []

    async def read(self) -> None:
        while found := await log.read_after(self._connection, self.seen[-1] if self.seen else 0, 100):
            self.seen += [event.position for event in found]

    async def read_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.read()
            await asyncio.sleep(0)
        await self.read()


async def stored(toy: Toy) -> list[int]:
    return [row["position"] for row in await toy.rows("SELECT position FROM events ORDER BY position")]


async def test_a_reader_by_position_loses_nothing_to_slow_processes(toy: Toy) -> None:
    reader, stop = Reader(await toy.connect()), asyncio.Event()
    reading = asyncio.create_task(reader.read_until(stop))
    command = [sys.executable, "-m", "tests.kernel.slow_appender", toy.dsn, "40"]
    processes = [await asyncio.create_subprocess_exec(*command, str(n), cwd=ROOT) for n in range(3)]
    committer = await toy.committer()
    while any(process.returncode is None for process in processes):
        await committer.submit(on(uuid4(), WriteNote()))
    stop.set()
    await reading
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert reader.seen == await stored(toy)
    assert len(reader.seen) > 150


async def test_an_event_that_is_slow_to_commit_holds_up_those_behind_it(toy: Toy) -> None:
    lost = await lost_to_a_slow_commit(toy, log.begin)
    assert lost == []


async def test_without_the_lock_the_same_reader_loses_the_slow_event(toy: Toy) -> None:
    """The control: the same appenders, with a transaction that begins as any other."""
    lost = await lost_to_a_slow_commit(toy, lambda connection: connection.execute("BEGIN"))
    assert len(lost) == 1


async def test_the_lock_taken_after_the_position_is_drawn_is_no_lock(toy: Toy) -> None:
    async def begin_late(connection: asyncpg.Connection) -> None:
        await connection.execute("BEGIN")
        await append(connection, uuid4(), 1)
        await connection.execute(f"SELECT pg_advisory_xact_lock({log.LOG_LOCK})")

    slow, fast, reader = [await toy.connect() for _ in range(3)]
    await slow.execute("BEGIN")
    position = await append(slow, uuid4(), 1)
    await begin_late(fast)
    await fast.execute("COMMIT")
    watching = Reader(reader)
    await watching.read()
    await slow.execute(f"SELECT pg_advisory_xact_lock({log.LOG_LOCK})")
    await slow.execute("COMMIT")
    await watching.read()
    assert position not in watching.seen


async def lost_to_a_slow_commit(toy: Toy, begin: Begin) -> list[int]:
    """One draws a position and pauses before it commits; the other begins meanwhile, and commits as soon as it can."""
    slow, fast = await toy.connect(), await toy.connect()
    reader = Reader(await toy.connect())

    async def appear(connection: asyncpg.Connection) -> None:
        await begin(connection)
        await append(connection, uuid4(), 1)
        await connection.execute("COMMIT")

    await begin(slow)
    await append(slow, uuid4(), 1)
    other = asyncio.create_task(appear(fast))
    await asyncio.wait([other], timeout=0.3)
    await reader.read()
    await slow.execute("COMMIT")
    await other
    await reader.read()
    return sorted(set(await stored(toy)) - set(reader.seen))
