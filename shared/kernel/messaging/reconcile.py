"""What the topic's ends say against the relay's row: what Kafka lost is sent again, what we lost begins anew."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog

from kernel.messaging.feed import Incarnation, history, published_types
from kernel.messaging.incarnations import start_incarnation
from kernel.messaging.progress import Progress, Sent, save
from kernel.messaging.publisher import Publisher, Tail
from kernel.messaging.records import PublicRecord, Translator
from kernel.storage import log as log_
from kernel.storage.database import Connection
from kernel.storage.lease import Lease

log = structlog.get_logger()

PAGE = 1000
SEND_TIMEOUT = 15.0


class Reconciliation:
    """Made anew for each connection to the broker."""

    def __init__(
        self, connection: Connection, lease: Lease, publisher: Publisher, translator: Translator, topic: str
    ) -> None:
        self._connection = connection
        self._lease = lease
        self._publisher = publisher
        self._translator = translator
        self._topic = topic

    async def run(self, progress: Progress, tails: Mapping[int, Tail]) -> Progress:
        await self._part(progress, tails)
        for number, sent in sorted(progress.partitions.items()):
            tail = tails.get(number)
            if tail is not None and sent.offset is not None and tail.end < sent.offset + 1:
                progress = await self._send_again(progress, number, tail)
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

    async def _send_again(self, progress: Progress, number: int, tail: Tail) -> Progress:
        """Kafka lost acknowledged records of one partition: they follow its last one that is left."""
        incarnations = await history(self._connection)
        published = await published_types(self._connection)
        chain = after = tail.position or 0
        log.warning("topic_lost_records", partition=number, after=chain)
        offset: int | None = None
        while after < progress.position:
            events = await log_.read_after(self._connection, after, PAGE)
            records: list[PublicRecord] = []
            for event in events:
                incarnation = incarnations.at(event.position)
                record = self._translator.translate(event, incarnation.id, incarnation.partitions)
                if record is None or record.partition != number or event.position > progress.position:
                    continue
                if event.position > published.get(record.type, event.position):
                    chain = max(chain, incarnation.from_position)
                    records.append(replace(record, previous=chain))
                    chain = event.position
            if records:
                async with asyncio.timeout(SEND_TIMEOUT):
                    offset = (await self._publisher.send(records))[-1]
            after = events[-1].position if events else progress.position
        again = replace(progress, partitions={**progress.partitions, number: Sent(chain, offset)})
        await save(self._connection, self._lease, self._topic, again)
        return again


def _parted(current: Incarnation | None, tail: Tail) -> bool:
    """Whether the log knows already that it parted from the tail's: their ids are in the order of time."""
    return (
        current is not None
        and tail.incarnation is not None
        and tail.position is not None
        and tail.incarnation < current.id
        and tail.position > current.from_position
    )
