"""The port through which the relay sends: a broker's topic, seen as partitions with acknowledged offsets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.messaging.records import PublicRecord


class RecordRefused(Exception):
    """The broker will not take this record, now or ever: the relay stops and names it."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a partition: `end` is the offset that comes next; the rest is that of its last record, if any."""

    start: int
    end: int
    incarnation: UUID | None = None
    position: int | None = None
    event_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Nothing came in this partition: it is complete up to `position` as of `at`."""

    source: str
    incarnation: UUID
    partition: int
    position: int
    previous: int
    at: datetime
    digest: bytes


class Publisher(Protocol):
    async def open(self) -> Mapping[int, Tail]:
        """Connects and answers the tail of every partition of the topic."""
        ...

    async def send(self, messages: Sequence[PublicRecord | Heartbeat]) -> Sequence[int]:
        """The offset of each message, after all are acknowledged. Any error: the publisher must be replaced."""
        ...

    async def abandon(self) -> None:
        """Ends without waiting for anything, in bounded time."""
        ...
