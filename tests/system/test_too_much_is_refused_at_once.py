"""More commands than one process takes on: the rest is told at once when to come again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from contacts import app as contacts
from fastapi import FastAPI
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Role
from kernel.storage.log import LOG_LOCK
from kernel.storage.migrations import upgrade
from kernel.testing.fixtures import make_settings, running, token
from kernel.testing.servers import fresh_database
from pydantic_core import from_json
from starlette.types import Message

MOST_WAITING = 2000
MORE = 100
# In seconds; whoever waits for the log is told after ten.
PATIENCE = 60
Answer = tuple[int, dict[str, str], Any]


@pytest.fixture
async def database(postgres_server: EmbeddedPostgres) -> str:
    name = fresh_database(postgres_server)
    said = contacts.service
    await upgrade(postgres_server.url(name), said.package, said.known_views, said.published_types)
    return name


@pytest.fixture
async def app(postgres_server: EmbeddedPostgres, database: str) -> AsyncIterator[FastAPI]:
    made = contacts.create(make_settings(postgres_server.url(database), role=Role.API))
    async with running(made):
        yield made


async def test_too_much_is_refused_at_once_and_the_rest_is_served(
    app: FastAPI, postgres_server: EmbeddedPostgres, database: str
) -> None:
    holder, observer = [await asyncpg.connect(postgres_server.dsn(database)) for _ in range(2)]
    # At work all the time: who holds the lock and sleeps is cut off.
    holding = asyncio.create_task(
        holder.execute(f"SELECT pg_advisory_xact_lock({LOG_LOCK}), pg_sleep({PATIENCE})")
    )
    while not await _is_held(observer):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    taken = [asyncio.create_task(_register(app)) for _ in range(MOST_WAITING + MORE)]
    while sum(task.done() for task in taken) < MORE // 2:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    # Nothing can be written: whoever is answered now was refused.
    refused = [task.result() for task in taken if task.done()]
    for status, headers, problem in refused:
        assert (status, problem["code"]) == (503, "OVERLOADED")
        assert headers["retry-after"] == "1"
    holding.cancel()
    await asyncio.wait([holding])
    await holder.close()
    await observer.close()
    statuses = Counter(status for status, _, _ in await asyncio.gather(*taken))
    assert statuses.keys() == {201, 503}
    # What is in hand when the queue is full has left it.
    assert MOST_WAITING <= statuses[201] < MOST_WAITING + MORE
    assert (await _register(app))[0] == 201


async def _is_held(observer: asyncpg.Connection) -> bool:
    found = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = $1)"
    return bool(await observer.fetchval(found, LOG_LOCK))


async def _register(app: FastAPI) -> Answer:
    """As the server calls the app: thousands at a time are too many for a client."""
    said = b'{"name": "Works"}'
    headers = {
        "authorization": f"Bearer {token()}",
        "content-type": "application/json",
        "content-length": str(len(said)),
        "idempotency-key": f"crowd-{uuid4()}",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/companies",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "app": app,
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": said, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, from_json(sent[1]["body"])
