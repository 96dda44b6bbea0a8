"""The relay: the log is the outbox. Reads by position, sends, and only after all acknowledgements moves its row."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from kernel.messaging import digest as digests
from kernel.messaging.erasures import ErasureFile
from kernel.messaging.feed import History, history, published_types, register_published_types
from kernel.messaging.incarnations import start_incarnation
from kernel.messaging.progress import BrokerLost, Progress, Sent, acknowledged, load, save, turned
from kernel.messaging.publisher import Heartbeat, Publisher, RecordRefused
from kernel.messaging.reconcile import SEND_TIMEOUT, Reconciliation
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
            progress = turned(progress, begun)
        if publisher:
            tails = await publisher.open()
            reconciliation = Reconciliation(connection, lease, publisher, self._translator, self._topic)
            progress = await reconciliation.run(progress, tails)
        published = await published_types(connection)
        loop = asyncio.get_running_loop()
        beat = loop.time()
        busy, told = 0.0, None
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
                progress, busy, told = after, loop.time(), events[-1].recorded_at
                RELAYED.inc(len(records))
            if publisher and loop.time() - beat >= _HEARTBEAT_EVERY:
                beat = loop.time()
                progress = await self._heartbeat(connection, lease, publisher, progress, digest, told)
            if len(events) < MOST_EVENTS:
                # Without a broker nobody waits for the row: it only keeps the digest and the erasures.
                pause = _POLL if publisher and loop.time() - busy < 5 else _IDLE_POLL
                await asyncio.sleep(pause)

    def _records(
        self, events: Sequence[StoredEvent], incarnations: History, published: Any, progress: Progress
    ) -> tuple[list[PublicRecord], Progress]:
        """What is published of these events, chained by `previous` per partition."""
        records: list[PublicRecord] = []
        chains = dict(progress.partitions)
        for event in events:
            incarnation = incarnations.at(event.position)
            if incarnation.id != progress.incarnation:
                progress = turned(replace(progress, partitions=chains), incarnation)
                chains = dict(progress.partitions)
            record = self._translator.translate(event, incarnation.id, incarnation.partitions)
            if record is None or event.position <= published.get(record.type, event.position):
                continue
            chain = chains[record.partition]
            records.append(replace(record, previous=chain.position))
            chains[record.partition] = Sent(event.position, chain.offset)
        last = events[-1]
        return records, replace(progress, position=last.position, event_id=last.event_id, partitions=chains)

    async def _send(
        self, publisher: Publisher | None, records: Sequence[PublicRecord], after: Progress
    ) -> Progress:
        if publisher is None or not records:
            return after
        async with asyncio.timeout(SEND_TIMEOUT):
            offsets = await publisher.send(records)
        return acknowledged(after, records, offsets)

    async def _settle_partitions(self, connection: Connection) -> None:
        """Another number of partitions is another history: the chains of `previous` begin anew."""
        wanted, current = self._node.settings.partitions, (await history(connection)).current
        if current is not None and current.partitions != wanted:
            log.warning("partitions_changed", was=current.partitions, now=wanted)
            await start_incarnation(connection, partitions=wanted)

    async def _heartbeat(
        self,
        connection: Connection,
        lease: Lease,
        publisher: Publisher,
        progress: Progress,
        digest: bytes,
        told: datetime | None,
    ) -> Progress:
        """Every partition is told that it is complete up to the row's position, and as of when that is true."""
        quiet = await log_.nobody_appends(connection)
        newest = await connection.fetchval("SELECT coalesce(max(position), 0) FROM events")
        # Something newer is visible, or on its way: complete only up to the last fact that was passed on.
        at = quiet if quiet is not None and newest == progress.position else told
        current = (await history(connection)).current
        if current is not None and current.id != progress.incarnation and newest == current.from_position:
            progress = turned(progress, current)
        if at is None or progress.incarnation is None:
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
        async with asyncio.timeout(SEND_TIMEOUT):
            offsets = await publisher.send(beats)
        after = acknowledged(progress, beats, offsets)
        await save(connection, lease, self._topic, after)
        return after
