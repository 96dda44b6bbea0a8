"""What the tests of Kafka's side have in common: records, topics of their own, and a reader that knows nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from kernel.messaging.kafka import Cluster
from kernel.messaging.kafka_publisher import KafkaPublisher
from kernel.messaging.publisher import Heartbeat
from kernel.messaging.records import PublicRecord, partition_of
from kernel.messaging.topics import administering, ensure_topics

PARTITIONS = 3
INCARNATION = UUID("01940000-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def record(
    position: int,
    previous: int = 0,
    *,
    stream_id: UUID | None = None,
    data: dict[str, Any] | None = None,
    partition: int | None = None,
    traceparent: str | None = None,
) -> PublicRecord:
    stream_id = stream_id or uuid4()
    return PublicRecord(
        source="contacts",
        incarnation=INCARNATION,
        partition=partition_of(stream_id, PARTITIONS) if partition is None else partition,
        position=position,
        previous=previous,
        event_id=uuid4(),
        stream_id=stream_id,
        version=1,
        type="crm.contacts.contact-registered.v1",
        data={"contact_id": str(stream_id)} if data is None else data,
        occurred_at=AT,
        recorded_at=AT,
        correlation_id="of-the-test",
        causation_id=str(uuid4()),
        traceparent=traceparent,
    )


def chain(positions: Sequence[int], *, partition: int = 0, previous: int = 0) -> list[PublicRecord]:
    """Records of one partition, each naming the one before it."""
    before = [previous, *positions]
    return [record(at, was, partition=partition) for at, was in zip(positions, before, strict=False)]


def heartbeat(position: int, previous: int, *, partition: int = 0) -> Heartbeat:
    return Heartbeat(
        source="contacts",
        incarnation=INCARNATION,
        partition=partition,
        position=position,
        previous=previous,
        at=AT,
        digest=b"\x01" * 32,
    )


async def fresh_topic(bootstrap: str, partitions: int = PARTITIONS) -> str:
    name = f"crm.test-{uuid4().hex}.v1"
    await ensure_topics(Cluster(bootstrap), [name], partitions)
    return name


async def delete_topic(bootstrap: str, name: str) -> None:
    async with administering(Cluster(bootstrap)) as admin:
        await admin.delete_topics([name])
        while name in await topics_of(admin):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def topics_of(admin: AIOKafkaAdminClient) -> list[str]:
    names: list[str] = await admin.list_topics()
    return names


@asynccontextmanager
async def publishing(bootstrap: str, topic: str, patience: float = 12.0) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(Cluster(bootstrap), topic, patience=patience)
    try:
        await publisher.open()
        yield publisher
    finally:
        await publisher.abandon()


@asynccontextmanager
async def publishing_when_ready(bootstrap: str, topic: str) -> AsyncIterator[KafkaPublisher]:
    """As the relay does it after trouble: one publisher after the other, until one opens."""
    async with asyncio.timeout(30):
        while True:
            publisher = KafkaPublisher(Cluster(bootstrap), topic)
            try:
                await publisher.open()
                break
            except (OSError, TimeoutError):
                await publisher.abandon()
                await asyncio.sleep(0.2)
    try:
        yield publisher
    finally:
        await publisher.abandon()


async def ends(bootstrap: str, topic: str, partitions: int = PARTITIONS) -> dict[int, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        found = await consumer.end_offsets([TopicPartition(topic, number) for number in range(partitions)])
        return {place.partition: end for place, end in found.items()}
    finally:
        await consumer.stop()


async def raw(bootstrap: str, topic: str, partitions: int = PARTITIONS) -> list[Any]:
    """Every message of the topic as Kafka has it, partition after partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        await consumer.seek_to_beginning()
        found: list[Any] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                found += messages
        return sorted(found, key=lambda message: (message.partition, message.offset))
    finally:
        await consumer.stop()
