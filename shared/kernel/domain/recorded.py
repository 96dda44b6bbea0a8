"""A fact as the log holds it: with its stream, its places, its two times and its provenance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from kernel.domain.provenance import Provenance

Fact_co = TypeVar("Fact_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Recorded(Generic[Fact_co]):
    """`version` is the place in the stream (from 1), `position` the place in the log."""

    fact: Fact_co
    stream_id: UUID
    version: int
    position: int
    event_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    provenance: Provenance
