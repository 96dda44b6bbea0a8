"""What the relay sends arrives as CloudEvents, in order, or the relay is told within bounded time."""

import asyncio
import logging
import os
import signal
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import DefaultPartitioner
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from kernel.messaging.kafka import BrokerTrouble, Cluster, TopicUnfit
from kernel.messaging.kafka_publisher import KafkaPublisher
from kernel.messaging.publisher import RecordRefused, Tail
from kernel.messaging.records import attributes
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
    raw,
    record,
)

pytestmark = pytest.mark.kafka

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_record_is_a_cloud_event_that_another_implementation_reads(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    sent = record(7, 3, traceparent=TRACE, data={"contact_id": "c", "name": "李雷"})
    async with publishing(kafka_bootstrap, topic) as publisher:
        assert list(await publisher.send([sent])) == [0]
    (message,) = await raw(kafka_bootstrap, topic)
    headers = dict(message.headers)
    event = from_binary(KafkaMessage(headers, message.key, message.value), JSONFormat())
    assert event.get_data() == sent.data
    assert event.get_datacontenttype() == "application/json"
    assert event.get_time() == AT
    said = event.get_attributes()
    for name, value in attributes(sent).items():
        if name != "time":
            assert said[name] == value
    assert message.key == str(sent.stream_id).encode()
    assert headers["traceparent"] == TRACE.encode()
    assert headers["content-type"] == b"application/json"


async def test_a_heartbeat_has_no_key_and_a_body(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send([heartbeat(9, 4, partition=2)])
    (message,) = await raw(kafka_bootstrap, topic)
    assert message.key is None
    assert message.partition == 2
    event = from_binary(KafkaMessage(dict(message.headers), None, message.value), JSONFormat())
    assert event.get_type() == "crm.heartbeat.v1"
    assert event.get_source() == "/contacts"
    assert event.get_time() == AT
    assert event.get_data() == {"digest": "01" * 32}
    said = event.get_attributes()
    assert (said["position"], said["previous"], said["incarnation"]) == ("9", "4", str(INCARNATION))


async def test_an_empty_record_still_has_a_body(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send([record(1, data={})])
    (message,) = await raw(kafka_bootstrap, topic)
    assert message.value == b"{}"


async def test_the_records_of_a_key_keep_their_order_over_many_sends(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    keys = [uuid4() for _ in range(7)]
    records = [
        record(at, at - 1, stream_id=keys[at % 7], data={"filler": "x" * 900}) for at in range(1, 2001)
    ]
    async with publishing(kafka_bootstrap, topic) as publisher:
        offsets = [*await publisher.send(records[:1500]), *await publisher.send(records[1500:])]
    messages = await raw(kafka_bootstrap, topic)
    assert len(messages) == 2000
    places = {(m.partition, m.offset): int(dict(m.headers)["ce_position"]) for m in messages}
    for sent, offset in zip(records, offsets, strict=True):
        assert places[sent.partition, offset] == sent.position
    for number in range(PARTITIONS):
        positions = [places[place] for place in sorted(places) if place[0] == number]
        assert positions == sorted(positions)


async def test_our_partition_is_the_one_that_kafkas_own_partitioner_chooses(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    records = [record(at) for at in range(1, 200)]
    default, numbers = DefaultPartitioner(), list(range(PARTITIONS))
    for one in records:
        assert default(str(one.stream_id).encode(), numbers, numbers) == one.partition
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    try:
        for one in records[:20]:
            placed = await producer.send_and_wait(topic, b"{}", key=str(one.stream_id).encode())
            assert placed.partition == one.partition
    finally:
        await producer.stop()


async def test_a_new_topic_has_empty_tails(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    assert await tails(kafka_bootstrap, topic) == {number: Tail(0, 0) for number in range(PARTITIONS)}


async def test_a_tail_is_the_last_record_also_behind_any_number_of_heartbeats(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    records = chain([4, 6, 11])
    expected = (INCARNATION, 11, records[-1].event_id)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(records)
    assert (await tails(kafka_bootstrap, topic))[0] == Tail(0, 3, *expected)
    async with publishing(kafka_bootstrap, topic) as publisher:
        for at in range(12, 32):
            await publisher.send([heartbeat(at, 11)])
    async with publishing(kafka_bootstrap, topic) as publisher:
        # This publisher has not sent the record itself, and yet says which one it was.
        for at in range(32, 52):
            await publisher.send([heartbeat(at, 11)])
    assert (await tails(kafka_bootstrap, topic))[0] == Tail(0, 43, *expected)


async def test_the_tail_of_a_partition_with_heartbeats_only_is_where_its_chain_begins(
    kafka_bootstrap: str,
) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send([heartbeat(30, 12, partition=1)])
    assert (await tails(kafka_bootstrap, topic))[1] == Tail(0, 1, INCARNATION, 12, None)


async def test_a_heartbeat_after_the_start_of_an_incarnation_names_no_record(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send([*chain([4]), heartbeat(20, 18)])
    assert (await tails(kafka_bootstrap, topic))[0] == Tail(0, 2, INCARNATION, 18, None)


async def test_a_missing_topic_is_a_clear_error(kafka_bootstrap: str) -> None:
    with pytest.raises(TopicUnfit, match=r"no topic crm\.nothing\.v1: `crm topics`"):
        await tails(kafka_bootstrap, "crm.nothing.v1")


async def test_a_topic_that_would_refuse_an_accepted_fact_is_a_clear_error(kafka_bootstrap: str) -> None:
    topic = f"crm.test-{uuid4().hex}.v1"
    await ensure_topics(Cluster(kafka_bootstrap), [topic], 1, max_message_bytes=600_000)
    with pytest.raises(TopicUnfit, match=r"max\.message\.bytes=600000.*`crm topics`"):
        await tails(kafka_bootstrap, topic)


async def test_a_record_for_a_partition_that_is_not_there_is_a_clear_error(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap, partitions=1)
    async with publishing(kafka_bootstrap, topic) as publisher:
        with pytest.raises(TopicUnfit, match=r"1 partitions and no 2: `crm topics`"):
            await publisher.send([record(1, partition=2)])


async def test_a_too_large_record_is_refused_by_its_position_and_nothing_is_sent(
    kafka_bootstrap: str,
) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        with pytest.raises(RecordRefused, match="position 2: it weighs"):
            await publisher.send([*chain([1]), record(2, data={"text": "x" * 1_100_000})])
        with pytest.raises(BrokerTrouble, match="build a new one"):
            await publisher.send(chain([3]))
    assert await raw(kafka_bootstrap, topic) == []


async def test_a_record_of_the_greatest_accepted_size_passes(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send([record(1, data={"text": os.urandom(512 * 1024).hex()[: 1024 * 1024 - 2000]})])
    assert len(await raw(kafka_bootstrap, topic)) == 1


async def test_a_record_that_the_broker_refuses_is_named(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        async with administering(Cluster(kafka_bootstrap)) as admin:
            small = {"max.message.bytes": "2000"}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, small)])
        # The change takes a moment to reach the partition's log.
        with pytest.raises(RecordRefused, match="position 5"):
            await send_many(publisher, 5)


async def test_without_a_broker_opening_fails_within_bounded_time() -> None:
    publisher = KafkaPublisher(Cluster("127.0.0.1:1"), "crm.contacts.v1")
    async with asyncio.timeout(5):
        with pytest.raises(OSError, match=r"127\.0\.0\.1:1: KafkaConnectionError"):
            await publisher.open()
        await publisher.abandon()


async def test_a_broker_that_is_killed_fails_the_send_and_a_new_publisher_goes_on(
    kafka_broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    bootstrap = kafka_broker.bootstrap
    topic = await fresh_topic(bootstrap)
    publisher = KafkaPublisher(Cluster(bootstrap), topic, patience=3)
    await publisher.open()
    sent = chain([1, 2])
    await publisher.send(sent)
    kafka_broker.kill()
    try:
        async with asyncio.timeout(4):
            with pytest.raises((OSError, TimeoutError)):
                await publisher.send(chain([3, 5], previous=2))
        async with asyncio.timeout(4):
            await publisher.abandon()
        assert {task for task in asyncio.all_tasks() if "kafka" in repr(task.get_coro())} == set()
        await publisher.abandon()
    finally:
        await asyncio.to_thread(kafka_broker.start)
    caplog.set_level(logging.ERROR)
    async with publishing_when_ready(bootstrap, topic) as following:
        offsets = await following.send(chain([3, 5], previous=2))
    assert list(offsets) == [2, 3]
    assert [m.offset for m in await raw(bootstrap, topic)] == [0, 1, 2, 3]
    assert "never retrieved" not in caplog.text


async def test_a_broker_that_no_longer_answers_holds_nobody_up(kafka_broker: KafkaBroker) -> None:
    topic = await fresh_topic(kafka_broker.bootstrap)
    publisher = KafkaPublisher(Cluster(kafka_broker.bootstrap), topic, patience=2)
    await publisher.open()
    os.kill(kafka_broker.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(4):
            with pytest.raises((OSError, TimeoutError)):
                await publisher.send(chain([1]))
            await publisher.abandon()
        late = KafkaPublisher(Cluster(kafka_broker.bootstrap), topic)
        async with asyncio.timeout(10):
            with pytest.raises((OSError, TimeoutError)):
                await late.open()
            await late.abandon()
    finally:
        os.kill(kafka_broker.pid, signal.SIGCONT)
    async with publishing_when_ready(kafka_broker.bootstrap, topic) as following:
        await following.send(chain([1]))


async def test_a_publisher_that_is_cancelled_while_it_sends_is_not_used_again(
    kafka_broker: KafkaBroker,
) -> None:
    topic = await fresh_topic(kafka_broker.bootstrap)
    async with publishing(kafka_broker.bootstrap, topic) as publisher:
        kafka_broker.kill()
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await publisher.send(chain([1]))
            with pytest.raises(BrokerTrouble, match="build a new one"):
                await publisher.send(chain([1]))
        finally:
            await asyncio.to_thread(kafka_broker.start)


async def test_a_topic_that_was_made_anew_has_an_empty_tail(kafka_bootstrap: str) -> None:
    topic = await fresh_topic(kafka_bootstrap)
    async with publishing(kafka_bootstrap, topic) as publisher:
        await publisher.send(chain([1, 2]))
    await delete_topic(kafka_bootstrap, topic)
    await ensure_topics(Cluster(kafka_bootstrap), [topic], PARTITIONS)
    assert (await tails(kafka_bootstrap, topic))[0] == Tail(0, 0)


async def send_many(publisher: KafkaPublisher, position: int) -> None:
    for _ in range(50):
        await publisher.send([record(position, data={"text": os.urandom(4000).hex()})])


async def tails(bootstrap: str, topic: str) -> dict[int, Tail]:
    publisher = KafkaPublisher(Cluster(bootstrap), topic)
    try:
        return dict(await publisher.open())
    finally:
        await publisher.abandon()
