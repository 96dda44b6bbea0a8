"""A source in memory: its log with restores, a relay, a topic that misbehaves, and the feed, all small and real."""

import random
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from kernel.messaging.feed import Gone, History, Incarnation
from kernel.messaging.feed_client import FeedClient, FeedGone
from kernel.messaging.records import PublicRecord, partition_of
from kernel.messaging.sources import FEED_PARTITION, NO_INCARNATION, Arrival, Bookmarks, Mark, Place

PARTITIONS = 3
STREAMS = [UUID(int=number) for number in range(1, 9)]
START = datetime(2026, 1, 1, tzinfo=UTC)
Answer = TypeVar("Answer")
Entry = tuple[int, PublicRecord | Mark]


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Nothing here waits, so no loop is needed."""
    try:
        work.send(None)
    except StopIteration as done:
        answer: Answer = done.value
        return answer
    raise AssertionError("it waited")


class ModelSource:
    """`log` is the truth; `topic` what was sent of it, by partition, with offsets that are never used twice."""

    def __init__(self, chance: random.Random, *, gaps: bool = True) -> None:
        self.chance = chance
        self._gaps = gaps
        self.log: list[PublicRecord] = []
        self.head = 0
        self.incarnations = [Incarnation(UUID(int=100), 0, PARTITIONS)]
        self.topic: dict[int, list[Entry]] = {number: [] for number in range(PARTITIONS)}
        self.ends = dict.fromkeys(range(PARTITIONS), 0)
        self.sent = 0
        self.chains = dict.fromkeys(range(PARTITIONS), 0)
        self.chained = self.incarnations[0].id
        self.feed_answers = True
        self._made = 0

    @staticmethod
    def partition(stream: UUID) -> int:
        return partition_of(stream, PARTITIONS)

    @property
    def history(self) -> History:
        return History(self.incarnations)

    def write(self, count: int = 1, stream: UUID | None = None) -> None:
        for _ in range(count):
            # Positions of facts that are not published leave gaps.
            self.head += self.chance.randint(1, 3) if self._gaps else 1
            self._made += 1
            self.log.append(self._record(stream or self.chance.choice(STREAMS)))

    def _record(self, stream: UUID) -> PublicRecord:
        at = START + timedelta(seconds=self._made)
        return PublicRecord(
            source="model",
            incarnation=self.incarnations[-1].id,
            partition=self.partition(stream),
            position=self.head,
            previous=None,
            event_id=UUID(int=1000 + self._made),
            stream_id=stream,
            version=1,
            type="crm.model.thing-happened.v1",
            data={},
            occurred_at=at,
            recorded_at=at,
            correlation_id="",
            causation_id="",
            traceparent=None,
        )

    def relay(self, most: int = 10_000) -> None:
        """As the real one: chains begin anew with an incarnation, and go on from the row otherwise."""
        for record in [record for record in self.log if record.position > self.sent][:most]:
            if record.incarnation != self.chained:
                begins = next(one for one in self.incarnations if one.id == record.incarnation)
                self.chained = begins.id
                self.chains = dict.fromkeys(range(PARTITIONS), begins.from_position)
            self.send(record.partition, replace(record, previous=self.chains[record.partition]))
            self.chains[record.partition] = self.sent = record.position

    def send(self, partition: int, said: PublicRecord | Mark) -> None:
        self.topic[partition].append((self.ends[partition], said))
        self.ends[partition] += 1

    def heartbeat(self) -> None:
        if self.sent == 0:
            return
        for number, previous in self.chains.items():
            self.send(number, Mark(number, self.chained, self.sent, previous))

    def send_twice(self) -> None:
        """A producer's retry: something old appears again, and behind what is newer."""
        number = self.chance.randrange(PARTITIONS)
        if self.topic[number]:
            begin = self.chance.randrange(len(self.topic[number]))
            for _, said in self.topic[number][begin : begin + 3]:
                self.send(number, said)

    def lose(self, *, tail: bool) -> None:
        number = self.chance.randrange(PARTITIONS)
        kept = self.topic[number]
        if tail:
            self.topic[number] = kept[: self.chance.randint(0, len(kept))]
        else:
            self.topic[number] = [entry for entry in kept if self.chance.random() < 0.6]

    def restore(self, position: int, *, zombies: int) -> None:
        """A backup of an earlier time takes over; a relay of the old log may still send what the new one lacks."""
        self.relay(zombies)
        self.log = [record for record in self.log if record.position <= position]
        self.head = position
        self.incarnations = [one for one in self.incarnations if one.from_position <= position]
        self._made += 1
        self.incarnations.append(Incarnation(UUID(int=100_000 + self._made), position, PARTITIONS))
        # The row is of the backup too: what it has not seen is sent again.
        self.sent = self.chance.randint(0, min(self.sent, position))
        below = [record for record in self.log if record.position <= self.sent]
        self.chained = below[-1].incarnation if below else self.incarnations[0].id
        begins = next(one for one in self.incarnations if one.id == self.chained)
        self.chains = dict.fromkeys(range(PARTITIONS), begins.from_position)
        for record in below:
            if record.incarnation == self.chained:
                self.chains[record.partition] = record.position


class ModelFeed(FeedClient):
    """The feed without HTTP; `between` is the real one, to which more than two missing records are many."""

    def __init__(self, source: ModelSource, page: int = 3) -> None:
        self.name = "model"
        self._source = source
        self._page = page
        self.asked = 0

    async def page(
        self, after: int, incarnation: UUID | None, *, limit: int = 1000, wait: float = 0.0
    ) -> tuple[list[PublicRecord], Mark]:
        if not self._source.feed_answers:
            raise ConnectionError("the feed does not answer")
        self.asked += 1
        history = self._source.history
        if incarnation not in (None, NO_INCARNATION):
            try:
                history.check(incarnation, after)
            except Gone as gone:
                raise FeedGone(Place(gone.incarnation, gone.position, tuple(gone.counting))) from None
        found = [record for record in self._source.log if record.position > after]
        found = found[: min(limit, self._page)]
        position = found[-1].position if found else after
        current = history.at(position).id if found else self._source.incarnations[-1].id
        return found, Mark(FEED_PARTITION, current, position, at=START)

    async def between(
        self, partition: int, after: int, upto: int, most: int
    ) -> tuple[list[PublicRecord], int]:
        return await super().between(partition, after, upto, min(most, 2))

    async def close(self) -> None:
        """There is nothing to close."""


class ModelTopic:
    """The topic as an `EventSource`: any partition may be ahead of any other."""

    name = "model"

    def __init__(self, source: ModelSource, chance: random.Random) -> None:
        self._source = source
        self._chance = chance
        self._next: dict[int, int] = {}

    async def seek(self, bookmarks: Bookmarks) -> None:
        self._next = {
            number: mark.offset + 1
            for number, mark in bookmarks.partitions.items()
            if mark.offset is not None
        }

    async def fetch(self) -> Arrival:
        entries: list[tuple[PublicRecord, int | None] | Mark] = []
        for number in self._chance.sample(range(PARTITIONS), PARTITIONS):
            begin = self._next.get(number, 0)
            ready = [entry for entry in self._source.topic[number] if entry[0] >= begin]
            for offset, said in ready[: self._chance.randint(0, 4)]:
                entries.append(arrived(offset, said))
                self._next[number] = offset + 1
        return Arrival(entries)

    async def close(self) -> None:
        """There is nothing to close."""

    def behind(self) -> bool:
        return any(
            entries and entries[-1][0] >= self._next.get(number, 0)
            for number, entries in self._source.topic.items()
        )


def arrived(offset: int, said: PublicRecord | Mark) -> tuple[PublicRecord, int | None] | Mark:
    return replace(said, offset=offset) if isinstance(said, Mark) else (said, offset)


def positions(records: Sequence[PublicRecord]) -> list[int]:
    return [record.position for record in records]
