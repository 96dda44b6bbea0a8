"""What a topic holds, as far as the relay asks: its tails, a record at its offset, everything since a time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

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
    said_by,
)
from kernel.messaging.publisher import Heartbeat, Held, Sent, Tail
from kernel.messaging.records import PublicRecord

log = structlog.get_logger()

# How far before a place the last entry of ours is looked for: nobody else should write there.
_LOOK_BACK = 8
_WAIT = 0.2
_MOST = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class KafkaHoldings:
    """Each question is asked over a connection of its own. `patience`: how long a broker may be silent, in seconds."""

    def __init__(self, cluster: Cluster, topic: str, patience: float) -> None:
        self._cluster = cluster
        self._topic = topic
        self._patience = patience

    async def tails(self) -> dict[int, Tail]:
        async with self._reading() as (consumer, starts, ends):
            tails = {place.partition: Tail(starts[place], end) for place, end in ends.items()}
            first = {place: max(starts[place], end - _LOOK_BACK) for place, end in ends.items()}
            async for entry, message in self._entries(consumer, first, ends):
                tails[entry.partition] = _after(tails[entry.partition], entry, message)
        return tails

    async def lost(self, sent: Mapping[int, Sent]) -> list[int]:
        asked = {Place(self._topic, number): one for number, one in sent.items() if one.offset is not None}
        if not asked:
            return []
        async with self._reading() as (consumer, starts, ends):
            # What lay before the start has expired. Expiry moves the start, never the end.
            first = {
                place: one.offset
                for place, one in asked.items()
                if one.offset is not None and place in starts and one.offset >= starts[place]
            }
            upto = {place: min(offset + 1, ends[place]) for place, offset in first.items()}
            found: dict[int, int] = {}
            async for entry, message in self._entries(consumer, first, upto):
                if isinstance(message, PublicRecord):
                    found[entry.partition] = message.position
        return [place.partition for place in first if found.get(place.partition) != asked[place].position]

    async def since(self, times: Mapping[int, datetime]) -> Sequence[Held]:
        asked = {Place(self._topic, number): (at - _EPOCH) // _MILLISECOND for number, at in times.items()}
        async with self._reading() as (consumer, starts, ends):
            first: dict[Place, int] = {}
            for place, found in (await consumer.offsets_for_times(asked)).items():
                begin = ends[place] if found is None else found.offset
                first[place] = max(starts[place], begin - _LOOK_BACK)
            return [_held(entry, message) async for entry, message in self._entries(consumer, first, ends)]

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[tuple[Consumer, Mapping[Place, int], Mapping[Place, int]]]:
        """A consumer, and where the partitions start and end."""
        consumer = new_consumer(self._cluster)
        try:
            with passing(self._topic):
                async with asyncio.timeout(self._patience):
                    await consumer.start()
                    numbers = await consumer._client._wait_on_metadata(self._topic)
                    places = [Place(self._topic, number) for number in sorted(numbers)]
                    starts = await consumer.beginning_offsets(places)
                    ends = await consumer.end_offsets(places)
                yield consumer, starts, ends
        finally:
            await end_consumer(consumer)

    async def _entries(
        self, consumer: Consumer, first: Mapping[Place, int], ends: Mapping[Place, int]
    ) -> AsyncIterator[tuple[Any, PublicRecord | Heartbeat]]:
        """Ours from these offsets on up to those."""
        reading = [place for place in first if first[place] < ends[place]]
        consumer.assign(reading)
        for place in reading:
            consumer.seek(place, first[place])
        silent = 0.0
        while reading:
            fetched = await consumer.getmany(*reading, timeout_ms=int(_WAIT * 1000), max_records=_MOST)
            silent = 0.0 if fetched else silent + _WAIT
            if silent >= self._patience:
                raise BrokerTrouble(f"{self._topic}: the broker has been silent for {silent:.0f} s")
            for place, entries in fetched.items():
                for entry in entries:
                    if entry.offset < ends[place] and (message := _ours(entry)) is not None:
                        yield entry, message
            reading = [place for place in reading if await consumer.position(place) < ends[place]]


def _ours(entry: Any) -> PublicRecord | Heartbeat | None:
    try:
        return decode(entry)
    except BrokenRecord as error:
        log.warning("not_ours_in_topic", error=str(error))
        return None


def _after(tail: Tail, entry: Any, message: PublicRecord | Heartbeat) -> Tail:
    """A heartbeat stands for the record before it: the relay asks what the last record was, and goes on after it."""
    if isinstance(message, PublicRecord):
        return Tail(tail.start, tail.end, message.incarnation, message.position, message.event_id)
    event_id = said_by(entry.headers).get("previousid")
    return Tail(
        tail.start, tail.end, message.incarnation, message.previous, UUID(event_id) if event_id else None
    )


def _held(entry: Any, message: PublicRecord | Heartbeat) -> Held:
    return Held(
        partition=entry.partition,
        offset=entry.offset,
        at=_EPOCH + entry.timestamp * _MILLISECOND,
        incarnation=message.incarnation,
        position=message.position,
        # In a topic every message has one.
        previous=message.previous or 0,
        is_record=isinstance(message, PublicRecord),
    )
