"""What a committer does when it cannot do everything at once: deadlines, queues, slices, and its own end."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg
import pytest
from kernel.domain.errors import Conflict
from kernel.storage.aggregate import Intent
from kernel.storage.batch import Postponed
from kernel.storage.committer import Committer
from kernel.storage.database import Database
from kernel.storage.failures import OutcomeUnknown, Overloaded, Unavailable
from kernel.storage.waiting import MOST_BULK, MOST_INTENTS
from kernel.testing.toy_note import Count, WriteNote

from tests.kernel.toys import ADA, BOB, Toy, eventually, handled, on, settled


def notes(count: int) -> list[Intent]:
    return [on(uuid4(), WriteNote()) for _ in range(count)]


async def nothing(connection: asyncpg.Connection) -> None:
    """The caller has no work of its own."""


async def batches(toy: Toy) -> list[int]:
    found = await toy.rows("SELECT count(*) AS n FROM events GROUP BY xmin::text::int ORDER BY min(position)")
    return [row["n"] for row in found]


async def test_whoever_waits_too_long_for_the_lock_is_told_what_is_known(toy: Toy) -> None:
    committer = await toy.committer(patience=0.5)
    async with toy.lock_held():
        tried = on(ADA, WriteNote(), key="tried")
        attempted = asyncio.create_task(committer.submit(tried))
        await asyncio.sleep(0.1)
        queued = asyncio.create_task(committer.submit(on(BOB, WriteNote())))
        await asyncio.wait([attempted, queued], timeout=3)
        assert isinstance(attempted.exception(), OutcomeUnknown)
        assert isinstance(queued.exception(), Unavailable)
    # The same key sent again tells; what was only queued has not been done.
    assert (await committer.submit(tried)).version == 1
    assert await toy.history(ADA) == ["NoteWritten"]
    assert await toy.history(BOB) == []


async def test_a_database_that_is_not_there_is_told_and_comes_back(toy: Toy) -> None:
    gone = Database(toy.dsn.replace(toy.name, "not_there"))
    committer = await toy.committer(gone, patience=0.5)
    (outcome,) = await settled(committer.submit(on(ADA, WriteNote())))
    await gone.close()
    assert isinstance(outcome, OutcomeUnknown | asyncpg.InvalidCatalogNameError)


async def test_more_than_the_queue_holds_is_refused_at_once_and_the_rest_is_served(toy: Toy) -> None:
    committer = await toy.committer(most_waiting=5)
    outcomes = await settled(*map(committer.submit, notes(20)))
    assert [type(outcome) for outcome in outcomes[5:]] == [Overloaded] * 15
    handled(outcomes[:5])
    assert await toy.count("events") == 5


async def test_a_long_load_goes_in_slices_and_lets_single_commands_through(toy: Toy) -> None:
    committer = await toy.committer()
    load = asyncio.create_task(committer.submit_all(notes(1000)))
    await eventually(lambda: _some(toy))
    single = await committer.submit(on(ADA, WriteNote()))
    assert not load.done()
    assert single.position < 1000
    handled(await load)
    assert max(await batches(toy)) <= MOST_INTENTS


async def test_single_commands_do_not_starve_a_load(toy: Toy) -> None:
    committer = await toy.committer(most_waiting=5000)
    singles = [asyncio.create_task(committer.submit(one)) for one in notes(MOST_BULK * 10)]
    load = asyncio.create_task(committer.submit_all(notes((MOST_INTENTS - MOST_BULK) * 3)))
    handled(await load)
    assert sum(task.done() for task in singles) <= MOST_INTENTS + MOST_BULK * 4
    await asyncio.wait(singles)


async def test_one_outcome_for_each_of_a_load_in_its_order(toy: Toy) -> None:
    committer = await toy.committer()
    ids: list[UUID] = [uuid4() for _ in range(300)]
    load = [on(i, WriteNote() if n % 3 else Count()) for n, i in enumerate(ids)]
    for n, outcome in enumerate(await committer.submit_all(load)):
        if n % 3:
            assert not isinstance(outcome, Exception)
            assert outcome.stream_id == ids[n]
        else:
            assert isinstance(outcome, Exception)


async def test_who_leaves_before_the_answer_disturbs_nobody(toy: Toy) -> None:
    committer = await toy.committer()
    async with toy.lock_held():
        leaving = asyncio.create_task(committer.submit(on(ADA, WriteNote(), key="left")))
        staying = asyncio.create_task(committer.submit(on(BOB, WriteNote())))
        await asyncio.sleep(0.05)
        (second,) = await settled(committer.submit(on(ADA, WriteNote(), key="left")))
        assert isinstance(second, Conflict)
        leaving.cancel()
        await asyncio.wait([leaving])
    handled([await staying, await committer.submit(on(ADA, WriteNote(), key="left"))])
    assert await toy.history(ADA) == ["NoteWritten"]


async def test_a_batch_of_ones_own_is_one_transaction_with_ones_own_work(toy: Toy) -> None:
    committer = await toy.committer()

    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute("INSERT INTO published_types VALUES ('mine', 1)")

    outcomes = await committer.run_alone([on(ADA, WriteNote()), on(BOB, Count())], work)
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True]
    assert await toy.value("SELECT p.xmin = e.xmin FROM published_types p, events e")

    async def fail(connection: asyncpg.Connection) -> None:
        await work(connection)
        raise LookupError("someone else has it")

    await toy.rows("TRUNCATE published_types")
    with pytest.raises(LookupError):
        await committer.run_alone([on(BOB, WriteNote())], fail)
    assert (await toy.count("published_types"), await toy.count("events")) == (0, 1)
    handled([await committer.submit(on(BOB, WriteNote()))])


async def test_who_leaves_a_batch_of_ones_own_disturbs_nobody(toy: Toy) -> None:
    committer = Committer(toy.database, toy.catalog, patience=1)
    committer.start()
    async with toy.lock_held():
        leaving = asyncio.create_task(committer.run_alone([on(ADA, WriteNote())], nothing))
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.wait([leaving])
    outcomes = await settled(committer.submit(on(BOB, WriteNote())))
    await _end(committer)
    handled(outcomes)


async def test_a_batch_of_ones_own_is_done_whole(toy: Toy) -> None:
    committer = await toy.committer()
    heavy = [on(uuid4(), WriteNote(), weight=3_000_000) for _ in range(3)]
    outcomes = await committer.run_alone(heavy, nothing)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Postponed)]


async def test_a_committer_that_stops_finishes_a_batch_of_ones_own(toy: Toy) -> None:
    committer = Committer(toy.database, toy.catalog)
    committer.start()
    async with toy.lock_held():
        alone = asyncio.create_task(committer.run_alone([on(ADA, WriteNote())], nothing))
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(committer.stop())
        await asyncio.sleep(0.05)
    await asyncio.wait([stopping, alone], timeout=2)
    done = alone.done()
    alone.cancel()
    assert done


async def test_a_committer_that_stops_answers_everyone_first(toy: Toy) -> None:
    committer = Committer(toy.database, toy.catalog)
    committer.start()
    asked = [asyncio.create_task(committer.submit(one)) for one in notes(300)]
    await asyncio.sleep(0)
    await committer.stop()
    handled(await settled(*asked))
    assert await toy.count("events") == 300


async def _some(toy: Toy) -> bool:
    return await toy.count("events") > 0


async def _end(committer: Committer) -> None:
    tasks: Sequence[asyncio.Task[None]] = committer._tasks
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.gather(*tasks, return_exceptions=True)
    committer._drop_connection()
