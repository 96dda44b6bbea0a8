"""What a topic holds against the relay's row: what Kafka lost is sent again, what we lost begins anew."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from kernel.messaging.chaining import chained
from kernel.messaging.feed import History, Incarnation, history, published_types
from kernel.messaging.incarnations import start_incarnation
from kernel.messaging.outlet import Outlet
from kernel.messaging.progress import Progress, save
from kernel.messaging.publisher import Publisher, Sent, Tail
from kernel.messaging.records import Translator, partition_of
from kernel.messaging.remains import Remains, remains
from kernel.storage import log as log_
from kernel.storage.database import Connection
from kernel.storage.lease import Lease
from kernel.storage.log import StoredEvent

log = structlog.get_logger()

PAGE = 1000
# By how much the clocks of the broker and of the database may differ.
_CLOCKS_DIFFER = timedelta(minutes=1)
_RECORDED = "SELECT position, recorded_at FROM events WHERE position = ANY($1::bigint[])"
_EXPIRED = (
    "SELECT coalesce(max(position), 0) FROM events WHERE recorded_at < clock_timestamp() - $1::interval"
)


class Reconciliation:
    """Made anew for each connection to the broker."""

    def __init__(
        self,
        connection: Connection,
        lease: Lease,
        publisher: Publisher,
        outlet: Outlet,
        translator: Translator,
        topic: str,
    ) -> None:
        self._connection = connection
        self._lease = lease
        self._publisher = publisher
        self._outlet = outlet
        self._translator = translator
        self._topic = topic

    async def run(self, progress: Progress, tails: Mapping[int, Tail]) -> Progress:
        await self._part(progress, tails)
        if lost := await self._publisher.lost(progress.partitions):
            progress = await self._publish_again(progress, lost)
        return progress

    async def _part(self, progress: Progress, tails: Mapping[int, Tail]) -> None:
        """A record above our position that is not ours: another incarnation begins where the row stands."""
        current = (await history(self._connection)).current
        for tail in tails.values():
            if tail.position is None or tail.position <= progress.position or _parted(current, tail):
                continue
            known = await self._connection.fetchval(
                "SELECT event_id FROM events WHERE position = $1", tail.position
            )
            if known != tail.event_id:
                log.warning("topic_ahead_of_log", position=tail.position)
                await start_incarnation(self._connection, after=progress.position)
                return

    async def _publish_again(self, progress: Progress, lost: Sequence[int]) -> Progress:
        """Kafka lost acknowledged records of these partitions: they follow the place up to which it has everything."""
        incarnations = await history(self._connection)
        published = await published_types(self._connection)
        left = await self._left(progress, lost, incarnations)
        log.warning("topic_lost_records", after={number: one.complete for number, one in left.items()})
        last = {number: one.last for number, one in left.items()}
        after = min(one.complete for one in left.values())
        while after < progress.position:
            events = await log_.read_after(self._connection, after, PAGE)
            after = events[-1].position if events else progress.position
            missing = [
                event
                for event in events
                if event.position <= progress.position
                and (part := left.get(_partition(incarnations, event))) is not None
                and event.position > part.complete
            ]
            if records := chained(self._translator, incarnations, published, missing, last):
                for record, offset in zip(records, await self._outlet.send(records, {}), strict=True):
                    left[record.partition].offset = offset
        again = {
            number: Sent(progress.partitions[number].position, one.offset) for number, one in left.items()
        }
        progress = replace(progress, partitions={**progress.partitions, **again})
        await save(self._connection, self._lease, self._topic, progress)
        return progress

    async def _left(
        self, progress: Progress, lost: Sequence[int], incarnations: History
    ) -> dict[int, Remains]:
        recorded = await self._recorded(progress, lost)
        held = await self._publisher.held_since(recorded)
        return remains(held, progress.partitions, recorded, incarnations, await self._expired())

    async def _recorded(self, progress: Progress, numbers: Sequence[int]) -> dict[int, datetime]:
        """Before these times their last records were not in the topic."""
        positions = {number: progress.partitions[number].position for number in numbers}
        rows = await self._connection.fetch(_RECORDED, list(positions.values()))
        recorded = {row["position"]: row["recorded_at"] - _CLOCKS_DIFFER for row in rows}
        return {number: recorded[position] for number, position in positions.items()}

    async def _expired(self) -> int:
        """Up to here records are older than what the topic keeps."""
        retention = self._publisher.retention
        position: int = 0 if retention is None else await self._connection.fetchval(_EXPIRED, retention)
        return position


def _partition(incarnations: History, event: StoredEvent) -> int:
    return partition_of(event.stream_id, incarnations.at(event.position).partitions)


def _parted(current: Incarnation | None, tail: Tail) -> bool:
    """Whether the log knows already that it parted from the tail's: their ids are in the order of time."""
    return (
        current is not None
        and tail.incarnation is not None
        and tail.position is not None
        and tail.incarnation < current.id
        and tail.position > current.from_position
    )
