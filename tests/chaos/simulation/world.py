"""One history: the whole company over the model, its clients, what goes wrong, and the end, when all must be well."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kernel.messaging.feed_client import FeedSource
from kernel.messaging.sources import EventSource

from tests.chaos.simulation import appending, beginning, following, nodes, relaying
from tests.chaos.simulation.clients import Client
from tests.chaos.simulation.domain import SOURCE
from tests.chaos.simulation.hearing import BROKEN
from tests.chaos.simulation.kafka import ModelTopicSource
from tests.chaos.simulation.ledger import Ledger
from tests.chaos.simulation.loop import VirtualLoop
from tests.chaos.simulation.nodes import Api, ModelFeed
from tests.chaos.simulation.plan import CLIENTS, Plan
from tests.chaos.simulation.process import Process
from tests.chaos.simulation.server import Server
from tests.chaos.simulation.statements import STATEMENTS
from tests.chaos.simulation.store import Backup, Store
from tests.chaos.simulation.topic import Topic

# Each of these has registered the statements that it understands.
TAUGHT = (appending, following, relaying)
RECOVERY = 40.0
_REBORN_AFTER = 0.3


@dataclass
class World:
    plan: Plan
    loop: VirtualLoop
    chance: random.Random
    bank: Server
    reader: Server
    topic: Topic
    ledger: Ledger = field(default_factory=Ledger)
    apis: list[Api] = field(default_factory=list)
    # By role: the processes that are there, dead ones until they are born again.
    processes: dict[str, list[Process]] = field(default_factory=dict)
    injected: dict[str, int] = field(default_factory=dict)
    # Set by a restore while nothing may be started.
    closed: bool = False

    def api(self) -> Api:
        """One that lives, whether or not it has been stopped: from outside that is not to be seen."""
        living = [api for api in self.apis if api.process.alive]
        if not living:
            raise ConnectionRefusedError("no API lives")
        return living[int(self.chance.random() * len(living))]

    def source(self) -> EventSource:
        if self.plan.source == "feed":
            return FeedSource(ModelFeed(self.api), wait=1.0)
        return ModelTopicSource(SOURCE, self.topic)

    def start_all(self) -> None:
        for role, count in (("api", 2), ("relay", 2), ("reader", 2)):
            self.processes[role] = []
            for number in range(count):
                self.start(role, number)

    def start(self, role: str, number: int) -> None:
        process = self.loop.process(f"{role} {number}")
        there = self.processes[role]
        there[number:] = [process, *there[number + 1 :]]
        server = self.reader if role == "reader" else self.bank
        service = nodes.READER if role == "reader" else nodes.BANK
        node = nodes.node_of(service, server, process, self.plan.partitions)
        if role == "api":
            self.apis = [api for api in self.apis if api.process.alive] + [Api(process, node)]
        elif role == "relay":
            process.spawn(nodes.work(node, nodes.relaying(node, self.topic), writes=False))
        else:
            kinds = self.plan.readers
            parts = nodes.listening(node, kinds, ModelFeed(self.api), self.source)
            process.spawn(nodes.work(node, parts, writes=kinds[0] in nodes.WRITERS))
        process.on_death.append(lambda: self._reborn(role, number))

    def _reborn(self, role: str, number: int) -> None:
        self.loop.outside(_REBORN_AFTER + self.chance.random(), self._start_again, role, number)

    def _start_again(self, role: str, number: int) -> None:
        if self.closed:
            self.loop.outside(0.2, self._start_again, role, number)
        else:
            self.start(role, number)


Watch = Callable[[World, bool], None]


def build(plan: Plan) -> World:
    chance = random.Random(f"history {plan.seed}")
    loop = VirtualLoop(chance, lateness=plan.lateness)  # type: ignore[abstract]
    backups: list[Backup] = [beginning.bank(plan.partitions), beginning.reader(plan.partitions)]
    bank, reader = (
        Server(loop, chance, Store(loop, chance, backup, plan.major), STATEMENTS) for backup in backups
    )
    BROKEN.clear()
    return World(plan, loop, chance, bank, reader, Topic(loop, chance, plan.partitions))


async def live(
    world: World, heal: Callable[[], Awaitable[None]], watch: Watch, settled: Callable[[World], bool]
) -> None:
    """`watch` looks at the world now and then, and once at its end."""
    world.start_all()
    looking = world.loop.world.spawn(_look(world, watch))
    try:
        async with asyncio.timeout(RECOVERY):
            await _clients(world)
            last = world.plan.faults[-1].at if world.plan.faults else 0.0
            await asyncio.sleep(max(0.0, last - world.loop.time()) + 0.1)
        async with asyncio.timeout(RECOVERY):
            await heal()
            while not settled(world):  # noqa: ASYNC110  what settles tells nobody
                await asyncio.sleep(0.2)
    except TimeoutError:
        world.ledger.violated("it did not recover", f"within {RECOVERY:.0f} s")
    looking.cancel()
    watch(world, True)


async def _clients(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            own = [wish for wish in world.plan.wishes if wish.client == number]
            group.create_task(Client(world.ledger, world.api, world.chance).run(own))


async def _look(world: World, watch: Watch) -> None:
    while True:
        await asyncio.sleep(world.chance.uniform(0.8, 2.0))
        watch(world, False)
