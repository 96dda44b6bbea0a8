"""One contract for every way in which another service's records reach a consumer: from Kafka, or from the feed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest
from kernel.messaging.feed_client import FeedSource
from kernel.messaging.kafka import Cluster
from kernel.messaging.kafka_source import KafkaSource
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import FEED_PARTITION, Arrival, Bookmarks, EventSource, Mark
from kernel.messaging.tracker import Tracker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.log import DEFAULT_PARTITIONS

from tests.kernel.notes import Notes, notes

pytestmark = pytest.mark.kafka


class Way:
    """`make` builds a source; `partitions` are those that it says something about."""

    def __init__(self, desk: Notes, make: Callable[[Notes], EventSource], partitions: Iterable[int]) -> None:
        self.desk = desk
        self.partitions = tuple(partitions)
        self._make = make

    @asynccontextmanager
    async def following(self, bookmarks: Bookmarks) -> AsyncIterator["Consumer"]:
        source, feed = self._make(self.desk), self.desk.feed()
        try:
            await source.seek(bookmarks)
            yield Consumer(source, Tracker(self.desk.name, bookmarks, feed))
        finally:
            await source.close()
            await feed.close()


class Consumer:
    def __init__(self, source: EventSource, tracker: Tracker) -> None:
        self.source = source
        self.records: list[PublicRecord] = []
        self._tracker = tracker

    @property
    def bookmarks(self) -> Bookmarks:
        return self._tracker.bookmarks

    async def take(self) -> Arrival:
        arrival = await self.source.fetch()
        self.records += (await self._tracker.take(arrival)).records
        return arrival

    async def take_up_to(self, position: int, partitions: Iterable[int]) -> list[PublicRecord]:
        """What was applied until all partitions are complete up to there."""
        async with asyncio.timeout(20):
            while min(self.bookmarks.complete(number) for number in partitions) < position:
                await self.take()
        return self.records


def from_kafka(desk: Notes, gather: float = 0.0) -> EventSource:
    return KafkaSource(desk.name, Cluster(desk.bootstrap), desk.topic, gather=gather)


def from_feed(desk: Notes, gather: float = 0.0) -> EventSource:
    return FeedSource(desk.feed(), wait=0.2, gather=gather)


WAYS = {"kafka": (from_kafka, range(DEFAULT_PARTITIONS)), "feed": (from_feed, [FEED_PARTITION])}


@pytest.fixture(params=WAYS)
async def way(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres, kafka_bootstrap: str
) -> AsyncIterator[Way]:
    async with notes(postgres_server, kafka_bootstrap) as desk, desk.relaying():
        yield Way(desk, *WAYS[request.param])


@pytest.fixture(params=WAYS)
async def patient_way(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres, kafka_bootstrap: str
) -> AsyncIterator[Way]:
    """Of a consumer for whom half a second is soon enough."""
    make, partitions = WAYS[request.param]
    async with notes(postgres_server, kafka_bootstrap) as desk, desk.relaying():
        yield Way(desk, partial(make, gather=0.5), partitions)


async def test_every_record_arrives_once_and_in_the_order_of_its_stream(way: Way) -> None:
    keys = [uuid4() for _ in range(4)]
    for round_ in range(5):
        for key in keys:
            await way.desk.write(str(round_), on=key)
        await way.desk.read()
    async with way.following(Bookmarks()) as consumer:
        records = await consumer.take_up_to(await way.desk.head(), way.partitions)
    assert content(records) == content(await way.desk.told())
    for key in keys:
        assert [one.data["text"] for one in records if one.stream_id == key] == list("01234")


async def test_what_follows_the_bookmarks_arrives_and_nothing_before(way: Way) -> None:
    await way.desk.write("a", "b")
    async with way.following(Bookmarks()) as consumer:
        await consumer.take_up_to(await way.desk.head(), way.partitions)
    await way.desk.write("c", "d")
    async with way.following(consumer.bookmarks.copy()) as consumer:
        records = await consumer.take_up_to(await way.desk.head(), way.partitions)
    assert sorted(one.data["text"] for one in records) == ["c", "d"]


async def test_a_seek_goes_back_to_what_was_fetched_and_not_taken(way: Way) -> None:
    await way.desk.write("a", "b", "c")
    await way.desk.passed_on()
    async with way.following(Bookmarks()) as consumer:
        while not records_of(await consumer.source.fetch()):
            pass
        await consumer.source.seek(Bookmarks())
        records = await consumer.take_up_to(await way.desk.head(), way.partitions)
    assert sorted(one.data["text"] for one in records) == ["a", "b", "c"]


async def test_records_that_come_while_waiting_arrive(way: Way) -> None:
    await way.desk.write("early")
    async with way.following(Bookmarks()) as consumer:
        await consumer.take_up_to(await way.desk.head(), way.partitions)
        fetching = asyncio.create_task(consumer.take_up_to(await way.desk.head() + 1, way.partitions))
        await asyncio.sleep(0.3)
        await way.desk.write("late")
        assert [one.data["text"] for one in await fetching] == ["early", "late"]


async def test_who_has_time_hears_of_many_records_at_once(patient_way: Way) -> None:
    desk = patient_way.desk
    await desk.write("first")
    async with patient_way.following(Bookmarks()) as consumer:
        await consumer.take_up_to(await desk.head(), patient_way.partitions)

        async def write() -> None:
            for number in range(40):
                await desk.write(str(number))
                await asyncio.sleep(0.04)

        writing, arrivals = asyncio.create_task(write()), 0
        async with asyncio.timeout(20):
            while len(consumer.records) < 41:
                arrivals += bool(records_of(await consumer.take()))
        await writing
    # Two seconds of writing, looked at twice a second.
    assert arrivals <= 12


async def test_without_news_a_fetch_ends_and_in_time_says_what_is_complete(way: Way) -> None:
    await way.desk.write("a")
    await way.desk.read()
    async with way.following(Bookmarks()) as consumer:
        await consumer.take_up_to(await way.desk.head(), way.partitions)
        async with asyncio.timeout(5):
            arrivals = [await consumer.take() for _ in range(4)]
    assert not any(records_of(arrival) for arrival in arrivals)
    marks = [entry for arrival in arrivals for entry in arrival.entries if isinstance(entry, Mark)]
    assert marks
    assert {mark.position for mark in marks} == {await way.desk.head()}
    assert all(mark.at is not None for mark in marks)


async def test_a_service_of_which_nothing_is_known_yet_brings_no_records(way: Way) -> None:
    async with way.following(Bookmarks()) as consumer:
        assert not records_of(await consumer.take())
        await way.desk.write("first")
        records = await consumer.take_up_to(1, way.partitions)
    assert [one.data["text"] for one in records] == ["first"]


async def test_a_consumer_that_changes_its_way_misses_nothing_and_takes_nothing_twice(way: Way) -> None:
    other = from_feed if way.partitions != (FEED_PARTITION,) else from_kafka
    there = Way(way.desk, other, range(DEFAULT_PARTITIONS) if other is from_kafka else [FEED_PARTITION])
    bookmarks = Bookmarks()
    taken: list[PublicRecord] = []
    for one, text in ((way, "a"), (there, "b"), (way, "c")):
        await way.desk.write(f"{text}1", f"{text}2")
        async with one.following(bookmarks) as consumer:
            taken += await consumer.take_up_to(await way.desk.head(), one.partitions)
            bookmarks = consumer.bookmarks
    assert sorted(one.data["text"] for one in taken) == ["a1", "a2", "b1", "b2", "c1", "c2"]


def records_of(arrival: Arrival) -> list[PublicRecord]:
    return [entry[0] for entry in arrival.entries if not isinstance(entry, Mark)]


def content(records: Iterable[PublicRecord]) -> list[PublicRecord]:
    """`previous` is Kafka's alone."""
    return sorted((replace(one, previous=None) for one in records), key=lambda one: one.position)
