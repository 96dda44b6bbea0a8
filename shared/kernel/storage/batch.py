"""One appending transaction: lock, claim, load, decide, write, commit, in a number of statements that is constant."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kernel.domain.errors import Invalid
from kernel.domain.recorded import Recorded
from kernel.storage import log, writes
from kernel.storage.aggregate import AnyAggregate, AnyHandled, Handled, Intent
from kernel.storage.catalog import Catalog
from kernel.storage.database import Connection
from kernel.storage.decisions import Decided, Decisions, Known, Missing, PersonKey, Stream, streams_of
from kernel.storage.keys import unseal
from kernel.storage.log import Head, StoredEvent

Outcome = AnyHandled | Exception
# Work that belongs into the same transaction: a follower's checkpoint, a fence.
Within = Callable[[Connection], Awaitable[None]]

_CLAIMED = """
SELECT principal, key, fingerprint, command_id, status, stream_id, version FROM idempotency
WHERE (principal, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_STREAMS = "SELECT stream_id, category, version, bytes FROM streams WHERE stream_id = ANY($1::uuid[])"
_KEYS = "SELECT person_id, wrapped_key, shredded_at FROM person_keys WHERE person_id = ANY($1::uuid[])"
_UNIQUE = """
SELECT kind, digest, stream_id FROM unique_values
WHERE (kind, digest) IN (SELECT * FROM unnest($1::text[], $2::bytea[]))
"""


class Postponed(Exception):
    """The batch is heavy enough without this intent: it goes first in the next one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An intent that was carried out before."""

    fingerprint: bytes
    command_id: UUID
    status: int
    stream_id: UUID
    version: int


class Batch:
    """`outcomes` has one entry per intent; nobody may be answered before `run` has returned."""

    def __init__(self, connection: Connection, catalog: Catalog, intents: Sequence[Intent]) -> None:
        self._connection = connection
        self._catalog = catalog
        self._intents = intents
        self._known = Known()
        self._claims: dict[tuple[str, str], Claim] = {}

    async def run(self, within: Within | None = None) -> list[Outcome]:
        connection = self._connection
        head = await log.head(connection)
        if within:
            await within(connection)
        await self._load_claims()
        postponed = await self._load_streams(
            [*streams_of(self._fresh()), *(claim.stream_id for claim in self._claims.values())]
        )
        fresh = [intent for intent in self._fresh() if id(intent) not in postponed]
        decisions = await self._decide(head, fresh)
        recorded = await writes.write(connection, self._catalog, self._known, decisions)
        await connection.execute("COMMIT")
        decided = dict(zip(map(id, fresh), decisions.outcomes, strict=True))
        facts = self._facts(recorded)
        return [
            Postponed() if id(intent) in postponed else self._outcome(intent, decided, facts, head)
            for intent in self._intents
        ]

    def _fresh(self) -> list[Intent]:
        return [intent for intent in self._intents if (intent.actor, intent.key) not in self._claims]

    async def _load_claims(self) -> None:
        rows = await self._connection.fetch(
            _CLAIMED, [intent.actor for intent in self._intents], [intent.key for intent in self._intents]
        )
        for row in rows:
            self._claims[row["principal"], row["key"]] = Claim(
                row["fingerprint"], row["command_id"], row["status"], row["stream_id"], row["version"]
            )

    async def _load_streams(self, stream_ids: Iterable[UUID]) -> set[int]:
        """Loads what is not known yet; answers the intents that would make the batch too heavy."""
        wanted = list(dict.fromkeys(i for i in stream_ids if i not in self._known.streams))
        heads = (
            {row["stream_id"]: row for row in await self._connection.fetch(_STREAMS, wanted)}
            if wanted
            else {}
        )
        postponed: set[int] = set()
        bytes_ = 0
        seen: set[UUID] = set()
        for intent in self._fresh():
            new = [i for i in streams_of([intent]) if i not in seen]
            weight = intent.weight + sum(heads[i]["bytes"] for i in new if i in heads)
            if seen and bytes_ + weight > log.MOST_BYTES:
                postponed.add(id(intent))
                continue
            bytes_ += weight
            seen.update(new)
        skipped = {
            i for intent in self._intents if id(intent) in postponed for i in streams_of([intent])
        } - seen
        existing = [i for i in wanted if i in heads and i not in skipped]
        events = await log.load(self._connection, existing) if existing else []
        await self._load_keys([*wanted, *(UUID(p) for e in events if e.personal for p in e.personal)])
        facts: dict[UUID, list[Recorded[Any]]] = {i: [] for i in existing}
        for event in events:
            aggregate = self._catalog.aggregate(heads[event.stream_id]["category"])
            facts[event.stream_id].append(self._recorded(aggregate, event))
        for stream_id in wanted:
            if stream_id in facts:
                self._known.streams[stream_id] = self._stream(heads[stream_id]["category"], facts[stream_id])
            elif stream_id not in skipped:
                self._known.streams[stream_id] = None
        return postponed

    def _stream(self, category: str, facts: list[Recorded[Any]]) -> Stream:
        aggregate = self._catalog.aggregate(category)
        state = aggregate.decider.initial
        for recorded in facts:
            state = aggregate.evolve(state, recorded.fact)
        return Stream(category, facts[-1].version, state, tuple(facts))

    def _recorded(self, aggregate: AnyAggregate, event: StoredEvent) -> Recorded[Any]:
        personal: dict[str, Any] | None = None
        for person, sealed in (event.personal or {}).items():
            key = self._known.keys[UUID(person)]
            if key and key.plain:
                personal = unseal(key.plain, UUID(person), event.event_id, sealed)
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

    async def _load_keys(self, persons: Iterable[UUID]) -> None:
        wanted = [person for person in dict.fromkeys(persons) if person not in self._known.keys]
        if not wanted:
            return
        self._known.keys.update(dict.fromkeys(wanted))
        for row in await self._connection.fetch(_KEYS, wanted):
            person, wrapped = row["person_id"], row["wrapped_key"]
            plain = self._catalog.keyring.unwrap(person, wrapped) if wrapped is not None else None
            self._known.keys[person] = PersonKey(plain, row["shredded_at"] is not None)

    async def _decide(self, head: Head, intents: Sequence[Intent]) -> Decisions:
        while True:
            decisions = Decisions(self._known, head, self._catalog.keyring).decide_all(intents)
            if not decisions.missing:
                return decisions
            await self._load_missing(decisions.missing)

    async def _load_missing(self, missing: Missing) -> None:
        if missing.streams:
            await self._load_streams(missing.streams)
        await self._load_keys(missing.persons)
        if missing.unique:
            kinds, digests = zip(*missing.unique, strict=True)
            self._known.unique.update(dict.fromkeys(missing.unique))
            for row in await self._connection.fetch(_UNIQUE, kinds, digests):
                self._known.unique[row["kind"], row["digest"]] = row["stream_id"]

    def _facts(self, recorded: Sequence[Recorded[Any]]) -> dict[UUID, list[Recorded[Any]]]:
        facts = {i: list(stream.facts) for i, stream in self._known.streams.items() if stream}
        for event in recorded:
            facts.setdefault(event.stream_id, []).append(event)
        return facts

    def _outcome(
        self,
        intent: Intent,
        decided: dict[int, Decided | Exception],
        facts: dict[UUID, list[Recorded[Any]]],
        head: Head,
    ) -> Outcome:
        claim = self._claims.get((intent.actor, intent.key))
        if claim is None:
            outcome = decided[id(intent)]
            if isinstance(outcome, Exception):
                return outcome
            return handled(
                intent, outcome.stream_id, facts.get(outcome.stream_id, [])[: outcome.version], head
            )
        if claim.fingerprint != intent.fingerprint:
            return Invalid(
                "This idempotency key was used for another request.", code="IDEMPOTENCY_KEY_REUSED"
            )
        before = facts[claim.stream_id][: claim.version] if claim.version else []
        return handled(intent, claim.stream_id, before, head, replayed=claim.command_id != intent.command_id)


def handled(
    intent: Intent, stream_id: UUID, facts: Sequence[Recorded[Any]], head: Head, *, replayed: bool = False
) -> AnyHandled:
    aggregate = intent.target.aggregate
    state = aggregate.decider.initial
    for recorded in facts:
        state = aggregate.evolve(state, recorded.fact)
    return Handled(
        stream_id=stream_id,
        version=len(facts),
        state=state,
        facts=facts,
        status=intent.status,
        incarnation=head.incarnation,
        replayed=replayed,
    )
