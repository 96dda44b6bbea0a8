"""The kernel's two ports to Kafka over a topic in memory: a publisher, and a source of records."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from kernel.messaging.publisher import Heartbeat, Held, Sent, Tail
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Arrival, Bookmarks, Mark

from tests.chaos.simulation.topic import Message, Partition, Topic

Entry = tuple[PublicRecord, int | None] | Mark
_WAIT = 0.5
_MOST = 100
_LOOK_BACK = 8


class BrokerAway(ConnectionError):
    """The broker does not do what it was asked."""


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

    @property
    def retention(self) -> timedelta | None:
        """For ever, as far as the relay is told: expiry is a fault."""
        return None

    async def lost(self, sent: Mapping[int, Sent]) -> list[int]:
        await self._travel()
        return [number for number, one in sent.items() if _is_lost(self._topic.partitions[number], one)]

    async def held_since(self, times: Mapping[int, datetime]) -> Sequence[Held]:
        await self._travel()
        held: list[Held] = []
        for number, since in times.items():
            partition = self._topic.partitions[number]
            first = next((n for n, at in enumerate(partition.times) if at >= since), len(partition.times))
            for place in range(max(0, first - _LOOK_BACK), len(partition.entries)):
                held.append(_held(partition, place))
        return held

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


def _is_lost(partition: Partition, one: Sent) -> bool:
    if one.offset is None or one.offset < partition.start:
        return False
    if one.offset >= partition.end:
        return True
    message = partition.entries[one.offset - partition.start]
    return not isinstance(message, PublicRecord) or message.position != one.position


def _held(partition: Partition, place: int) -> Held:
    message = partition.entries[place]
    return Held(
        partition=message.partition,
        offset=partition.start + place,
        at=partition.times[place],
        incarnation=message.incarnation,
        position=message.position,
        previous=message.previous or 0,
        is_record=isinstance(message, PublicRecord),
    )


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
