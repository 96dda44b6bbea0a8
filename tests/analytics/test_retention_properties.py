"""Whatever is bought and cancelled, and however it is heard, retention is what a plain count finds."""

from collections import Counter
from datetime import date, datetime
from random import Random
from zoneinfo import ZoneInfo

from analytics.retention.semantics import (
    BLANK,
    Customer,
    CustomerFact,
    as_at,
    cells_of,
    contribute,
    key,
    project,
    retention,
)
from analytics.semantics import Cells, Period
from contracts import opportunities as public
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.analytics import oracle
from tests.analytics.folding import filled, follow, states
from tests.analytics.order_streams import cancelled_order, order_histories
from tests.analytics.streams import TIMES, History, batches, heard, interleaved, times, zones

Histories = list[History[CustomerFact]]
CUSTOMER = TypeAdapter(Customer)
ALWAYS = Period(date.min, date.max)


def customers(histories: Histories) -> list[Customer]:
    return list(
        states(heard([each for history in histories for each in history]), key, project, BLANK).values()
    )


def counted(cells: Cells, zone: ZoneInfo) -> oracle.Count:
    """The answer in the oracle's words."""
    count: oracle.Count = Counter()
    for cohort in retention(cells, ALWAYS, TIMES[-1], zone).cohorts:
        assert cohort.size == cohort.on[0] == cohort.unbounded[0]
        for offset, (on, unbounded) in enumerate(zip(cohort.on, cohort.unbounded, strict=True)):
            assert on <= unbounded <= cohort.size
            count["on", cohort.month, offset] = on
            count["unbounded", cohort.month, offset] = unbounded
            for currency, revenue in cohort.revenue.items():
                count["revenue", cohort.month, offset, currency] = revenue[offset]
    return +count


@given(order_histories(), zones, st.randoms(use_true_random=False))
def test_retention_is_the_same_however_the_orders_are_heard(
    histories: Histories, zone: ZoneInfo, random: Random
) -> None:
    # Not even an order's own facts keep their sequence: a cancellation may come before the order.
    alone = [[each] for history in histories for each in history]
    heard_in = batches(interleaved(alone, random), random)
    table = follow(heard_in, key, project, BLANK, lambda customer: contribute(customer, zone))
    assert table == filled(cells_of(customers(histories), zone))
    assert counted(table, zone) == oracle.retention(histories, zone)


@given(order_histories(), zones, times)
def test_retention_as_at_a_moment_is_that_of_the_orders_that_had_been_placed_and_cancelled(
    histories: Histories, zone: ZoneInfo, moment: datetime
) -> None:
    then = [as_at(customer, moment) for customer in customers(histories)]
    known = [[(fact, at) for fact, at in history if at <= moment] for history in histories]
    assert counted(cells_of(then, zone), zone) == oracle.retention(known, zone)


@given(order_histories(), zones)
def test_cancelling_every_order_empties_every_cell(histories: Histories, zone: ZoneInfo) -> None:
    gone: Histories = [
        [*history, (cancelled_order(fact.order_id, fact.customer_id), at)]
        for history in histories
        for fact, at in history
        if isinstance(fact, public.OrderPlaced)
    ]
    assert filled(cells_of(customers(gone), zone)) == {}


@given(order_histories())
def test_a_state_survives_being_stored(histories: Histories) -> None:
    for customer in customers(histories):
        assert CUSTOMER.validate_json(CUSTOMER.dump_json(customer)) == customer
