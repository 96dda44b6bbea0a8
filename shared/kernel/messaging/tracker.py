"""What a consumer does with each record: drop a duplicate, apply what follows, and fill a gap from the feed.

`last` of a partition means: complete up to here. `position <= last` is a duplicate; `previous <= last` follows;
`previous > last` is a loss, and what is missing is read from the feed. No id is remembered, no loss assumed away.
"""

from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog

from kernel.messaging.feed_client import FeedClient, FeedGone
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import FEED_PARTITION, NO_INCARNATION, Arrival, Bookmark, Bookmarks, Mark, Place

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The source was restored: above this position only `incarnation` and what follows it counts."""

    source: str
    incarnation: UUID
    from_position: int


@dataclass(slots=True)
class Taken:
    """What one arrival means: records to apply in order, and where the bookmarks stand after them."""

    source: str
    records: list[PublicRecord] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    bookmarks: dict[int, Bookmark] = field(default_factory=dict)


class Tracker:
    """`bookmarks` move when a whole arrival has been taken; one that fails in the middle leaves them."""

    def __init__(self, source: str, bookmarks: Bookmarks, feed: FeedClient) -> None:
        self._source = source
        self.bookmarks = bookmarks
        self._bookmarks = bookmarks
        self._feed = feed

    async def take(self, arrival: Arrival) -> Taken:
        taken = Taken(self._source)
        self._bookmarks = self.bookmarks.copy()
        for entry in arrival.entries:
            if isinstance(entry, Mark):
                await self._mark(taken, entry)
            else:
                await self._record(taken, *entry)
        self.bookmarks = self._bookmarks
        taken.bookmarks = {number: replace(self.bookmarks.of(number)) for number in taken.bookmarks}
        return taken

    def go_back(self, place: Place) -> Taken:
        """The feed itself says that our place is gone: what lay above is withdrawn, and it goes on from there."""
        withdrawal = Withdrawal(self._source, place.incarnation, place.position)
        for mark in self.bookmarks.partitions.values():
            mark.position = min(mark.position, place.position)
        feed = self.bookmarks.of(FEED_PARTITION)
        feed.incarnation = place.incarnation
        moved = {number: replace(mark) for number, mark in self.bookmarks.partitions.items()}
        return Taken(self._source, [], [withdrawal], moved)

    async def _record(self, taken: Taken, record: PublicRecord, offset: int | None) -> None:
        partition = FEED_PARTITION if record.previous is None else record.partition
        if not await self._same_log(taken, partition, record.incarnation, record.position):
            return
        bookmark = self._bookmarks.of(partition)
        complete = self._bookmarks.complete(record.partition)
        if record.position > complete:
            if record.previous is not None and record.previous > complete:
                await self._fill(taken, record.partition, complete, record.previous)
            taken.records.append(record)
        bookmark.position = max(bookmark.position, record.position)
        bookmark.offset = offset
        taken.bookmarks[partition] = bookmark

    async def _mark(self, taken: Taken, mark: Mark) -> None:
        if mark.incarnation == NO_INCARNATION:
            # A log in which nothing was ever written is complete all the same.
            empty = self._bookmarks.of(mark.partition)
            empty.at = mark.at
            taken.bookmarks[mark.partition] = empty
            return
        if not await self._same_log(taken, mark.partition, mark.incarnation, mark.position):
            return
        bookmark = self._bookmarks.of(mark.partition)
        complete = self._bookmarks.complete(mark.partition)
        if mark.previous is not None and mark.previous > complete:
            await self._fill(taken, mark.partition, complete, mark.previous)
        bookmark.position = max(bookmark.position, mark.position)
        bookmark.at = mark.at or bookmark.at
        bookmark.offset = mark.offset if mark.offset is not None else bookmark.offset
        taken.bookmarks[mark.partition] = bookmark

    async def _fill(self, taken: Taken, partition: int, after: int, upto: int) -> None:
        missing = await self._feed.between(partition, after, upto)
        log.warning("gap_filled", source=self._source, partition=partition, after=after, records=len(missing))
        taken.records += missing

    async def _same_log(self, taken: Taken, partition: int, incarnation: UUID, position: int) -> bool:
        """False for a record of an incarnation that ended below it: a zombie's, or one that was lost since."""
        bookmark = self._bookmarks.of(partition)
        if bookmark.incarnation == incarnation:
            return True
        if bookmark.incarnation == NO_INCARNATION:
            bookmark.incarnation = incarnation
            return True
        try:
            await self._feed.page(position, incarnation, limit=1)
        except FeedGone:
            return False
        try:
            await self._feed.page(bookmark.position, bookmark.incarnation, limit=1)
        except FeedGone as gone:
            taken.withdrawals.append(Withdrawal(self._source, gone.place.incarnation, gone.place.position))
            bookmark.position = min(bookmark.position, gone.place.position)
            log.warning("log_restored", source=self._source, from_position=gone.place.position)
        bookmark.incarnation = incarnation
        taken.bookmarks[partition] = bookmark
        return True
