"""A topic in memory: partitions with offsets, and everything that a broker does to those who trust it."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kernel.messaging.publisher import Heartbeat
from kernel.messaging.records import PublicRecord

from tests.chaos.simulation.loop import VirtualLoop

Message = PublicRecord | Heartbeat
_WAIT = 0.5


@dataclass(slots=True)
class Partition:
    """`ever` is what was appended in all its time, whatever was lost or has expired since."""

    start: int = 0
    entries: list[Message] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    ever: list[Message] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.start + len(self.entries)

    def append(self, message: Message, at: datetime) -> int:
        self.entries.append(message)
        self.times.append(at)
        self.ever.append(message)
        return self.end - 1


# Told of each send as it arrives: how many of its messages the broker keeps, and whether it says so.
SendFault = Callable[[Sequence[Message]], tuple[int, bool]]


class Topic:
    def __init__(self, loop: VirtualLoop, chance: random.Random, partitions: int) -> None:
        self.loop = loop
        self.chance = chance
        self.partitions = [Partition() for _ in range(partitions)]
        self.up = True
        self.send_faults: list[SendFault] = []
        self.late = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    def append(self, messages: Sequence[Message]) -> list[int]:
        now = self.loop.clock()
        offsets = [self.partitions[message.partition].append(message, now) for message in messages]
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        return offsets

    async def news(self) -> None:
        """Returns when something has come, or after a while."""
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(future)
        self.loop.outside(_WAIT, _wake, future)
        await future

    def lose_tail(self, number: int, count: int) -> None:
        partition = self.partitions[number]
        left = max(0, len(partition.entries) - count)
        del partition.entries[left:], partition.times[left:]

    def expire(self, number: int, count: int) -> None:
        partition = self.partitions[number]
        count = min(count, len(partition.entries))
        del partition.entries[:count], partition.times[:count]
        partition.start += count

    def begin_anew(self) -> None:
        """The topic was deleted and made again."""
        for partition in self.partitions:
            partition.entries.clear()
            partition.times.clear()
            partition.start = 0

    def repeat(self, number: int, count: int) -> None:
        """A producer's old retry arrives late, behind what is newer."""
        old = [one for one in self.partitions[number].ever if isinstance(one, PublicRecord)]
        if old:
            begin = self.chance.randrange(len(old))
            self.append(old[begin : begin + count])


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
