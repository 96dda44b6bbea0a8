"""What a batch has loaded, what it still lacks, and what it has decided and not yet written."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from kernel.domain.recorded import Recorded
from kernel.storage.aggregate import AnyAggregate, Intent
from kernel.storage.codec import Encoded

UniqueKey = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as loaded: `state` is the fold of `facts`, `weight` what they are stored in, in bytes."""

    category: str
    version: int
    state: Any
    facts: tuple[Recorded[Any], ...]
    weight: int


@dataclass(frozen=True, slots=True)
class PersonKey:
    """`plain` is None once shredded, and for a person that has no key yet."""

    plain: bytes | None
    shredded: bool


@dataclass(slots=True)
class Known:
    """What the batch has loaded. A key with the value None is known to be absent."""

    streams: dict[UUID, Stream | None] = field(default_factory=dict)
    keys: dict[UUID, PersonKey | None] = field(default_factory=dict)
    unique: dict[UniqueKey, UUID | None] = field(default_factory=dict)


@dataclass(slots=True)
class Missing:
    streams: set[UUID] = field(default_factory=set)
    persons: set[UUID] = field(default_factory=set)
    unique: set[UniqueKey] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.streams or self.persons or self.unique)


class Draft(NamedTuple):
    """A fact that is decided and not yet written."""

    aggregate: AnyAggregate
    intent: Intent
    stream_id: UUID
    version: int
    event_id: UUID
    fact: Any
    encoded: Encoded
    occurred_at: datetime
    claimed_at: datetime | None

    @property
    def person_id(self) -> UUID:
        return self.encoded.person_id or self.stream_id


class Tip(NamedTuple):
    """Where a stream stands after what this batch decided so far."""

    aggregate: AnyAggregate
    version: int
    state: Any


class Decided(NamedTuple):
    stream_id: UUID
    version: int
    state: Any
