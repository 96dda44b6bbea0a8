"""What the other services would tell, told here: published records in any order, batch and repetition."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Self
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from analytics.app import service
from analytics.views import sources, views
from contracts.opportunities import OpportunitiesContract
from contracts.service_desk import ServiceDeskContract
from kernel.messaging.bookmarks import BookmarkStore
from kernel.messaging.cells import AnyCells
from kernel.messaging.feed_client import FeedClient
from kernel.messaging.projecting import Projection
from kernel.messaging.received import Received
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import FEED_PARTITION, Arrival, Bookmark, Bookmarks, Mark
from kernel.messaging.tracker import Tracker, Withdrawal
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.codec import members
from kernel.storage.database import Connection, Database
from kernel.storage.migrations import upgrade
from kernel.testing.servers import fresh_database

INCARNATION = UUID(int=0x1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
COMPLETE_AT = datetime(2024, 12, 1, tzinfo=UTC)

History = Sequence[tuple[Any, datetime]]


def source_of(fact: object) -> str:
    if type(fact) in members(OpportunitiesContract):
        return "opportunities"
    return "service-desk" if type(fact) in members(ServiceDeskContract) else "contacts"


def stream_of(fact: Any) -> UUID:
    """Of whom the fact tells: an order's own id comes before those that it names."""
    for name in ("order_id", "complaint_id", "opportunity_id", "pipeline_id", "contact_id", "company_id"):
        if hasattr(fact, name):
            return UUID(str(getattr(fact, name)))
    raise AssertionError(fact)


class Unrestored(FeedClient):
    """The feed of a source with one history: every place that it is asked about still counts."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "http://nobody", str)

    async def page(
        self, after: int, incarnation: UUID | None, *, limit: int = 1, wait: float = 0.0
    ) -> tuple[list[PublicRecord], Mark]:
        return [], Mark(FEED_PARTITION, incarnation or INCARNATION, after)


class _Closing(Database):
    """Knows its connections, because a projection keeps its own until it fails."""

    def __init__(self, url: str) -> None:
        super().__init__(url, application="tests")
        self._connections: list[Connection] = []

    async def connect(self, *, most_seconds: float | None = None) -> Connection:
        self._connections.append(await super().connect(most_seconds=most_seconds))
        return self._connections[-1]

    async def close(self) -> None:
        for connection in self._connections:
            connection.terminate()
        await super().close()
        await asyncio.sleep(0)


class Teller:
    """Numbers the records of each source as that service would, and hands them to analytics' projection."""

    def __init__(self, url: str, zone: ZoneInfo = SHANGHAI, with_views: Sequence[AnyCells] = views) -> None:
        self.database = _Closing(url)
        self.projection = Projection(self.database, Received(sources), with_views, zone)
        self.trackers: dict[str, Tracker] = {}
        self.bookmarks: dict[tuple[str, int], Bookmark] = {}
        self._positions: dict[str, int] = {}
        self._versions: dict[UUID, int] = {}

    def record(self, fact: Any, at: datetime) -> PublicRecord:
        source, stream_id = source_of(fact), stream_of(fact)
        position = self._positions[source] = self._positions.get(source, 0) + 1
        version = self._versions[stream_id] = self._versions.get(stream_id, 0) + 1
        return PublicRecord(
            source=source,
            incarnation=INCARNATION,
            partition=0,
            position=position,
            previous=None,
            event_id=uuid5(stream_id, str(version)),
            stream_id=stream_id,
            version=version,
            type=sources[source].name(fact),
            data=sources[source].dump(fact),
            occurred_at=at,
            recorded_at=at + timedelta(minutes=1),
            correlation_id="",
            causation_id="",
            traceparent=None,
        )

    def records(self, histories: Iterable[History], random: Random | None = None) -> list[PublicRecord]:
        """All of them; with a random in an order in which each history keeps its own, else one by one."""
        waiting = [list(history) for history in histories if history]
        found = []
        while waiting:
            history = random.choice(waiting) if random else waiting[0]
            found.append(self.record(*history.pop(0)))
            if not history:
                waiting.remove(history)
        return found

    async def tell(self, *histories: History) -> None:
        await self.hear(self.records(histories))

    async def hear(self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal] = ()) -> None:
        """One arrival from the feeds: what is already known is dropped before it gets to the projection."""
        new: list[PublicRecord] = []
        moved: dict[tuple[str, int], Bookmark] = {}
        for source in {record.source for record in records}:
            tracker = self.trackers.setdefault(source, Tracker(source, Bookmarks(), Unrestored(source)))
            taken = await tracker.take(Arrival([(r, None) for r in records if r.source == source]))
            new += taken.records
            moved |= {(source, number): mark for number, mark in taken.bookmarks.items()}
        places = {id(record): place for place, record in enumerate(records)}
        new.sort(key=lambda record: places[id(record)])
        for mark in moved.values():
            mark.at = COMPLETE_AT

        async def checkpoint(connection: Connection) -> None:
            await BookmarkStore("analytics").move(connection, self.bookmarks, moved)

        await self.projection.apply(new, withdrawals, checkpoint)
        self.bookmarks |= moved

    async def age(self, by: timedelta) -> None:
        """As if all that was heard so far had been heard so much earlier."""
        async with self.database.driver() as connection:
            await connection.execute("UPDATE received SET received_at = received_at - $1::interval", by)

    async def complete(self, source: str, position: int) -> None:
        """The source says that there is nothing more up to this position."""
        moved = {(source, FEED_PARTITION): Bookmark(INCARNATION, position, None, COMPLETE_AT)}
        async with self.database.driver() as connection:
            await BookmarkStore("analytics").move(connection, self.bookmarks, moved)
        self.bookmarks |= moved

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.database.close()

    async def position(self) -> int:
        async with self.database.driver() as connection:
            position: int = await connection.fetchval("SELECT coalesce(max(position), 0) FROM received")
            return position


async def analytics_database(server: EmbeddedPostgres, template: str | None = None) -> str:
    """Migrated; from a template that is migrated already in a moment."""
    if template is not None:
        return server.url(fresh_database(server, template))
    url = server.url(fresh_database(server))
    await upgrade(url, service.package, service.known_views, service.published_types)
    return url


def in_batches(records: Sequence[PublicRecord], random: Random) -> list[list[PublicRecord]]:
    """Cut anywhere; before each batch some of the last one may come again."""
    cuts = sorted(random.randrange(len(records) + 1) for _ in range(random.randrange(1, 8)))
    pairs = zip([0, *cuts], [*cuts, len(records)], strict=True)
    return [list(records[max(0, start - random.randrange(6)) : end]) for start, end in pairs]
