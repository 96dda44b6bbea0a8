"""A consumer's way to Kafka: it begins where its bookmarks say, skips nothing, and notices a broker that is gone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete
from kernel.messaging.kafka import BrokenRecord, BrokerTrouble, Cluster, Encoded, TopicUnfit, encode
from kernel.messaging.kafka_source import KafkaSource
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import FEED_PARTITION, Bookmark, Bookmarks, Mark
from kernel.messaging.topics import administering, ensure_topics
from kernel.runtime.broker import KafkaBroker

from tests.kernel.kafka_examples import (
    AT,
    INCARNATION,
    PARTITIONS,
    chain,
    delete_topic,
    fresh_topic,
    heartbeat,
    publishing,
    publishing_when_ready,
    record,
)

pytestmark = pytest.mark.kafka

Entry = tuple[PublicRecord, int | None] | Mark


async def test_records_and_heartbeats_arrive_as_they_were_sent(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    sent = record(3, 1, partition=1, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send([sent, heartbeat(9, 3, partition=1)])
    async with following(kafka_bootstrap, topic) as source:
        assert await take(source, 2) == [(sent, 0), Mark(1, INCARNATION, 9, 3, offset=1, at=AT)]
        assert not (await source.fetch()).entries


async def test_a_source_goes_on_after_its_bookmarks(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    first, second = chain([1, 2, 3]), chain([4, 5], partition=1)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send([*first, *second])
    async with following(kafka_bootstrap, topic, {0: 1}) as source:
        assert sorted(positions(await take(source, 3))) == [3, 4, 5]
        await source.seek(bookmarks({0: 2, 1: 0}))
        assert positions(await take(source, 1)) == [5]


async def test_a_place_in_the_feed_is_no_place_in_the_topic(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(chain([1, 2]))
    async with following(kafka_bootstrap, topic, {FEED_PARTITION: None}) as source:
        assert positions(await take(source, 2)) == [1, 2]


async def test_what_was_fetched_and_not_taken_comes_again_after_a_seek(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(chain(range(1, 31)))
    async with following(kafka_bootstrap, topic, {0: 9}) as source:
        assert positions(await take(source, 20))[0] == 11
        await source.seek(bookmarks({0: 9}))
        assert positions(await take(source, 20))[0] == 11


@pytest.mark.parametrize("offset", [0, 50])
async def test_an_offset_that_is_not_there_begins_with_what_is_left(
    kafka_bootstrap: str, offset: int
) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(chain(range(1, 9)))
    await expire(kafka_bootstrap, topic, 5)
    async with following(kafka_bootstrap, topic, {0: offset}) as source:
        (left, at), *_ = await take_records(source, 3)
        assert (left.position, left.previous, at) == (6, 5, 5)


async def test_a_topic_whose_records_have_all_expired_is_waited_on(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(chain([1, 2]))
        await expire(kafka_bootstrap, topic, 2)
        async with following(kafka_bootstrap, topic, {0: 0}) as source:
            assert not (await source.fetch()).entries
            await publisher.send([heartbeat(7, 2)])
            assert await take(source, 1) == [Mark(0, INCARNATION, 7, 2, offset=2, at=AT)]


async def test_records_that_expire_under_a_running_source_are_passed_over(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(chain([1, 2]))
        async with following(kafka_bootstrap, topic) as source:
            await take(source, 2)
            # As if the topic had been cut below our place.
            assert source._consumer
            source._consumer.seek(TopicPartition(topic, 0), 77)
            await publisher.send(chain([3], previous=2))
            assert positions(await take(source, 3)) == [1, 2, 3]


async def test_a_broken_record_is_named_and_stops_its_partition_after_all_before_it(
    kafka_bootstrap: str,
) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    good = chain([1, 2])
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(good)
        await send_raw(kafka_bootstrap, topic, Encoded(b"k", b"{}", [("content-type", b"application/json")]))
        await publisher.send(chain([3], previous=2))
    async with following(kafka_bootstrap, topic) as source:
        assert await take(source, 2) == [(good[0], 0), (good[1], 1)]
        for _ in range(2):
            with pytest.raises(BrokenRecord, match=rf"{topic}, partition 0, offset 2: header ce_specversion"):
                await source.fetch()
        await source.seek(bookmarks({0: 1}))
        with pytest.raises(BrokenRecord, match="offset 2"):
            await source.fetch()


@pytest.mark.parametrize(
    ("header", "value", "reason"),
    [
        ("ce_specversion", b"0.3", "specversion '0.3'"),
        ("ce_previous", None, "header ce_previous is missing"),
        ("ce_position", b"seven", "invalid literal"),
        ("ce_incarnation", b"none", "badly formed"),
        ("ce_time", b"yesterday", "Invalid isoformat"),
        ("ce_source", b"/elsewhere", "it comes from 'elsewhere', not from 'contacts'"),
        ("ce_type", None, "header ce_type is missing"),
        ("ce_subject", b"\xff", "invalid start byte"),
        ("content-type", b"text/plain", "content-type is not"),
    ],
)
async def test_a_header_that_is_broken_or_missing_is_an_error(
    kafka_bootstrap: str, header: str, value: bytes | None, reason: str
) -> None:
    topic = await fresh_topic(kafka_bootstrap, partitions=1)
    said = encode(record(1, partition=0))
    headers = [(name, was) for name, was in said.headers if name != header]
    if value is not None:
        headers.append((header, value))
    await send_raw(kafka_bootstrap, topic, Encoded(said.key, said.value, headers))
    async with following(kafka_bootstrap, topic) as source:
        with pytest.raises(BrokenRecord, match=reason):
            await source.fetch()


@pytest.mark.parametrize("body", [b"", b"[]", b"{"])
async def test_a_body_that_is_no_object_is_an_error(kafka_bootstrap: str, body: bytes) -> None:
    topic = await fresh_topic(kafka_bootstrap, partitions=1)
    said = encode(record(1, partition=0))
    await send_raw(kafka_bootstrap, topic, Encoded(said.key, body, said.headers))
    async with following(kafka_bootstrap, topic) as source:
        with pytest.raises(BrokenRecord, match="offset 0"):
            await source.fetch()


async def test_a_header_that_a_newer_release_adds_does_no_harm(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    sent = record(1, partition=0)
    said = encode(sent)
    headers = [*said.headers, ("ce_region", b"east"), ("b3", b"0")]
    await send_raw(kafka_bootstrap, topic, Encoded(said.key, said.value, headers))
    async with following(kafka_bootstrap, topic) as source:
        assert await take(source, 1) == [(sent, 0)]


async def test_a_missing_topic_is_a_clear_error(kafka_bootstrap: str) -> None:
    async with following(kafka_bootstrap, "crm.nothing.v1") as source:
        with pytest.raises(TopicUnfit, match=r"no topic crm\.nothing\.v1: `crm topics`"):
            await source.fetch()


async def test_new_partitions_and_a_vanished_topic_are_noticed(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap, partitions=1)
    async with following(kafka_bootstrap, topic) as source:
        await source.fetch()
        async with administering(Cluster(kafka_bootstrap)) as admin:
            await admin.create_partitions({topic: NewPartitions(2)})
        await refresh(source)
        with pytest.raises(BrokerTrouble, match="partitions have changed"):
            await fetch_many(source)
        await source.seek(Bookmarks())
        async with publishing(kafka_bootstrap, topic) as publisher:
            await publisher.send([record(1, partition=1)])
        assert positions(await take(source, 1)) == [1]
        await delete_topic(kafka_bootstrap, topic)
        await refresh(source)
        with pytest.raises(BrokerTrouble, match="partitions have changed"):
            await fetch_many(source)


async def test_a_topic_made_anew_is_read_from_its_beginning(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(chain(range(1, 6)))
    async with following(kafka_bootstrap, topic) as source:
        await take(source, 5)
        await delete_topic(kafka_bootstrap, topic)
        await ensure_topics(Cluster(kafka_bootstrap), [topic], PARTITIONS)
        async with publishing(kafka_bootstrap, topic) as publisher:
            await publisher.send(chain([6], previous=5))
        await source.seek(bookmarks({0: 4}))
        (left, at), *_ = await take_records(source, 1)
        assert (left.position, at) == (6, 0)


async def test_a_broker_that_is_gone_is_an_error_within_bounded_time_and_a_seek_brings_it_back(
    kafka_broker: KafkaBroker,
) -> None:
    bootstrap = kafka_broker.bootstrap
    topic = await fresh_topic(bootstrap)
    async with publishing(bootstrap, topic) as publisher:
        await publisher.send(chain([1, 2]))
    async with following(bootstrap, topic, patience=2) as source:
        await take(source, 2)
        kafka_broker.kill()
        try:
            async with asyncio.timeout(6):
                with pytest.raises(OSError, match="silent"):
                    await fetch_many(source)
            async with asyncio.timeout(6):
                await source.seek(bookmarks({0: 1}))
                with pytest.raises((OSError, TimeoutError)):
                    await source.fetch()
        finally:
            await asyncio.to_thread(kafka_broker.start)
        async with publishing_when_ready(bootstrap, topic) as publisher:
            await publisher.send(chain([3], previous=2))
        await source.seek(bookmarks({0: 1}))
        assert positions(await take(source, 1)) == [3]


async def test_closing_is_bounded_while_the_broker_is_down(kafka_broker: KafkaBroker) -> None:
    topic = await fresh_topic(kafka_broker.bootstrap)
    async with following(kafka_broker.bootstrap, topic) as source:
        await source.fetch()
        kafka_broker.kill()
        try:
            async with asyncio.timeout(4):
                await source.close()
                await source.close()
        finally:
            await asyncio.to_thread(kafka_broker.start)
    assert {task for task in asyncio.all_tasks() if "kafka" in repr(task.get_coro())} == set()


@asynccontextmanager
async def following(
    bootstrap: str, topic: str, offsets: dict[int, int | None] | None = None, patience: float = 5.0
) -> AsyncIterator[KafkaSource]:
    source = KafkaSource("contacts", Cluster(bootstrap), topic, patience=patience)
    try:
        await source.seek(bookmarks(offsets or {}))
        yield source
    finally:
        await source.close()


def bookmarks(offsets: dict[int, int | None] | dict[int, int]) -> Bookmarks:
    return Bookmarks({number: Bookmark(INCARNATION, 0, offset) for number, offset in offsets.items()})


async def take(source: KafkaSource, count: int) -> list[Entry]:
    taken: list[Entry] = []
    async with asyncio.timeout(20):
        while len(taken) < count:
            taken += (await source.fetch()).entries
    return taken


async def take_records(source: KafkaSource, count: int) -> list[tuple[PublicRecord, int | None]]:
    return [entry for entry in await take(source, count) if not isinstance(entry, Mark)]


async def fetch_many(source: KafkaSource) -> None:
    for _ in range(40):
        await source.fetch()


def positions(entries: Sequence[Entry]) -> list[int]:
    return [entry.position if isinstance(entry, Mark) else entry[0].position for entry in entries]


async def refresh(source: KafkaSource) -> None:
    """What otherwise happens every ten seconds."""
    assert source._consumer
    await source._consumer._client.force_metadata_update()


async def expire(bootstrap: str, topic: str, before: int) -> None:
    async with administering(Cluster(bootstrap)) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before)})


async def send_raw(bootstrap: str, topic: str, said: Encoded) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topic, said.value, said.key, partition=0, headers=said.headers)
    finally:
        await producer.stop()
