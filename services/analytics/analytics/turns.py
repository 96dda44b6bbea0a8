"""Who may ask at length: few at once, so that whoever asks briefly always finds a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kernel.storage.failures import Overloaded


class Turns:
    """`at_once` are answered, `at_most` minus those wait; whoever comes then is told to come again."""

    def __init__(self, at_once: int, at_most: int) -> None:
        self._running = asyncio.Semaphore(at_once)
        self._at_most = at_most
        self._asked = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        if self._asked >= self._at_most:
            raise Overloaded("Too many questions that need the whole log, or every state, are waiting.")
        self._asked += 1
        try:
            async with self._running:
                yield
        finally:
            self._asked -= 1
