"""A timer fires once, in the name of a rule, after its time; what is refused comes again later and less often."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from kernel.messaging.timers import Timers
from kernel.storage.lease import Lease, LeaseLost
from kernel.testing.toy_note import Count, Erase, WriteNote

from tests.kernel.toys import ADA, BOB, Toy, on

SOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture
async def lease(toy: Toy) -> AsyncIterator[Lease]:
    await toy.rows("INSERT INTO leases VALUES ('toy', 1, 'a test', now() + interval '1 hour')")
    toy.node.committer.start()
    toy.through = toy.node.committer
    yield Lease("toy", 1)
    await toy.node.committer.stop()


async def test_a_timer_fires_once_after_its_time_and_says_when_it_was_due(toy: Toy, lease: Lease) -> None:
    timers = Timers(toy.node)
    await toy.written(toy.through, ADA, remind_at=SOON)
    await toy.written(toy.through, BOB, remind_at=LATER)
    assert await timers.fire(lease) == 1
    assert await timers.fire(lease) == 0
    assert await toy.history(ADA) == ["NoteWritten", "NoteReminded"]
    assert await toy.history(BOB) == ["NoteWritten"]
    (row,) = await toy.rows("SELECT occurred_at, meta->>'actor' AS actor FROM events WHERE version = 2")
    assert (row["occurred_at"], row["actor"]) == (SOON, "timer")


async def test_a_timer_fires_once_across_restarts_and_two_holders(toy: Toy, lease: Lease) -> None:
    ids = [uuid4() for _ in range(200)]
    await toy.written(toy.through, *ids, remind_at=SOON)
    for _ in range(6):
        one = asyncio.create_task(Timers(toy.node).fire(lease))
        other = asyncio.create_task(Timers(toy.node).fire(lease))
        await asyncio.wait([one, other])
    assert await toy.value("SELECT count(*) FROM events WHERE type = 'NoteReminded'") == 200
    assert await toy.count("timers") == 0


async def test_what_the_state_no_longer_awaits_does_not_fire(toy: Toy, lease: Lease) -> None:
    await toy.written(toy.through, ADA, remind_at=SOON)
    await toy.through.submit(on(ADA, Erase()))
    assert await toy.count("timers") == 0
    assert await Timers(toy.node).fire(lease) == 0


async def test_a_timer_that_asks_for_another_one_is_due_again(toy: Toy, lease: Lease) -> None:
    await toy.written(toy.through, ADA, remind_at=SOON)
    await toy.through.submit(on(ADA, Count(by=3)))
    timers = Timers(toy.node)
    assert [await timers.fire(lease) for _ in range(3)] == [1, 1, 0]
    found = await toy.rows("SELECT occurred_at FROM events WHERE type = 'NoteReminded' ORDER BY version")
    assert [row["occurred_at"] - SOON for row in found] == [timedelta(0), timedelta(milliseconds=1)]


@pytest.mark.parametrize("count", [-2, -1], ids=["refused", "a fault in the code"])
async def test_a_timer_that_cannot_fire_comes_again_less_and_less_often(
    toy: Toy, lease: Lease, count: int
) -> None:
    await toy.written(toy.through, ADA, remind_at=SOON)
    await toy.through.submit(on(ADA, Count(by=count)))
    await toy.written(toy.through, BOB, remind_at=SOON)
    timers = Timers(toy.node)
    pauses = []
    for attempt in range(1, 4):
        assert await timers.fire(lease) >= 1
        (row,) = await toy.rows(
            "SELECT attempts, extract(epoch FROM next_try_at - clock_timestamp())::float AS s FROM timers"
        )
        assert row["attempts"] == attempt
        pauses.append(row["s"])
        assert await timers.fire(lease) == 0
        await toy.rows("UPDATE timers SET next_try_at = now()")
    assert pauses[0] < pauses[1] < pauses[2]
    assert await toy.history(BOB) == ["NoteWritten", "NoteReminded"]


async def test_a_timer_whose_fact_breaks_the_sql_holds_up_no_other(toy: Toy, lease: Lease) -> None:
    await toy.written(toy.through, ADA, BOB, remind_at=SOON)
    await toy.rows(
        "ALTER TABLE toy_lines_1 ADD CONSTRAINT poison CHECK "
        f"(NOT (kind = 'NoteReminded' AND note_id = '{ADA}'))"
    )
    try:
        for _ in range(3):
            try:
                await Timers(toy.node).fire(lease)
            except Exception:  # the worker begins again
                continue
    finally:
        await toy.rows("ALTER TABLE toy_lines_1 DROP CONSTRAINT poison")
    assert await toy.history(BOB) == ["NoteWritten", "NoteReminded"]


async def test_whoever_has_lost_the_lease_fires_nothing(toy: Toy, lease: Lease) -> None:
    await toy.through.submit(on(ADA, WriteNote(remind_at=SOON)))
    await toy.rows("UPDATE leases SET epoch = 2")
    with pytest.raises(LeaseLost):
        await Timers(toy.node).fire(lease)
    assert await toy.history(ADA) == ["NoteWritten"]
