"""One holder at a time: whoever lost the lease can no longer write, whoever has it keeps it while at work."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest
from kernel.storage.lease import Lease, LeaseLost, held

from tests.kernel.toys import Toy, eventually

# As the lease does it: first in the queue of those who would write, then the new epoch.
TAKE_OVER = """
WITH queue AS MATERIALIZED (SELECT name FROM leases WHERE name = 'work' FOR UPDATE)
UPDATE leases SET epoch = epoch + 1 FROM queue WHERE leases.name = queue.name RETURNING epoch
"""


async def test_after_a_successor_took_over_the_old_holders_fence_fails(toy: Toy) -> None:
    connection = await toy.connect()
    async with held(toy.database, "work") as (old, renewing):
        await old.fence(connection)
        # The old holder sleeps: its lease runs out in the database's clock.
        renewing.cancel()
        await toy.rows("UPDATE leases SET until = clock_timestamp() - interval '1 second'")
        async with held(toy.database, "work") as (new, _):
            assert new.epoch == old.epoch + 1
            await new.fence(connection)
            with pytest.raises(LeaseLost):
                await old.fence(connection)


async def test_the_old_holder_learns_that_it_has_lost_the_lease(toy: Toy) -> None:
    async with held(toy.database, "work") as (_, renewing):
        await toy.rows("UPDATE leases SET epoch = epoch + 1")
        await asyncio.wait([renewing], timeout=3)
        assert isinstance(renewing.exception(), LeaseLost)


async def test_a_lease_is_renewed_while_it_is_held_and_given_back_at_the_end(toy: Toy) -> None:
    async with held(toy.database, "work") as (first, renewing):
        waiting = asyncio.create_task(_take(toy))
        await asyncio.sleep(2.6)
        assert not waiting.done()
        assert not renewing.done()
    async with asyncio.timeout(1.5):
        assert await waiting == first.epoch + 1


async def test_a_successor_waits_for_the_transaction_of_the_holder(toy: Toy) -> None:
    connection = await toy.connect()
    async with held(toy.database, "work") as (lease, _):
        transaction = connection.transaction()
        await transaction.start()
        await lease.fence(connection)
        successor = asyncio.create_task(toy.rows(TAKE_OVER))
        await asyncio.sleep(0.2)
        assert not successor.done()
        await transaction.commit()
        assert (await successor)[0]["epoch"] == lease.epoch + 1


async def test_a_holder_keeps_the_lease_through_a_long_transaction_of_its_own(toy: Toy) -> None:
    connection = await toy.connect()
    async with held(toy.database, "work") as (lease, renewing):
        async with connection.transaction():
            await lease.fence(connection)
            await connection.execute("SELECT pg_sleep(2.5)")
        lost = renewing.done()
        with suppress(asyncio.CancelledError):
            assert not lost or renewing.exception() is None


async def test_who_stops_in_the_middle_of_a_fenced_transaction_holds_up_no_successor(toy: Toy) -> None:
    stopped = await toy.connect()
    async with held(toy.database, "work") as (lease, _):
        await stopped.execute("BEGIN")
        await lease.fence(stopped)
    async with asyncio.timeout(8), held(toy.database, "work") as (successor, _):
        assert successor.epoch > lease.epoch
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await stopped.execute("COMMIT")


async def test_of_many_who_want_it_one_has_it(toy: Toy) -> None:
    at_once, most = 0, 0

    async def work() -> None:
        nonlocal at_once, most
        async with held(toy.database, "work"):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.05)
            at_once -= 1

    async with asyncio.timeout(15):
        await asyncio.gather(*(work() for _ in range(4)))
    assert most == 1


async def test_a_lease_outlives_a_database_that_cannot_be_reached_at_first(toy: Toy) -> None:
    await toy.rows("ALTER TABLE leases RENAME TO hidden")
    taking = asyncio.create_task(_take(toy))
    await asyncio.sleep(0.2)
    await toy.rows("ALTER TABLE hidden RENAME TO leases")
    async with asyncio.timeout(3):
        assert await taking == 1


async def _take(toy: Toy) -> int:
    async with held(toy.database, "work") as (lease, _):
        assert isinstance(lease, Lease)
        await eventually(lambda: _is_held(toy, lease))
        return lease.epoch


async def _is_held(toy: Toy, lease: Lease) -> bool:
    return bool(await toy.value("SELECT epoch = $1 FROM leases", lease.epoch))
