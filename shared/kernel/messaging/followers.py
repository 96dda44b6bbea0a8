"""A follower: takes records from all its sources, and applies them with their bookmarks in one transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from kernel.messaging.bookmarks import BookmarkStore, PartitionKey
from kernel.messaging.feed_client import FeedClient, FeedGone
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Bookmark, Bookmarks, EventSource
from kernel.messaging.tracker import Taken, Tracker, Withdrawal
from kernel.storage.database import Connection, Database
from kernel.storage.lease import Lease
from kernel.storage.metrics import FOLLOWED

log = structlog.get_logger()

MOST_RECORDS = 1000
_WAITING = 8
_STEADY = 10.0


class Checkpoint(Protocol):
    """To be awaited in the sink's transaction: moves the bookmarks, or raises."""

    async def __call__(self, connection: Connection) -> None: ...


class Sink(Protocol):
    def reset(self) -> None:
        """Forgets whatever it remembers of the database: someone else may have written since."""
        ...

    async def apply(
        self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal], checkpoint: Checkpoint
    ) -> None:
        """One transaction: the effect of all records, and the checkpoint. An exception leaves neither."""
        ...


class Follower:
    """`feeds` fill gaps; each source needs one, whether it comes from Kafka or is itself the feed."""

    def __init__(
        self,
        name: str,
        database: Database,
        sources: Sequence[EventSource],
        feeds: Mapping[str, FeedClient],
        sink: Sink,
    ) -> None:
        self._name = name
        self._database = database
        self._sources = sources
        self._feeds = feeds
        self._sink = sink
        self._store = BookmarkStore(name)

    async def run(self, lease: Lease) -> None:
        """Until cancelled; a failure begins again from what is stored."""
        pause = 0.2
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        while True:
            began = loop.time()
            try:
                await self._follow(lease)
            except Exception:
                log.exception("follower_interrupted", follower=self._name)
            if task and task.cancelling():
                # A task group that is cancelled while one of its tasks fails tells of the failure alone.
                raise asyncio.CancelledError
            if loop.time() - began > _STEADY:
                pause = 0.2
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _follow(self, lease: Lease) -> None:
        self._sink.reset()
        async with self._database.driver() as connection:
            stored = await self._store.load(connection, [source.name for source in self._sources])
        waiting: asyncio.Queue[Taken] = asyncio.Queue(_WAITING)
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self._read(source, stored[source.name].copy(), waiting))
            group.create_task(self._apply_all(lease, stored, waiting))

    async def _read(self, source: EventSource, bookmarks: Bookmarks, waiting: asyncio.Queue[Taken]) -> None:
        """One source's records into the queue; a source that does not answer holds up none of the others."""
        tracker = Tracker(source.name, bookmarks, self._feeds[source.name])
        pause = 0.1
        await source.seek(tracker.bookmarks)
        while True:
            try:
                taken = await tracker.take(await source.fetch())
                pause = 0.1
            except FeedGone as gone:
                taken = tracker.go_back(gone.place)
                await source.seek(tracker.bookmarks)
            except Exception as error:
                log.warning("source_unreachable", source=source.name, error=repr(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                # What was fetched and not taken comes again.
                with suppress(Exception):
                    await source.seek(tracker.bookmarks)
                continue
            if taken.records or taken.bookmarks or taken.withdrawals:
                await waiting.put(taken)
            if not taken.whole:
                await source.seek(tracker.bookmarks)

    async def _apply_all(
        self, lease: Lease, stored: Mapping[str, Bookmarks], waiting: asyncio.Queue[Taken]
    ) -> None:
        held = {
            (source, number): bookmark
            for source, bookmarks in stored.items()
            for number, bookmark in bookmarks.partitions.items()
        }
        while True:
            batch = [await waiting.get()]
            size = len(batch[0].records)
            while size < MOST_RECORDS and not waiting.empty():
                batch.append(waiting.get_nowait())
                size += len(batch[-1].records)
            moved: dict[PartitionKey, Bookmark] = {}
            for taken in batch:
                moved |= {(taken.source, number): mark for number, mark in taken.bookmarks.items()}
            await self._apply(lease, batch, held, moved)
            held |= moved

    async def _apply(
        self,
        lease: Lease,
        batch: Sequence[Taken],
        held: Mapping[PartitionKey, Bookmark],
        moved: Mapping[PartitionKey, Bookmark],
    ) -> None:
        async def checkpoint(connection: Connection) -> None:
            await lease.fence(connection)
            await self._store.move(connection, held, moved)

        records = [record for taken in batch for record in taken.records]
        withdrawals = [withdrawal for taken in batch for withdrawal in taken.withdrawals]
        await self._sink.apply(records, withdrawals, checkpoint)
        FOLLOWED.labels(self._name).inc(len(records))
