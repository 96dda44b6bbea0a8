"""An event loop without a machine under it: virtual time, processes that may stop or die, and chance for a scheduler.

Within a process callbacks run in the order in which asyncio promises to run them; between processes chance decides.
Time moves only when nobody has anything to do, so an hour costs what happens in it.
"""

import asyncio
import heapq
import random
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.chaos.simulation.process import Handle, Process, Task, running_for

START = datetime(2026, 1, 1, tzinfo=UTC)


class Stuck(Exception):
    """Nobody can go on, and nothing is awaited that will come."""


class VirtualLoop(asyncio.AbstractEventLoop):
    def __init__(self, chance: random.Random, *, lateness: float = 0.0) -> None:
        self._chance = chance.random
        self._lateness = lateness
        self._now = 0.0
        self._timers: list[tuple[float, int, Handle]] = []
        self._order = count()
        self._runnable: list[Process] = []
        self._serials = count(1)
        self.steps = 0
        self.world = Process(self, "world")
        self.processes: list[Process] = [self.world]

    def process(self, name: str) -> Process:
        process = Process(self, name)
        self.processes.append(process)
        return process

    def time(self) -> float:
        return self._now

    def clock(self) -> datetime:
        return START + timedelta(microseconds=int(self._now * 1e6))

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        before = events._get_running_loop()
        events._set_running_loop(None)
        events._set_running_loop(self)
        try:
            task = self.world.spawn(main)
            while not task.done():
                if self._runnable:
                    self._turn()
                else:
                    self._advance()
            return task.result()
        finally:
            for process in self.processes:
                process.kill()
            self._timers.clear()
            events._set_running_loop(None)
            if before is not None:
                events._set_running_loop(before)

    def _turn(self) -> None:
        runnable = self._runnable
        place = int(self._chance() * len(runnable)) if len(runnable) > 1 else 0
        process = runnable[place]
        ready = process.ready
        if process.stopped or not ready:
            self._leave(place)
            return
        handle = ready.popleft()
        if not ready:
            self._leave(place)
        callback = handle.callback
        if callback is None:
            return
        self.steps += 1
        handle.context.run(callback, *handle.args)
        process.steps += 1
        if process.then is not None:
            process.stepped()

    def _leave(self, place: int) -> None:
        last = self._runnable.pop()
        if place < len(self._runnable):
            self._runnable[place] = last

    def _advance(self) -> None:
        """To the next moment at which anything happens; what happens elsewhere happens at once."""
        if not self._timers:
            raise Stuck("nothing is ready, and nothing is awaited")
        when, _, handle = heapq.heappop(self._timers)
        callback = handle.callback
        if callback is None or not handle.process.alive:
            return
        self._now = max(self._now, when)
        if handle.context is _OUTSIDE:
            callback(*handle.args)
        else:
            self._add(handle)

    def runnable(self, process: Process) -> None:
        """What has been waiting for it may go on."""
        if process not in self._runnable:
            self._runnable.append(process)

    def _add(self, handle: Handle) -> None:
        process = handle.process
        if not process.alive:
            return
        ready = process.ready
        ready.append(handle)
        if len(ready) == 1 and not process.stopped:
            self._runnable.append(process)

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        context = context or copy_context()
        handle = Handle(context.get(running_for, self.world), callback, args, context)
        self._add(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """A process is woken a little late, as on a busy machine."""
        context = context or copy_context()
        process = context.get(running_for, self.world)
        handle = Handle(process, callback, args, context)
        if process is not self.world:
            when += self._chance() * self._lateness
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def outside(self, delay: float, callback: Callable[..., object], *args: Any) -> Handle:
        """What happens elsewhere, on a server or on the wire: on time, and whoever is stopped or dead."""
        handle = Handle(self.world, callback, args, _OUTSIDE)
        heapq.heappush(self._timers, (self._now + delay, next(self._order), handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> Task:
        context = context or copy_context()
        task = Task(next(self._serials), coro, loop=self, name=name, context=context)
        process = context.get(running_for, self.world)
        process.tasks.append(task)
        if len(process.tasks) > 64:
            process.tasks = [one for one in process.tasks if not one.done()]
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A task nobody waited for: the kernel's own code says so in its log, and nobody reads it here."""


_OUTSIDE = Context()
