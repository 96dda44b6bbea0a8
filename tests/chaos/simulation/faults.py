"""What goes wrong. Each fault has chance of its own, so that leaving one out leaves the others as they were."""

import random
from collections.abc import Callable

import asyncpg

from tests.chaos.simulation.operating import Operator
from tests.chaos.simulation.plan import Fault
from tests.chaos.simulation.process import Process
from tests.chaos.simulation.server import Request, Server
from tests.chaos.simulation.world import World

BROKEN_CONNECTION = "connection was closed in the middle of operation"
_TRANSIENT: tuple[type[asyncpg.PostgresError], ...] = (
    asyncpg.OutOfMemoryError,
    asyncpg.DiskFullError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
)
Deed = Callable[[random.Random], None]


class Faults:
    def __init__(self, world: World) -> None:
        self._world = world
        self._operator = Operator(world)
        self._deeds = self._statements() | self._processes() | self._broker()
        for fault in world.plan.faults:
            world.loop.outside(fault.at, self._inject, fault)

    async def heal(self) -> None:
        """Everything goes again; what has been damaged remains for the kernel to mend."""
        world = self._world
        for server in (world.bank, world.reader):
            server.intercepts.clear()
        world.topic.up = True
        world.topic.send_faults.clear()
        for processes in world.processes.values():
            for process in processes:
                process.go_on()
        await self._operator.finish()

    def _inject(self, fault: Fault) -> None:
        self._world.injected[fault.kind] = self._world.injected.get(fault.kind, 0) + 1
        self._deeds[fault.kind](random.Random(f"{self._world.plan.seed} {fault.number}"))

    def _processes(self) -> dict[str, Deed]:
        deeds: dict[str, Deed] = {}
        for role, called in (("api", "an API"), ("relay", "a relay"), ("reader", "a reader")):

            def kill(chance: random.Random, role: str = role) -> None:
                self._after_steps(role, chance, lambda process: process.kill())

            def stop(chance: random.Random, role: str = role) -> None:
                # Longer than a lease lasts, more often than not: then somebody else goes on with its work.
                lasts, stuck = chance.uniform(0.5, 4.5), chance.random() < 0.4
                if role == "relay" and chance.random() < 0.5:
                    self._stop_before_saving(lasts)
                else:
                    self._after_steps(role, chance, lambda process: self._stop(process, lasts, stuck))

            deeds |= {f"kill {called}": kill, f"stop {called}": stop}
        return deeds

    def _after_steps(self, role: str, chance: random.Random, then: Callable[[Process], None]) -> None:
        """Somewhere in the middle of what it is doing: after any of its next callbacks."""
        any_ = chance.choice(self._world.processes[role])
        process = self._busiest(role) if chance.random() < 0.6 else any_
        process.after_steps(chance.randint(1, 60), lambda: then(process))

    def _busiest(self, role: str) -> Process:
        return max(self._world.processes[role], key=lambda process: process.steps)

    def _stop(self, process: Process, lasts: float, stuck: bool) -> None:
        loop = self._world.loop
        process.stop()
        for server in (self._world.bank, self._world.reader):
            for backend in server.backends:
                if backend.process is process:
                    backend.stuck = stuck
            for after in (2.1, 3.0):
                loop.outside(after, server.end_idle)
        loop.outside(lasts, process.go_on)

    def _stop_before_saving(self, lasts: float) -> None:
        """A zombie at its most dangerous: it has sent, and believes that it may say so."""
        bank = self._world.bank
        process = self._busiest("relay")

        def intercept(request: Request) -> bool:
            if request.sql != "BEGIN" or request.backend.process is not process:
                return False
            bank.intercepts.remove(intercept)
            self._stop(process, lasts, stuck=False)
            bank.run(request)
            return True

        bank.intercepts.append(intercept)

    def _statements(self) -> dict[str, Deed]:
        return {
            "cut a connection": lambda chance: self._at_statement(chance, _cut),
            "lose a commit": lambda chance: self._at_statement(chance, _end, "COMMIT", 4),
            "lose a commit's answer": lambda chance: self._at_statement(chance, _commit_unheard, "COMMIT", 4),
            "stall a statement": lambda chance: self._at_statement(chance, _stall),
            "fail a statement": lambda chance: self._at_statement(chance, _fail),
            "restart a server": lambda chance: self._server(chance).restart(chance.uniform(0.05, 1.0)),
            "restore a backup": self._operator.restore,
            "break the view": self._operator.break_view,
        }

    def _server(self, chance: random.Random) -> Server:
        return self._world.bank if chance.random() < 0.6 else self._world.reader

    def _at_statement(
        self,
        chance: random.Random,
        deed: Callable[[Server, Request, random.Random], None],
        only: str = "",
        most: int = 25,
    ) -> None:
        """The n-th statement from now on, whoever sends it."""
        server = self._server(chance)
        left = chance.randint(1, most)

        def intercept(request: Request) -> bool:
            nonlocal left
            if only and (request.sql != only or not _writes(request)):
                return False
            left -= 1
            if left:
                return False
            server.intercepts.remove(intercept)
            deed(server, request, chance)
            return True

        server.intercepts.append(intercept)

    def _broker(self) -> dict[str, Deed]:
        topic = self._world.topic

        def number(chance: random.Random) -> int:
            return chance.randrange(len(topic.partitions))

        def delay(chance: random.Random) -> None:
            topic.late = chance.uniform(0.5, 3.0)

        return {
            "lose acknowledgements": lambda _: topic.send_faults.append(lambda sent: (len(sent), False)),
            "keep a part of a batch": lambda chance: topic.send_faults.append(
                lambda sent: (chance.randint(0, len(sent)), False)
            ),
            "delay a batch": delay,
            "repeat old records": lambda chance: topic.repeat(number(chance), chance.randint(1, 4)),
            "lose a tail": lambda chance: self._unread(
                chance, lambda: topic.lose_tail(number(chance), chance.randint(1, 5))
            ),
            "expire records": lambda chance: self._unread(
                chance, lambda: topic.expire(number(chance), chance.randint(1, 30))
            ),
            "make the topic anew": lambda chance: self._unread(chance, topic.begin_anew),
            "take the broker away": lambda chance: self._broker_away(chance.uniform(0.3, 2.0)),
        }

    def _unread(self, chance: random.Random, then: Callable[[], None]) -> None:
        """Perhaps while the readers stand still, so that they have not had what is lost."""
        loop = self._world.loop
        wait = chance.choice((0.0, 0.7, 1.5))
        if wait:
            for process in self._world.processes["reader"]:
                process.stop()
                loop.outside(wait + 0.1, process.go_on)
        loop.outside(wait, then)

    def _broker_away(self, lasts: float) -> None:
        topic = self._world.topic
        topic.up = False

        def back() -> None:
            topic.up = True

        self._world.loop.outside(lasts, back)


def _writes(request: Request) -> bool:
    return request.backend.transaction is not None and bool(request.backend.transaction.changes)


def _end(_: Server, request: Request, __: random.Random) -> None:
    request.backend.end(asyncpg.ConnectionDoesNotExistError(BROKEN_CONNECTION))


def _cut(server: Server, request: Request, chance: random.Random) -> None:
    """Before the statement is carried out, or after, so that only its answer is lost."""
    if chance.random() < 0.5:
        _end(server, request, chance)
    else:
        request.answer = lambda _: _end(server, request, chance)
        server.run(request)


def _commit_unheard(server: Server, request: Request, chance: random.Random) -> None:
    """The client loses its connection; the server takes its time, and commits all the same."""
    backend = request.backend
    backend.gone = True
    backend.commit(lambda _: None, chance.choice((0.0, 0.2, 1.0, 2.0)) * chance.random())
    request.client.lose(asyncpg.ConnectionDoesNotExistError(BROKEN_CONNECTION))


def _stall(server: Server, request: Request, chance: random.Random) -> None:
    """On its way for long, in one direction or the other; meanwhile the server may lose its patience."""
    lasts = chance.uniform(0.5, 6.0)
    loop = server.loop
    for after in (2.1, 4.0):
        loop.outside(after, server.end_idle)
    if chance.random() < 0.5:
        request.backend.busy = False
        request.backend.idle_since = loop.time()
        loop.outside(lasts, server.run, request)
    else:
        answer = request.answer
        request.answer = lambda said: _later(server, lasts, answer, said)
        server.run(request)


def _later(server: Server, lasts: float, answer: Callable[[object], None], said: object) -> None:
    server.loop.outside(lasts, answer, said)


def _fail(server: Server, request: Request, chance: random.Random) -> None:
    if request.backend.transaction:
        request.backend.transaction.failed = True
    server.reply(request, chance.choice(_TRANSIENT)("a fault"))
