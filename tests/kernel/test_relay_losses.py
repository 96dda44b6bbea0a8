"""Kafka loses what it acknowledged, under a living relay or a dead one: it is published again, and nothing else is."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from kernel.messaging.kafka import Cluster
from kernel.messaging.kafka_publisher import KafkaPublisher
from kernel.messaging.publisher import Heartbeat, Publisher
from kernel.messaging.records import PublicRecord
from kernel.messaging.topics import administering, ensure_topics
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.log import DEFAULT_PARTITIONS

from tests.kernel.kafka_examples import delete_topic, ends, heartbeat, publishing, raw
from tests.kernel.notes import Notes, notes
from tests.kernel.relay_examples import Follower, assert_chained, beat, next_heartbeats, plain, sent, whole

pytestmark = pytest.mark.kafka


@pytest.fixture
async def desk(postgres_server: EmbeddedPostgres, kafka_bootstrap: str) -> AsyncIterator[Notes]:
    async with notes(postgres_server, kafka_bootstrap) as service:
        yield service


async def test_a_lost_topic_is_published_again(desk: Notes) -> None:
    follower = Follower(desk)
    await desk.write(*"abcdef")
    await desk.relay()
    await follower.catch_up()
    await lose_topic(desk)
    await desk.write("g")
    await desk.relay()
    records = await sent(desk)
    assert_chained(records)
    assert sorted(one.position for one in records) == await plain(desk)
    await follower.catch_up()
    assert follower.positions == await plain(desk)


async def test_a_lost_tail_is_published_again(
    postgres_server: EmbeddedPostgres, kafka_broker: KafkaBroker
) -> None:
    async with notes(postgres_server, kafka_broker.bootstrap) as desk:
        key = uuid4()
        follower = Follower(desk)
        for text in "abcd":
            await desk.write(text, on=key)
            await desk.relay()
        await follower.catch_up()
        await lose_tails(desk, kafka_broker)
        await desk.write("e", on=key)
        await desk.relay()
        records = await sent(desk)
        assert_chained(records)
        assert [one.data["text"] for one in records] == list("abcde")
        await follower.catch_up()
        assert follower.positions == await plain(desk)


async def test_a_topic_lost_under_a_living_relay_is_published_again(desk: Notes) -> None:
    follower = Follower(desk)
    async with desk.relaying():
        await desk.write(*"abcdef")
        await desk.passed_on()
        await follower.catch_up()
        await lose_topic(desk)
        # Nothing is told, and the next heartbeat shows it.
        await published_again(desk)
        await desk.write("g")
        await desk.passed_on()
    assert whole(await sent(desk)) == await plain(desk)
    await assert_heard_once(follower, desk)


async def test_what_is_told_after_a_loss_does_not_hide_it(desk: Notes) -> None:
    follower = Follower(desk)
    async with desk.relaying():
        await desk.write(*"abc")
        await desk.passed_on()
        await follower.catch_up()
        await lose_topic(desk)
        await desk.write(*"a much longer story than the one that was lost")
        await desk.passed_on()
        await published_again(desk)
    await assert_heard_once(follower, desk)
    await assert_heard_once(Follower(desk), desk)


async def test_a_tail_lost_under_a_living_relay_is_published_again(
    postgres_server: EmbeddedPostgres, kafka_broker: KafkaBroker
) -> None:
    async with notes(postgres_server, kafka_broker.bootstrap) as desk:
        keys = [uuid4() for _ in range(4)]
        follower = Follower(desk)
        async with desk.relaying():
            for text in "abcdef":
                for key in keys:
                    await desk.write(text, on=key)
                await desk.passed_on()
            await follower.catch_up()
            await lose_tails(desk, kafka_broker)
            for key in keys:
                await desk.write("g", on=key)
            await desk.passed_on()
            await published_again(desk)
        await assert_heard_once(follower, desk)


async def test_a_loss_that_a_predecessor_has_covered_is_noticed(desk: Notes) -> None:
    await desk.write(*"abcdef", on=uuid4())
    await desk.relay()
    await lose_topic(desk)
    # It slept through the loss, and says what it still believes, beyond where the topic had ended.
    await cover(desk)
    await beat(desk)
    assert whole(await sent(desk)) == await plain(desk)


async def test_a_loss_that_is_covered_before_the_next_word_is_noticed(desk: Notes) -> None:
    covered = asyncio.Event()

    class Covered(KafkaPublisher):
        """Between two words of a living relay the topic is lost, and a zombie writes beyond where it had ended."""

        async def send(self, messages: Sequence[PublicRecord | Heartbeat]) -> Sequence[int]:
            if not covered.is_set():
                await lose_topic(desk)
                await cover(desk)
                covered.set()
            return await super().send(messages)

    await desk.write(*"abcdef", on=uuid4())
    await desk.relay()
    async with desk.relaying(lambda: Covered(Cluster(desk.bootstrap), desk.topic)):
        await covered.wait()
        await published_again(desk)


async def test_an_unfinished_repair_is_taken_up_by_the_next_relay(desk: Notes) -> None:
    await desk.write(*(str(number) for number in range(30)))
    await desk.relay()
    await lose_topic(desk)
    made = 0

    class Ending(KafkaPublisher):
        async def send(self, messages: Sequence[PublicRecord | Heartbeat]) -> Sequence[int]:
            nonlocal made
            made += 1
            offsets = await super().send(messages[: 7 * made])
            if made < 4:
                raise OSError("the connection ends in the middle")
            return [*offsets, *await super().send(messages[7 * made :])]

    async with desk.relaying(lambda: Ending(Cluster(desk.bootstrap), desk.topic)):
        await published_again(desk)
    copies = Counter(one.position for one in await sent(desk))
    assert max(copies.values()) <= 2


async def test_the_records_of_a_zombie_are_no_loss(desk: Notes) -> None:
    """Whatever it writes, a relay at its work passes every record on once, over one connection."""
    publishers: list[Publisher] = []

    def make() -> Publisher:
        publishers.append(desk.publisher())
        return publishers[-1]

    await desk.write(*"abc")
    await desk.relay()
    extra = (await sent(desk))[:2] * 40
    async with desk.relaying(make):
        for text in "defg":
            await send_again(desk, extra)
            await desk.write(text)
            await desk.passed_on()
        await next_heartbeats(desk)
    assert len(publishers) == 1
    # Nor are they to a successor.
    await send_again(desk, extra)
    await beat(desk)
    expected = Counter(await plain(desk)) + Counter([one.position for one in extra] * 5)
    assert Counter(one.position for one in await sent(desk)) == expected


async def test_a_transaction_of_a_stranger_is_no_loss(desk: Notes) -> None:
    """Its end takes an offset which no reader sees."""
    await desk.write(*"abc")
    await desk.relay()
    strange = await raw(desk.bootstrap, desk.topic, DEFAULT_PARTITIONS)
    await in_a_transaction(desk, strange)
    async with desk.relaying():
        await next_heartbeats(desk)
        await in_a_transaction(desk, strange)
        await desk.write("d")
        await next_heartbeats(desk)
    copies = Counter(one.position for one in await sent(desk))
    assert copies == {1: 3, 2: 3, 3: 3, 4: 1}


async def test_only_what_the_topic_would_still_keep_is_published_again(
    postgres_server: EmbeddedPostgres, kafka_bootstrap: str
) -> None:
    async with notes(postgres_server, kafka_bootstrap, topic=False) as desk:
        await ensure_topics(Cluster(kafka_bootstrap), [desk.topic], DEFAULT_PARTITIONS, retention_days=7)
        key = uuid4()
        follower, late = Follower(desk), Follower(desk)
        for text in "abcdef":
            await desk.write(text, on=key)
        async with desk.node.database.driver() as connection:
            await connection.execute(
                "UPDATE events SET recorded_at = recorded_at - $1::interval WHERE position <= 4",
                timedelta(days=8),
            )
        await desk.relay()
        await follower.catch_up()
        await lose_topic(desk, retention_days=7)
        await beat(desk)
        assert [(one.position, one.previous) for one in await sent(desk)] == [(5, 4), (6, 5)]
        await assert_heard_once(follower, desk)
        await assert_heard_once(late, desk)


async def test_expired_records_are_no_loss(desk: Notes) -> None:
    await desk.write(*"abcdef")
    await beat(desk)
    async with administering(Cluster(desk.bootstrap)) as admin:
        await admin.delete_records(
            {
                TopicPartition(desk.topic, number): RecordsToDelete(end)
                for number, end in (await ends(desk.bootstrap, desk.topic, DEFAULT_PARTITIONS)).items()
            }
        )
    await desk.write("g")
    await beat(desk)
    assert [one.data["text"] for one in await sent(desk)] == ["g"]


async def lose_topic(desk: Notes, *, retention_days: int = 0) -> None:
    await delete_topic(desk.bootstrap, desk.topic)
    await ensure_topics(
        Cluster(desk.bootstrap), [desk.topic], DEFAULT_PARTITIONS, retention_days=retention_days
    )


async def lose_tails(desk: Notes, broker: KafkaBroker) -> None:
    """As a broker loses what it never wrote to its disk: the files end earlier."""
    broker.kill()
    for log in (broker.directory / "data").glob(f"{desk.topic}-*/{0:020}.log"):
        with log.open("r+b") as file:
            file.truncate(log.stat().st_size // 2)
    await asyncio.to_thread(broker.start)


async def cover(desk: Notes) -> None:
    """Heartbeats of a relay that believes in all that is told, more than any partition held."""
    last = {one.partition: one.position for one in await desk.told()}
    beats = [
        replace(heartbeat(await desk.head(), position, partition=number), source=desk.name)
        for number, position in last.items()
    ]
    async with publishing(desk.bootstrap, desk.topic) as publisher:
        await publisher.send(beats * 40)


async def send_again(desk: Notes, records: Sequence[PublicRecord]) -> None:
    async with publishing(desk.bootstrap, desk.topic) as publisher:
        await publisher.send(records)


async def in_a_transaction(desk: Notes, messages: Sequence[Any]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=desk.bootstrap, transactional_id=f"strange-{uuid4()}")
    await producer.start()
    try:
        async with producer.transaction():
            for one in messages:
                await producer.send_and_wait(
                    one.topic, one.value, one.key, one.partition, headers=list(one.headers)
                )
    finally:
        await producer.stop()


async def published_again(desk: Notes) -> None:
    """Until a reader who knows nothing but the topic gets everything."""
    told = await plain(desk)
    async with asyncio.timeout(30):
        while whole(await sent(desk)) != told:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def assert_heard_once(follower: Follower, desk: Notes) -> None:
    """A reader whose place lies in what came after the loss learns from the next heartbeat what it passed by."""
    told = await plain(desk)
    async with asyncio.timeout(30), desk.relaying():
        while len(follower.positions) < len(told):
            await follower.catch_up()
    assert follower.positions == told
