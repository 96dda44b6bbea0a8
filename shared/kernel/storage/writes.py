"""What a decided batch writes: everything of the log in one statement, then the views."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from kernel.domain.provenance import Provenance
from kernel.domain.recorded import Recorded
from kernel.storage import log, parameters
from kernel.storage.catalog import Catalog
from kernel.storage.database import Connection
from kernel.storage.decisions import Decisions
from kernel.storage.keys import seal
from kernel.storage.known import Draft, Known, PersonKey
from kernel.storage.views import Rows

# Parts of one statement: each further round trip costs as much as the decision of a command. All of them insert, so
# that one plan serves every batch; with a part that looks for rows the whole would be planned anew each time.
_STREAMS = """
INSERT INTO streams (stream_id, category, version, bytes)
SELECT * FROM unnest($11::uuid[], $12::text[], $13::int[], $14::bigint[])
ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, bytes = streams.bytes + excluded.bytes
"""
_KEYS = "INSERT INTO person_keys (person_id, wrapped_key) SELECT * FROM unnest($15::uuid[], $16::bytea[])"
_CLAIM = """
INSERT INTO idempotency (principal, key, fingerprint, command_id, status, stream_id, version)
SELECT * FROM unnest($17::text[], $18::text[], $19::bytea[], $20::uuid[], $21::smallint[], $22::uuid[], $23::int[])
"""
_TAKE = """
INSERT INTO unique_values (kind, digest, stream_id) SELECT * FROM unnest($24::text[], $25::bytea[], $26::uuid[])
ON CONFLICT (kind, digest) DO UPDATE SET stream_id = excluded.stream_id
"""
_TIMERS = """
INSERT INTO timers (stream_id, kind, category, due_at, next_try_at)
SELECT stream_id, kind, category, due_at, due_at
FROM unnest($27::uuid[], $28::text[], $29::text[], $30::timestamptz[]) AS given(stream_id, kind, category, due_at)
ON CONFLICT (stream_id, kind)
DO UPDATE SET due_at = excluded.due_at, next_try_at = excluded.next_try_at, attempts = 0
"""
_WRITE = f"""
WITH appended AS ({log.APPEND}), counted AS ({_STREAMS}), keyed AS ({_KEYS}), claimed AS ({_CLAIM}),
     taken AS ({_TAKE}), awaited AS ({_TIMERS})
SELECT event_id, position, recorded_at FROM appended
"""
# Row by row through the key: a plan made while the table was small would read the whole of it for ever.
_FREE = """
DELETE FROM unique_values WHERE ctid = ANY(ARRAY(
    SELECT found.ctid FROM unnest($1::text[], $2::bytea[]) AS asked(kind, digest), LATERAL
        (SELECT ctid FROM unique_values WHERE kind = asked.kind AND digest = asked.digest LIMIT 1) AS found))
"""
_FORGET_TIMERS = """
DELETE FROM timers WHERE ctid = ANY(ARRAY(
    SELECT found.ctid FROM unnest($3::uuid[], $4::text[]) AS asked(stream_id, kind), LATERAL
        (SELECT ctid FROM timers WHERE stream_id = asked.stream_id AND kind = asked.kind LIMIT 1) AS found))
"""
# A value is either freed or taken, a timer forgotten or set: no row of these is one of the others.
_GIVE_BACK = f"WITH freed AS ({_FREE}) {_FORGET_TIMERS}"
_SHRED = """
INSERT INTO person_keys (person_id, wrapped_key, shredded_at)
SELECT person, NULL, now() FROM unnest($1::uuid[]) AS person
ON CONFLICT (person_id) DO UPDATE SET wrapped_key = NULL, shredded_at = coalesce(person_keys.shredded_at, now())
"""
_ALONE = f"SELECT pg_advisory_xact_lock({log.ERASING_LOCK})"
# Every version that has a table: one being filled, and those that were live before, whatever columns they have.
_VERSIONS = """
SELECT view.name || '_' || view.version AS "table", view.name, array_agg(has.attname::text) AS columns
FROM views AS view
JOIN pg_attribute AS has ON has.attrelid = to_regclass(quote_ident(view.name || '_' || view.version))
WHERE has.attnum > 0 AND NOT has.attisdropped GROUP BY view.name, view.version
"""


async def write(
    connection: Connection, catalog: Catalog, known: Known, decisions: Decisions
) -> list[Recorded[Any]]:
    """Answers the facts as recorded, in the order of the log."""
    drafts = decisions.drafts
    sealed, keys = _seal(catalog, known, drafts)
    claims = parameters.claims(decisions)
    if not (drafts or claims):
        return []
    provenances = [_provenance(draft) for draft in drafts]
    events = [parameters.event(*one) for one in zip(drafts, sealed, provenances, strict=True)]
    freed, taken = parameters.unique(decisions)
    forgotten, awaited = parameters.timers(known, decisions)
    if freed or forgotten:
        await connection.execute(_GIVE_BACK, *parameters.columns(freed, 2), *parameters.columns(forgotten, 2))
    places = await connection.fetch(
        _WRITE,
        *parameters.columns(events, 10),
        *parameters.columns(parameters.streams(decisions, sealed), 4),
        *parameters.columns(keys, 2),
        *parameters.columns(claims, 7),
        *parameters.columns(taken, 3),
        *parameters.columns(awaited, 4),
    )
    recorded = _recorded(drafts, provenances, places)
    if drafts:
        live = await catalog.live(connection, decisions.head.epoch)
        await _views(connection, live.tables, decisions, recorded)
        if decisions.erased:
            await erase(connection, catalog.views, list(decisions.erased))
    return recorded


async def erase(connection: Connection, views: Sequence[Rows], persons: Sequence[UUID]) -> None:
    """The key goes, the row stays, so that no new key is ever made; the columns of read models are emptied."""
    await connection.execute(_ALONE)
    await connection.execute(_SHRED, persons)
    statements = {view.name: view.statements for view in views}
    for row in await connection.fetch(_VERSIONS):
        if row["name"] in statements:
            await statements[row["name"]].blank(connection, row["table"], persons, row["columns"])


def _seal(
    catalog: Catalog, known: Known, drafts: Sequence[Draft]
) -> tuple[list[str | None], list[tuple[UUID, bytes]]]:
    """What of each draft is sealed, and the keys that were made for it, wrapped."""
    new: list[tuple[UUID, bytes]] = []
    sealed: list[str | None] = []
    for draft in drafts:
        if not draft.encoded.personal:
            sealed.append(None)
            continue
        person = draft.person_id
        key = known.keys.get(person)
        if key is None:
            plain, wrapped = catalog.keyring.new_key(person)
            new.append((person, wrapped))
            known.keys[person] = key = PersonKey(plain, shredded=False)
        if key.plain is None:
            raise AssertionError("a shredded person's facts are refused before they are sealed")
        sealed.append(seal(key.plain, person, draft.event_id, draft.encoded.personal))
    return sealed, new


def _recorded(
    drafts: Sequence[Draft], provenances: Sequence[Provenance], rows: Sequence[Mapping[str, Any]]
) -> list[Recorded[Any]]:
    places = {row["event_id"]: row for row in rows}
    recorded = []
    for draft, provenance in zip(drafts, provenances, strict=True):
        place = places[draft.event_id]
        recorded.append(
            Recorded(
                draft.fact,
                draft.stream_id,
                draft.version,
                place["position"],
                draft.event_id,
                draft.occurred_at,
                place["recorded_at"],
                provenance,
            )
        )
    return recorded


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


async def _views(
    connection: Connection,
    tables: Mapping[str, str],
    decisions: Decisions,
    recorded: Sequence[Recorded[Any]],
) -> None:
    grouped: dict[Rows, list[Recorded[Any]]] = {}
    # A row of a stream that begins in this batch, or of an event of this batch, cannot exist yet.
    begun: set[UUID] = set()
    for event in recorded:
        begun.add(event.event_id)
        if event.version == 1:
            begun.add(event.stream_id)
        for view in decisions.tips[event.stream_id].aggregate.views:
            grouped.setdefault(view, []).append(event)
    for view, events in grouped.items():
        keys = {view.key(event) for event in events} - begun
        table = tables[view.name]
        rows = await view.statements.load(connection, table, keys) if keys else {}
        view.project_all(rows, events)
        await view.statements.write(connection, table, rows)
