"""A whole small service for tests of the kernel: notes in a real database, told over a real topic and the feed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from fastapi import FastAPI
from kernel.domain.decider import Decider
from kernel.domain.ids import new_id
from kernel.domain.recorded import Recorded
from kernel.messaging.feed import register_published_types
from kernel.messaging.feed_client import FeedClient
from kernel.messaging.kafka import Cluster
from kernel.messaging.kafka_publisher import KafkaPublisher
from kernel.messaging.publisher import Publisher
from kernel.messaging.records import PublicRecord
from kernel.messaging.relay import Relay
from kernel.messaging.service import Node, Service
from kernel.messaging.topics import ensure_topics
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.aggregate import Aggregate, Intent, Step
from kernel.storage.codec import EventCodec
from kernel.storage.lease import Lease, held
from kernel.storage.log import DEFAULT_PARTITIONS
from kernel.storage.tables import service_metadata
from kernel.testing.fixtures import bearer, make_settings
from kernel.testing.servers import fresh_database
from kernel.web.app import create_app
from kernel.web.policy import Policy


@dataclass(frozen=True, slots=True)
class NoteWritten:
    text: str


@dataclass(frozen=True, slots=True)
class NoteRead:
    """A fact of which nothing is told."""


@dataclass(frozen=True, slots=True)
class NoteTold:
    note_id: UUID
    text: str


NoteEvent = NoteWritten | NoteRead


def decide(_: int, command: NoteEvent) -> Sequence[NoteEvent]:
    return [command]


def evolve(count: int, _: NoteEvent) -> int:
    return count + 1


def publish(recorded: Recorded[Any]) -> object | None:
    fact = recorded.fact
    return NoteTold(recorded.stream_id, fact.text) if isinstance(fact, NoteWritten) else None


note = Aggregate(
    category="note",
    decider=Decider(decide=decide, evolve=evolve, initial=0),
    codec=EventCodec[NoteEvent](NoteEvent),
)


class Notes:
    def __init__(self, node: Node, bootstrap: str) -> None:
        self.node = node
        self.bootstrap = bootstrap
        self.app: FastAPI = create_app(node, Policy({}, {}), title="Notes", routers=())

    @property
    def name(self) -> str:
        return self.node.service.name

    @property
    def topic(self) -> str:
        return self.node.service.topic

    async def write(self, *texts: str, on: UUID | None = None) -> None:
        await self._submit([NoteWritten(text) for text in texts], on)

    async def read(self, times: int = 1) -> None:
        await self._submit([NoteRead()] * times, None)

    async def _submit(self, facts: Sequence[NoteEvent], on: UUID | None) -> None:
        for fact in facts:
            command_id = new_id()
            intent = Intent(
                steps=(Step(note, on or uuid4(), fact),),
                actor="tester",
                key=str(command_id),
                fingerprint=b"",
                command_id=command_id,
                correlation_id=str(command_id),
            )
            await self.node.committer.submit(intent)

    def publisher(self) -> Publisher:
        return KafkaPublisher(Cluster(self.bootstrap), self.topic, patience=5)

    @asynccontextmanager
    async def relaying(
        self, make: Callable[[], Publisher] | None = None
    ) -> AsyncIterator["asyncio.Task[None]"]:
        """The relay at work under the lease; in the end it stops as it is."""
        async with held(self.node.database, f"{self.name}-worker") as (lease, _):
            task = asyncio.create_task(Relay(self.node, make or self.publisher).run(lease))
            try:
                yield task
            finally:
                task.cancel()
                await asyncio.wait([task])

    async def relay(self) -> None:
        """Until everything in the log has been passed on."""
        async with self.relaying() as task:
            await self.passed_on(task)

    async def passed_on(self, task: "asyncio.Task[None] | None" = None) -> None:
        async with asyncio.timeout(40):
            while await self.position() < await self.head():
                if task and task.done():
                    task.result()
                await asyncio.sleep(0.05)

    async def stale_lease(self) -> Lease:
        """A lease as it is held by somebody who has slept through the next one's beginning."""
        async with held(self.node.database, f"{self.name}-worker") as (lease, _):
            pass
        async with held(self.node.database, f"{self.name}-worker"):
            pass
        return lease

    async def head(self) -> int:
        return await self._value("SELECT coalesce(max(position), 0) FROM events")

    async def position(self) -> int:
        return await self._value("SELECT coalesce((SELECT position FROM relay), 0)")

    async def incarnations(self) -> int:
        return await self._value("SELECT count(*) FROM incarnations")

    async def _value(self, query: str) -> int:
        async with self.node.database.reading() as connection:
            value: int = await connection.fetchval(query)
            return value

    def feed(self) -> FeedClient:
        """The service's own feed, without a server between."""
        client = FeedClient(self.name, "http://notes", str, wait=0.2)
        transport = httpx.ASGITransport(self.app)
        client._http = httpx.AsyncClient(
            transport=transport, base_url="http://notes", headers=bearer("service")
        )
        return client

    async def told(self) -> list[PublicRecord]:
        """Everything that is published, in the order of the log."""
        client, told, after = self.feed(), list[PublicRecord](), 0
        while True:
            records, mark = await client.page(after, None)
            told += records
            if mark.position == after:
                await client.close()
                return told
            after = mark.position


@asynccontextmanager
async def notes(
    postgres: EmbeddedPostgres,
    bootstrap: str,
    *,
    topic: bool = True,
    database: str | None = None,
    name: str = "",
) -> AsyncIterator[Notes]:
    """A service over a database of its own, or over one that is given."""
    url = postgres.url(database or fresh_database(postgres))
    metadata = service_metadata()
    service = Service(
        name=name or f"notes-{uuid4().hex[:12]}",
        metadata=metadata,
        aggregates=(note,),
        publish=publish,
        contracts=NoteTold,
    )
    node = Node(service, make_settings(url))
    if database is None:
        async with node.database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
    if topic:
        await ensure_topics(Cluster(bootstrap), [service.topic], DEFAULT_PARTITIONS)
    async with node.database.driver() as connection:
        # As the first relay does it: what was recorded before is not told.
        await register_published_types(connection, service.published_types)
    node.committer.start()
    try:
        yield Notes(node, bootstrap)
    finally:
        await node.close()


async def copy_database(postgres: EmbeddedPostgres, node: Node) -> str:
    """A backup, restored beside the original."""
    await node.database.engine.dispose()
    original = str(node.database.url.database)
    admin = await asyncpg.connect(postgres.dsn("postgres"))
    try:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", original
        )
    finally:
        await admin.close()
    return fresh_database(postgres, template=original)
