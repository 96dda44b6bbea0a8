"""A view made again from the log is the view that followed it, whatever was heard and whatever happens meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

import pytest
from analytics.views import deals, sources, views
from kernel.domain.ids import new_id
from kernel.messaging import proving, rereading
from kernel.messaging.cells import AnyCells
from kernel.messaging.rebuild import NotEqual, rebuild
from kernel.messaging.rebuild_cells import CellsTarget
from kernel.messaging.received import Received
from kernel.messaging.sources import Place
from kernel.messaging.tracker import Withdrawal
from kernel.storage.database import Connection

from tests.analytics.telling import SHANGHAI, Teller, in_batches
from tests.analytics.worlds import world

ALL: tuple[AnyCells, ...] = views
Act = Callable[[], Awaitable[Any]]


@pytest.fixture(autouse=True)
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the few records of a test are many pages, slices and shares."""
    monkeypatch.setattr(rereading, "PAGE", 3)
    monkeypatch.setattr(rereading, "SLICE", 7)
    monkeypatch.setattr(proving, "_MOST_STATES", 2)


class Disturbed(CellsTarget):
    """Something happens at moments of the making: before or after the proof, or after a page of catching up."""

    def __init__(self, view: AnyCells, **acts: Act) -> None:
        super().__init__(view, Received(sources), SHANGHAI)
        self._acts = acts

    async def fill(self, connection: Connection, version: int, after: int, upto: int) -> int:
        position = await super().fill(connection, version, after, upto)
        await self._act("caught_up")
        return position

    async def differences(self, connection: Connection, version: int, upto: int) -> int:
        await self._act("before")
        different = await super().differences(connection, version, upto)
        await self._act("after")
        return different

    async def _act(self, moment: str) -> None:
        if moment in self._acts:
            await self._acts.pop(moment)()


class Stopped(Exception):
    pass


async def make_again(teller: Teller, view: AnyCells, target: CellsTarget | None = None) -> int:
    target = target or CellsTarget(view, Received(sources), SHANGHAI)
    return await rebuild(teller.database, target, lambda done, total: None)


async def content(teller: Teller, view: AnyCells, version: int) -> str:
    """A hash of all states, cells and parked records."""
    states, cells = view.tables(version)
    digest: str = await value(
        teller,
        f"""SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
                SELECT id || ' ' || state AS line FROM "{states}"
                UNION ALL SELECT key || ' ' || numbers::text FROM "{cells}"
                UNION ALL SELECT source || ' ' || stream_id || ' ' || position || ' ' || error FROM parked
                          WHERE follower = '{view.name}' AND version = {version}) AS lines""",
    )
    return digest


async def live(teller: Teller, view: AnyCells) -> int:
    return int(await value(teller, f"SELECT version FROM views WHERE name = '{view.name}' AND live"))


async def value(teller: Teller, query: str) -> Any:
    async with teller.database.driver() as connection:
        return await connection.fetchval(query)


async def hear_all(teller: Teller, random: Random) -> None:
    for batch in in_batches(teller.records(world(random, 12).histories, random), random):
        await teller.hear(batch)


def withdrawal(above: int) -> Withdrawal:
    return Withdrawal("opportunities", Place(new_id(), above, ()))


@pytest.mark.parametrize("seed", range(6))
async def test_every_view_made_again_has_the_content_of_the_live_one(teller: Teller, seed: int) -> None:
    random = Random(seed)
    await hear_all(teller, random)
    if seed % 2:
        await teller.hear([], [withdrawal(random.randrange(20, 60))])
    for view in ALL:
        version = await make_again(teller, view)
        assert (version, await live(teller, view)) == (2, 2)
        assert await content(teller, view, 2) == await content(teller, view, 1)


@pytest.mark.parametrize("fault", ["in the fold", "in the contribution", "in the body"])
@pytest.mark.parametrize("seed", range(3))
async def test_what_is_parked_is_parked_again_and_the_rest_is_equal(url: str, seed: int, fault: str) -> None:
    random = Random(seed)
    told = world(random, 12)
    victim = next(history for history in told.deals if len(history) > 4)
    poison = victim[3][0]

    def stumble(state: Any, heard: Any) -> Any:
        if fault == "in the fold" and heard.fact == poison:
            raise ValueError("no such stage")
        return deals.project(state, heard)

    def miscount(state: Any, zone: Any) -> Any:
        if fault == "in the contribution" and state.turn >= 4 and state.created_at == victim[0][1]:
            raise LookupError("no such day")
        return deals.contribute(state, zone)

    faulty = replace(deals, project=stumble, contribute=miscount)
    async with Teller(url, with_views=[faulty if view is deals else view for view in ALL]) as teller:
        records = teller.records(told.histories, random)
        if fault == "in the body":
            name = sources["opportunities"].name(poison)
            unreadable = next(r for r in records if r.type == name and r.stream_id == poison.opportunity_id)
            records[records.index(unreadable)] = replace(unreadable, data={})
        for batch in in_batches(records, random):
            await teller.hear(batch)
        assert await value(teller, "SELECT count(*) FROM parked WHERE follower = 'deals'") > 0
        await make_again(teller, faulty)
        assert await content(teller, faulty, 2) == await content(teller, faulty, 1)


async def test_a_rebuild_that_was_stopped_goes_on_where_it_was(teller: Teller) -> None:
    await hear_all(teller, Random(3))
    target = CellsTarget(deals, Received(sources), SHANGHAI)
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == 2:
            raise Stopped

    def go_on(done: int, total: int) -> None:
        seen.append(done)

    with pytest.raises(Stopped):
        await rebuild(teller.database, target, stop)
    assert await live(teller, deals) == 1
    again = CellsTarget(deals, Received(sources), SHANGHAI)
    assert await rebuild(teller.database, again, go_on) == 2
    assert seen[2] > seen[1] > seen[0] > 0
    assert await content(teller, deals, 2) == await content(teller, deals, 1)


@pytest.mark.parametrize("when", ["before", "after", "caught_up"])
@pytest.mark.parametrize("what", ["more records", "a withdrawal", "both"])
async def test_what_happens_during_a_rebuild_is_in_the_new_version(
    teller: Teller, when: str, what: str
) -> None:
    random = Random(5)
    told = world(random, 12)
    records = teller.records(told.histories, random)
    of_deals = {history[0][0].opportunity_id for history in told.deals}
    first, half = len(records) // 3, len(records) // 2
    second = next(n for n in range(half, len(records)) if records[n].stream_id in of_deals)
    await teller.hear(records[:first])

    async def go_on() -> None:
        await teller.hear(records[first:second])

    async def happen() -> None:
        if what != "more records":
            await teller.hear([], [withdrawal(random.randrange(10, 20))])
        if what != "a withdrawal":
            await teller.hear(records[second:])

    acts: dict[str, Act] = {"after": go_on, when: happen}
    await make_again(teller, deals, Disturbed(deals, **acts))
    assert await live(teller, deals) == 2
    assert await content(teller, deals, 2) == await content(teller, deals, 1)
    # And it is the new version that follows from now on.
    await teller.tell(*world(Random(6), 3).complaints)
    await make_again(teller, deals)
    assert await content(teller, deals, 3) == await content(teller, deals, 2)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE deals_cells_2 SET numbers[1] = numbers[1] + 1 WHERE key = (SELECT min(key) FROM deals_cells_2)",
        "DELETE FROM deals_states_2 WHERE id = (SELECT id FROM deals_states_2 LIMIT 1)",
        "INSERT INTO deals_states_2 SELECT gen_random_uuid(), state FROM deals_states_2 LIMIT 1",
        "UPDATE deals_states_2 SET state = jsonb_set(state, '{turn}', '99') WHERE id IN"
        " (SELECT id FROM deals_states_2 LIMIT 1)",
        "INSERT INTO deals_cells_2 VALUES ('nobody', '{1}')",
    ],
    ids=["a wrong number", "a state too few", "a state too many", "a wrong state", "a cell too many"],
)
async def test_a_version_that_differs_in_anything_is_not_handed_over(teller: Teller, harm: str) -> None:
    await hear_all(teller, Random(2))

    async def hurt() -> None:
        async with teller.database.driver() as connection:
            await connection.execute(harm)

    with pytest.raises(NotEqual, match=r"^1 rows of deals version 2"):
        await make_again(teller, deals, Disturbed(deals, before=hurt))
    assert await live(teller, deals) == 1


async def test_a_long_stretch_that_no_view_knows_hides_nothing_behind_it(teller: Teller) -> None:
    random = Random(4)
    known = teller.records(world(random).histories, random)
    unknown = [
        replace(
            known[0], type="crm.opportunities.something-new.v9", position=10_000 + n, event_id=UUID(int=n)
        )
        for n in range(50)
    ]

    async def happen() -> None:
        await teller.hear(unknown)
        await teller.tell(*world(Random(8), 2).complaints)

    complaints = next(view for view in ALL if view.name == "complaints")
    await teller.hear(known)
    await make_again(teller, complaints, Disturbed(complaints, after=happen))
    assert await content(teller, complaints, 2) == await content(teller, complaints, 1)
