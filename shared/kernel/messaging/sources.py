"""The port `EventSource`: records of one other service, from Kafka or from its feed, to the same consumer code."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.messaging.records import PublicRecord

FEED_PARTITION = -1
NO_INCARNATION = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Mark:
    """A partition is complete up to this position; `at` is the source's time of which that is true."""

    partition: int
    incarnation: UUID
    position: int
    previous: int | None = None
    offset: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came in one fetch, in order: each entry a record with its offset, or a mark."""

    entries: Sequence[tuple[PublicRecord, int | None] | Mark] = ()


@dataclass(slots=True)
class Bookmark:
    """How far a consumer has everything of one partition of one source."""

    incarnation: UUID = NO_INCARNATION
    position: int = 0
    offset: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader of a restored log goes on; above it only the incarnations in `counting` are true."""

    incarnation: UUID
    position: int
    counting: tuple[UUID, ...] = ()


@dataclass(slots=True)
class Bookmarks:
    """All bookmarks of one source. The feed is one partition; on Kafka it stands for "at least up to here"."""

    partitions: dict[int, Bookmark] = field(default_factory=dict)

    def of(self, partition: int) -> Bookmark:
        return self.partitions.setdefault(partition, Bookmark())

    def copy(self) -> "Bookmarks":
        return Bookmarks({number: replace(mark) for number, mark in self.partitions.items()})

    def complete(self, partition: int) -> int:
        """The position up to which everything of the partition is there, from wherever it came."""
        feed = self.partitions.get(FEED_PARTITION)
        return max(self.of(partition).position, feed.position if feed else 0)


class EventSource(Protocol):
    """One service's records. After `seek`, `fetch` answers what follows the bookmarks, in order per partition."""

    name: str

    async def seek(self, bookmarks: Bookmarks) -> None: ...

    async def fetch(self) -> Arrival:
        """Waits a while for news; an empty arrival says that there was none."""
        ...

    async def close(self) -> None: ...
