"""The database server's side: backends that run statements, wait for locks, commit, and are cut off."""

import random
from collections.abc import Callable
from typing import Any, Protocol

import asyncpg

from tests.chaos.simulation.backend import Backend
from tests.chaos.simulation.loop import VirtualLoop
from tests.chaos.simulation.process import Process
from tests.chaos.simulation.store import LOG, Blocked, Store

Handler = Callable[..., Any]
Answer = Callable[[Any], None]
LOCK_TIMEOUT = 8.0
IDLE_TIMEOUT = 2.0


class UnknownStatement(Exception):
    """The kernel said something that the model has not been taught."""


class Client(Protocol):
    @property
    def backend(self) -> Backend: ...

    def lose(self, error: Exception) -> None:
        """The connection breaks on the client's side, which the server has yet to notice."""
        ...


class Request:
    """A statement on its way. `faults` may hold it up, or break the connection around it."""

    __slots__ = ("answer", "backend", "client", "sql", "values")

    def __init__(self, client: Client, sql: str, values: tuple[Any, ...], answer: Answer) -> None:
        self.client = client
        self.backend = client.backend
        self.sql = sql
        self.values = values
        self.answer = answer


# Told of every statement as it arrives; answers whether it has taken the statement over.
Intercept = Callable[[Request], bool]


class Server:
    def __init__(
        self, loop: VirtualLoop, chance: random.Random, store: Store, statements: dict[str, Handler]
    ) -> None:
        self.loop = loop
        self.chance = chance
        self.store = store
        store.woken = self._wake
        self.up = True
        # Processes of before a restore, which do not find the way to the new server.
        self.strangers: set[Process] = set()
        self.statements = statements
        self.intercepts: list[Intercept] = []
        self.backends: list[Backend] = []
        self.waiting: list[Request] = []
        self._waking = False

    async def accept(self, process: Process) -> None:
        if not self.up or process in self.strangers:
            raise ConnectionRefusedError("the server is down")

    def send(self, client: Client, sql: str, values: tuple[Any, ...], answer: Answer) -> None:
        self.loop.outside(self.chance.random() * 0.003, self.arrive, Request(client, sql, values, answer))

    def arrive(self, request: Request) -> None:
        if request.backend.gone:
            return
        request.backend.busy = True
        for intercept in self.intercepts:
            if intercept(request):
                return
        self.run(request)

    def run(self, request: Request, *, again: bool = False) -> None:
        backend = request.backend
        if backend.gone:
            return
        try:
            answer = self._handle(request)
        except Blocked:
            self.waiting.append(request)
            if not again:
                self.loop.outside(LOCK_TIMEOUT, self._lock_timeout, request)
            return
        except asyncpg.PostgresError as error:
            if backend.transaction:
                backend.transaction.failed = True
            answer = error
        if answer is not None:
            self.reply(request, answer)

    def reply(self, request: Request, answer: Any) -> None:
        request.backend.busy = False
        request.backend.idle_since = self.loop.time()
        request.answer(answer)

    def _handle(self, request: Request) -> Any:
        handler = self.statements[request.sql]
        backend = request.backend
        if getattr(handler, "of_backend", False):
            return handler(self, request, *request.values)
        transaction = backend.transaction
        if transaction is not None:
            if transaction.failed:
                raise asyncpg.InFailedSQLTransactionError("current transaction is aborted")
            return handler(transaction, *request.values)
        own = self.store.begin()
        try:
            answer = handler(own, *request.values)
        except Blocked:
            self.store.release(own)
            raise
        self.store.make_visible(own)
        self.store.release(own)
        return answer

    def _wake(self) -> None:
        if self.waiting and not self._waking:
            self._waking = True
            self.loop.outside(0.0, self._try_again)

    def _try_again(self) -> None:
        self._waking = False
        waiting, self.waiting = self.waiting, []
        for request in waiting:
            self.run(request, again=True)

    def _lock_timeout(self, request: Request) -> None:
        if request in self.waiting:
            self.waiting.remove(request)
            if request.backend.transaction:
                request.backend.transaction.failed = True
            self.reply(request, asyncpg.LockNotAvailableError("canceling statement due to lock timeout"))

    def holder_of_log(self) -> Backend | None:
        transaction = self.store.holder(LOG)
        return next((one for one in self.backends if one.transaction is transaction), None)

    def end_idle(self) -> None:
        """What the settings of the appending transaction do to a client that has fallen silent."""
        now = self.loop.time()
        for backend in list(self.backends):
            transaction = backend.transaction
            if not (transaction and transaction.bounded) or backend.busy or backend.stuck:
                continue
            if now - backend.idle_since >= IDLE_TIMEOUT:
                backend.end(asyncpg.IdleInTransactionSessionTimeoutError("idle in transaction"))

    def restart(self, down: float) -> None:
        """Everything that was not durable is gone; what was being committed may be or not."""
        self.up = False
        for backend in list(self.backends):
            if backend.committing and self.chance.random() < 0.5:
                backend.become_durable()
            backend.end(
                asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
            )
        self.waiting.clear()
        self.loop.outside(down, self._come_up)

    def _come_up(self) -> None:
        self.up = True
