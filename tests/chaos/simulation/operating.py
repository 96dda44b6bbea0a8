"""What an operator does: restores a backup as the manual says, mends a view and releases what was parked."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar
from uuid import UUID

from kernel.messaging.erasures import restored
from kernel.messaging.projecting import Projection
from kernel.messaging.received import Received
from kernel.messaging.unparking import unpark

from tests.chaos.simulation import nodes
from tests.chaos.simulation.beginning import STREAMS
from tests.chaos.simulation.domain import SOURCE
from tests.chaos.simulation.hearing import BROKEN, sums
from tests.chaos.simulation.process import Process
from tests.chaos.simulation.store import Backup
from tests.chaos.simulation.world import World


class ModelErasures:
    """The file of erased persons: outside the database, so that a restore leaves it alone."""

    listed: ClassVar[set[UUID]] = set()

    def __init__(self, path: object) -> None:
        """There is one file, wherever it is."""

    def make(self) -> None:
        """It is always there."""

    def add(self, persons: Iterable[UUID]) -> None:
        self.listed.update(persons)

    def read(self) -> set[UUID]:
        return set(self.listed)


class Operator:
    def __init__(self, world: World) -> None:
        self._world = world
        self._busy = 0
        self._restored_at = 0.0
        ModelErasures.listed.clear()

    async def finish(self) -> None:
        """Waits for what is under way, and mends what was left broken."""
        while self._busy:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        BROKEN.clear()
        if "projection" in self._world.plan.readers:
            self._work(self._unpark)
        while self._busy:  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    def break_view(self, chance: random.Random) -> None:
        stream = chance.choice(STREAMS)
        BROKEN.add(stream)

        def mend() -> None:
            BROKEN.discard(stream)
            if "projection" in self._world.plan.readers:
                self._work(self._unpark)

        self._world.loop.outside(chance.uniform(0.3, 2.0), mend)

    def restore(self, chance: random.Random) -> None:
        """The backup is of now; what is written from now on will be lost."""
        backup = self._world.bank.store.backup()
        self._busy += 1
        new_timeline, zombie = chance.random() < 0.5, chance.random() < 0.4
        self._world.loop.outside(chance.uniform(0.1, 1.5), self._restore, backup, new_timeline, zombie)

    def _restore(self, backup: Backup, new_timeline: bool, zombie: bool) -> None:
        self._busy -= 1
        world = self._world
        if world.closed or backup.taken < self._restored_at:
            return  # nobody goes back, and then to a history that was already left
        self._restored_at = world.loop.time()
        world.closed = True
        for role in ("api", "relay"):
            for process in world.processes[role]:
                if zombie and role == "relay":
                    # Nobody has told it yet: it lost its database, not what it is sending.
                    world.bank.strangers.add(process)
                    world.loop.outside(1.0, process.kill)
                else:
                    process.kill()
        world.bank.restart(0.05)
        world.bank.store.restore(backup)
        world.bank.store.timeline += new_timeline
        world.ledger.restored(backup.taken, ModelErasures.listed)
        self._work(self._restored)

    async def _restored(self, process: Process) -> None:
        node = nodes.node_of(nodes.BANK, self._world.bank, process, self._world.plan.partitions)
        node.committer.start()
        await restored(node)
        self._world.closed = False

    async def _unpark(self, process: Process) -> None:
        node = nodes.node_of(nodes.READER, self._world.reader, process, self._world.plan.partitions)
        received = Received({SOURCE: nodes.CONTRACTS})
        projection = Projection(node.database, received, [sums], nodes.ZONE)
        await unpark(node.database, projection, received)

    def _work(self, what: Callable[[Process], Awaitable[None]]) -> None:
        """By hand, and once more when it failed."""
        self._busy += 1
        process = self._world.loop.process("operator")
        process.spawn(self._until_done(process, what))

    async def _until_done(self, process: Process, what: Callable[[Process], Awaitable[None]]) -> None:
        while True:
            try:
                await what(process)
                break
            except Exception:
                await asyncio.sleep(0.3)
        self._busy -= 1
        # Its connections end with it.
        self._world.loop.outside(0.0, process.kill)
