"""A bell for those in this process who wait for news; what other processes do is found by looking now and then."""

import asyncio
from contextlib import suppress


class Bell:
    def __init__(self) -> None:
        self.rung = 0
        self._event = asyncio.Event()

    def ring(self) -> None:
        self.rung += 1
        self._event.set()
        self._event = asyncio.Event()

    async def next(self, heard: int, within: float) -> None:
        """Until it has rung more than `heard` times, or for so many seconds."""
        if self.rung == heard:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._event.wait()
