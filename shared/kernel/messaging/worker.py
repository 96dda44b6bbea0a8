"""A service's worker: whoever holds the lease runs the parts (relay, followers, timers); the others stand by.

Holder or not, each keeps the list of the erased.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from kernel.messaging.erasures import keep_list
from kernel.messaging.service import Node
from kernel.storage.lease import Lease, held

log = structlog.get_logger()

Part = Callable[[Lease], Awaitable[None]]
_PAUSE = 0.5
# Longer than a broker's client takes to end.
_CANCELLED_AGAIN_AFTER = 3.0


class Interrupted(Exception):
    """A broker's client ends its own tasks now and then, and whoever waits for one of them ends with it."""


class Worker:
    """`async with Worker(node, parts)`: starts in the background, ends with its part's work done or undone."""

    def __init__(self, node: Node, parts: Sequence[Part]) -> None:
        self._node = node
        self._parts = parts
        self._tasks: list[asyncio.Task[None]] = []
        self.holds = False

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._run(), name="worker"),
            asyncio.create_task(keep_list(self._node), name="erasures"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        name = f"{self._node.service.name}-worker"
        while True:
            try:
                async with held(self._node.database, name) as (lease, renewing):
                    self.holds = True
                    await self._run_parts(lease, renewing)
            except Exception:
                log.exception("worker_interrupted")
            finally:
                self.holds = False
            await asyncio.sleep(_PAUSE)

    async def _run_parts(self, lease: Lease, renewing: asyncio.Task[None]) -> None:
        """Until the lease is lost or one of the parts fails; then all of them end."""
        parts = [asyncio.ensure_future(part(lease)) for part in self._parts]
        try:
            done, _ = await asyncio.wait([renewing, *parts], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.cancelled():
                    raise Interrupted("a part was cancelled, though not by its worker")
                task.result()
        finally:
            await _end(parts)


async def _end(parts: Sequence["asyncio.Future[None]"]) -> None:
    """Until all have ended: a cancellation is lost on whoever meets it together with an error of his own."""
    running = set(parts)
    while running:
        for part in running:
            part.cancel()
        _, running = await asyncio.wait(running, timeout=_CANCELLED_AGAIN_AFTER)
    for part in parts:
        if not part.cancelled():
            # So that nobody misses it; the first one of all was raised.
            part.exception()
