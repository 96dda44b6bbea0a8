"""A topic in memory, with everything that a broker does to those who trust it: behind the kernel's own two ports."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from kernel.messaging.publisher import Heartbeat, Tail
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Arrival, Bookmarks, Mark

from tests.chaos.simulation.loop import VirtualLoop

Message = PublicRecord | Heartbeat
Entry = tuple[PublicRecord, int | None] | Mark
_WAIT = 0.5
_MOST = 100


class BrokerAway(ConnectionError):
    """The broker does not do what it was asked."""


@dataclass(slots=True)
class Partition:
    """`ever` is what was appended in all its time, whatever was lost or has expired since."""

    start: int = 0
    entries: list[Message] = field(default_factory=list)
    ever: list[Message] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.start + len(self.entries)

    def append(self, message: Message) -> int:
        self.entries.append(message)
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
        offsets = [self.partitions[message.partition].append(message) for message in messages]
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
        del partition.entries[max(0, len(partition.entries) - count) :]

    def expire(self, number: int, count: int) -> None:
        partition = self.partitions[number]
        count = min(count, len(partition.entries))
        del partition.entries[:count]
        partition.start += count

    def begin_anew(self) -> None:
        """The topic was deleted and made again."""
        for partition in self.partitions:
            partition.entries.clear()
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


class ModelPublisher:
    """The kernel's port `Publisher`."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._usable = False

    async def open(self) -> Mapping[int, Tail]:
        await self._travel()
        self._usable = True
        return {number: _tail(partition) for number, partition in enumerate(self._topic.partitions)}

    async def send(self, messages: Sequence[Message]) -> Sequence[int]:
        if not self._usable:
            raise BrokerAway("this publisher had trouble: build a new one")
        self._usable = False
        topic = self._topic
        answer: asyncio.Future[list[int] | None] = topic.loop.create_future()
        late, topic.late = topic.late, 0.0
        if late:
            # On its way for so long that nobody waits for it any more.
            topic.loop.outside(late, topic.append, list(messages))
            topic.loop.outside(0.1, _settle, answer, None)
        else:
            topic.loop.outside(topic.chance.random() * 0.005, self._arrive, list(messages), answer)
        offsets = await answer
        if offsets is None:
            raise BrokerAway("not acknowledged")
        self._usable = True
        return offsets

    async def abandon(self) -> None:
        self._usable = False

    def _arrive(self, messages: list[Message], answer: "asyncio.Future[list[int] | None]") -> None:
        topic = self._topic
        kept, told = (len(messages), True) if topic.up else (0, False)
        if topic.up and topic.send_faults:
            kept, told = topic.send_faults.pop()(messages)
        offsets = topic.append(messages[:kept])
        topic.loop.outside(topic.chance.random() * 0.003, _settle, answer, offsets if told else None)

    async def _travel(self) -> None:
        await asyncio.sleep(self._topic.chance.random() * 0.005)
        if not self._topic.up:
            raise BrokerAway("the broker is down")


def _settle(answer: "asyncio.Future[list[int] | None]", offsets: list[int] | None) -> None:
    if not answer.done():
        answer.set_result(offsets)


def _tail(partition: Partition) -> Tail:
    start, end = partition.start, partition.end
    if not partition.entries:
        return Tail(start, end)
    last = partition.entries[-1]
    if isinstance(last, PublicRecord):
        return Tail(start, end, last.incarnation, last.position, last.event_id)
    return Tail(start, end, last.incarnation, last.previous, _said_by(partition, last))


def _said_by(partition: Partition, beat: Heartbeat) -> UUID | None:
    """The event id that a heartbeat repeats of the record before it."""
    for message in reversed(partition.ever):
        if isinstance(message, PublicRecord) and message.position == beat.previous:
            return message.event_id
    return None


class ModelTopicSource:
    """The kernel's port `EventSource`: any partition may be ahead of any other."""

    def __init__(self, name: str, topic: Topic) -> None:
        self.name = name
        self._topic = topic
        self._next: dict[int, int] = {}

    async def seek(self, bookmarks: Bookmarks) -> None:
        self._next = {
            number: mark.offset + 1
            for number, mark in bookmarks.partitions.items()
            if mark.offset is not None
        }

    async def fetch(self) -> Arrival:
        if not self._topic.up:
            await asyncio.sleep(_WAIT)
            raise BrokerAway("the broker is silent")
        entries = self._take()
        if not entries:
            await self._topic.news()
            entries = self._take()
        return Arrival(entries)

    async def close(self) -> None:
        """There is nothing to close."""

    def _take(self) -> list[Entry]:
        topic = self._topic
        numbers = list(range(len(topic.partitions)))
        topic.chance.shuffle(numbers)
        found: list[Entry] = []
        for number in numbers:
            partition = topic.partitions[number]
            begin = self._next.get(number, partition.start)
            if not partition.start <= begin <= partition.end:
                begin = partition.start
            ready = partition.entries[begin - partition.start :][:_MOST]
            if len(ready) > 1 and topic.chance.random() < 0.3:
                ready = ready[: topic.chance.randint(1, len(ready))]
            for offset, message in enumerate(ready, begin):
                found.append(_arrived(message, offset))
            self._next[number] = begin + len(ready)
        return found


def _arrived(message: Message, offset: int) -> Entry:
    if isinstance(message, PublicRecord):
        return message, offset
    return Mark(
        message.partition,
        message.incarnation,
        message.position,
        message.previous,
        offset=offset,
        at=message.at,
    )
