"""The relay: the log is the outbox. Reads by position, sends, and only after all acknowledgements moves its row."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from kernel.messaging import digest as digests
from kernel.messaging.chaining import chained
from kernel.messaging.feed import history, published_types, register_published_types
from kernel.messaging.heartbeats import beat
from kernel.messaging.incarnations import start_incarnation
from kernel.messaging.outlet import BrokerLost, Outlet
from kernel.messaging.progress import Progress, load, save
from kernel.messaging.publisher import Publisher, RecordRefused, Sent
from kernel.messaging.reconcile import Reconciliation
from kernel.messaging.records import Translator
from kernel.messaging.service import Node
from kernel.storage import log as log_
from kernel.storage.codec import UnknownEvent
from kernel.storage.database import Connection
from kernel.storage.lease import Lease
from kernel.storage.log import StoredEvent
from kernel.storage.metrics import RELAY_LAG, RELAYED

log = structlog.get_logger()

MOST_EVENTS = 1000
_POLL = 0.01
_IDLE_POLL = 0.05
# Without a broker nobody waits for the row: it only keeps the digest.
_FEED_POLL = 0.25
_HEARTBEAT_EVERY = 1.0


class Relay:
    """`make_publisher` is None where events travel by the feed: then only the digest and the types are kept."""

    def __init__(self, node: Node, make_publisher: Callable[[], Publisher] | None) -> None:
        self._node = node
        self._make_publisher = make_publisher
        self._translator = Translator(node.service, node.catalog)
        self._topic = node.service.topic

    async def run(self, lease: Lease) -> None:
        """Until the lease is lost, or a record is met that no one may skip."""
        try:
            await self._relay_for_ever(lease)
        finally:
            # How far behind the next holder is, this process does not know.
            RELAY_LAG.remove(self._topic)

    async def _relay_for_ever(self, lease: Lease) -> None:
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
        # Before the broker is asked for anything: it may not answer for hours.
        self._tell_lag(await log_.end(connection) - progress.position)
        published = await published_types(connection)
        outlet: Outlet | None = None
        if publisher:
            tails = await publisher.open()
            # What was passed on without a topic is not in it: its chains begin where the row stands.
            begun = {number: Sent(progress.position) for number in tails}
            progress = replace(progress, partitions={**begun, **progress.partitions})
            outlet = Outlet(publisher, tails)
            reconciliation = Reconciliation(
                connection, lease, publisher, outlet, self._translator, self._topic
            )
            progress = await reconciliation.run(progress, tails)
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        beaten, busy = loop.time(), 0.0
        told: datetime | None = None
        while True:
            if task and task.cancelling():
                # Python 3.11's `wait_for`, by which the broker's client waits, forgets it when both come at once.
                raise asyncio.CancelledError
            events = await log_.read_after(connection, progress.position, MOST_EVENTS)
            if events:
                progress = await self._pass_on(connection, outlet, events, published, progress)
                for event in events:
                    digest = digests.extend(digest, event)
                await save(connection, lease, self._topic, progress, digest)
                busy, told = loop.time(), events[-1].recorded_at
            more = len(events) == MOST_EVENTS
            self._tell_lag(await log_.end(connection) - progress.position if more else 0)
            if outlet and loop.time() - beaten >= _HEARTBEAT_EVERY:
                beaten = loop.time()
                await beat(connection, lease, outlet, self._node.service.name, progress, digest, told)
            if not more:
                pause = _POLL if loop.time() - busy < 5 else _IDLE_POLL
                await asyncio.sleep(pause if outlet else _FEED_POLL)

    def _tell_lag(self, events: int) -> None:
        RELAY_LAG.labels(self._topic).set(events)

    async def _pass_on(
        self,
        connection: Connection,
        outlet: Outlet | None,
        events: Sequence[StoredEvent],
        published: Mapping[str, int],
        progress: Progress,
    ) -> Progress:
        """What the row says once these events are where they belong."""
        incarnations = await history(connection)
        newest = events[-1]
        after = replace(
            progress,
            incarnation=incarnations.at(newest.position).id,
            position=newest.position,
            event_id=newest.event_id,
        )
        if outlet is None:
            for event in events:
                self._node.catalog.of_type(event.type)
            return replace(after, partitions={})
        last = {number: sent.position for number, sent in progress.partitions.items()}
        records = chained(self._translator, incarnations, published, events, last)
        offsets = await outlet.send(records, progress.partitions) if records else ()
        RELAYED.inc(len(records))
        acknowledged = {
            record.partition: (record.position, offset)
            for record, offset in zip(records, offsets, strict=True)
        }
        sent = {number: Sent(*place) for number, place in acknowledged.items()}
        return replace(after, partitions={**progress.partitions, **sent})

    async def _settle_partitions(self, connection: Connection) -> None:
        """Another number of partitions is another history: the chains of `previous` begin anew."""
        wanted, current = self._node.settings.partitions, (await history(connection)).current
        if current is not None and current.partitions != wanted:
            log.warning("partitions_changed", was=current.partitions, now=wanted)
            await start_incarnation(connection, partitions=wanted)
