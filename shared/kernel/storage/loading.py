"""Streams as they lie made into facts and states: loaded with their keys, unsealed, upcast, folded."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from kernel.domain.recorded import Recorded
from kernel.storage import log
from kernel.storage.aggregate import AnyAggregate
from kernel.storage.catalog import Catalog
from kernel.storage.database import Connection
from kernel.storage.keys import unseal
from kernel.storage.known import Known, PersonKey, Stream
from kernel.storage.log import StoredEvent

_STREAMS = "SELECT stream_id, category, version, bytes FROM streams WHERE stream_id = ANY($1::uuid[])"
_KEYS = "SELECT person_id, wrapped_key, shredded_at FROM person_keys WHERE person_id = ANY($1::uuid[])"


class Loader:
    """`known` grows with what is loaded; nothing is loaded twice."""

    def __init__(self, connection: Connection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog
        self.known = Known()

    def begins(self, stream_id: UUID) -> None:
        """An id that was made here for a stream to come: nothing of it is stored, nor a key."""
        self.known.streams[stream_id] = None
        self.known.keys[stream_id] = None

    async def heads(self, stream_ids: Iterable[UUID]) -> dict[UUID, Mapping[str, Any]]:
        """Category, version and weight of those streams that exist."""
        wanted = [i for i in dict.fromkeys(stream_ids) if i not in self.known.streams]
        if not wanted:
            return {}
        return {row["stream_id"]: row for row in await self._connection.fetch(_STREAMS, wanted)}

    async def load(self, stream_ids: Iterable[UUID], heads: Mapping[UUID, Mapping[str, Any]]) -> None:
        """Makes every one of these streams known, the absent ones as absent."""
        wanted = [i for i in dict.fromkeys(stream_ids) if i not in self.known.streams]
        if not wanted:
            return
        existing = [i for i in wanted if i in heads]
        events = await log.load(self._connection, existing) if existing else []
        # A stream's own person is loaded with it: most personal facts are about that one.
        await self.load_keys([*wanted, *persons_of(events)])
        facts: dict[UUID, list[Recorded[Any]]] = {i: [] for i in existing}
        for event in await self.decode(events):
            facts[event.stream_id].append(event)
        self.known.streams.update(dict.fromkeys(wanted))
        for stream_id, recorded in facts.items():
            self.known.streams[stream_id] = self._stream(heads[stream_id], recorded)

    async def decode(self, events: Sequence[StoredEvent]) -> list[Recorded[Any]]:
        """Stored events with their personal fields opened, as far as the persons' keys are there."""
        await self.load_keys(persons_of(events))
        return [self.recorded(event) for event in events]

    async def load_keys(self, persons: Iterable[UUID]) -> None:
        wanted = [person for person in dict.fromkeys(persons) if person not in self.known.keys]
        if not wanted:
            return
        self.known.keys.update(dict.fromkeys(wanted))
        for row in await self._connection.fetch(_KEYS, wanted):
            person, wrapped = row["person_id"], row["wrapped_key"]
            plain = self._catalog.keyring.unwrap(person, wrapped) if wrapped is not None else None
            self.known.keys[person] = PersonKey(plain, row["shredded_at"] is not None)

    def _stream(self, head: Mapping[str, Any], facts: Sequence[Recorded[Any]]) -> Stream:
        aggregate = self._catalog.aggregate(head["category"])
        state = aggregate.decider.initial
        for recorded in facts:
            state = aggregate.evolve(state, recorded.fact)
        return Stream(aggregate.category, facts[-1].version, state, tuple(facts), head["bytes"])

    def recorded(self, event: StoredEvent) -> Recorded[Any]:
        """Its person's key must have been loaded."""
        personal: dict[str, Any] | None = None
        for person, sealed in (event.personal or {}).items():
            key = self.known.keys[UUID(person)]
            if key and key.plain:
                personal = unseal(key.plain, UUID(person), event.event_id, sealed)
        return recorded_from(self._catalog.of_type(event.type), event, personal)


def persons_of(events: Sequence[StoredEvent]) -> list[UUID]:
    return [UUID(person) for event in events if event.personal for person in event.personal]


def recorded_from(
    aggregate: AnyAggregate, event: StoredEvent, personal: dict[str, Any] | None
) -> Recorded[Any]:
    return Recorded(
        aggregate.codec.decode(event.type, event.schema_version, event.data, personal),
        event.stream_id,
        event.version,
        event.position,
        event.event_id,
        event.occurred_at,
        event.recorded_at,
        event.provenance,
    )
