"""A database that cannot be reached, or says nothing: nobody is kept in memory for it, and no reader waits for ever."""

import asyncio
import gc
import weakref

import pytest
from kernel.storage import database as database_
from kernel.storage.database import Database

from tests.kernel.toys import Toy


class Waiting:
    """What a batch is to the committer: it stands in the frames that a failure passes."""


async def _in_vain(database: Database) -> "weakref.ref[Waiting]":
    waiting = Waiting()
    known = weakref.ref(waiting)
    try:
        await _connect(database, waiting)
    except Exception:
        return known
    raise AssertionError("somebody answered")


async def _connect(database: Database, _waiting: Waiting) -> None:
    await database.connect()


@pytest.mark.parametrize(
    "greeting",
    [None, b"", b"N", b"E\x00\x00\x00\x17SFATAL\x00C57P03\x00Mno\x00\x00"],
    ids=["nobody is there", "cut at once", "cut in the middle", "starting up"],
)
async def test_a_connection_that_fails_keeps_nothing_of_whoever_asked_for_it(greeting: bytes | None) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(greeting or b"")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if greeting is None:
        server.close()
        await server.wait_closed()
    database = Database(f"postgresql://nobody@127.0.0.1:{port}/none?sslmode=disable")
    gc.collect()
    gc.disable()
    try:
        known = [await _in_vain(database) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert [ref() for ref in known] == [None] * 3
    finally:
        gc.enable()
        server.close()
        await database.close()


async def test_a_reader_of_a_database_that_says_nothing_more_gives_up(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_, "_MOST_OF_A_READ", 0.3)
    with pytest.raises(TimeoutError):
        async with toy.database.reading() as connection:
            await connection.execute("SELECT pg_sleep(30)")
    async with toy.database.reading() as connection:
        assert await connection.fetchval("SELECT 1") == 1
