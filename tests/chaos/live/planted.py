"""`python -m tests.chaos.live.planted NAME serve …`: the product's command line with one bug in it.

Each bug is a function or a class of the product replaced before anything starts; the product has no setting for any.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg
from crm.main import app
from kernel.messaging import heartbeats, progress
from kernel.messaging import relay as relay_
from kernel.messaging.followers import Follower
from kernel.messaging.relay import Relay
from kernel.storage import committer, log, parameters, writes
from kernel.storage import lease as lease_
from kernel.storage.batch import Batch, Outcome, Within
from kernel.storage.database import Connection, Database
from kernel.storage.lease import Lease

from tests.chaos.simulation.planted_readers import (
    apply_after_checkpoint,
    no_fence,
)
from tests.chaos.simulation.planted_writers import begin_without_lock

Replacement = tuple[Any, str, Any]
# Between an answer and what it should have waited for.
LATE = 0.15
_begin, _write, _claims = log.begin, writes.write, parameters.claims
_pass_on, _save = Relay._pass_on, progress.save
_begin_text, _begin_17_text = log._BEGIN, log._BEGIN_17


class _EagerConnection:
    """Takes a COMMIT that it means to send for one that was done."""

    underway: "dict[int, asyncio.Task[str]]" = {}  # noqa: RUF012

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, *values: Any) -> str:
        if sql != "COMMIT":
            said: str = await self._connection.execute(sql, *values)
            return said
        self.underway[id(self._connection)] = asyncio.create_task(self._commit())
        return sql

    async def _commit(self) -> str:
        await asyncio.sleep(LATE)
        said: str = await self._connection.execute("COMMIT")
        return said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class EagerBatch(Batch):
    def __init__(self, connection: Connection, *said: Any) -> None:
        super().__init__(_EagerConnection(connection), *said)


async def begin_when_idle(connection: Connection) -> None:
    if underway := _EagerConnection.underway.pop(id(connection), None):
        await underway
    await _begin(connection)


_CLAIM = """
INSERT INTO idempotency (principal, key, fingerprint, command_id, status, stream_id, version)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[], $5::smallint[], $6::uuid[], $7::int[])
"""
_later: dict[int, list[Any]] = {}


def no_claims(_: Any) -> list[Any]:
    return []


async def write_without_claims(connection: Any, catalog: Any, known: Any, decisions: Any) -> Any:
    _later[id(connection)] = list(_claims(decisions))
    return await _write(connection, catalog, known, decisions)


class LateClaims(Batch):
    async def run(self, within: Within | None = None) -> list[Outcome]:
        outcomes = await super().run(within)
        if claims := _later.pop(id(self._connection), []):
            await asyncio.sleep(LATE)
            await _begin(self._connection)
            await self._connection.execute(_CLAIM, *zip(*claims, strict=True))
            await self._connection.execute("COMMIT")
        return outcomes


_unsent: "dict[Any, tuple[Any, Sequence[Any]]]" = {}


class _Later:
    """Knows no offsets, because it has not sent anything yet."""

    def __init__(self, outlet: Any) -> None:
        self._outlet = outlet

    async def send(self, records: Sequence[Any], _: object) -> list[None]:
        _unsent[asyncio.current_task()] = (self._outlet, records)
        return [None] * len(records)


async def pass_on_later(self: Any, connection: Connection, outlet: Any, *said: Any) -> Any:
    later: Any = _Later(outlet)
    return await _pass_on(self, connection, later, *said)


async def save_first(connection: Connection, *said: Any) -> None:
    await _save(connection, *said)
    outlet, records = _unsent.pop(asyncio.current_task(), (None, ()))
    if outlet and records:
        await asyncio.sleep(LATE)
        await outlet.send(records, {})


async def renew_whatever_is_held(database: Database, lease: Lease) -> None:
    """Never learns that somebody else has the lease."""
    while True:
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with database.driver() as connection:
                await connection.fetchval(lease_._RENEW, lease.name, lease.epoch)
        await asyncio.sleep(0.5)


def lazily(text: str) -> str:
    return text.replace("synchronous_commit = on", "synchronous_commit = off")


PLANTED: dict[str, Sequence[Replacement]] = {
    "append without the lock": ((log, "begin", begin_without_lock),),
    "synchronous_commit=off": (
        (log, "_BEGIN", lazily(_begin_text)),
        (log, "_BEGIN_17", lazily(_begin_17_text)),
    ),
    "answer before commit": ((committer, "Batch", EagerBatch), (log, "begin", begin_when_idle)),
    "idempotency row in a later transaction": (
        (committer, "Batch", LateClaims),
        (writes, "write", write_without_claims),
        (parameters, "claims", no_claims),
    ),
    "no fencing": (
        (Lease, "fence", no_fence),
        (lease_, "_renew", renew_whatever_is_held),
        # Heartbeats look for themselves.
        (heartbeats, "_NEWEST", heartbeats._NEWEST.replace("EXISTS (", "true OR EXISTS (")),
    ),
    "checkpoint saved before the rows": ((Follower, "_apply", apply_after_checkpoint),),
    "the relay's row saved before the acks": (
        (Relay, "_pass_on", pass_on_later),
        (relay_, "save", save_first),
    ),
}


def plant(name: str) -> None:
    for owner, attribute, instead in PLANTED[name]:
        setattr(owner, attribute, instead)


if __name__ == "__main__":
    plant(sys.argv.pop(1))
    app()
