"""The relay's way to Kafka: all or nothing acknowledged, and a publisher that had trouble is never used again."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from aiokafka.errors import (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from kernel.messaging.kafka import (
    CLIENT_ID,
    MIB,
    REQUEST_TIMEOUT_MS,
    BrokenRecord,
    BrokerTrouble,
    Encoded,
    Place,
    Producer,
    TopicUnfit,
    decode,
    encode,
    end_client,
    end_consumer,
    new_consumer,
    passing,
    said_by,
)
from kernel.messaging.publisher import Heartbeat, RecordRefused, Tail
from kernel.messaging.records import PublicRecord
from kernel.messaging.topics import RECORD_BYTES, fit_topic

log = structlog.get_logger()

Message = PublicRecord | Heartbeat

_REFUSALS = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidTimestampError,
    UnsupportedForMessageFormatError,
)
# How far from the end the last entry of ours is looked for: nobody else should write there.
_LOOK_BACK = 8


class KafkaPublisher:
    """`patience`: how long opening, or one `send` until all is acknowledged, may take, in seconds."""

    def __init__(self, bootstrap: str, topic: str, *, patience: float = 12.0) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._patience = patience
        self._partitions = 0
        self._usable = False
        self._producer: Producer | None = None
        # The last record of each partition: its position and event id, which heartbeats repeat.
        self._last: dict[int, tuple[int, UUID]] = {}

    async def open(self) -> Mapping[int, Tail]:
        """Raises `TopicUnfit` for a topic that is missing or refuses what we accept."""
        with passing(self._topic):
            async with asyncio.timeout(self._patience):
                self._partitions = (await fit_topic(self._bootstrap, self._topic)).partitions
                tails = await self._tails()
                self._producer = self._new_producer()
                await self._producer.start()
        for number, tail in tails.items():
            if tail.position is not None and tail.event_id is not None:
                self._last[number] = (tail.position, tail.event_id)
        self._usable = True
        return tails

    async def send(self, messages: Sequence[Message]) -> Sequence[int]:
        producer = self._producer
        if producer is None or not self._usable:
            raise BrokerTrouble(f"{self._topic}: this publisher is not open, or had trouble: build a new one")
        # After one failure the sequence numbers of an idempotent producer no longer fit the broker's.
        self._usable = False
        encoded = [self._encode(message) for message in messages]
        offsets = await self._acknowledged(producer, messages, encoded)
        self._usable = True
        for message in messages:
            if isinstance(message, PublicRecord):
                self._last[message.partition] = (message.position, message.event_id)
        return offsets

    async def abandon(self) -> None:
        self._usable = False
        producer, self._producer = self._producer, None
        if producer is not None:
            producer._closed = True
            await end_client(producer.client, producer._sender)

    def _new_producer(self) -> Producer:
        return Producer(
            bootstrap_servers=self._bootstrap,
            client_id=CLIENT_ID,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=0,
            max_batch_size=MIB // 2,
            max_request_size=RECORD_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=100,
            metadata_max_age_ms=60_000,
            connections_max_idle_ms=540_000,
        )

    def _encode(self, message: Message) -> Encoded:
        """Refuses what the broker would refuse before anything is sent."""
        if not 0 <= message.partition < self._partitions:
            raise TopicUnfit(
                f"{self._topic} has {self._partitions} partitions and no {message.partition}: "
                "`crm topics` changes their number"
            )
        position, event_id = self._last.get(message.partition, (0, None))
        # Before the first heartbeat of an incarnation lies its beginning, which is not that record.
        known = event_id if isinstance(message, Heartbeat) and message.previous == position else None
        try:
            encoded = encode(message, known)
        except ValueError as error:
            raise self._refused(message, str(error)) from error
        size = DefaultRecordBatchBuilder.estimate_size_in_bytes(encoded.key, encoded.value, encoded.headers)
        if size > RECORD_BYTES:
            raise self._refused(message, f"it weighs {size} bytes, more than {RECORD_BYTES}")
        return encoded

    def _refused(self, message: Message, reason: str) -> RecordRefused:
        return RecordRefused(
            f"{self._topic}, partition {message.partition}, position {message.position}: {reason}"
        )

    async def _acknowledged(
        self, producer: Producer, messages: Sequence[Message], encoded: Sequence[Encoded]
    ) -> list[int]:
        pending: list[asyncio.Future[Any]] = []
        try:
            with passing(self._topic):
                async with asyncio.timeout(self._patience):
                    for message, said in zip(messages, encoded, strict=True):
                        pending.append(
                            await producer.send(
                                self._topic, said.value, said.key, message.partition, headers=said.headers
                            )
                        )
                    if pending:
                        await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
                return [self._offset(*pair) for pair in zip(messages, pending, strict=True)]
        finally:
            for future in pending:
                future.cancel()

    def _offset(self, message: Message, future: "asyncio.Future[Any]") -> int:
        if not future.done():
            # Another one failed first, and its error is the news.
            return -1
        try:
            offset: int = future.result().offset
        except _REFUSALS as error:
            raise self._refused(message, repr(error)) from error
        if offset < 0:
            raise BrokerTrouble(f"{self._topic}: acknowledged as a duplicate, without an offset")
        return offset

    async def _tails(self) -> dict[int, Tail]:
        places = [Place(self._topic, number) for number in range(self._partitions)]
        consumer = new_consumer(self._bootstrap)
        try:
            await consumer.start()
            starts = await consumer.beginning_offsets(places)
            ends = await consumer.end_offsets(places)
            tails = {place.partition: Tail(starts[place], ends[place]) for place in places}
            reading = [place for place in places if ends[place] > starts[place]]
            consumer.assign(reading)
            for place in reading:
                consumer.seek(place, max(starts[place], ends[place] - _LOOK_BACK))
            while reading:
                for place, entries in (await consumer.getmany(timeout_ms=200)).items():
                    for entry in entries:
                        tails[place.partition] = _after(tails[place.partition], entry)
                reading = [place for place in reading if await consumer.position(place) < ends[place]]
            return tails
        finally:
            await end_consumer(consumer)


def _after(tail: Tail, entry: Any) -> Tail:
    """A heartbeat stands for the record before it: the relay asks what the last record was, and goes on after it."""
    try:
        message = decode(entry)
    except BrokenRecord as error:
        log.warning("not_ours_in_topic", error=str(error))
        return tail
    if isinstance(message, PublicRecord):
        return Tail(tail.start, tail.end, message.incarnation, message.position, message.event_id)
    event_id = said_by(entry.headers).get("previousid")
    return Tail(
        tail.start, tail.end, message.incarnation, message.previous, UUID(event_id) if event_id else None
    )
