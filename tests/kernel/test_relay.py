"""The relay between a real log and a real topic: what happens to either, each record arrives and none is missed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import pytest
from kernel.messaging.kafka import Cluster
from kernel.messaging.kafka_publisher import KafkaPublisher
from kernel.messaging.publisher import Heartbeat, RecordRefused
from kernel.messaging.records import PublicRecord
from kernel.messaging.relay import Relay
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.lease import LeaseLost
from kernel.storage.log import DEFAULT_PARTITIONS

from tests.kernel.notes import Notes, copy_database, notes
from tests.kernel.relay_examples import Follower, assert_chained, beat, plain, sent

pytestmark = pytest.mark.kafka


@pytest.fixture
async def desk(postgres_server: EmbeddedPostgres, kafka_bootstrap: str) -> AsyncIterator[Notes]:
    async with notes(postgres_server, kafka_bootstrap) as service:
        yield service


async def test_everything_that_is_told_arrives_and_nothing_else(desk: Notes) -> None:
    await desk.write("one", "two", "three")
    await desk.read(3)
    await desk.write("four")
    await desk.relay()
    records = await sent(desk)
    assert await plain(desk) == sorted(one.position for one in records)
    assert_chained(records)
    assert {one.data["text"] for one in records} == {"one", "two", "three", "four"}


async def test_the_chain_is_unbroken_over_restarts_and_lost_rows(desk: Notes) -> None:
    keys = [uuid4() for _ in range(5)]
    for round_ in range(4):
        for key in keys:
            await desk.write(f"{key} {round_}", on=key)
        # Sent and acknowledged, but the relay ends before its row is saved.
        with pytest.raises(Died):
            async with desk.relaying(lambda: Dying(Cluster(desk.bootstrap), desk.topic)) as task:
                await task
    await desk.relay()
    records = await sent(desk)
    assert len(records) > len(keys) * 4
    assert_chained(records)
    assert sorted({one.position for one in records}) == await plain(desk)


async def test_a_broker_that_dies_under_the_relay_loses_nothing(
    postgres_server: EmbeddedPostgres, kafka_broker: KafkaBroker
) -> None:
    async with notes(postgres_server, kafka_broker.bootstrap) as desk:
        await desk.write("before")
        async with desk.relaying() as relay:
            await desk.passed_on(relay)
            kafka_broker.kill()
            await desk.write("while it is down")
            await asyncio.to_thread(kafka_broker.start)
            await desk.write("after")
            await desk.passed_on(relay)
        records = await sent(desk)
        assert_chained(records)
        assert sorted({one.position for one in records}) == await plain(desk)


async def test_a_zombie_relay_cannot_move_the_row(desk: Notes) -> None:
    await desk.write("a")
    await desk.relay()
    was = await desk.position()
    await desk.write("b")
    zombie = await desk.stale_lease()
    with pytest.raises(LeaseLost):
        await Relay(desk.node, desk.publisher).run(zombie)
    assert await desk.position() == was
    await desk.relay()
    records = await sent(desk)
    assert_chained(records)
    # What the zombie sent before it met the fence says the same as what its successor sent.
    assert len({(one.position, one.previous, one.event_id) for one in records}) == 2


async def test_heartbeats_say_how_far_every_partition_is_complete(desk: Notes) -> None:
    await desk.write("a")
    await desk.read(2)
    await beat(desk)
    follower = Follower(desk)
    await follower.catch_up()
    marks = follower.bookmarks.partitions
    assert {marks[number].position for number in range(DEFAULT_PARTITIONS)} == {await desk.head()}
    assert all(marks[number].at for number in range(DEFAULT_PARTITIONS))
    assert await desk.incarnations() == 1


async def test_a_restart_after_heartbeats_starts_no_incarnation(desk: Notes) -> None:
    for text in "ab":
        await desk.write(text)
        await beat(desk)
    assert await desk.incarnations() == 1
    assert_chained(await sent(desk))


async def test_a_refused_record_stops_the_relay_and_is_named(desk: Notes) -> None:
    await desk.write("small", "x" * 1_100_000)
    async with asyncio.timeout(10), desk.relaying() as relay:
        with pytest.raises(RecordRefused, match="position 2"):
            await relay
    assert await desk.position() == 0


async def test_a_restored_log_begins_one_new_incarnation(
    postgres_server: EmbeddedPostgres, desk: Notes
) -> None:
    follower = Follower(desk)
    await desk.write("kept", "kept too")
    await desk.relay()
    backup = await copy_database(postgres_server, desk.node)
    await desk.write(*"lost")
    await desk.relay()
    await follower.catch_up()
    async with notes(postgres_server, desk.bootstrap, database=backup, name=desk.name) as restored:
        for text in ("new", "newer"):
            await beat(restored)
            await restored.write(text)
            await beat(restored)
        assert await restored.incarnations() == 2
        follower.move_to(restored)
        await follower.catch_up()
        assert {one.place.position for one in follower.withdrawals} == {2}
        assert follower.texts == sorted(["kept", "kept too", "new", "newer"])


async def test_a_restored_log_that_has_grown_again_begins_anew_where_it_parted(
    postgres_server: EmbeddedPostgres, desk: Notes
) -> None:
    follower = Follower(desk)
    await desk.write("kept")
    await desk.relay()
    backup = await copy_database(postgres_server, desk.node)
    await desk.write(*"lost")
    await desk.relay()
    await follower.catch_up()
    async with notes(postgres_server, desk.bootstrap, database=backup, name=desk.name) as restored:
        await restored.write("here", "we", "are", "before", "the", "relay")
        await restored.relay()
        await beat(restored)
        follower.move_to(restored)
        await follower.catch_up()
        assert follower.texts == sorted(["kept", "here", "we", "are", "before", "the", "relay"])


class Died(Exception):
    pass


class Dying(KafkaPublisher):
    """Ends the relay between the acknowledgement and the row."""

    async def send(self, messages: Sequence[PublicRecord | Heartbeat]) -> Sequence[int]:
        await super().send(messages)
        raise Died
