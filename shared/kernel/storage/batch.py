"""One appending transaction: lock, claim, load, decide, write, commit, in a number of statements that is constant."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kernel.domain.errors import Invalid, Refused
from kernel.domain.recorded import Recorded
from kernel.storage import log, writes
from kernel.storage.aggregate import AnyHandled, Handled, Intent
from kernel.storage.catalog import Catalog
from kernel.storage.database import Connection
from kernel.storage.decisions import Decisions
from kernel.storage.known import Decided, Missing
from kernel.storage.loading import Loader
from kernel.storage.log import Head

Outcome = AnyHandled | Exception
# Work that belongs into the same transaction: a follower's checkpoint, a fence.
Within = Callable[[Connection], Awaitable[None]]

# Row by row through the key: a plan made while the table was small would read the whole of it for ever.
_UNIQUE = """
SELECT found.* FROM unnest($1::text[], $2::bytea[]) AS asked(kind, digest), LATERAL
    (SELECT kind, digest, stream_id FROM unique_values
     WHERE kind = asked.kind AND digest = asked.digest LIMIT 1) AS found
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

    def __init__(
        self,
        connection: Connection,
        catalog: Catalog,
        intents: Sequence[Intent],
        while_writing: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._intents = intents
        self._while_writing = while_writing
        self._loader = Loader(connection, catalog)
        self._known = self._loader.known
        self._claims: dict[tuple[str, str], Claim] = {}

    async def run(self, within: Within | None = None) -> list[Outcome]:
        connection = self._connection
        head = await self._look()
        if within:
            await within(connection)
        postponed = await self._load_streams(whole=within is not None)
        fresh = [intent for intent in self._fresh() if id(intent) not in postponed]
        decisions = await self._decide(head, fresh)
        if within:
            _raise_faults(decisions)
        # Runs when the statement is on its way and nothing is left to do but wait.
        asyncio.get_running_loop().call_soon(self._while_writing)
        recorded = await writes.write(connection, self._catalog, self._known, decisions)
        await connection.execute("COMMIT")
        decided = dict(zip(map(id, fresh), decisions.outcomes, strict=True))
        facts = self._facts(recorded)
        return [
            Postponed() if id(intent) in postponed else self._outcome(intent, decided, facts, head)
            for intent in self._intents
        ]

    def _fresh(self) -> list[Intent]:
        if not self._claims:
            return list(self._intents)
        return [intent for intent in self._intents if (intent.actor, intent.key) not in self._claims]

    async def _look(self) -> Head:
        head, rows = await log.head_and_claims(
            self._connection,
            [intent.actor for intent in self._intents],
            [intent.key for intent in self._intents],
        )
        for row in rows:
            self._claims[row["principal"], row["key"]] = Claim(
                row["fingerprint"], row["command_id"], row["status"], row["stream_id"], row["version"]
            )
        return head

    async def _load_streams(self, *, whole: bool) -> set[int]:
        """Loads the streams of the intents and claims; answers the intents that would make the batch too heavy.

        A batch that carries a checkpoint is done whole or not at all.
        """
        fresh = self._fresh()
        for intent in fresh:
            if intent.begins:
                self._loader.begins(intent.target.stream_id)
        claimed = [claim.stream_id for claim in self._claims.values()]
        heads = await self._loader.heads([*streams_of(fresh), *claimed])
        postponed: set[int] = set()
        chosen: dict[UUID, None] = dict.fromkeys(claimed)
        weight = sum(heads[i]["bytes"] for i in chosen if i in heads)
        for intent in fresh:
            new = [i for i in streams_of([intent]) if i not in chosen]
            more = intent.weight + sum(heads[i]["bytes"] for i in new if i in heads)
            if chosen and weight + more > log.MOST_BYTES and not whole:
                postponed.add(id(intent))
            else:
                weight += more
                chosen.update(dict.fromkeys(new))
        await self._loader.load(chosen, heads)
        return postponed

    async def _decide(self, head: Head, intents: Sequence[Intent]) -> Decisions:
        while True:
            decisions = Decisions(self._known, head, self._catalog.keyring).decide_all(intents)
            missing = decisions.missing
            if not missing:
                return decisions
            await self._load_missing(missing)
            only_unique = not (missing.streams or missing.persons)
            if only_unique and not any(self._known.unique[key] for key in missing.unique):
                # Nobody has these values, which is what the pass took for granted.
                return decisions

    async def _load_missing(self, missing: Missing) -> None:
        await self._loader.load(missing.streams, await self._loader.heads(missing.streams))
        await self._loader.load_keys(missing.persons)
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
            own = facts.get(outcome.stream_id, [])[: outcome.version]
            return _handled(intent, outcome.stream_id, own, outcome.state, head)
        if claim.fingerprint != intent.fingerprint:
            return Invalid(
                "This idempotency key was used for another request.", code="IDEMPOTENCY_KEY_REUSED"
            )
        before = facts[claim.stream_id][: claim.version] if claim.version else []
        state = intent.target.aggregate.decider.initial
        for recorded in before:
            state = intent.target.aggregate.evolve(state, recorded.fact)
        again = claim.command_id != intent.command_id
        return _handled(intent, claim.stream_id, before, state, head, replayed=again)


def _raise_faults(decisions: Decisions) -> None:
    """A refusal is an outcome; a fault would be lost behind the checkpoint that is committed with it."""
    for outcome in decisions.outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, Refused):
            raise outcome


def _handled(
    intent: Intent,
    stream_id: UUID,
    facts: Sequence[Recorded[Any]],
    state: Any,
    head: Head,
    *,
    replayed: bool = False,
) -> AnyHandled:
    return Handled(
        stream_id=stream_id,
        version=len(facts),
        state=state,
        facts=facts,
        status=intent.status,
        incarnation=head.incarnation,
        replayed=replayed,
    )


def streams_of(intents: Sequence[Intent]) -> Iterator[UUID]:
    for intent in intents:
        for step in intent.steps:
            yield step.stream_id
