"""The relay: the log is the outbox. Reads by position, sends, and only after all acknowledgements moves its row."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from kernel.messaging import digest as digests
from kernel.messaging.erasures import ErasureFile
from kernel.messaging.feed import History, Incarnation, history, published_types, register_published_types
from kernel.messaging.incarnations import start_incarnation
from kernel.messaging.progress import BrokerLost, Progress, Sent, acknowledged, load, save
from kernel.messaging.publisher import Heartbeat, Publisher, RecordRefused, Tail
from kernel.messaging.records import PublicRecord, Translator
from kernel.messaging.service import Node
from kernel.storage import log as log_
from kernel.storage.codec import UnknownEvent
from kernel.storage.database import Connection
from kernel.storage.lease import Lease
from kernel.storage.log import StoredEvent
from kernel.storage.metrics import RELAYED

log = structlog.get_logger()

MOST_EVENTS = 1000
_POLL = 0.01
_IDLE_POLL = 0.05
_HEARTBEAT_EVERY = 1.0
_SEND_TIMEOUT = 15.0


class Relay:
    """`make_publisher` is None where events travel by the feed: then only the digest and the types are kept."""

    def __init__(self, node: Node, make_publisher: Callable[[], Publisher] | None) -> None:
        self._node = node
        self._make_publisher = make_publisher
        self._translator = Translator(node.service, node.catalog)
        self._topic = node.service.topic
        self._erasures = ErasureFile(node.settings.erasures_file)

    async def run(self, lease: Lease) -> None:
        """Until the lease is lost, or a record is met that no one may skip."""
        async with self._node.database.driver() as connection:
            await register_published_types(connection, self._translator.types)
            await self._settle_partitions(connection)
            while True:
                publisher = self._make_publisher() if self._make_publisher else None
                try:
                    await self._relay(connection, lease, publisher)
                except (UnknownEvent, RecordRefused):
                    raise
                except (BrokerLost, OSError, TimeoutError) as error:
                    log.warning("relay_interrupted", error=repr(error))
                finally:
                    if publisher:
                        await publisher.abandon()
                await asyncio.sleep(0.5)

    async def _relay(self, connection: Connection, lease: Lease, publisher: Publisher | None) -> None:
        progress, digest = await load(connection, self._topic)
        begun = (await history(connection)).current
        if progress.incarnation is None and begun is not None:
            chains = {number: Sent(begun.from_position) for number in range(begun.partitions)}
            progress = replace(progress, incarnation=begun.id, partitions=chains)
        if publisher:
            tails = await publisher.open()
            progress = await self._reconcile(connection, lease, publisher, progress, tails)
        published = await published_types(connection)
        loop = asyncio.get_running_loop()
        beat = loop.time()
        busy = 0.0
        while True:
            events = await log_.read_after(connection, progress.position, MOST_EVENTS)
            if events:
                incarnations = await history(connection)
                records, after = self._records(events, incarnations, published, progress)
                for event in events:
                    digest = digests.extend(digest, event)
                self._erasures.add(
                    event.stream_id for event in events if event.type in self._node.catalog.erasing
                )
                after = await self._send(publisher, records, after)
                await save(connection, lease, self._topic, after, digest)
                progress, busy = after, loop.time()
                RELAYED.inc(len(records))
            elif publisher and loop.time() - beat >= _HEARTBEAT_EVERY:
                beat = loop.time()
                progress = await self._heartbeat(connection, lease, publisher, progress, digest)
            if len(events) < MOST_EVENTS:
                await asyncio.sleep(_POLL if loop.time() - busy < 5 else _IDLE_POLL)

    def _records(
        self, events: Sequence[StoredEvent], incarnations: History, published: Any, progress: Progress
    ) -> tuple[list[PublicRecord], Progress]:
        """What is published of these events, chained by `previous` per partition."""
        partitions, current = dict(progress.partitions), progress.incarnation
        records: list[PublicRecord] = []
        for event in events:
            incarnation = incarnations.at(event.position)
            if incarnation.id != current:
                # The chains begin anew: whoever meets the new incarnation goes back to where it starts.
                current = incarnation.id
                partitions = {
                    number: Sent(
                        incarnation.from_position, partitions[number].offset if number in partitions else None
                    )
                    for number in range(incarnation.partitions)
                }
            record = self._translator.translate(event, incarnation.id, incarnation.partitions)
            if record is None or event.position <= published.get(record.type, event.position):
                continue
            chain = partitions[record.partition]
            records.append(replace(record, previous=chain.position))
            partitions[record.partition] = Sent(event.position, chain.offset)
        last = events[-1]
        return records, Progress(current, last.position, last.event_id, partitions)

    async def _send(
        self, publisher: Publisher | None, records: Sequence[PublicRecord], after: Progress
    ) -> Progress:
        if publisher is None or not records:
            return after
        async with asyncio.timeout(_SEND_TIMEOUT):
            offsets = await publisher.send(records)
        return acknowledged(after, records, offsets)

    async def _settle_partitions(self, connection: Connection) -> None:
        """Another number of partitions is another history: the chains of `previous` begin anew."""
        wanted, current = self._node.settings.partitions, (await history(connection)).current
        if current is not None and current.partitions != wanted:
            log.warning("partitions_changed", was=current.partitions, now=wanted)
            await start_incarnation(connection, wanted)

    async def _heartbeat(
        self, connection: Connection, lease: Lease, publisher: Publisher, progress: Progress, digest: bytes
    ) -> Progress:
        """Every partition is told that it is complete up to the row's position."""
        if progress.incarnation is None:
            return progress
        async with connection.transaction():
            await lease.fence(connection)
            at: datetime = await connection.fetchval("SELECT clock_timestamp()")
            # Only if nothing newer is visible by then does the row's position hold for that time.
            if (
                await connection.fetchval("SELECT coalesce(max(position), 0) FROM events")
                != progress.position
            ):
                return progress
        beats = [
            Heartbeat(
                source=self._node.service.name,
                incarnation=progress.incarnation,
                partition=number,
                position=progress.position,
                previous=sent.position,
                at=at,
                digest=digest,
            )
            for number, sent in progress.partitions.items()
        ]
        async with asyncio.timeout(_SEND_TIMEOUT):
            offsets = await publisher.send(beats)
        after = acknowledged(progress, beats, offsets)
        await save(connection, lease, self._topic, after)
        return after

    async def _reconcile(
        self,
        connection: Connection,
        lease: Lease,
        publisher: Publisher,
        progress: Progress,
        tails: dict[int, Tail] | Any,
    ) -> Progress:
        """Compares the topic's ends with the row: what Kafka lost is sent again, what we lost begins anew."""
        current = (await history(connection)).current
        for tail in tails.values():
            if tail.position is None or tail.position <= progress.position or _parted(current, tail):
                continue
            known = await connection.fetchval(
                "SELECT event_id FROM events WHERE position = $1", tail.position
            )
            if known != tail.event_id:
                log.warning("topic_ahead_of_log", position=tail.position)
                await start_incarnation(connection)
                break
        for number, sent in sorted(progress.partitions.items()):
            tail = tails.get(number)
            if tail is not None and sent.offset is not None and tail.end < sent.offset + 1:
                progress = await self._send_again(connection, lease, publisher, progress, number, tail)
        return progress

    async def _send_again(
        self,
        connection: Connection,
        lease: Lease,
        publisher: Publisher,
        progress: Progress,
        number: int,
        tail: Tail,
    ) -> Progress:
        """Kafka lost acknowledged records of one partition: they follow its last one that is left."""
        incarnations = await history(connection)
        published = await published_types(connection)
        chain = tail.position or 0
        log.warning("topic_lost_records", partition=number, after=chain)
        after = 0 if tail.position is None else tail.position
        offset: int | None = None
        while after < progress.position:
            events = await log_.read_after(connection, after, MOST_EVENTS)
            records = []
            for event in events:
                if event.position > progress.position:
                    break
                incarnation = incarnations.at(event.position)
                record = self._translator.translate(event, incarnation.id, incarnation.partitions)
                if record is None or record.partition != number:
                    continue
                if event.position <= published.get(record.type, event.position):
                    continue
                chain = max(chain, incarnation.from_position)
                records.append(replace(record, previous=chain))
                chain = event.position
            if records:
                async with asyncio.timeout(_SEND_TIMEOUT):
                    offset = (await publisher.send(records))[-1]
            after = events[-1].position if events else progress.position
        again = replace(progress, partitions={**progress.partitions, number: Sent(chain, offset)})
        await save(connection, lease, self._topic, again)
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
