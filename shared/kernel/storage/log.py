"""The log: whoever appends holds its lock, so positions appear in order and `position > last` misses none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from kernel.domain.ids import new_id
from kernel.domain.provenance import Provenance
from kernel.storage.codec import parsed
from kernel.storage.database import Connection

LOG_LOCK = 0x6C6F67
# Taken alone by whoever erases, and shared by whoever fills a table beside the live one with what can still be read.
ERASING_LOCK = 0x657261
MOST_BYTES = 4 * 1024 * 1024

# The settings go with the transaction, so that they hold behind a transaction pooler too.
_BEGIN = f"""BEGIN;
SET LOCAL synchronous_commit = on;
SET LOCAL idle_in_transaction_session_timeout = '2s';
SET LOCAL lock_timeout = '8s';
SET LOCAL statement_timeout = '10s';
SELECT pg_advisory_xact_lock({LOG_LOCK})"""
# After the lock, because the wait for it is not the holder's time.
_BEGIN_17 = _BEGIN + ";\nSET LOCAL transaction_timeout = '5s'"

_HEAD = """
SELECT coalesce((SELECT max(position) FROM events), 0) AS position,
       coalesce((SELECT max(epoch) FROM views), 0) AS epoch,
       ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int AS timeline,
       (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
       clock_timestamp() AS now,
       latest.id AS incarnation, latest.system_identifier AS known_system, latest.timeline AS known_timeline,
       latest.partitions, claim.*
FROM (VALUES (1)) AS one LEFT JOIN LATERAL
     (SELECT * FROM incarnations ORDER BY from_position DESC, created_at DESC LIMIT 1) AS latest ON true
     LEFT JOIN LATERAL
     (SELECT found.* FROM unnest($1::text[], $2::text[]) AS asked(principal, key), LATERAL
          (SELECT * FROM idempotency WHERE principal = asked.principal AND key = asked.key LIMIT 1) AS found
     ) AS claim ON true
"""

APPEND = """
INSERT INTO events (stream_id, version, event_id, type, schema_version, data, personal, personal_digest, meta,
                    occurred_at)
SELECT stream_id, version, event_id, type, schema_version, data::jsonb, personal::jsonb, digest, meta::jsonb,
       occurred_at
FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::bytea[],
            $9::text[], $10::timestamptz[]) WITH ORDINALITY
     AS given(stream_id, version, event_id, type, schema_version, data, personal, digest, meta, occurred_at, place)
ORDER BY place
RETURNING event_id, position, recorded_at
"""

_EVENT = """position, stream_id, version, event_id, type, schema_version, data, personal, personal_digest, meta,
            occurred_at, recorded_at"""
_LOAD = f"SELECT {_EVENT} FROM events WHERE stream_id = ANY($1::uuid[]) ORDER BY stream_id, version"
_AFTER = f"SELECT {_EVENT} FROM events WHERE position > $1 ORDER BY position LIMIT $2"
_END = "SELECT coalesce(max(position), 0) FROM events"
_QUIET = f"SELECT CASE WHEN pg_try_advisory_xact_lock_shared({LOG_LOCK}) THEN clock_timestamp() END"
DEFAULT_PARTITIONS = 12


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log stands under the lock, and on which server and timeline."""

    position: int
    epoch: int
    now: datetime
    incarnation: UUID


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of `events` as it lies: not decrypted, not upcast, not decoded."""

    position: int
    stream_id: UUID
    version: int
    event_id: UUID
    type: str
    schema_version: int
    data: dict[str, Any]
    personal: dict[str, str] | None
    personal_digest: bytes | None
    meta: dict[str, Any]
    occurred_at: datetime
    recorded_at: datetime

    @property
    def provenance(self) -> Provenance:
        meta = self.meta
        return Provenance(
            actor=meta["actor"],
            command_id=UUID(meta["command_id"]),
            correlation_id=meta["correlation_id"],
            causation_id=meta.get("causation_id"),
            traceparent=meta.get("traceparent"),
            claimed_at=datetime.fromisoformat(meta["claimed_at"]) if "claimed_at" in meta else None,
        )


async def begin(connection: Connection) -> None:
    """Opens the appending transaction: the lock is its first statement."""
    server = connection.get_server_version()
    await connection.execute(_BEGIN_17 if server.major >= 17 else _BEGIN)


async def head(connection: Connection) -> Head:
    return (await head_and_claims(connection, (), ()))[0]


async def head_and_claims(
    connection: Connection, principals: Sequence[str], keys: Sequence[str]
) -> tuple[Head, list[Mapping[str, Any]]]:
    """What the lock's holder must know, and which of these keys have been used.

    The first appender on another server or timeline starts an incarnation.
    """
    rows = await connection.fetch(_HEAD, principals, keys)
    row = rows[0]
    incarnation = row["incarnation"]
    here = (row["system_identifier"], row["timeline"])
    if here != (row["known_system"], row["known_timeline"]):
        incarnation = await new_incarnation(connection, row["position"], row["partitions"], here)
    head = Head(row["position"], row["epoch"], row["now"], incarnation)
    return head, [row for row in rows if row["principal"] is not None]


async def new_incarnation(
    connection: Connection, position: int, partitions: int | None, server: tuple[int, int]
) -> UUID:
    incarnation = new_id()
    await connection.execute(
        """INSERT INTO incarnations (id, from_position, partitions, system_identifier, timeline)
           VALUES ($1, $2, $3, $4, $5)""",
        incarnation,
        position,
        partitions or DEFAULT_PARTITIONS,
        *server,
    )
    return incarnation


async def load(connection: Connection, stream_ids: Sequence[UUID]) -> list[StoredEvent]:
    return [stored(row) for row in await connection.fetch(_LOAD, stream_ids)]


async def end(connection: Connection) -> int:
    """The position of the newest event; 0 in an empty log."""
    return int(await connection.fetchval(_END))


async def nobody_appends(connection: Connection) -> datetime | None:
    """A time up to which everything recorded is visible; None while someone is in the middle of appending.

    `recorded_at` is a little before the commit, so "now" is only true when no appender holds the lock.
    """
    at: datetime | None = await connection.fetchval(_QUIET)
    return at


async def read_after(connection: Connection, position: int, limit: int) -> list[StoredEvent]:
    return [stored(row) for row in await connection.fetch(_AFTER, position, limit)]


def stored(row: Mapping[str, Any]) -> StoredEvent:
    return StoredEvent(
        row["position"],
        row["stream_id"],
        row["version"],
        row["event_id"],
        row["type"],
        row["schema_version"],
        parsed(row["data"]),
        parsed(row["personal"]) if row["personal"] is not None else None,
        row["personal_digest"],
        parsed(row["meta"]),
        row["occurred_at"],
        row["recorded_at"],
    )


def meta_json(provenance: Provenance) -> str:
    """Provenance as stored: fields that say nothing are left out."""
    said: dict[str, Any] = {
        "actor": provenance.actor,
        "command_id": str(provenance.command_id),
        "correlation_id": provenance.correlation_id,
    }
    if provenance.causation_id:
        said["causation_id"] = provenance.causation_id
    if provenance.traceparent:
        said["traceparent"] = provenance.traceparent
    if provenance.claimed_at:
        said["claimed_at"] = provenance.claimed_at.isoformat()
    return to_json(said).decode()
