"""What dies and stops as one: a process, with its callbacks, its tasks, and what it has open elsewhere."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.simulation.loop import VirtualLoop

running_for: "ContextVar[Process]" = ContextVar("process")


class Handle:
    """A callback that is to run in a process; asyncio asks for nothing but `cancel`."""

    __slots__ = ("args", "callback", "context", "process")

    def __init__(
        self, process: "Process", callback: Callable[..., object], args: tuple[Any, ...], context: Context
    ) -> None:
        self.process = process
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self.context = context

    def cancel(self) -> None:
        self.callback = None

    def cancelled(self) -> bool:
        return self.callback is None


class Task(asyncio.Task[Any]):
    """A task whose place in a set is the same in every run."""

    def __init__(self, serial: int, work: Coroutine[Any, Any, Any], **said: Any) -> None:
        self._serial = serial  # asyncio asks for the hash before its own part is made
        super().__init__(work, **said)

    def __hash__(self) -> int:
        return self._serial


class Process:
    """What dies as one: its callbacks, its timers, its tasks, and whatever it has open elsewhere."""

    def __init__(self, loop: "VirtualLoop", name: str) -> None:
        self.loop = loop
        self.name = name
        self.alive = True
        self.stopped = False
        self.ready: deque[Handle] = deque()
        self.tasks: list[Task] = []
        self.on_death: list[Callable[[], None]] = []
        self.context = Context()
        self.context.run(running_for.set, self)
        self.steps = 0
        self._countdown = 0
        self.then: Callable[[], None] | None = None

    def spawn(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> Task:
        return self.loop.create_task(work, name=name, context=self.context.copy())

    def after_steps(self, steps: int, then: Callable[[], None]) -> None:
        """Lets `then` happen between two callbacks of this process, wherever that may be."""
        self._countdown, self.then = steps, then

    def stepped(self) -> None:
        self._countdown -= 1
        if self._countdown <= 0 and self.then is not None:
            then, self.then = self.then, None
            then()

    def stop(self) -> None:
        """As SIGSTOP: what it has open stays open."""
        self.stopped = True

    def go_on(self) -> None:
        self.stopped = False
        if self.alive and self.ready:
            self.loop.runnable(self)

    def kill(self) -> None:
        """As SIGKILL: not one more line of it runs that anybody could notice."""
        if not self.alive:
            return
        self.alive = False
        self.then = None
        for end in self.on_death:
            end()
        self.ready.clear()
        for task in self.tasks:  # grows while coroutines that are closed ask for tasks
            self.context.run(_dispose, task)
        self.tasks.clear()
        self.ready.clear()


def _dispose(task: Task) -> None:
    """Closes a coroutine that will never be resumed, however often it waits in its `finally`."""
    if task.done():
        return
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    work: Any = task.get_coro()
    for _ in range(20):
        try:
            work.close()
        except BaseException:
            continue
        return
