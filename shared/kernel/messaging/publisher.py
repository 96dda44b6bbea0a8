"""The port through which the relay sends: a broker's topic, seen as partitions with acknowledged offsets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from kernel.messaging.records import PublicRecord


class RecordRefused(Exception):
    """The broker will not take this record, now or ever: the relay stops and names it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Of a partition: the position of the last record, and the offset at which it was acknowledged, if it was."""

    position: int
    offset: int | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What lies at an offset, as far as the chain of positions goes; `at` is when it was appended."""

    partition: int
    offset: int
    at: datetime
    incarnation: UUID
    position: int
    previous: int
    is_record: bool


class Publisher(Protocol):
    @property
    def retention(self) -> timedelta | None:
        """How long the topic keeps a record, known once it is open; None is for ever."""
        ...

    async def open(self) -> Mapping[int, Tail]:
        """Connects and answers the tail of every partition of the topic."""
        ...

    async def send(self, messages: Sequence[PublicRecord | Heartbeat]) -> Sequence[int]:
        """The offset of each message, after all are acknowledged. Any error: the publisher must be replaced."""
        ...

    async def lost(self, sent: Mapping[int, Sent]) -> Sequence[int]:
        """The partitions whose record is not where it was acknowledged, though it cannot have expired."""
        ...

    async def held_since(self, times: Mapping[int, datetime]) -> Sequence[Held]:
        """All that these partitions hold of what was appended since, and a little of what was before, in order."""
        ...

    async def abandon(self) -> None:
        """Ends without waiting for anything, in bounded time."""
        ...
