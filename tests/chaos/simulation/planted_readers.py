"""Bugs of the relay and of the readers."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from kernel.messaging import progress
from kernel.messaging.bookmarks import BookmarkStore, PartitionKey
from kernel.messaging.followers import Follower
from kernel.messaging.parking import Parking
from kernel.messaging.projecting import VIEW_FAULTS
from kernel.messaging.records import PublicRecord
from kernel.messaging.relay import Relay
from kernel.messaging.sources import FEED_PARTITION, Bookmark
from kernel.messaging.tracker import Taken, Tracker
from kernel.storage import log
from kernel.storage.database import Connection
from kernel.storage.lease import Lease

from tests.chaos.simulation.statements import columns, on
from tests.chaos.simulation.store import Row, Transaction

_REMEMBERED = 8
_save, _pass_on = progress.save, Relay._pass_on
MOVE_ANYWAY = "UPSERT checkpoints"
CLOCK = "SELECT clock_timestamp()"


@on(CLOCK)
def clock(tx: Transaction) -> list[Row]:
    return [{"clock_timestamp": tx.store.now()}]


async def as_of_now(connection: Connection) -> Any:
    """Whoever appends at this moment is not asked."""
    return await connection.fetchval(CLOCK)


async def nobody_waits(_: Parking, __: Connection) -> set[UUID]:
    return set()


@on(MOVE_ANYWAY)
def upsert_bookmarks(tx: Transaction, follower: str, version: int, *given: Sequence[Any]) -> int:
    names = "source partition incarnation position kafka_offset complete_at"
    for row in columns(names, *given):
        key = (follower, version, row["source"], row["partition"])
        tx.lock("checkpoints", key)
        held = tx.get("checkpoints", key)
        row["complete_at"] = row["complete_at"] or (held and held["complete_at"])
        tx.put("checkpoints", key, {**row, "follower": follower, "version": version})
    return len(given[0])


async def move_anyway(
    self: BookmarkStore,
    connection: Connection,
    was: Mapping[PartitionKey, Bookmark],
    to: Mapping[PartitionKey, Bookmark],
) -> None:
    if to:
        rows = [(*key, one.incarnation, one.position, one.offset, one.at) for key, one in to.items()]
        await connection.execute(MOVE_ANYWAY, self.follower, self.version, *zip(*rows, strict=True))


async def no_fence(_: Lease, __: Connection) -> None:
    """Whoever believes to hold the lease writes."""


async def apply_after_checkpoint(
    self: Follower,
    lease: Lease,
    batch: Sequence[Taken],
    held: Mapping[PartitionKey, Bookmark],
    moved: Mapping[PartitionKey, Bookmark],
) -> None:
    async def nothing(connection: Connection) -> None:
        """It has been done."""

    async with self._database.driver() as connection:
        await log.begin(connection)
        await lease.fence(connection)
        await self._store.move(connection, held, moved)
        await connection.execute("COMMIT")
    records = [record for taken in batch for record in taken.records]
    withdrawals = [withdrawal for taken in batch for withdrawal in taken.withdrawals]
    await self._sink.apply(records, withdrawals, nothing)


async def no_fill(*_: Any) -> None:
    """A gap is somebody else's business."""


async def record_by_cache(self: Tracker, taken: Taken, record: PublicRecord, offset: int | None) -> None:
    """Remembers the last few ids instead of a position."""
    partition = FEED_PARTITION if record.previous is None else record.partition
    bookmark = self._bookmarks.of(partition)
    taken.bookmarks[partition] = bookmark
    bookmark.offset = offset
    if not await self._same_log(taken, partition, record.incarnation, record.position, known=False):
        return
    seen: OrderedDict[UUID, None] = self.__dict__.setdefault("seen", OrderedDict())
    if record.event_id not in seen:
        complete = self._bookmarks.complete(record.partition)
        if record.previous is not None and record.previous > complete:
            await self._fill(taken, record.partition, complete, record.previous)
        taken.records.append(record)
    seen[record.event_id] = None
    while len(seen) > _REMEMBERED:
        seen.popitem(last=False)
    bookmark.position = max(bookmark.position, record.position)


async def try_and_forget(connection: Connection, writer: Any, records: Sequence[Any]) -> Exception | None:
    await connection.execute("SAVEPOINT view")
    try:
        await writer.apply(connection, records)
    except VIEW_FAULTS:
        writer.forget()
        await connection.execute("ROLLBACK TO SAVEPOINT view")
        return None
    await connection.execute("RELEASE SAVEPOINT view")
    return None


_UNSENT: dict[Any, tuple[Any, Sequence[PublicRecord]]] = {}


class _Later:
    """Believes that the next offsets are the next ones, before it has asked."""

    def __init__(self, outlet: Any) -> None:
        self._outlet = outlet

    async def send(self, records: Sequence[PublicRecord], _: object) -> list[int]:
        _UNSENT[asyncio.current_task()] = (self._outlet, records)
        ends = dict(self._outlet._next)
        offsets = []
        for record in records:
            offsets.append(ends[record.partition])
            ends[record.partition] += 1
        return offsets


async def pass_on_later(self: Any, connection: Connection, outlet: Any, *said: Any) -> Any:
    later: Any = _Later(outlet)
    return await _pass_on(self, connection, later, *said)


async def save_first(connection: Connection, *said: Any) -> None:
    await _save(connection, *said)
    outlet, records = _UNSENT.pop(asyncio.current_task(), (None, ()))
    if outlet and records:
        await outlet.send(records, {})
