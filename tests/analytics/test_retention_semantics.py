"""The rules of retention, each with an example."""

from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.retention.semantics import (
    BLANK,
    Customer,
    Retention,
    Share,
    cells_of,
    project,
    repurchase,
    retention,
)
from analytics.semantics import Period

from tests.analytics.order_streams import cancelled_order, placed
from tests.analytics.streams import heard

UTC_ZONE, KATHMANDU = ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu")
YEAR = Period(date(2024, 1, 1), date(2025, 1, 1))


def on(month: int, day: int = 15, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2024, month, day, hour, minute, tzinfo=UTC)


def buyer(*times: datetime, currency: str = "CNY", cancelled: tuple[int, ...] = ()) -> Customer:
    state = BLANK
    orders = [(placed(UUID(int=n), UUID(int=0xC0), currency, 100), at) for n, at in enumerate(times)]
    for record in heard(
        [*orders, *((cancelled_order(UUID(int=n), UUID(int=0xC0)), on(12)) for n in cancelled)]
    ):
        state = project(state, record)
    return state


def asked(*customers: Customer, now: datetime, zone: ZoneInfo = UTC_ZONE) -> Retention:
    return retention(cells_of(customers, zone), YEAR, now, zone)


def test_on_counts_the_month_and_unbounded_that_month_or_any_later() -> None:
    (cohort,) = asked(buyer(on(1), on(4)), buyer(on(1), on(2)), buyer(on(1)), now=on(5)).cohorts
    assert (cohort.month, cohort.size) == ("2024-01", 3)
    assert cohort.on == (3, 1, 0, 1, 0)
    assert cohort.unbounded == (3, 2, 1, 1, 0)
    assert cohort.revenue == {"CNY": (300, 100, 0, 100, 0)}


def test_the_month_that_is_not_over_is_marked_and_left_out_of_the_shares() -> None:
    answer = asked(buyer(on(1), on(3)), buyer(on(2)), now=on(3))
    assert [cohort.complete for cohort in answer.cohorts] == [2, 1]
    assert answer.shares == (Share(0, 2, 1.0, 1.0), Share(1, 1, 0.0, 1.0))


def test_a_cancelled_first_order_moves_the_customer_to_a_later_cohort() -> None:
    (cohort,) = asked(buyer(on(1), on(3), cancelled=(0,)), now=on(4)).cohorts
    assert (cohort.month, cohort.on, cohort.revenue) == ("2024-03", (1, 0), {"CNY": (100, 0)})


def test_the_zone_decides_the_month_of_the_last_quarter_of_an_hour() -> None:
    at_the_turn = buyer(on(1, 31, 18, 15))
    assert asked(at_the_turn, now=on(4)).cohorts[0].month == "2024-01"
    assert asked(at_the_turn, now=on(4), zone=KATHMANDU).cohorts[0].month == "2024-02"


def test_a_customer_with_two_currencies_is_one_customer() -> None:
    both = Customer({**buyer(on(1)).orders, UUID(int=9): buyer(on(1), currency="JPY").orders[UUID(int=0)]})
    (cohort,) = asked(both, now=on(2)).cohorts
    assert (cohort.on, cohort.revenue) == ((1, 0), {"CNY": (100, 0), "JPY": (100, 0)})


def test_three_of_ten_buyers_of_a_quarter_who_buy_again_are_thirty_percent() -> None:
    quarter = Period(date(2024, 4, 1), date(2024, 7, 1))
    once, twice = [buyer(on(4)) for _ in range(7)], [buyer(on(4), on(6)) for _ in range(3)]
    answer = repurchase([*once, *twice], quarter, UTC_ZONE)
    assert (answer.buyers, answer.again, answer.again_rate) == (10, 3, 0.3)
    assert (answer.prior, answer.returned_rate) == (0, None)


def test_two_orders_of_one_day_are_one_purchase_day_and_prior_buyers_are_a_base_of_their_own() -> None:
    quarter = Period(date(2024, 4, 1), date(2024, 7, 1))
    answer = repurchase([buyer(on(4), on(4, hour=18)), buyer(on(1), on(5)), buyer(on(2))], quarter, UTC_ZONE)
    assert (answer.buyers, answer.again) == (2, 0)
    assert (answer.prior, answer.returned, answer.returned_rate) == (2, 1, 0.5)


def test_nobody_bought_is_an_empty_answer() -> None:
    assert asked(now=on(5)).cohorts == ()
    assert asked(buyer(on(1), cancelled=(0,)), now=on(5)).shares == ()
