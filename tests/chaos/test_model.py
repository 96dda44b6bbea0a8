"""The model itself: a database and processes that behave, and misbehave, as the real ones do."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from kernel.storage import lease, log

from tests.chaos.simulation import beginning
from tests.chaos.simulation.connection import ModelDatabase
from tests.chaos.simulation.loop import VirtualLoop
from tests.chaos.simulation.server import Server
from tests.chaos.simulation.statements import STATEMENTS
from tests.chaos.simulation.store import Store
from tests.chaos.simulation.world import TAUGHT


class Bench:
    """A loop, a server, and as many connections as a test wants, each of a process of its own."""

    def __init__(self) -> None:
        assert TAUGHT
        chance = random.Random(1)
        self.loop = VirtualLoop(chance)  # type: ignore[abstract]
        self.server = Server(self.loop, chance, Store(self.loop, chance, beginning.bank(1), 18), STATEMENTS)

    def run(self, play: Callable[["Bench"], Awaitable[None]]) -> None:
        async def whole() -> None:
            await play(self)

        self.loop.run(whole())

    async def connect(self, name: str = "somebody") -> Any:
        return await ModelDatabase(self.server, self.loop.process(name)).connect()


def test_a_killed_process_runs_not_one_more_line_that_anybody_could_notice() -> None:
    said: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1)
            said.append("went on")
        finally:
            await asyncio.sleep(1)
            said.append("cleaned up")

    async def play(bench: Bench) -> None:
        process = bench.loop.process("worker")
        process.spawn(work())
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.sleep(5)

    Bench().run(play)
    assert said == []


def test_a_stopped_process_goes_on_where_it_was_and_time_has_passed() -> None:
    woken: list[float] = []

    async def play(bench: Bench) -> None:
        async def work() -> None:
            await asyncio.sleep(1)
            woken.append(bench.loop.time())

        process = bench.loop.process("worker")
        process.spawn(work())
        await asyncio.sleep(0.5)
        process.stop()
        await asyncio.sleep(9.5)
        assert woken == []
        process.go_on()
        await asyncio.sleep(0.1)

    Bench().run(play)
    assert woken == [10.0]


def test_whoever_gets_the_lock_sees_what_its_holder_wrote() -> None:
    async def play(bench: Bench) -> None:
        one, other = await bench.connect(), await bench.connect()
        await log.begin(one)
        waiting = asyncio.ensure_future(log.begin(other))
        await log.new_incarnation(one, 7, 1, (7, 1))
        await asyncio.sleep(1)
        assert not waiting.done()
        await one.execute("COMMIT")
        await waiting
        assert (await log.head(other)).position == 6
        assert len(bench.server.store.tables["incarnations"]) == 2

    Bench().run(play)


def test_a_transaction_is_seen_by_nobody_else_and_is_gone_with_its_connection() -> None:
    async def play(bench: Bench) -> None:
        one, other = await bench.connect(), await bench.connect()
        await one.execute("BEGIN")
        assert await one.fetchval(lease._TAKE, "worker", "one") == 1
        taking = asyncio.ensure_future(other.fetchval(lease._TAKE, "worker", "other"))
        await asyncio.sleep(1)
        assert not taking.done()
        one.terminate()
        assert await taking == 1
        assert bench.server.store.tables["leases"]["worker"]["holder"] == "other"

    Bench().run(play)


def test_nobody_waits_for_a_lock_for_ever() -> None:
    async def play(bench: Bench) -> None:
        one, other = await bench.connect(), await bench.connect()
        await log.begin(one)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await log.begin(other)
        assert 8 <= bench.loop.time() < 9

    Bench().run(play)


def test_a_holder_that_has_fallen_silent_loses_its_transaction() -> None:
    async def play(bench: Bench) -> None:
        one = await bench.connect()
        await log.begin(one)
        await asyncio.sleep(2.1)
        bench.server.end_idle()
        with pytest.raises(asyncpg.InterfaceError):
            await one.execute("COMMIT")

    Bench().run(play)


def test_after_a_restart_nothing_is_left_of_open_transactions() -> None:
    async def play(bench: Bench) -> None:
        one = await bench.connect()
        await log.begin(one)
        await log.new_incarnation(one, 7, 1, (7, 1))
        bench.server.restart(1.0)
        with pytest.raises(asyncpg.InterfaceError):
            await one.execute("COMMIT")
        with pytest.raises(ConnectionRefusedError):
            await bench.connect()
        await asyncio.sleep(1.1)
        await bench.connect()
        assert len(bench.server.store.tables["incarnations"]) == 1

    Bench().run(play)
