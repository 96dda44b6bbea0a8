"""Bugs of the writing side."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from kernel.storage import log, parameters, writes
from kernel.storage.batch import Batch, Outcome, Within
from kernel.storage.database import Connection
from kernel.storage.known import Missing, PersonKey
from kernel.storage.loading import _KEYS, Loader

from tests.chaos.simulation.server import Request, Server
from tests.chaos.simulation.statements import of_backend
from tests.chaos.simulation.store import LOG

LATE_LOCK = f"SELECT pg_advisory_xact_lock({log.LOG_LOCK})"
_begin, _write, _claims = log.begin, writes.write, parameters.claims
_load_missing = Batch._load_missing


@of_backend(LATE_LOCK)
def lock_late(server: Server, request: Request) -> int:
    server.store.lock(request.backend.begin(), LOG)
    return 0


async def begin_without_lock(connection: Connection) -> None:
    await connection.execute("BEGIN")


async def write_then_lock(connection: Connection, *said: Any) -> Any:
    recorded = await _write(connection, *said)
    await connection.execute(LATE_LOCK)
    return recorded


class _Eager:
    """Takes a COMMIT that was sent for one that was done."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str, *values: Any) -> str:
        if sql != "COMMIT":
            said: str = await self._connection.execute(sql, *values)
            return said
        self._connection.underway = asyncio.create_task(self._connection.execute(sql))
        return sql

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class EagerBatch(Batch):
    def __init__(self, connection: Connection, *said: Any) -> None:
        super().__init__(_Eager(connection), *said)


async def begin_when_idle(connection: Any) -> None:
    underway = getattr(connection, "underway", None)
    if underway is not None:
        await underway
    await _begin(connection)


_LATER: dict[int, list[Any]] = {}


def no_claims(_: Any) -> list[Any]:
    return []


async def write_without_claims(connection: Any, catalog: Any, known: Any, decisions: Any) -> Any:
    _LATER[id(connection)] = _claims(decisions)
    return await _write(connection, catalog, known, decisions)


class LateClaims(Batch):
    async def run(self, within: Within | None = None) -> list[Outcome]:
        outcomes = await super().run(within)
        claims = _LATER.pop(id(self._connection), [])
        if claims:
            await log.begin(self._connection)
            columns: list[Sequence[Any]] = [()] * 16
            await self._connection.fetch(writes._WRITE, *columns, *zip(*claims, strict=True))
            await self._connection.execute("COMMIT")
        return outcomes


async def load_keys_once(self: Loader, persons: Iterable[UUID]) -> None:
    """What this process has opened once it never asks for again."""
    cache: dict[UUID, PersonKey] = self._catalog.__dict__.setdefault("opened", {})
    wanted = [person for person in dict.fromkeys(persons) if person not in self.known.keys]
    self.known.keys.update({person: cache.get(person) for person in wanted})
    unknown = [person for person in wanted if person not in cache]
    for row in await self._connection.fetch(_KEYS, unknown) if unknown else ():
        person, wrapped = row["person_id"], row["wrapped_key"]
        plain = self._catalog.keyring.unwrap(person, wrapped) if wrapped is not None else None
        self.known.keys[person] = PersonKey(plain, row["shredded_at"] is not None)
        if plain is not None:
            cache[person] = PersonKey(plain, shredded=False)


async def nobody_has_it(self: Batch, missing: Missing) -> None:
    """What a value's holder is taken for is not looked up."""
    await _load_missing(self, replace(missing, unique=set()))
    self._known.unique.update(dict.fromkeys(missing.unique))
