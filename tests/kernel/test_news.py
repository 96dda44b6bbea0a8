"""Waiting for the log to grow: at once, for everybody, whoever appends, and with no look more than one waiter needs."""

import asyncio
from uuid import uuid4

import pytest
from kernel.messaging.news import News
from kernel.storage.failures import passing
from kernel.testing.toy_note import WriteNote

from tests.kernel.toys import Toy, on

LONG, SOON = 20.0, 3.0


async def head(toy: Toy) -> int:
    found: int = await toy.value("SELECT coalesce(max(position), 0) FROM events")
    return found


async def test_what_is_there_already_is_no_reason_to_wait(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, uuid4())
    news = News(toy.database, committer.committed)
    async with asyncio.timeout(SOON):
        assert await news.since(await head(toy) - 1, LONG)
        # A place above the end: the log was restored, and its reader must learn of it now.
        assert not await news.since(await head(toy) + 5, LONG)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["by-this-process", "by-another"])
async def test_everybody_who_waits_is_told_of_what_is_appended(toy: Toy, elsewhere: bool) -> None:
    committer = await toy.committer()
    news = News(toy.database, committer.committed)
    writer = await toy.committer() if elsewhere else committer
    position = await head(toy)
    waiting = [asyncio.create_task(news.since(position, LONG)) for _ in range(30)]
    await asyncio.sleep(0.2)
    assert not any(task.done() for task in waiting)
    await writer.submit(on(uuid4(), WriteNote()))
    async with asyncio.timeout(SOON):
        await asyncio.gather(*waiting)


async def test_no_append_between_a_look_and_the_waiting_is_missed(toy: Toy) -> None:
    committer = await toy.committer()
    news = News(toy.database, committer.committed)
    for _ in range(30):
        position = await head(toy)
        async with asyncio.timeout(SOON):
            await asyncio.gather(news.since(position, LONG), committer.submit(on(uuid4(), WriteNote())))


async def test_without_news_the_time_is_waited_and_no_longer(toy: Toy) -> None:
    committer = await toy.committer()
    news = News(toy.database, committer.committed)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await news.since(await head(toy), 0.3)
    assert 0.29 < loop.time() - began < SOON


async def test_many_who_wait_look_as_often_as_one(toy: Toy) -> None:
    committer = await toy.committer()
    news = News(toy.database, committer.committed)
    position = await head(toy)
    async with toy.database.reading() as connection:
        looks: list[str] = []
        connection.add_query_logger(log := lambda told: looks.append(told.query))
    try:
        await news.since(position, 0.5)
        alone = len(looks)
        looks.clear()
        await asyncio.gather(*(news.since(position, 0.5) for _ in range(50)))
        # Each looks once for itself when it comes; those looks are over several connections, and are not counted all.
        assert len(looks) < alone * 2 + 50
    finally:
        async with toy.database.reading() as connection:
            connection.remove_query_logger(log)


async def test_who_waits_when_the_database_fails_is_told(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, uuid4())
    news = News(toy.database, committer.committed)
    waiting = asyncio.create_task(news.since(await head(toy), LONG))
    await asyncio.sleep(0.1)
    await toy.database.close()
    await toy.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
        toy.name,
    )
    toy.server.execute(f'ALTER DATABASE "{toy.name}" ALLOW_CONNECTIONS false')
    try:
        await asyncio.wait([waiting], timeout=SOON)
        assert waiting.done()
        told = waiting.exception()
        assert isinstance(told, Exception)
        assert passing(told), told
    finally:
        toy.server.execute(f'ALTER DATABASE "{toy.name}" ALLOW_CONNECTIONS true')
