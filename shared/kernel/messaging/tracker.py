"""What a consumer does with each record: drop a duplicate, apply what follows, and fill a gap from the feed.

`last` of a partition means: complete up to here. `position <= last` is a duplicate; `previous <= last` follows;
`previous > last` is a loss, and what is missing is read from the feed. No id is remembered, no loss assumed away.
"""

from dataclasses import dataclass, field, replace
from math import inf
from uuid import UUID

import structlog

from kernel.messaging.feed_client import FeedClient, FeedGone
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import FEED_PARTITION, NO_INCARNATION, Arrival, Bookmark, Bookmarks, Mark, Place

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The source was restored to `place`: above its position only the incarnations that it names count."""

    source: str
    place: Place


# Of a gap at once: what is taken together is applied in one transaction, under the log's lock.
_MOST_FILLED = 2000


class _Unfinished(Exception):
    """A gap is filled in part, and the bookmark says how far."""


@dataclass(slots=True)
class Taken:
    """What one arrival means: records to apply in order, and where the bookmarks stand after them.

    Of an arrival that is not `whole` the rest has to come again: there was much to fill before it.
    """

    source: str
    whole: bool = True
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
        self._arrival = Arrival()
        self._highest: dict[UUID, int] = {}
        # What the feed has said during this arrival, by incarnation: up to where it stands, from where it has gone.
        self._stands: dict[UUID, int] = {}
        self._went: dict[UUID, int] = {}

    async def take(self, arrival: Arrival) -> Taken:
        taken = Taken(self._source)
        self._bookmarks = self.bookmarks.copy()
        self._arrival, self._highest, self._stands, self._went = arrival, {}, {}, {}
        try:
            for entry in arrival.entries:
                if isinstance(entry, Mark):
                    await self._mark(taken, entry)
                else:
                    await self._record(taken, *entry)
        except _Unfinished:
            taken.whole = False
        self.bookmarks = self._bookmarks
        taken.bookmarks = {number: replace(self.bookmarks.of(number)) for number in taken.bookmarks}
        return taken

    def go_back(self, place: Place) -> Taken:
        """The feed itself says that our place is gone: what lay above is withdrawn, and it goes on from there."""
        taken = Taken(self._source)
        self._bookmarks = self.bookmarks
        self._withdraw(taken, place)
        self.bookmarks.of(FEED_PARTITION).incarnation = place.incarnation
        taken.bookmarks = {number: replace(mark) for number, mark in self.bookmarks.partitions.items()}
        return taken

    def _withdraw(self, taken: Taken, place: Place) -> None:
        log.warning("log_restored", source=self._source, from_position=place.position)
        taken.withdrawals.append(Withdrawal(self._source, place))
        # Nothing that was heard above the place says that anything is complete there, but what is of the new history.
        for number, mark in self._bookmarks.partitions.items():
            if mark.incarnation not in place.counting:
                mark.position = min(mark.position, place.position)
                taken.bookmarks[number] = mark

    async def _record(self, taken: Taken, record: PublicRecord, offset: int | None) -> None:
        partition = FEED_PARTITION if record.previous is None else record.partition
        bookmark = taken.bookmarks[partition] = self._bookmarks.of(partition)
        await self._hear(taken, partition, record)
        # Not before: the record behind a gap that is filled in part has to come again.
        bookmark.offset = offset

    async def _hear(self, taken: Taken, partition: int, record: PublicRecord) -> None:
        known = record.position <= self._bookmarks.complete(record.partition)
        if not await self._same_log(taken, partition, record.incarnation, record.position, known=known):
            return
        complete = self._bookmarks.complete(record.partition)
        if record.position > complete:
            if record.previous is not None and record.previous > complete:
                if not await self._counts(record.position, record.incarnation):
                    return
                await self._fill(taken, record.partition, complete, record.previous)
            taken.records.append(record)
        bookmark = self._bookmarks.of(partition)
        bookmark.position = max(bookmark.position, record.position)

    async def _mark(self, taken: Taken, mark: Mark) -> None:
        if mark.incarnation == NO_INCARNATION:
            # A log in which nothing was ever written is complete all the same.
            empty = self._bookmarks.of(mark.partition)
            empty.at = mark.at
            taken.bookmarks[mark.partition] = empty
            return
        # At the very place where it is known, it still says as of when, and in which history.
        known = mark.position < self._bookmarks.complete(mark.partition)
        if not await self._same_log(taken, mark.partition, mark.incarnation, mark.position, known=known):
            return
        bookmark = self._bookmarks.of(mark.partition)
        complete = self._bookmarks.complete(mark.partition)
        if mark.previous is not None and mark.previous > complete:
            if not await self._counts(mark.position, mark.incarnation):
                return
            await self._fill(taken, mark.partition, complete, mark.previous)
        bookmark.position = max(bookmark.position, mark.position)
        bookmark.at = mark.at or bookmark.at
        bookmark.offset = mark.offset if mark.offset is not None else bookmark.offset
        taken.bookmarks[mark.partition] = bookmark

    async def _fill(self, taken: Taken, partition: int, after: int, upto: int) -> None:
        """Raises `_Unfinished` when it is larger than what is taken at once."""
        missing, reached = await self._feed.between(partition, after, upto, _MOST_FILLED)
        log.warning("gap_filled", source=self._source, partition=partition, after=after, records=len(missing))
        taken.records += missing
        if reached < upto:
            bookmark = self._bookmarks.of(partition)
            bookmark.position = max(bookmark.position, reached)
            taken.bookmarks[partition] = bookmark
            raise _Unfinished

    async def _same_log(
        self, taken: Taken, partition: int, incarnation: UUID, position: int, *, known: bool
    ) -> bool:
        """False for what is not to be applied: of an incarnation that ended below it, or known from an older one."""
        bookmark = self._bookmarks.of(partition)
        if bookmark.incarnation == incarnation:
            # While another history is known besides, a record may be of the one that ended.
            return self._undisputed(incarnation) or await self._counts(position, incarnation)
        place: Place | None = None
        if bookmark.incarnation != NO_INCARNATION:
            place = await self._gone(bookmark.position, bookmark.incarnation)
            if known and place is None:
                return False
        if not await self._counts(position, incarnation):
            return False
        if place is not None:
            self._withdraw(taken, place)
            # Below the place nothing has changed: what was known there is known.
            if known and position <= place.position:
                return False
        bookmark.incarnation = incarnation
        taken.bookmarks[partition] = bookmark
        return True

    def _undisputed(self, incarnation: UUID) -> bool:
        known = (mark.incarnation for mark in self._bookmarks.partitions.values())
        return all(other in (NO_INCARNATION, incarnation) for other in known)

    async def _counts(self, position: int, incarnation: UUID) -> bool:
        """Whether the source's log still has this place: a zombie's record has none, nor one lost in a restore.

        Where one place stands, all below it do: the highest of an arrival is asked about first.
        """
        for reach in (max(self._highest_of(incarnation), position), position):
            if position >= self._went.get(incarnation, inf):
                return False
            if reach < self._went.get(incarnation, inf) and await self._gone(reach, incarnation) is None:
                return True
        return False

    def _highest_of(self, incarnation: UUID) -> int:
        if not self._highest:
            for entry in self._arrival.entries:
                said = entry if isinstance(entry, Mark) else entry[0]
                self._highest[said.incarnation] = max(said.position, self._highest.get(said.incarnation, 0))
        return self._highest.get(incarnation, 0)

    async def _gone(self, position: int, incarnation: UUID) -> Place | None:
        """Where to go on, if the source's log has this place no more."""
        if position <= self._stands.get(incarnation, -1):
            return None
        try:
            await self._feed.page(position, incarnation, limit=1)
        except FeedGone as gone:
            # The log may have been restored since it said what stands.
            self._stands.clear()
            self._went[incarnation] = position
            return gone.place
        self._stands[incarnation] = position
        return None
