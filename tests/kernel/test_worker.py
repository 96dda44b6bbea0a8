"""Whatever ends a part of the worker, its parts are begun again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from kernel.messaging.service import Node
from kernel.messaging.worker import Part, Worker
from kernel.storage.lease import Lease
from kernel.testing.fixtures import make_settings
from kernel.testing.toy import service

from tests.kernel.toys import Toy


@pytest.mark.parametrize("end", [OSError, asyncio.CancelledError])
async def test_a_part_that_has_ended_by_itself_is_begun_again(toy: Toy, end: type[BaseException]) -> None:
    begun = 0
    again = asyncio.Event()

    async def part(_: Lease) -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise end
        again.set()
        await asyncio.Event().wait()

    async with working(toy, part), asyncio.timeout(10):
        await again.wait()


async def test_a_part_on_which_its_cancellation_is_lost_is_cancelled_again(toy: Toy) -> None:
    begun = 0
    again = asyncio.Event()

    async def deaf(_: Lease) -> None:
        nonlocal begun
        begun += 1
        if begun > 1:
            again.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if begun > 1:
                raise
            await asyncio.Event().wait()

    async def failing(_: Lease) -> None:
        if begun == 1:
            raise OSError
        await asyncio.Event().wait()

    async with working(toy, deaf, failing), asyncio.timeout(15):
        await again.wait()


@asynccontextmanager
async def working(toy: Toy, *parts: Part) -> AsyncIterator[None]:
    node = Node(service, make_settings(toy.url))
    try:
        async with Worker(node, parts):
            yield
    finally:
        await node.database.close()
