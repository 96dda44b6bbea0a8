"""Each record takes effect exactly once, wherever a follower is stopped, and however many believe to be the one."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import asyncpg
import pytest
from kernel.messaging.bookmarks import BookmarkStore, CheckpointLost
from kernel.messaging.followers import Checkpoint, Follower
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Arrival, Bookmark
from kernel.messaging.tracker import Withdrawal
from kernel.storage.lease import Lease, LeaseLost

from tests.kernel.model_source import ModelFeed, ModelSource, ModelTopic
from tests.kernel.toys import Toy, eventually


class WaitingTopic(ModelTopic):
    """As a real source, it waits when there is nothing."""

    async def fetch(self) -> Arrival:
        arrival = await super().fetch()
        await asyncio.sleep(0 if arrival.entries else 0.01)
        return arrival


class TableSink:
    """Its effect is a row per record; it may be slow, and it may fail before or after the checkpoint."""

    def __init__(self, toy: Toy, *, fails: float = 0.0, chance: random.Random | None = None) -> None:
        self._toy = toy
        self._fails = fails
        self._chance = chance or random.Random(0)
        self.lost = 0

    async def apply(
        self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal], checkpoint: Checkpoint
    ) -> None:
        async with self._toy.database.driver() as connection, connection.transaction():
            await connection.executemany(
                "INSERT INTO applied (position, stream_id) VALUES ($1, $2)",
                [(record.position, record.stream_id) for record in records],
            )
            self._perhaps_fail()
            try:
                await checkpoint(connection)
            except CheckpointLost:
                self.lost += 1
                raise
            self._perhaps_fail()

    def reset(self) -> None:
        """It remembers nothing."""

    def _perhaps_fail(self) -> None:
        if self._chance.random() < self._fails:
            raise ConnectionError("the database went away")


@pytest.fixture
async def lease(toy: Toy) -> AsyncIterator[Lease]:
    await toy.rows("CREATE TABLE applied (place serial, position bigint, stream_id uuid)")
    await toy.rows("INSERT INTO leases VALUES ('toy', 1, 'a test', now() + interval '1 hour')")
    yield Lease("toy", 1)
    await toy.rows("DROP TABLE applied")


def follower(toy: Toy, source: ModelSource, sink: TableSink, seed: int = 0) -> Follower:
    topic, feed = WaitingTopic(source, random.Random(seed)), ModelFeed(source)
    return Follower("toy", toy.database, [topic], {"model": feed}, sink)


async def applied(toy: Toy) -> list[int]:
    return [row["position"] for row in await toy.rows("SELECT position FROM applied ORDER BY place")]


async def everything(toy: Toy, source: ModelSource) -> bool:
    return set(await applied(toy)) >= {record.position for record in source.log}


async def check(toy: Toy, source: ModelSource) -> None:
    found = await applied(toy)
    assert sorted(found) == [record.position for record in source.log]
    rows = await toy.rows("SELECT stream_id, array_agg(position ORDER BY place) AS n FROM applied GROUP BY 1")
    assert all(list(row["n"]) == sorted(row["n"]) for row in rows)


async def end(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


async def test_a_follower_stopped_at_any_moment_applies_each_record_once(toy: Toy, lease: Lease) -> None:
    chance = random.Random(11)
    source, pace = ModelSource(chance), 0.05
    for round_ in range(40):
        source.write(3)
        source.relay()
        task = asyncio.create_task(follower(toy, source, TableSink(toy), round_).run(lease))
        await asyncio.sleep(chance.uniform(0.0, pace))
        await end(task)
        # A machine with much else to do may need longer to get anywhere at all.
        pace *= 1 if await applied(toy) else 1.2
    assert await applied(toy)
    task = asyncio.create_task(follower(toy, source, TableSink(toy)).run(lease))
    await eventually(lambda: everything(toy, source))
    await end(task)
    await check(toy, source)


async def test_a_sink_that_fails_before_or_after_the_checkpoint_leaves_neither(
    toy: Toy, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ModelSource(random.Random(12))
    source.write(60)
    source.relay()
    sink = TableSink(toy, fails=0.3, chance=random.Random(3))
    monkeypatch.setattr("kernel.messaging.followers.MOST_RECORDS", 3)
    for seed in range(12):
        task = asyncio.create_task(follower(toy, source, sink, seed).run(lease))
        await asyncio.sleep(0.1)
        await end(task)
    sink = TableSink(toy)
    task = asyncio.create_task(follower(toy, source, sink).run(lease))
    await eventually(lambda: everything(toy, source))
    await end(task)
    await check(toy, source)


async def test_of_two_followers_at_once_each_record_is_applied_by_one(toy: Toy, lease: Lease) -> None:
    source = ModelSource(random.Random(13))
    sinks = [TableSink(toy), TableSink(toy)]
    tasks = [
        asyncio.create_task(follower(toy, source, sink, seed).run(lease)) for seed, sink in enumerate(sinks)
    ]
    for _ in range(15):
        source.write(4)
        source.relay()
        await asyncio.sleep(0.03)
    await eventually(lambda: everything(toy, source), 20)
    await end(*tasks)
    assert sum(sink.lost for sink in sinks) > 0
    await check(toy, source)


async def test_a_follower_whose_lease_is_gone_applies_nothing(toy: Toy, lease: Lease) -> None:
    source = ModelSource(random.Random(14))
    source.write(5)
    source.relay()
    await toy.rows("UPDATE leases SET epoch = 2")
    task = asyncio.create_task(follower(toy, source, TableSink(toy)).run(lease))
    await asyncio.sleep(0.3)
    await end(task)
    assert await applied(toy) == []


class SinkThatFailsWhenCancelled(TableSink):
    """As a connection does that is in the middle of something else."""

    def __init__(self, toy: Toy) -> None:
        super().__init__(toy)
        self.begun = asyncio.Event()

    async def apply(
        self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal], checkpoint: Checkpoint
    ) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("another operation is in progress") from None


async def test_a_follower_that_fails_while_it_is_told_to_end_ends(toy: Toy, lease: Lease) -> None:
    source = ModelSource(random.Random(15))
    source.write(5)
    source.relay()
    sink = SinkThatFailsWhenCancelled(toy)
    task = asyncio.create_task(follower(toy, source, sink).run(lease))
    async with asyncio.timeout(10):
        await sink.begun.wait()
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.done()


async def test_a_bookmark_moves_only_from_where_it_was(toy: Toy) -> None:
    store = BookmarkStore("somebody")
    here = Bookmark(position=5, offset=2)
    first, second = await toy.connect(), await toy.connect()
    await store.move(first, {}, {("model", 0): here})
    with pytest.raises(CheckpointLost):
        await store.move(second, {}, {("model", 0): Bookmark(position=6)})
    with pytest.raises(CheckpointLost):
        await store.move(second, {("model", 0): Bookmark(position=4)}, {("model", 0): Bookmark(position=6)})
    await store.move(second, {("model", 0): here}, {("model", 0): Bookmark(position=6, offset=3)})
    found = await store.load(first, ["model", "other"])
    assert found["model"].partitions == {0: Bookmark(position=6, offset=3)}
    assert found["other"].partitions == {}
    await store.move(first, {}, {})


async def test_a_lost_checkpoint_takes_the_effects_with_it(toy: Toy, lease: Lease) -> None:
    connection: asyncpg.Connection = await toy.connect()
    await toy.rows("UPDATE leases SET epoch = 9")

    async def lost(connection: asyncpg.Connection) -> None:
        await lease.fence(connection)

    source = ModelSource(random.Random(1))
    source.write(1)
    with pytest.raises(LeaseLost):
        await TableSink(toy).apply(source.log, [], lost)
    assert await connection.fetchval("SELECT count(*) FROM applied") == 0
