"""A process that stops while it holds the log's lock is cut off within seconds; one that commits never is."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from kernel.storage.locks import cut_off_stopped_holder
from kernel.storage.log import LOG_LOCK
from kernel.testing.toy_note import WriteNote

from tests.kernel.toys import ADA, Toy, eventually, on

ROOT = Path(__file__).resolve().parents[2]


# What the server says of the holder when it has stopped at the moment that the test means.
STATES = {
    "idle": "state = 'idle in transaction'",
    "receiving": "state = 'active' AND wait_event = 'ClientWrite'",
    "sending": "state = 'active' AND wait_event = 'ClientRead'",
    "committing": "query = 'COMMIT' AND wait_event = 'PgSleep'",
}


@asynccontextmanager
async def stopped_holder(toy: Toy, how: str) -> AsyncIterator[int]:
    """The number of its backend."""
    command = [sys.executable, "-m", "tests.kernel.holder", toy.dsn, how]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout
        backend = int(await process.stdout.readline())
        if how == "committing":
            await eventually(lambda: holder_is(toy, backend, how))
        os.kill(process.pid, signal.SIGSTOP)
        await eventually(lambda: holder_is(toy, backend, how))
        yield backend
    finally:
        process.kill()
        await process.wait()


async def holder_is(toy: Toy, backend: int, how: str) -> bool:
    found = f"SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND {STATES[how]}"
    return bool(await toy.value(found, backend))


async def alive(toy: Toy, backend: int) -> bool:
    return bool(await toy.value("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", backend))


@pytest.mark.parametrize("how", ["idle", "receiving", "sending"])
async def test_who_stops_while_holding_the_lock_is_cut_off_and_the_next_one_proceeds(
    toy: Toy, how: str
) -> None:
    committer = await toy.committer()
    async with stopped_holder(toy, how) as backend:
        assert await toy.value(
            "SELECT count(*) FROM pg_locks WHERE pid = $1 AND objid = $2", backend, LOG_LOCK
        )
        begun = time.monotonic()
        answer = await committer.submit(on(ADA, WriteNote()))
        assert time.monotonic() - begun < 6
        assert answer.version == 1
        assert not await alive(toy, backend)


async def test_who_stops_while_its_commit_is_under_way_is_never_cut_off(toy: Toy) -> None:
    await toy.rows(
        "CREATE OR REPLACE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM pg_sleep(4); RETURN NULL; END$$"
    )
    await toy.rows(
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (NEW.type = 'Nothing') EXECUTE FUNCTION sleep()"
    )
    try:
        committer = await toy.committer()
        async with stopped_holder(toy, "committing") as backend:
            watching = asyncio.create_task(cut_off_stopped_holder(toy.database))
            answer = await committer.submit(on(ADA, WriteNote()))
            watching.cancel()
            # It has waited for longer than a stopped holder is given, and the commit before it stands.
            assert answer.position > 1
            assert await toy.count("events") == 2
            assert await alive(toy, backend)
            await asyncio.wait([watching])
    finally:
        await toy.rows("DROP TRIGGER slow ON events")


async def test_who_works_or_holds_another_lock_is_left_alone(toy: Toy) -> None:
    one, two = await toy.connect(), await toy.connect()
    await one.execute(f"BEGIN; SELECT pg_advisory_xact_lock({LOG_LOCK + 1})")
    await two.execute(f"BEGIN; SELECT pg_advisory_xact_lock(1, {LOG_LOCK})")
    async with toy.lock_held() as holder:
        watching = asyncio.create_task(cut_off_stopped_holder(toy.database))
        await holder.execute("SELECT pg_sleep(3.5)")
        watching.cancel()
        await asyncio.wait([watching])
        assert [await connection.fetchval("SELECT 1") for connection in (holder, one, two)] == [1, 1, 1]
