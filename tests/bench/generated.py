"""A long log made by the database itself: a real record's rows again and again, under ids of their own.

All that a service has written for one record, in every table, is copied; ids rise as UUIDv7 does, keys and digests
are spread, so that tables and indexes are as large and as mixed as after real work.
"""

from collections.abc import Mapping, Sequence

from kernel.storage.database import Connection

# `n` counts the copies over all that was ever generated, so that no two are the same.
_RISING = (
    "(lpad(to_hex(1700000000000 + n), 12, '0') || '7' || left(md5('{0}' || n), 3) || '8' "
    "|| right(md5('{0}' || n), 15))::uuid"
)
_STREAM, _EVENT, _COMMAND = (_RISING.format(kind) for kind in ("stream", "event", "command"))
_DIGEST = "sha256(int8send(n))"
_OF_A_STREAM: Mapping[str, str] = {"stream_id": _STREAM}
_CUSTOMER = "md5('customer' || n % 10000)::uuid"
_EARLIER = "original.{0} - (5000000 - n) * interval '1 millisecond'"
_LATER = "original.{0} + n * interval '1 millisecond'"
_TABLES: Mapping[str, Mapping[str, str]] = {
    "events": {
        **_OF_A_STREAM,
        "event_id": _EVENT,
        "meta": f"original.meta || jsonb_build_object('command_id', {_COMMAND})",
    },
    "streams": _OF_A_STREAM,
    "idempotency": {**_OF_A_STREAM, "key": "md5('key' || n)::uuid::text", "command_id": _COMMAND},
    "unique_values": {**_OF_A_STREAM, "digest": _DIGEST},
    "timers": {**_OF_A_STREAM, **{name: _LATER.format(name) for name in ("due_at", "next_try_at")}},
    "received": {**_OF_A_STREAM, "event_id": _EVENT, "source_position": "1000000000 + n"},
    "person_keys": {"person_id": _STREAM},
}
_KEPT = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO' ORDER BY ordinal_position
"""
_COPY = """
INSERT INTO "{table}" ({columns})
SELECT {values} FROM generate_series({first}, {last}) AS n, "{table}" AS original
WHERE original."{key}" = '{record}' ORDER BY n
"""
# Constraints with an index of their own, and the other indexes: how each goes and how it comes back.
_INDEXES = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS gone,
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS back
FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid = $1::text::regclass
UNION ALL
SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
FROM pg_index WHERE indrelid = $1::text::regclass
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""
_MANY = 100_000


async def copy(connection: Connection, record: str, first: int, count: int) -> None:
    """Adds `count` records like this one; `first` is the number of the first of them."""
    async with connection.transaction():
        await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        for table in [row["table_name"] for row in await connection.fetch(_KEPT)]:
            columns = [row["column_name"] for row in await connection.fetch(_COLUMNS, table)]
            changed = _changed(table, columns)
            if changed:
                said = {
                    "table": table,
                    "columns": ", ".join(f'"{name}"' for name in columns),
                    "values": ", ".join(changed.get(name, f'original."{name}"') for name in columns),
                    "key": next(iter(changed)),
                    "record": record,
                }
                statement = _COPY.format(**said, first=first, last=first + count - 1)
                indexes = await connection.fetch(_INDEXES, table) if count > _MANY else []
                # Rows that are there already are indexed much faster than each as it comes.
                for index in indexes:
                    await connection.execute(index["gone"])
                await connection.execute(statement)
                for index in indexes:
                    await connection.execute(index["back"])


async def settle(connection: Connection) -> None:
    """As a server stands after a while: counted, and with nothing left to write."""
    tables = [f'"{row["table_name"]}"' for row in await connection.fetch(_KEPT)]
    await connection.execute(f"VACUUM ANALYZE {', '.join(tables)}")
    await connection.execute("CHECKPOINT")


def _changed(table: str, columns: Sequence[str]) -> Mapping[str, str]:
    """What differs from copy to copy, the record's id first; nothing where a table holds none of its rows."""
    if table in _TABLES:
        return _TABLES[table]
    if columns[0] != "id" or table == "incarnations":
        return {}
    others = {"created_at": _EARLIER, "updated_at": _EARLIER, "sealed_for": _STREAM, "customer_id": _CUSTOMER}
    return {"id": _STREAM} | {name: value.format(name) for name, value in others.items() if name in columns}
