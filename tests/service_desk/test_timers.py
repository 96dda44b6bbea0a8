"""A promised first reply that did not come is told once, by whoever holds the lease, across any restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import httpx
import pytest
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Role
from kernel.storage.database import Connection
from kernel.storage.migrations import upgrade
from kernel.testing.fixtures import api, make_settings, running
from kernel.testing.servers import fresh_database
from service_desk.app import create, service

from tests.service_desk.requests import register, step
from tests.support.requests import LONG_AGO, Json

# Nobody answers there: that contacts cannot be reached must not keep timers from firing.
NOWHERE = "contacts=http://127.0.0.1:9"
PATIENCE = 15.0
# Longer than the timers' poll, so that a second firing would be seen.
A_WHILE = 1.3


@pytest.fixture
async def own_url(postgres_server: EmbeddedPostgres) -> str:
    url = postgres_server.url(fresh_database(postgres_server))
    await upgrade(url, service.package, service.known_views, service.published_types)
    return url


@pytest.fixture
async def database(own_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(own_url.replace("+asyncpg", ""))
    yield connection
    await connection.close()


@asynccontextmanager
async def desk(url: str, role: Role = Role.ALL) -> AsyncIterator[httpx.AsyncClient]:
    """The service from its start to its end."""
    app = create(make_settings(url, role=role, feeds=NOWHERE))
    async with running(app), api(app) as client:
        yield client


async def until_overdue(client: httpx.AsyncClient, complaint: str) -> Json:
    async with asyncio.timeout(PATIENCE):
        while True:
            found: Json = (await client.get(f"/v1/complaints/{complaint}")).json()
            if found["reply_missed"]:
                return found
            await asyncio.sleep(0.05)


async def told(database: Connection, complaint: str) -> int:
    count: int = await database.fetchval(
        "SELECT count(*) FROM events WHERE stream_id = $1 AND type = 'FirstReplyOverdue'", complaint
    )
    return count


async def awaited(database: Connection) -> int:
    count: int = await database.fetchval("SELECT count(*) FROM timers")
    return count


async def test_a_missed_reply_is_told_once_with_its_due_time(own_url: str, database: Connection) -> None:
    async with desk(own_url) as client:
        made = await register(client, occurred_at=LONG_AGO)
        missed = await until_overdue(client, made["id"])
        assert (missed["overdue"], missed["version"], missed["status"]) == (True, 2, "open")
        assert await awaited(database) == 0
        timeline = (await client.get(f"/v1/complaints/{made['id']}/timeline")).json()["items"]
        assert (timeline[1]["type"], timeline[1]["actor"]) == ("FirstReplyOverdue", "timer")
        assert timeline[1]["occurred_at"] == timeline[1]["data"]["due_at"] == made["reply_due_at"]
        listed = (await client.get("/v1/complaints", params={"overdue": "true"})).json()["items"]
        assert [item["id"] for item in listed] == [made["id"]]
        records = (await client.get("/v1/feed")).json()
        assert [record["type"] for record in records] == [
            "crm.service-desk.complaint-registered.v1",
            "crm.service-desk.first-reply-overdue.v1",
        ]
        await asyncio.sleep(A_WHILE)
        assert await told(database, made["id"]) == 1


async def test_a_reply_that_came_in_time_and_is_told_after_the_timer_was_not_missed(own_url: str) -> None:
    async with desk(own_url) as client:
        made = await register(client, occurred_at=LONG_AGO)
        await until_overdue(client, made["id"])
        said = datetime.fromisoformat(made["reply_due_at"]) - timedelta(hours=1)
        replied = await step(client, made["id"], "send-first-reply", occurred_at=said.isoformat())
        assert (replied["reply_missed"], replied["overdue"]) == (False, False)


async def test_a_restart_tells_it_no_second_time(own_url: str, database: Connection) -> None:
    async with desk(own_url) as client:
        made = await register(client, occurred_at=LONG_AGO)
        await until_overdue(client, made["id"])
    for _ in range(2):
        async with desk(own_url) as client:
            await asyncio.sleep(A_WHILE)
            assert await told(database, made["id"]) == 1


async def test_what_fell_due_while_nobody_worked_is_told_after_the_restart(
    own_url: str, database: Connection
) -> None:
    async with desk(own_url, Role.API) as client:
        made = await register(client, occurred_at=LONG_AGO)
    async with desk(own_url, Role.API):
        await asyncio.sleep(A_WHILE)
    assert (await told(database, made["id"]), await awaited(database)) == (0, 1)
    async with desk(own_url) as client:
        await until_overdue(client, made["id"])
    async with desk(own_url):
        await asyncio.sleep(A_WHILE)
    assert (await told(database, made["id"]), await awaited(database)) == (1, 0)


async def test_two_workers_tell_it_once(own_url: str, database: Connection) -> None:
    async with desk(own_url) as first, desk(own_url):
        ids = [(await register(first, occurred_at=LONG_AGO))["id"] for _ in range(20)]
        for complaint in ids:
            await until_overdue(first, complaint)
        await asyncio.sleep(A_WHILE)
    assert [await told(database, complaint) for complaint in ids] == [1] * 20


async def test_what_is_not_due_waits_and_what_is_answered_is_awaited_no_more(
    own_url: str, database: Connection
) -> None:
    async with desk(own_url) as client:
        replied, resolved, waiting = [(await register(client))["id"] for _ in range(3)]
        assert await awaited(database) == 3
        await step(client, replied, "send-first-reply")
        await step(client, resolved, "resolve")
        await asyncio.sleep(A_WHILE)
        rows = await database.fetch("SELECT stream_id::text, kind, due_at, attempts FROM timers")
        assert [(row["stream_id"], row["kind"], row["attempts"]) for row in rows] == [
            (waiting, "first_reply", 0)
        ]
        assert await told(database, waiting) == 0
        await step(client, resolved, "reopen")
        assert await awaited(database) == 1
