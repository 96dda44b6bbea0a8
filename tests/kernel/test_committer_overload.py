"""A committer that is asked for more than it can do: what it takes on stays quick, what it refuses costs nothing."""

import asyncio
import time
from statistics import median
from uuid import uuid4

from kernel.storage.aggregate import Intent
from kernel.storage.committer import Committer
from kernel.storage.failures import Overloaded
from kernel.storage.waiting import MOST_INTENTS
from kernel.testing.toy_note import WriteNote

from tests.kernel.toys import Toy, handled, on, settled

LIMIT = 200
# What is in hand when one asks, what is taken with it, and the same once more for a busy machine.
MOST_BETWEEN = 4 * MOST_INTENTS


def notes(count: int) -> list[Intent]:
    return [on(uuid4(), WriteNote()) for _ in range(count)]


async def test_a_load_that_finds_no_room_is_refused_at_once_and_whole(toy: Toy) -> None:
    committer = await toy.committer(most_waiting=LIMIT)
    async with toy.lock_held():
        first = asyncio.create_task(committer.submit_all(notes(LIMIT)))
        await asyncio.sleep(0.05)
        # Some of the first are in hand already, and their places are free.
        second = asyncio.create_task(committer.submit_all(notes(LIMIT)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            refused = await committer.submit_all(notes(LIMIT * 5))
        assert [type(outcome) for outcome in refused] == [Overloaded] * (LIMIT * 5)
        assert not first.done()
    handled(await first)
    taken = [outcome for outcome in await second if not isinstance(outcome, Overloaded)]
    assert len(handled(taken)) <= MOST_INTENTS
    assert await toy.count("events") == LIMIT + len(taken)


async def test_loads_and_single_commands_take_no_room_from_each_other(toy: Toy) -> None:
    committer = await toy.committer(most_waiting=LIMIT)
    async with toy.lock_held():
        load = asyncio.create_task(committer.submit_all(notes(LIMIT)))
        singles = [asyncio.create_task(committer.submit(one)) for one in notes(LIMIT)]
        await asyncio.sleep(0.05)
    handled(await load)
    handled(await settled(*singles))


async def test_who_leaves_a_load_makes_room_for_the_next(toy: Toy) -> None:
    committer = await toy.committer(most_waiting=LIMIT)
    async with toy.lock_held():
        leaving = [asyncio.create_task(committer.submit_all(notes(LIMIT // 2))) for _ in range(3)]
        await asyncio.sleep(0.05)
        for load in leaving:
            load.cancel()
        await asyncio.wait(leaving)
    handled(await committer.submit_all(notes(LIMIT)))
    # What was in hand when they left, and nothing of what waited.
    assert await toy.count("events") <= LIMIT + MOST_INTENTS


async def test_what_is_taken_on_is_as_quick_as_without_those_who_are_refused(toy: Toy) -> None:
    committer = await toy.committer(most_waiting=LIMIT)
    await _wave(committer, 0)
    alone = median([await _wave(committer, 0) for _ in range(3)])
    crowded = median([await _wave(committer, LIMIT * 5) for _ in range(3)])
    # Both on the same machine at the same time; a queue that took them all would be six times as long.
    assert crowded < alone * 4 + 0.1


async def test_single_commands_go_on_while_two_loads_never_end(toy: Toy) -> None:
    committer = await toy.committer()

    async def load_for_ever() -> None:
        while True:
            handled(await committer.submit_all(notes(1000)))

    loads = [asyncio.create_task(load_for_ever()) for _ in range(2)]
    between = []
    await asyncio.sleep(0.1)
    for _ in range(8):
        asked_at = await toy.value("SELECT coalesce(max(position), 0) FROM events")
        between.append((await committer.submit(on(uuid4(), WriteNote()))).position - asked_at)
    for load in loads:
        assert not load.done()
        load.cancel()
    await asyncio.wait(loads)
    assert max(between) <= MOST_BETWEEN, between


async def test_nothing_is_left_of_those_who_were_answered_or_refused(toy: Toy) -> None:
    committer = await toy.committer(most_waiting=LIMIT)
    await settled(*map(committer.submit, notes(LIMIT * 10)))
    await committer.submit_all(notes(LIMIT * 2))
    queues = committer._queues
    assert queues.idle
    assert not queues._answers


async def _wave(committer: Committer, crowd: int) -> float:
    """How long they take for whom there is room; the crowd behind them is refused."""
    asked, refused = notes(LIMIT), notes(crowd)
    began = time.perf_counter()
    taken = [asyncio.create_task(committer.submit(one)) for one in asked]
    others = [asyncio.create_task(committer.submit(one)) for one in refused]
    handled(await settled(*taken))
    took = time.perf_counter() - began
    assert [type(outcome) for outcome in await settled(*others)] == [Overloaded] * crowd
    return took
