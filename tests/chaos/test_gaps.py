"""What the simulation has found, each as short as it can be."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from kernel.domain.errors import Refused
from kernel.messaging import progress
from kernel.messaging.feed import Incarnation
from kernel.messaging.sources import Arrival, Bookmark, Bookmarks, Mark
from kernel.messaging.tracker import Tracker

from tests.chaos.simulation import domain, ids
from tests.chaos.simulation.beginning import OLD
from tests.chaos.simulation.nodes import BANK
from tests.chaos.simulation.plan import plan
from tests.chaos.simulation.server import Request
from tests.chaos.simulation.sinks import intent_of
from tests.chaos.simulation.world import World, build
from tests.kernel.model_source import START, STREAMS, ModelFeed, ModelSource, run


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    with ids.quiet(), ids.repeatable():
        yield


def scene(play: Callable[[World], Awaitable[None]]) -> None:
    """A company in which nothing happens by itself."""
    world = build(replace(plan(0), wishes=(), faults=()))

    async def whole() -> None:
        world.start_all()
        await asyncio.sleep(0.2)
        await play(world)

    world.loop.run(whole())


async def add(world: World, api: int, by: int, ref: str) -> None:
    intent = intent_of((domain.account, OLD[0], domain.Add(ref=ref, by=by)), key=ref)
    await world.apis[api].submit(intent)


def test_what_was_refused_is_not_done_later_by_a_process_that_had_stopped_with_it() -> None:
    async def play(world: World) -> None:
        stopped = world.apis[0].process
        first = asyncio.ensure_future(add(world, 0, -50, "spend"))
        await asyncio.sleep(0)
        stopped.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(first), 3)
        with pytest.raises(Refused):
            await add(world, 1, -50, "spend")
        await add(world, 1, 100, "earn")
        stopped.go_on()
        with suppress(Exception):
            await first
        facts = [event["data"] for event in world.bank.store.tables["events"].values()]
        assert not [data for data in facts if '"spend"' in data]

    scene(play)


def test_a_worker_that_stops_inside_its_fenced_transaction_does_not_hold_up_its_successor() -> None:
    async def play(world: World) -> None:
        stopped: list[Request] = []

        def stop_while_saving(request: Request) -> bool:
            if request.sql == progress._SAVE and not stopped:
                stopped.append(request)
                request.backend.process.stop()
            return False

        world.bank.intercepts.append(stop_while_saving)
        await add(world, 0, 1, "first")
        await asyncio.sleep(2)
        await add(world, 0, 1, "second")
        for _ in range(10):
            await asyncio.sleep(1)
            world.bank.end_idle()
        row = world.bank.store.tables["relay"][BANK.topic]
        assert stopped
        assert row["position"] == world.bank.store.order["events"][-1]

    scene(play)


def test_a_source_that_is_quiet_after_a_restore_is_known_to_be_complete() -> None:
    source = ModelSource(random.Random(0))
    source.write(5)
    known, again = source.incarnations[0].id, UUID(int=200)
    source.incarnations.append(Incarnation(again, source.head, 3))
    bookmarks = Bookmarks({0: Bookmark(known, source.head)})
    tracker = Tracker("model", bookmarks, ModelFeed(source))
    at = START + timedelta(hours=1)
    run(tracker.take(Arrival([Mark(0, again, source.head, source.head, offset=9, at=at)])))
    assert tracker.bookmarks.of(0).at == at


def test_a_record_that_still_counts_after_two_restores_is_not_applied_twice() -> None:
    source = ModelSource(random.Random(0), gaps=False)
    source.write(16, STREAMS[0])
    source.incarnations.append(Incarnation(UUID(int=200), 16, 3))
    source.write(1, STREAMS[0])
    # The second backup has 17, and not 18, which the reader has had as well.
    source.incarnations.append(Incarnation(UUID(int=300), 17, 3))
    number = source.partition(STREAMS[0])
    bookmarks = Bookmarks({number: Bookmark(UUID(int=200), 18)})
    tracker = Tracker("model", bookmarks, ModelFeed(source, page=100))
    old, held = (replace(source.log[at - 1], previous=at - 1) for at in (14, 17))
    taken = run(tracker.take(Arrival([(old, 1), (held, 2)])))
    assert [record.position for record in taken.records] == []


def test_a_record_that_fills_the_gap_of_a_heartbeat_from_before_a_restore_is_not_applied_twice() -> None:
    source = ModelSource(random.Random(0), gaps=False)
    source.write(15, STREAMS[0])
    known, again = source.incarnations[0].id, UUID(int=200)
    source.incarnations.append(Incarnation(again, 15, 3))
    source.write(1, STREAMS[0])
    number = source.partition(STREAMS[0])
    tracker = Tracker("model", Bookmarks({number: Bookmark(known, 15)}), ModelFeed(source, page=100))
    applied = run(tracker.take(Arrival([Mark(number, known, 17, 16, offset=1)]))).records
    held = replace(source.log[-1], previous=15)
    applied += run(tracker.take(Arrival([(held, 2)]))).records
    assert [record.position for record in applied] == [16]
