"""The rules of the sales figures, each with an example, and an order's life in any sequence."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.kpis.semantics import (
    BLANK,
    Order,
    OrderFact,
    as_at,
    attainment,
    cells_of,
    contribute,
    key,
    project,
    sales,
)
from analytics.semantics import Period
from contracts import opportunities as public
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.analytics.folding import filled, follow
from tests.analytics.order_streams import cancelled_order, order_histories
from tests.analytics.streams import History, batches, heard, interleaved, zones

ORDER = TypeAdapter(Order)
ADA = UUID(int=0xB0)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MAY = Period(date(2024, 5, 1), date(2024, 6, 1))
PLACED_AT = datetime(2024, 5, 31, 15, 59, tzinfo=UTC)
PLACED = public.OrderPlaced(
    order_id=UUID(int=1),
    customer_id=UUID(int=2),
    opportunity_id=None,
    owner_id=ADA,
    owner_team="north",
    currency="CNY",
    total_minor=200_00,
    lines=(),
    product_cost_minor=70_00,
    sales_cost_minor=20_00,
    service_cost_minor=10_00,
)
CANCELLED = cancelled_order(UUID(int=1), UUID(int=2))


def order(*facts: OrderFact, at: datetime = PLACED_AT) -> Order:
    state = BLANK
    for record in heard([(fact, at) for fact in facts]):
        state = project(state, record)
    return state


def test_an_order_of_two_hundred_that_cost_a_hundred_has_a_cost_ratio_of_half() -> None:
    (row,) = sales(cells_of([order(PLACED)], SHANGHAI), MAY, SHANGHAI).rows
    assert (row.orders, row.sales_minor, row.cost_minor, row.cost_ratio) == (1, 200_00, 100_00, 0.5)


def test_the_cost_ratio_of_many_is_that_of_the_sums() -> None:
    small = replace(
        PLACED, total_minor=10_00, product_cost_minor=10_00, sales_cost_minor=0, service_cost_minor=0
    )
    (row,) = sales(cells_of([order(PLACED), order(small)], SHANGHAI), MAY, SHANGHAI, breakdown="team").rows
    assert (row.value, row.cost_ratio) == ("north", 110 / 210)


def test_attainment_is_not_capped() -> None:
    assert attainment(120_00, 100_00) == 1.2
    assert attainment(120_00, 0) is None


def test_a_cancelled_order_counts_nowhere_whichever_is_heard_of_first() -> None:
    assert (
        contribute(order(PLACED, CANCELLED), SHANGHAI) == contribute(order(CANCELLED, PLACED), SHANGHAI) == {}
    )


def test_the_order_as_at_a_moment_before_its_cancellation_stands() -> None:
    later = PLACED_AT + timedelta(days=1)
    state = project(order(PLACED), heard([(CANCELLED, later)])[0])
    assert as_at(state, PLACED_AT) == order(PLACED)
    assert as_at(state, later) == state
    assert as_at(state, PLACED_AT - timedelta(seconds=1)) == BLANK


def test_currencies_are_never_added_up_and_days_are_those_of_the_zone() -> None:
    yen = replace(PLACED, currency="JPY")
    rows = sales(cells_of([order(PLACED), order(yen)], SHANGHAI), MAY, SHANGHAI, breakdown="owner").rows
    assert [(row.value, row.currency, row.orders) for row in rows] == [
        (str(ADA), "CNY", 1),
        (str(ADA), "JPY", 1),
    ]
    june = order(PLACED, at=PLACED_AT + timedelta(minutes=1))
    assert sales(cells_of([june], SHANGHAI), MAY, SHANGHAI).rows == ()


@given(order_histories(), zones, st.randoms(use_true_random=False))
def test_sales_are_the_same_however_the_orders_are_heard(
    histories: list[History[OrderFact]], zone: ZoneInfo, random: Random
) -> None:
    alone = [[each] for history in histories for each in history]
    heard_in = batches(interleaved(alone, random), random)
    table = filled(follow(heard_in, key, project, BLANK, lambda state: contribute(state, zone)))
    standing = [history[0] for history in histories if len(history) == 1]
    for dimension in ("all", "owner", "team"):
        own = [numbers for cell, numbers in table.items() if cell[1] == dimension]
        assert sum(numbers[0] for numbers in own) == len(standing)
        assert sum(numbers[1] for numbers in own) == sum(
            fact.total_minor for fact, _ in standing if isinstance(fact, public.OrderPlaced)
        )


def test_a_state_survives_being_stored() -> None:
    for state in (BLANK, order(PLACED), order(CANCELLED), order(PLACED, CANCELLED)):
        assert ORDER.validate_json(ORDER.dump_json(state)) == state
