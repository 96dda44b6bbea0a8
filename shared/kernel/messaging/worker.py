"""A service's worker: whoever holds the lease runs the parts (relay, followers, timers); the others stand by."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from kernel.messaging.service import Node
from kernel.storage.lease import Lease, held

log = structlog.get_logger()

Part = Callable[[Lease], Awaitable[None]]
_PAUSE = 0.5


class Worker:
    """`async with Worker(node, parts)`: starts in the background, ends with its part's work done or undone."""

    def __init__(self, node: Node, parts: Sequence[Part]) -> None:
        self._node = node
        self._parts = parts
        self._task: asyncio.Task[None] | None = None
        self.holds = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="worker")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

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
                task.result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
