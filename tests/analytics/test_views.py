"""What the tables hold after any hearing is what a plain count of the told facts finds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from analytics.retention.semantics import retention
from analytics.semantics import Cells, Numbers, Period
from analytics.views import complaints, customers, deals, orders, views
from contracts import opportunities as public
from kernel.domain.ids import new_id
from kernel.messaging import projecting
from kernel.messaging.cells import SEPARATOR, AnyCells
from kernel.messaging.sources import Place
from kernel.messaging.tracker import Withdrawal

from tests.analytics import complaint_oracle, oracle
from tests.analytics.folding import named
from tests.analytics.streams import TIMES
from tests.analytics.telling import SHANGHAI, Teller, in_batches
from tests.analytics.test_funnel_properties import NAMES as DEAL_NAMES
from tests.analytics.test_service_properties import NAMES as COMPLAINT_NAMES
from tests.analytics.worlds import World, world

ALWAYS = Period(TIMES[0].date().replace(year=2000), TIMES[0].date().replace(year=2100))
KATHMANDU = ZoneInfo("Asia/Kathmandu")


async def table(teller: Teller, view: AnyCells) -> Cells:
    async with teller.database.driver() as connection:
        rows = await connection.fetch(f'SELECT key, numbers FROM "{view.tables(1)[1]}"')
    cells: dict[tuple[str, ...], Numbers] = {
        tuple(row["key"].split(SEPARATOR)): tuple(row["numbers"]) for row in rows
    }
    assert all(any(numbers) for numbers in cells.values())
    return cells


async def parked(teller: Teller) -> list[tuple[str, UUID, int, str]]:
    async with teller.database.driver() as connection:
        rows = await connection.fetch(
            "SELECT follower, stream_id, position, error FROM parked ORDER BY position"
        )
        return [tuple(row) for row in rows]


async def must_be_counted(teller: Teller, told: World, zone: ZoneInfo) -> None:
    """The four tables against the counts that share no code with them."""
    assert named(await table(teller, deals), DEAL_NAMES) == oracle.funnel(told.deals, zone, oracle.Ask())
    assert named(await table(teller, complaints), COMPLAINT_NAMES) == complaint_oracle.complaints(
        told.complaints, zone
    )
    assert retained(await table(teller, customers), zone) == oracle.retention(told.orders, zone)
    assert sold(await table(teller, orders)) == sold_by_counting(told, zone)


def retained(cells: Cells, zone: ZoneInfo) -> oracle.Count:
    count: oracle.Count = Counter()
    for cohort in retention(cells, ALWAYS, TIMES[-1], zone).cohorts:
        for offset, (on, unbounded) in enumerate(zip(cohort.on, cohort.unbounded, strict=True)):
            count["on", cohort.month, offset] = on
            count["unbounded", cohort.month, offset] = unbounded
            for currency, revenue in cohort.revenue.items():
                count["revenue", cohort.month, offset, currency] = revenue[offset]
    return +count


def sold(cells: Cells) -> oracle.Count:
    return Counter(
        {key: numbers[0] * 10**9 + numbers[1] for key, numbers in cells.items() if key[1] == "all"}
    )


def sold_by_counting(told: World, zone: ZoneInfo) -> oracle.Count:
    count: oracle.Count = Counter()
    for history in told.orders:
        if len(history) == 1:
            fact, at = history[0]
            day = at.astimezone(zone).strftime("%Y-%m-%d")
            count["sales", "all", day, "", fact.currency] += 10**9 + fact.total_minor
    return count


@pytest.mark.parametrize("seed", range(6))
async def test_the_tables_are_what_a_plain_count_finds_however_the_records_come(url: str, seed: int) -> None:
    random = Random(seed)
    told, zone = world(random), random.choice([SHANGHAI, KATHMANDU])
    async with Teller(url, zone) as teller:
        for batch in in_batches(teller.records(told.histories, random), random):
            await teller.hear(batch)
        await must_be_counted(teller, told, zone)
        assert await parked(teller) == []


@pytest.mark.parametrize("most_refolded", [0, 20_000])
@pytest.mark.parametrize("seed", range(3))
async def test_a_restored_source_leaves_the_figures_of_what_was_not_withdrawn(
    teller: Teller, seed: int, most_refolded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By folding what is concerned anew, or everything; the withdrawal comes with records of all sources."""
    monkeypatch.setattr(projecting, "_MOST_REFOLDED", most_refolded)
    random = Random(seed)
    told = world(random)
    records = teller.records(told.histories, random)
    *batches, last = in_batches(records, random)
    for batch in batches:
        await teller.hear(batch)
    lost_above = random.randrange(len(told.deals), len(records) // 2)
    await teller.hear(last, [Withdrawal("opportunities", Place(new_id(), lost_above, ()))])
    await must_be_counted(teller, _kept(told, records, lost_above), SHANGHAI)


def _kept(told: World, records: Sequence[Any], lost_above: int) -> World:
    """The histories without what was told at a position above this one."""
    versions: Counter[UUID] = Counter(
        record.stream_id
        for record in records
        if record.source != "opportunities" or record.position <= lost_above
    )

    def cut(histories: list[Any], name: str) -> list[Any]:
        kept = [history[: versions[getattr(history[0][0], name)]] for history in histories]
        return [history for history in kept if history]

    return replace(told, deals=cut(told.deals, "opportunity_id"), orders=cut(told.orders, "order_id"))


async def test_a_view_parks_the_stream_it_cannot_take_and_the_others_flow(url: str) -> None:
    random = Random(7)
    told = world(random)
    victim = next(history for history in told.deals if len(history) > 4)
    poison = victim[2][0]

    def stumbling(state: Any, heard: Any) -> Any:
        if heard.fact == poison:
            raise ValueError("no such stage")
        return deals.project(state, heard)

    all_views: list[AnyCells] = list(views)
    with_fault: list[AnyCells] = [
        replace(view, project=stumbling) if view is deals else view for view in all_views
    ]
    async with Teller(url, with_views=with_fault) as teller:
        for batch in in_batches(teller.records(told.histories, random), random):
            await teller.hear(batch)

        left_out = await parked(teller)
        stream = victim[0][0].opportunity_id
        assert {(view, id) for view, id, _, _ in left_out} == {("deals", stream)}
        assert len(left_out) == len(victim) - 2
        assert left_out[0][3] == "ValueError('no such stage')"
        assert {error for _, _, _, error in left_out[1:]} == {"behind a parked record of the same stream"}
        without = [victim[:2] if history is victim else history for history in told.deals]
        await must_be_counted(teller, replace(told, deals=without), SHANGHAI)


async def test_a_body_that_does_not_fit_holds_up_its_stream_where_it_is_heard_and_nowhere_else(
    teller: Teller,
) -> None:
    told = world(Random(3))
    deal = told.deals[0][0][0].opportunity_id
    unheard = public.ExpectedCloseChanged(
        opportunity_id=deal, expected_close=None, previous_expected_close=None
    )
    records = teller.records([[(unheard, TIMES[3])], *told.histories])
    records[0] = replace(records[0], data={"expected_close": "soon"})
    ill = next(n for n, r in enumerate(records) if n and r.stream_id == told.deals[1][0][0].opportunity_id)
    records[ill] = replace(records[ill], data={})
    await teller.hear(records)
    assert {(view, stream) for view, stream, _, _ in await parked(teller)} == {
        ("deals", records[ill].stream_id)
    }
    await must_be_counted(teller, replace(told, deals=[told.deals[0], *told.deals[2:]]), SHANGHAI)


async def test_a_record_that_no_view_knows_is_stored_and_counts_nowhere(teller: Teller) -> None:
    told = world(Random(1))
    records = teller.records(told.histories)
    unknown = replace(records[0], type="crm.opportunities.something-new.v9", position=10_000)
    await teller.hear([*records, unknown])
    assert await teller.position() == len(records) + 1
    await must_be_counted(teller, told, SHANGHAI)


async def test_figures_do_not_depend_on_what_is_told_of_expected_closes(teller: Teller) -> None:
    told = world(Random(2))
    await teller.tell(*told.histories)
    deal = told.deals[0][0][0].opportunity_id
    moved = public.ExpectedCloseChanged(
        opportunity_id=deal, expected_close=None, previous_expected_close=None
    )
    await teller.tell([(moved, TIMES[3])])
    await must_be_counted(teller, told, SHANGHAI)
