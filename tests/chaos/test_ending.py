"""The harness ends what it began."""

import asyncio

from tests.chaos.live.ending import end


async def test_a_task_that_loses_its_cancellation_is_cancelled_again() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while not lost:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await end(task, again_after=0.1) == []
    assert lost == 1
    assert task.cancelled()


async def test_what_a_task_failed_with_is_told() -> None:
    async def failing() -> None:
        raise LookupError

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    assert [type(error) for error in await end(task)] == [LookupError]
