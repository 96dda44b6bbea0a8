"""Whether the log has grown: one look now and then for all who wait, and none where this process has appended."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from kernel.runtime.bell import Bell
from kernel.storage import log
from kernel.storage.database import Database
from kernel.storage.failures import settle

# What other processes append is found this often, in seconds.
_LOOK_EVERY = 0.01


@dataclass(eq=False, slots=True)
class _Waiting:
    position: int
    future: "asyncio.Future[None]"


class News:
    """Whoever waits holds no connection."""

    def __init__(self, database: Database, committed: Bell) -> None:
        self._database = database
        self._committed = committed
        self._waiting: set[_Waiting] = set()
        self._watching: asyncio.Task[None] | None = None

    async def since(self, position: int, within: float) -> bool:
        """Until the log may have grown beyond this place, or for so many seconds. False: its end is below, now."""
        heard = self._committed.rung
        if within <= 0:
            return True
        head = await self._head()
        if head != position or self._committed.rung != heard:
            return head >= position
        waiting = _Waiting(position, asyncio.get_running_loop().create_future())
        self._waiting.add(waiting)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name="news")
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await waiting.future
        finally:
            self._waiting.discard(waiting)
        return True

    async def _watch(self) -> None:
        heard = self._committed.rung
        try:
            while self._waiting:
                await self._committed.next(heard, _LOOK_EVERY)
                if self._committed.rung != heard:
                    heard = self._committed.rung
                    self._wake(self._waiting)
                else:
                    head = await self._head()
                    self._wake({waiting for waiting in self._waiting if waiting.position != head})
        except Exception as error:
            for waiting in self._waiting:
                settle(waiting.future, error)

    def _wake(self, those: set[_Waiting]) -> None:
        for waiting in those:
            settle(waiting.future, None)

    async def _head(self) -> int:
        async with self._database.reading() as connection:
            return await log.end(connection)
