"""Proving a service's database from outside its own claims: versions, the log's digest, every view against a fold."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from kernel.messaging import digest as digests
from kernel.messaging.rebuild import Target
from kernel.storage import log as log_
from kernel.storage.database import Connection, Database

PAGE = 2000
_GAPS = """
SELECT e.stream_id, count(*) AS facts, max(e.version) AS last, s.version AS stated
FROM events AS e LEFT JOIN streams AS s USING (stream_id)
GROUP BY e.stream_id, s.version
HAVING count(*) <> max(e.version) OR min(e.version) <> 1 OR s.version IS DISTINCT FROM max(e.version) LIMIT 20
"""
_DIGESTS = "SELECT position, digest FROM log_digests ORDER BY position"
_LIVE = "SELECT version FROM views WHERE name = $1 AND live"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, how much of it, and what is wrong (empty: nothing)."""

    check: str
    looked_at: int
    wrong: str = ""


async def verify(database: Database, targets: Sequence[Target]) -> AsyncIterator[Finding]:
    """Each finding as it is made. Reads one snapshot, so it may run beside a working service."""
    async with (
        database.driver() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield await _versions(connection)
        yield await _digest(connection)
        for target in targets:
            yield await _view(connection, target)


async def _versions(connection: Connection) -> Finding:
    streams = await connection.fetchval("SELECT count(*) FROM streams")
    gaps = await connection.fetch(_GAPS)
    wrong = ", ".join(f"{row['stream_id']}: {row['facts']} facts, last version {row['last']}" for row in gaps)
    return Finding("versions 1..n of every stream", streams, wrong)


async def _digest(connection: Connection) -> Finding:
    stated = {row["position"]: row["digest"] for row in await connection.fetch(_DIGESTS)}
    last, count, digest = max(stated, default=0), 0, digests.START
    good = position = 0
    while events := await log_.read_after(connection, position, PAGE):
        for event in events:
            if event.position > last:
                return Finding("digest of the log", count)
            position = event.position
            digest = digests.extend(digest, event)
            count += 1
            if position in stated:
                if stated[position] != digest:
                    return Finding(
                        "digest of the log", count, f"altered between positions {good + 1} and {position}"
                    )
                good = position
    missing = f"the log ends at {position}, below position {last} that a digest covers" if good < last else ""
    return Finding("digest of the log", count, missing)


async def _view(connection: Connection, target: Target) -> Finding:
    version = await connection.fetchval(_LIVE, target.name)
    if version is None:
        return Finding(f"view {target.name}", 0, "no version is live")
    head = await target.head(connection)
    different = await target.differences(connection, version, head)
    return Finding(
        f"view {target.name} version {version}", head, f"{different} rows differ" if different else ""
    )
