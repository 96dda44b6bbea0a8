"""The relay's way to Kafka: all or nothing acknowledged, and a publisher that had trouble is never used again."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aiokafka.errors import (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from kernel.messaging.kafka import (
    MIB,
    BrokerTrouble,
    Cluster,
    Encoded,
    Producer,
    TopicUnfit,
    encode,
    end_client,
    passing,
)
from kernel.messaging.kafka_holdings import KafkaHoldings
from kernel.messaging.publisher import Heartbeat, Held, RecordRefused, Sent, Tail
from kernel.messaging.records import PublicRecord
from kernel.messaging.topics import RECORD_BYTES, fit_topic

Message = PublicRecord | Heartbeat

_REFUSALS = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidTimestampError,
    UnsupportedForMessageFormatError,
)


class KafkaPublisher:
    """`patience`: how long opening, or one `send` until all is acknowledged, may take, in seconds."""

    def __init__(self, cluster: Cluster, topic: str, *, patience: float = 12.0) -> None:
        self._cluster = cluster
        self._topic = topic
        self._patience = patience
        self._holdings = KafkaHoldings(cluster, topic, patience)
        self._partitions = 0
        self._retention: timedelta | None = None
        self._usable = False
        self._producer: Producer | None = None
        # The last record of each partition: its position and event id, which heartbeats repeat.
        self._last: dict[int, tuple[int, UUID]] = {}

    @property
    def retention(self) -> timedelta | None:
        return self._retention

    async def open(self) -> Mapping[int, Tail]:
        """Raises `TopicUnfit` for a topic that is missing or refuses what we accept."""
        with passing(self._topic):
            async with asyncio.timeout(self._patience):
                topic = await fit_topic(self._cluster, self._topic)
                self._partitions, self._retention = topic.partitions, topic.retention
                tails = await self._holdings.tails()
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
        offsets = await self._acknowledged(producer, messages, self._batches(producer, messages))
        self._usable = True
        for message in messages:
            if isinstance(message, PublicRecord):
                self._last[message.partition] = (message.position, message.event_id)
        return offsets

    async def lost(self, sent: Mapping[int, Sent]) -> Sequence[int]:
        return await self._holdings.lost(sent)

    async def held_since(self, times: Mapping[int, datetime]) -> Sequence[Held]:
        return await self._holdings.since(times)

    async def abandon(self) -> None:
        self._usable = False
        producer, self._producer = self._producer, None
        if producer is not None:
            producer._closed = True
            await end_client(producer.client, producer._sender)

    def _new_producer(self) -> Producer:
        return Producer(
            **self._cluster.client(),
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=0,
            max_batch_size=MIB // 2,
            max_request_size=RECORD_BYTES,
            metadata_max_age_ms=60_000,
        )

    def _encode(self, message: Message) -> Encoded:
        """Refuses what the broker would refuse before anything is sent."""
        if not 0 <= message.partition < self._partitions:
            raise TopicUnfit(
                f"{self._topic} has {self._partitions} partitions and no {message.partition}: `crm topics` leaves it "
                "as it is; `kafka-topics.sh --alter --partitions`, with CRM_PARTITIONS as their number, enlarges it"
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

    def _batches(self, producer: Producer, messages: Sequence[Message]) -> "Sequence[_Batch]":
        """Made here, because aiokafka's own way costs a task's worth of work for each message."""
        batches: list[_Batch] = []
        filling: dict[int, _Batch] = {}
        for place, message in enumerate(messages):
            encoded = self._encode(message)
            batch = filling.get(message.partition)
            while batch is None or not batch.append(encoded):
                batch = filling[message.partition] = _Batch(message.partition, producer.create_batch())
                batches.append(batch)
            batch.places.append(place)
        return batches

    async def _acknowledged(
        self, producer: Producer, messages: Sequence[Message], batches: "Sequence[_Batch]"
    ) -> list[int]:
        pending: list[asyncio.Future[Any]] = []
        try:
            with passing(self._topic):
                async with asyncio.timeout(self._patience):
                    for batch in batches:
                        sending = producer.send_batch(batch.builder, self._topic, partition=batch.partition)
                        pending.append(await sending)
                    if pending:
                        await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
                offsets = [-1] * len(messages)
                for batch, future in zip(batches, pending, strict=True):
                    first = self._offset(messages[batch.places[0]], future)
                    for offset, place in enumerate(batch.places, first):
                        offsets[place] = offset
                return offsets
        finally:
            for future in pending:
                future.cancel()

    def _offset(self, first: Message, future: "asyncio.Future[Any]") -> int:
        """Of the first message of a batch."""
        if not future.done():
            # Another one failed first, and its error is the news.
            return -1
        try:
            offset: int = future.result().offset
        except _REFUSALS as error:
            raise self._refused(first, repr(error)) from error
        if offset < 0:
            raise BrokerTrouble(f"{self._topic}: acknowledged as a duplicate, without an offset")
        return offset


@dataclass(slots=True)
class _Batch:
    """Messages of one partition that are sent together; `places` are theirs among all."""

    partition: int
    builder: Any
    places: list[int] = field(default_factory=list)

    def append(self, said: Encoded) -> bool:
        """False when it is full. The first message always has its place."""
        appended = self.builder.append(timestamp=None, key=said.key, value=said.value, headers=said.headers)
        return appended is not None
