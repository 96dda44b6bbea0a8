"""What a decided batch writes: events, streams, keys, unique values, timers, views and the claims, a statement each."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from kernel.domain.provenance import Provenance
from kernel.domain.recorded import Recorded
from kernel.storage import log
from kernel.storage.aggregate import AnyAggregate
from kernel.storage.catalog import Catalog
from kernel.storage.database import Connection
from kernel.storage.decisions import Decisions
from kernel.storage.keys import seal
from kernel.storage.known import Decided, Draft, Known, PersonKey
from kernel.storage.views import Rows

_STREAMS = """
INSERT INTO streams (stream_id, category, version, bytes)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[])
ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, bytes = streams.bytes + excluded.bytes
"""
_KEYS = "INSERT INTO person_keys (person_id, wrapped_key) SELECT * FROM unnest($1::uuid[], $2::bytea[])"
_SHRED = """
INSERT INTO person_keys (person_id, wrapped_key, shredded_at)
SELECT person, NULL, now() FROM unnest($1::uuid[]) AS person
ON CONFLICT (person_id) DO UPDATE SET wrapped_key = NULL, shredded_at = coalesce(person_keys.shredded_at, now())
"""
_FREE = """
DELETE FROM unique_values WHERE (kind, digest) IN (SELECT * FROM unnest($1::text[], $2::bytea[]))
"""
_TAKE = """
INSERT INTO unique_values (kind, digest, stream_id) SELECT * FROM unnest($1::text[], $2::bytea[], $3::uuid[])
ON CONFLICT (kind, digest) DO UPDATE SET stream_id = excluded.stream_id
"""
_FORGET_TIMERS = (
    "DELETE FROM timers WHERE (stream_id, kind) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))"
)
_TIMERS = """
INSERT INTO timers (stream_id, kind, category, due_at, next_try_at)
SELECT stream_id, kind, category, due_at, due_at
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS given(stream_id, kind, category, due_at)
ON CONFLICT (stream_id, kind)
DO UPDATE SET due_at = excluded.due_at, next_try_at = excluded.next_try_at, attempts = 0
"""
_CLAIM = """
INSERT INTO idempotency (principal, key, fingerprint, command_id, status, stream_id, version)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[], $5::smallint[], $6::uuid[], $7::int[])
"""


async def write(
    connection: Connection, catalog: Catalog, known: Known, decisions: Decisions
) -> list[Recorded[Any]]:
    """Answers the facts as recorded, in the order of the log."""
    recorded: list[Recorded[Any]] = []
    if decisions.drafts:
        sealed = await _seal(connection, catalog, known, decisions.drafts)
        recorded = await _append(connection, decisions.drafts, sealed)
        await _streams(connection, decisions, sealed)
        await _unique(connection, decisions)
        await _timers(connection, known, decisions)
        live = await catalog.live(connection, decisions.head.epoch)
        await _views(connection, live.tables, known, decisions, recorded)
        if decisions.erased:
            await erase(connection, live.tables, catalog.views, list(decisions.erased))
    await _claims(connection, decisions)
    return recorded


async def erase(
    connection: Connection, tables: Mapping[str, str], views: Sequence[Rows], persons: Sequence[UUID]
) -> None:
    """The key goes, the row stays, so that no new key is ever made; the columns of read models are emptied."""
    await connection.execute(_SHRED, persons)
    for view in views:
        await view.statements.blank(connection, tables[view.name], persons)


async def _seal(
    connection: Connection, catalog: Catalog, known: Known, drafts: Sequence[Draft]
) -> list[str | None]:
    new: dict[UUID, bytes] = {}
    sealed: list[str | None] = []
    for draft in drafts:
        if not draft.encoded.personal:
            sealed.append(None)
            continue
        person = draft.person_id
        key = known.keys.get(person)
        if key is None:
            plain, new[person] = catalog.keyring.new_key(person)
            known.keys[person] = key = PersonKey(plain, shredded=False)
        if key.plain is None:
            raise AssertionError("a shredded person's facts are refused before they are sealed")
        sealed.append(seal(key.plain, person, draft.event_id, draft.encoded.personal))
    if new:
        await connection.execute(_KEYS, list(new), list(new.values()))
    return sealed


async def _append(
    connection: Connection, drafts: Sequence[Draft], sealed: Sequence[str | None]
) -> list[Recorded[Any]]:
    provenances = [_provenance(draft) for draft in drafts]
    columns: list[list[Any]] = [
        [draft.stream_id for draft in drafts],
        [draft.version for draft in drafts],
        [draft.event_id for draft in drafts],
        [draft.encoded.type for draft in drafts],
        [draft.encoded.schema_version for draft in drafts],
        [draft.encoded.data for draft in drafts],
        [
            to_json({str(draft.person_id): text}).decode() if text else None
            for draft, text in zip(drafts, sealed, strict=True)
        ],
        [personal_digest(draft.person_id, text) for draft, text in zip(drafts, sealed, strict=True)],
        [log.meta_json(provenance) for provenance in provenances],
        [draft.occurred_at for draft in drafts],
    ]
    places = {row["event_id"]: row for row in await log.append(connection, columns)}
    return [
        Recorded(
            draft.fact,
            draft.stream_id,
            draft.version,
            places[draft.event_id]["position"],
            draft.event_id,
            draft.occurred_at,
            places[draft.event_id]["recorded_at"],
            provenance,
        )
        for draft, provenance in zip(drafts, provenances, strict=True)
    ]


def personal_digest(person_id: UUID, sealed: str | None) -> bytes | None:
    """What the log's digest covers in place of the sealed object, so that a redaction leaves it valid."""
    return sha256(person_id.bytes + sealed.encode()).digest() if sealed else None


def _provenance(draft: Draft) -> Provenance:
    intent = draft.intent
    return Provenance(
        actor=intent.actor,
        command_id=intent.command_id,
        correlation_id=intent.correlation_id,
        causation_id=intent.causation_id,
        traceparent=intent.traceparent,
        claimed_at=draft.claimed_at,
    )


async def _streams(connection: Connection, decisions: Decisions, sealed: Sequence[str | None]) -> None:
    bytes_: dict[UUID, int] = {}
    for draft, text in zip(decisions.drafts, sealed, strict=True):
        # A load brings about 300 bytes of ids, times and provenance beside the body.
        weight = 300 + draft.intent.weight + len(text or "")
        bytes_[draft.stream_id] = bytes_.get(draft.stream_id, 0) + weight
    tips = [decisions.tips[stream_id] for stream_id in bytes_]
    await connection.execute(
        _STREAMS,
        list(bytes_),
        [tip.aggregate.category for tip in tips],
        [tip.version for tip in tips],
        list(bytes_.values()),
    )


async def _unique(connection: Connection, decisions: Decisions) -> None:
    freed = [key for key, stream_id in decisions.unique.items() if stream_id is None]
    taken = [(*key, stream_id) for key, stream_id in decisions.unique.items() if stream_id is not None]
    if freed:
        await connection.execute(_FREE, *zip(*freed, strict=True))
    if taken:
        await connection.execute(_TAKE, *zip(*taken, strict=True))


async def _timers(connection: Connection, known: Known, decisions: Decisions) -> None:
    gone: list[tuple[UUID, str]] = []
    due: list[tuple[UUID, str, str, Any]] = []
    for stream_id, tip in decisions.tips.items():
        timers = tip.aggregate.timers
        if timers is None:
            continue
        stream = known.streams[stream_id]
        before = timers.due(stream.state) if stream else {}
        after = timers.due(tip.state)
        gone += [(stream_id, kind) for kind in before if kind not in after]
        due += [
            (stream_id, kind, tip.aggregate.category, at)
            for kind, at in after.items()
            if before.get(kind) != at
        ]
    if gone:
        await connection.execute(_FORGET_TIMERS, *zip(*gone, strict=True))
    if due:
        await connection.execute(_TIMERS, *zip(*due, strict=True))


async def _views(
    connection: Connection,
    tables: Mapping[str, str],
    known: Known,
    decisions: Decisions,
    recorded: Sequence[Recorded[Any]],
) -> None:
    grouped: dict[Rows, list[Recorded[Any]]] = {}
    aggregates: dict[UUID, AnyAggregate] = {i: tip.aggregate for i, tip in decisions.tips.items()}
    for event in recorded:
        for view in aggregates[event.stream_id].views:
            grouped.setdefault(view, []).append(event)
    for view, events in grouped.items():
        # A row of a stream that begins in this batch, or of an event of this batch, cannot exist yet.
        begun = {event.event_id for event in events} | {
            event.stream_id for event in events if event.version == 1
        }
        keys = {view.key(event) for event in events} - begun
        table = tables[view.name]
        rows = await view.statements.load(connection, table, keys) if keys else {}
        view.project_all(rows, events)
        await view.statements.write(connection, table, rows)


async def _claims(connection: Connection, decisions: Decisions) -> None:
    done = [
        (intent, outcome)
        for intent, outcome in zip(decisions.intents, decisions.outcomes, strict=True)
        if isinstance(outcome, Decided)
    ]
    if done:
        await connection.execute(
            _CLAIM,
            [intent.actor for intent, _ in done],
            [intent.key for intent, _ in done],
            [intent.fingerprint for intent, _ in done],
            [intent.command_id for intent, _ in done],
            [intent.status for intent, _ in done],
            [outcome.stream_id for _, outcome in done],
            [outcome.version for _, outcome in done],
        )
