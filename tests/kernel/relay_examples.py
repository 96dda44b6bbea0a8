"""What the tests of the relay have in common: a consumer, what lies in the topic, and what is told of the log."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from kernel.messaging.kafka import Cluster, decode
from kernel.messaging.kafka_source import KafkaSource
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Bookmarks
from kernel.messaging.tracker import Tracker, Withdrawal
from kernel.storage.log import DEFAULT_PARTITIONS

from tests.kernel.kafka_examples import ends, raw
from tests.kernel.notes import Notes


class Follower:
    """What a consumer does: source, tracker, and all that was applied."""

    def __init__(self, desk: Notes) -> None:
        self.bookmarks = Bookmarks()
        self.records: list[PublicRecord] = []
        self.withdrawals: list[Withdrawal] = []
        self.move_to(desk)

    def move_to(self, desk: Notes) -> None:
        self._desk = desk

    @property
    def positions(self) -> list[int]:
        return sorted(one.position for one in self.records)

    @property
    def texts(self) -> list[str]:
        return sorted(str(one.data["text"]) for one in self.records)

    async def catch_up(self) -> None:
        """Until two fetches in a row bring nothing."""
        feed = self._desk.feed()
        source = KafkaSource(self._desk.name, Cluster(self._desk.bootstrap), self._desk.topic)
        tracker = Tracker(source.name, self.bookmarks, feed)
        await source.seek(self.bookmarks)
        quiet = 0
        while quiet < 2:
            arrival = await source.fetch()
            quiet = 0 if arrival.entries else quiet + 1
            taken = await tracker.take(arrival)
            self.withdrawals += taken.withdrawals
            for withdrawal in taken.withdrawals:
                self.records = [one for one in self.records if counts(one, withdrawal)]
            self.records += taken.records
        self.bookmarks = tracker.bookmarks
        await source.close()
        await feed.close()


def counts(record: PublicRecord, withdrawal: Withdrawal) -> bool:
    place = withdrawal.place
    return record.position <= place.position or record.incarnation in place.counting


async def sent(desk: Notes) -> list[PublicRecord]:
    """Every record in the topic, duplicates and all, without the heartbeats."""
    messages = [decode(message) for message in await raw(desk.bootstrap, desk.topic, DEFAULT_PARTITIONS)]
    return [message for message in messages if isinstance(message, PublicRecord)]


async def plain(desk: Notes) -> list[int]:
    return [one.position for one in await desk.told()]


def assert_chained(records: Sequence[PublicRecord]) -> None:
    """After dedupe, each record names the one before it in its partition."""
    last: dict[int, int] = defaultdict(int)
    seen: dict[tuple[int, int], UUID] = {}
    for one in records:
        key = (one.partition, one.position)
        assert seen.setdefault(key, one.event_id) == one.event_id
        if one.position > last[one.partition]:
            assert one.previous == last[one.partition]
            last[one.partition] = one.position


def whole(records: Sequence[PublicRecord]) -> list[int]:
    """The positions that a reader gets who knows nothing but the topic, and takes no record before its forerunner."""
    last: dict[int, int] = defaultdict(int)
    taken = []
    for one in records:
        if one.position > last[one.partition] and (one.previous or 0) <= last[one.partition]:
            taken.append(one.position)
            last[one.partition] = one.position
    return sorted(taken)


async def beat(desk: Notes) -> None:
    """Until the relay has told every partition how far it is complete."""
    async with desk.relaying() as relay:
        await desk.passed_on(relay)
        await next_heartbeats(desk)


async def next_heartbeats(desk: Notes) -> None:
    before = await _ends(desk)
    async with asyncio.timeout(20):
        while not all(end > before[at] for at, end in (await _ends(desk)).items()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def _ends(desk: Notes) -> dict[int, int]:
    return await ends(desk.bootstrap, desk.topic, DEFAULT_PARTITIONS)
