"""A view is made again by one at a time, and what an interrupted rebuild has left never stands in the way."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from analytics.views import deals, sources
from kernel.messaging.cells import AnyCells
from kernel.messaging.making import AnotherRebuild
from kernel.messaging.rebuild import NotEqual, rebuild
from kernel.messaging.rebuild_cells import CellsTarget
from kernel.messaging.received import Received
from kernel.storage.database import Connection

from tests.analytics.telling import SHANGHAI, Teller, in_batches
from tests.analytics.worlds import world

KATHMANDU = ZoneInfo("Asia/Kathmandu")


class Stopped(Exception):
    pass


class Watched(CellsTarget):
    """Something happens before the proof."""

    def __init__(self, happens: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(deals, Received(sources), SHANGHAI)
        self._happens = happens

    async def differences(self, connection: Connection, version: int, upto: int) -> int:
        await self._happens()
        return await super().differences(connection, version, upto)


@pytest.fixture
async def told(teller: Teller) -> Teller:
    random = Random(7)
    for batch in in_batches(teller.records(world(random, 12).histories, random), random):
        await teller.hear(batch)
    return teller


async def make_again(
    teller: Teller, view: AnyCells = deals, zone: ZoneInfo = SHANGHAI, target: CellsTarget | None = None
) -> int:
    target = target or CellsTarget(view, Received(sources), zone)
    return await rebuild(teller.database, target, lambda done, total: None)


async def leave_begun(teller: Teller, view: AnyCells = deals, zone: ZoneInfo = SHANGHAI) -> None:
    """Filled and not yet proved, as by a process that was killed there."""

    async def stop() -> None:
        raise Stopped

    target = Watched(stop)
    target._view, target._zone, target.parameters = view, zone, str(zone)
    with pytest.raises(Stopped):
        await rebuild(teller.database, target, lambda done, total: None)


async def cells(teller: Teller, version: int) -> list[tuple[str, list[int]]]:
    async with teller.database.driver() as connection:
        rows = await connection.fetch(f"SELECT key, numbers FROM deals_cells_{version} ORDER BY key")
    return [(row["key"], row["numbers"]) for row in rows]


async def run(teller: Teller, statement: str) -> None:
    async with teller.database.driver() as connection:
        await connection.execute(statement)


async def test_whoever_comes_second_is_told_so_and_the_first_goes_on(told: Teller) -> None:
    refused: list[str] = []

    async def another() -> None:
        with pytest.raises(AnotherRebuild) as answer:
            await make_again(told)
        refused.append(str(answer.value))

    assert await make_again(told, target=Watched(another)) == 2
    assert refused == ["another rebuild of deals is under way"]
    assert await cells(told, 2) == await cells(told, 1) != []
    assert await make_again(told) == 3


async def test_what_was_begun_for_another_zone_is_not_gone_on_with(told: Teller) -> None:
    await leave_begun(told, zone=KATHMANDU)
    assert await cells(told, 2) not in ([], await cells(told, 1))
    assert await make_again(told) == 3
    assert await cells(told, 3) == await cells(told, 1)
    assert await cells(told, 2) == []


async def test_what_another_release_has_filled_otherwise_is_made_anew(told: Teller) -> None:
    def doubled(state: Any, zone: ZoneInfo) -> Any:
        return {key: tuple(2 * n for n in numbers) for key, numbers in deals.contribute(state, zone).items()}

    await leave_begun(told, view=replace(deals, contribute=doubled))
    assert await cells(told, 2) != await cells(told, 1)
    assert await make_again(told) == 2
    assert await cells(told, 2) == await cells(told, 1)


async def test_a_proof_that_has_failed_is_no_dead_end(told: Teller) -> None:
    async def harm() -> None:
        await run(told, "INSERT INTO deals_cells_2 VALUES ('nobody', '{1}')")

    with pytest.raises(NotEqual):
        await make_again(told, target=Watched(harm))
    assert await make_again(told) == 2
    assert await cells(told, 2) == await cells(told, 1)
