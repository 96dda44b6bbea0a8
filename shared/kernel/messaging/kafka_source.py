"""One service's records from its topic: places are said by our own bookmarks, no group has a word in it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka.errors import OffsetOutOfRangeError

from kernel.messaging.kafka import (
    BrokenRecord,
    BrokerTrouble,
    Cluster,
    Consumer,
    Place,
    decode,
    end_consumer,
    new_consumer,
    passing,
)
from kernel.messaging.publisher import Heartbeat
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Arrival, Bookmarks, Mark
from kernel.messaging.topics import administering, describe, missing_topic

log = structlog.get_logger()

_MOST_RECORDS = 1000
_WAIT_MS = 500


class KafkaSource:
    """`patience`: how long a broker may be silent before `fetch` raises; `gather`: how long it may hold news back."""

    def __init__(
        self, name: str, cluster: Cluster, topic: str, *, patience: float = 5.0, gather: float = 0.0
    ) -> None:
        self.name = name
        self._cluster = cluster
        self._topic = topic
        self._patience = patience
        self._gather = gather
        self._next: Mapping[int, int] = {}
        self._consumer: Consumer | None = None
        self._places: list[Place] = []
        self._broken: BrokenRecord | None = None
        self._heard: dict[Place, int | None] = {}
        self._silent = 0.0

    async def seek(self, bookmarks: Bookmarks) -> None:
        """Only remembers where to go on, so that a broker which is down fails `fetch`, where failure is expected."""
        await self.close()
        self._next = {
            number: bookmark.offset + 1
            for number, bookmark in bookmarks.partitions.items()
            if bookmark.offset is not None
        }

    async def fetch(self) -> Arrival:
        """Raises `BrokenRecord` for what is not ours, after everything before it in its partition was answered."""
        if self._broken:
            raise self._broken
        with passing(self._topic):
            consumer = self._consumer or await self._connect()
            try:
                fetched = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_MOST_RECORDS)
            except OffsetOutOfRangeError as error:
                await self._go_to_beginning(consumer, list(error.args[0]))
                return Arrival()
        self._check_partitions(consumer)
        if not fetched:
            self._check_alive(consumer)
        return self._arrival(fetched)

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._broken = None
        if consumer is not None:
            await end_consumer(consumer)

    async def _connect(self) -> Consumer:
        async with asyncio.timeout(2 * self._patience):
            async with administering(self._cluster) as admin:
                topic = (await describe(admin, [self._topic])).get(self._topic)
            if topic is None:
                raise missing_topic(self._topic)
            self._places = [Place(self._topic, number) for number in range(topic.partitions)]
            consumer = new_consumer(self._cluster, gather=self._gather)
            try:
                await consumer.start()
                starts = await consumer.beginning_offsets(self._places)
                ends = await consumer.end_offsets(self._places)
            except BaseException:
                await end_consumer(consumer)
                raise
        # No await between the two: the consumer must not look for a place of its own.
        consumer.assign(self._places)
        for place in self._places:
            consumer.seek(place, self._first(place, starts[place], ends[place]))
        self._consumer, self._heard, self._silent = consumer, {}, 0.0
        return consumer

    def _first(self, place: Place, start: int, end: int) -> int:
        offset = self._next.get(place.partition, start)
        if start <= offset <= end:
            return offset
        # What is missing shows in `previous` of what is left.
        log.warning(
            "offset_out_of_range", topic=self._topic, partition=place.partition, offset=offset, start=start
        )
        return start

    async def _go_to_beginning(self, consumer: Consumer, places: Sequence[Place]) -> None:
        starts = await consumer.beginning_offsets(places)
        for place in places:
            log.warning(
                "offset_out_of_range", topic=self._topic, partition=place.partition, start=starts[place]
            )
            consumer.seek(place, starts[place])

    def _check_partitions(self, consumer: Consumer) -> None:
        """What was assigned stays assigned, whatever becomes of the topic."""
        known = consumer.partitions_for_topic(self._topic)
        if known is None or len(known) != len(self._places):
            raise BrokerTrouble(f"{self._topic}: its partitions have changed")

    def _check_alive(self, consumer: Consumer) -> None:
        """A consumer waits for a dead broker without a word, but each answer of the broker leaves its time."""
        heard = {place: consumer.last_poll_timestamp(place) for place in self._places}
        self._silent = 0.0 if heard != self._heard else self._silent + _WAIT_MS / 1000
        self._heard = heard
        if self._silent >= self._patience:
            raise BrokerTrouble(f"{self._topic}: the broker has been silent for {self._silent:.0f} s")

    def _arrival(self, fetched: Mapping[Place, Sequence[Any]]) -> Arrival:
        entries: list[tuple[PublicRecord, int | None] | Mark] = []
        for messages in fetched.values():
            for message in messages:
                try:
                    entries.append(self._entry(message))
                except BrokenRecord as error:
                    self._broken = error
                    break
        if self._broken and not entries:
            raise self._broken
        return Arrival(entries)

    def _entry(self, message: Any) -> tuple[PublicRecord, int | None] | Mark:
        said = decode(message)
        if said.source != self.name:
            reason = f"it comes from {said.source!r}, not from {self.name!r}"
            raise BrokenRecord(message.topic, message.partition, message.offset, reason)
        if isinstance(said, Heartbeat):
            return Mark(
                said.partition,
                said.incarnation,
                said.position,
                said.previous,
                offset=message.offset,
                at=said.at,
            )
        return said, message.offset
